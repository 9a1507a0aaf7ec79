"""The engine survives its users: threads, tasks, interrupts, long runs, full disks, hostile files, bare installs."""

import asyncio
import copy
import gc
import json
import math
import os
import pickle
import random
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import autodiff
from autodiff import Value, grad, hessian, no_grad, sin, weighted_sum
from models import MLP
from models.checkpoints import load_parameters, save_parameters
from models.linear_regression import LinearRegression
from models.mlp_estimators import MLPClassifier, MLPRegressor
from models.perceptron import Perceptron
from models.training import train

ROOT = Path(__file__).parent.parent


# Threads and tasks


def training(seed):
    """A graph of its own, swept and stepped: what it gives is bits that only the seed decides."""
    net = MLP(2, [3, 1], activation="tanh", random_state=seed)
    for step in range(20):
        loss = (net([0.1 * step, seed]) - 0.5) ** 2
        net.zero_grad()
        loss.backward()
        for p in net.parameters():
            p.data -= 0.1 * p.grad
    return [p.data.hex() for p in net.parameters()]


def test_eight_threads_with_graphs_of_their_own_give_the_numbers_of_one():
    """Bit for bit, however they are interleaved."""
    alone = [training(seed) for seed in range(8)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            together = list(pool.map(training, range(8)))
    finally:
        sys.setswitchinterval(before)
    assert together == alone


def test_derivatives_of_functions_taken_in_eight_threads_do_not_mix():
    """grad and hessian mark their variables as open: those of another thread are none of theirs."""

    def work(k):
        return [grad(grad(lambda x: sin(k * x)))(0.3), hessian(lambda x: x[0] ** k * x[1])([1.5, 2.0]).tolist()]

    def expected(k):
        mixed = k * 1.5 ** (k - 1)
        return [-k * k * math.sin(0.3 * k), [[k * (k - 1) * 1.5 ** (k - 2) * 2.0, mixed], [mixed, 0.0]]]

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(work, [*range(2, 10)] * 10))
    finally:
        sys.setswitchinterval(before)
    for k, (second, matrix) in zip([*range(2, 10)] * 10, answers, strict=True):
        assert second == pytest.approx(expected(k)[0], rel=1e-12)
        for row, wanted in zip(matrix, expected(k)[1], strict=True):
            assert row == pytest.approx(wanted, rel=1e-12)


def test_threads_that_pause_recording_do_not_pause_others():
    """Half of them inside no_grad, half outside, all entering and leaving at once: each sees its own switch."""
    wrong = []

    def work(paused):
        for _ in range(300):
            if paused:
                with no_grad():
                    if (Value(2.0) * 3.0).op is not None:
                        wrong.append("recorded inside no_grad")
            elif (Value(2.0) * 3.0).op is None:
                wrong.append("not recorded")

    threads = [threading.Thread(target=work, args=(i % 2 == 0,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert (Value(2.0) * 3.0).op is not None


def test_tasks_that_share_a_leaf_and_pause_recording():
    """asyncio tasks interleave between building, pausing and sweeping; a thread they start inherits their switch."""
    x = Value(3.0)

    async def learn(k):
        for _ in range(20):
            y = x * k
            await asyncio.sleep(0)
            with no_grad():
                await asyncio.sleep(0)
                assert (x * k).op is None
                assert await asyncio.to_thread(lambda: (x * k).op) is None
            await asyncio.sleep(0)
            y.backward()

    async def main():
        await asyncio.gather(*map(learn, range(1, 6)))

    asyncio.run(main())
    assert x.grad == 20 * (1 + 2 + 3 + 4 + 5)


# Interrupts


HARNESS = """
import json, signal, sys
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background of a shell ignores it
path = Path(sys.argv[1])
{prepare}
print("ready", flush=True)
try:
    while True:
{work}
except KeyboardInterrupt:
    print(json.dumps({report}), flush=True)
"""

SWEEPING = {
    "prepare": """
from autodiff import Value
leaves = [Value(1.0) for _ in range(200)]
chain = leaves[0] * 1.0
for x in leaves[1:]:
    chain = chain + x
""",
    "work": "        chain.backward()",
    "report": "[x.grad for x in leaves]",
}

FITTING = {
    "prepare": """
import numpy as np
from models import MLP
from models.training import train
def run(epochs, **more):
    net = MLP(2, [3, 1], activation="tanh", random_state=0)
    X = np.random.default_rng(0).normal(size=(8, 2))
    seen = [[p.data for p in net.parameters()]]
    def remember(end):
        seen.append([p.data for p in net.parameters()])
    def go():
        train(net, X, X[:, 0], epochs=epochs, batch_size=3, random_state=1, callbacks=[remember], **more)
    return net, seen, go
net, seen, go = run(100_000, checkpoint=path)
""",
    "work": "        go()",
    "report": "[[p.data for p in net.parameters()], len(seen), seen[-1]]",
}

DRAWING = {
    "prepare": """
from autodiff import Value, draw
from autodiff.pictures import render
x = Value(2.0, "x")
y = x * x + 1.0
y.backward()
picture = draw(y)
render(picture, path)
""",
    "work": "        render(picture, path)",
    "report": "path.read_text()",
}

interrupts = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send to one process")


def interrupted(scenario, path, after):
    """What a process reports that was sent Ctrl-C a moment after it began to work."""
    with subprocess.Popen(
        [sys.executable, "-c", HARNESS.format(**scenario), str(path)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
    ) as process:  # fmt: skip
        assert process.stdout.readline() == "ready\n", process.stderr.read()
        time.sleep(after)
        process.send_signal(signal.SIGINT)
        try:
            out, complaint = process.communicate(timeout=120)
        finally:
            process.kill()
    assert out, complaint
    return json.loads(out)


@interrupts
@pytest.mark.parametrize("after", [0.003, 0.02, 0.051])
def test_ctrl_c_while_sweeping_leaves_every_leaf_with_whole_sweeps(tmp_path, after):
    """All leaves have been handed the same number of sweeps: none has half a gradient."""
    assert len(set(interrupted(SWEEPING, tmp_path / "unused", after))) == 1


@interrupts
@pytest.mark.parametrize("after", [0.01, 0.2])
def test_ctrl_c_while_fitting_leaves_the_last_complete_epoch_and_a_whole_file(tmp_path, after):
    """Weights are those after an epoch, to the bit; the file is a run that goes on as if nothing had been."""
    path = tmp_path / "run"
    weights, epochs, last = interrupted(FITTING, path, after)
    scope = {"path": None}
    names = FITTING["prepare"].replace("run(100_000, checkpoint=path)", "run(0)")
    exec(names, scope)  # the same start, here
    _, trajectory, go = scope["run"](epochs + 1)
    go()
    assert last == trajectory[epochs - 1]
    assert weights in trajectory[epochs - 1 : epochs + 1]
    assert [p.name for p in tmp_path.iterdir()] in ([["run"]] if epochs > 1 else [["run"], []])
    net, _, resume = scope["run"](epochs + 1, checkpoint=path)
    resume()
    assert [p.data for p in net.parameters()] == trajectory[epochs + 1]


@interrupts
@pytest.mark.parametrize("suffix", [".gv", ".svg"])
def test_ctrl_c_while_drawing_leaves_a_whole_picture_and_no_other_file(tmp_path, suffix):
    """The old picture or the new one; Graphviz is not left running with our file open."""
    if suffix == ".svg":
        pytest.importorskip("pygraphviz", reason="needs a Graphviz to draw with")
    path = tmp_path / f"picture{suffix}"
    text = interrupted(DRAWING, path, 0.05)
    assert text.rstrip().endswith("}" if suffix == ".gv" else "</svg>")
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


# Coverage's tracer takes a lock of its own, in which an interrupt leaves it locked.
timers = pytest.mark.skipif(
    not hasattr(signal, "setitimer") or "coverage" in sys.modules,
    reason="the system has no timers that send signals, or coverage is being measured",
)


class Alarm:
    """Raises KeyboardInterrupt wherever the main thread is, after so many seconds; `rang` says that it has."""

    def __init__(self, seconds):
        self.seconds = seconds
        self.rang = False

    def __enter__(self):
        self.before = signal.signal(signal.SIGALRM, self.ring)
        signal.setitimer(signal.ITIMER_REAL, self.seconds)
        return self

    def ring(self, *_):
        self.rang = True
        raise KeyboardInterrupt

    def check(self):
        """Raise TimeoutError where the interrupt was swallowed.

        A `while` that asks `rang` itself has instructions that no `except` covers, in Python 3.12 and 3.13.
        """
        if self.rang:
            raise TimeoutError

    def __exit__(self, *_):
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, self.before)


@timers
def test_a_sweep_is_all_or_nothing_wherever_it_is_interrupted(monkeypatch):
    """A hundred real interrupts, most of them while totals are written: leaves have the sweeps that were finished.

    An interrupt within a destructor or a callback of the interpreter's is swallowed there and reported to
    `sys.unraisablehook`; any other must come through the engine.
    """
    swallowed = []
    monkeypatch.setattr(sys, "unraisablehook", swallowed.append)
    leaves = [Value(float(i % 7)) for i in range(3000)]
    root = weighted_sum([1.0] * len(leaves), leaves)
    moments = random.Random(1986)
    hits = 0
    gc.disable()  # what interrupts the collector's callbacks, of which Hypothesis has one, Python swallows
    try:
        for _ in range(100):
            try:
                with Alarm(moments.uniform(1e-4, 3e-3)) as alarm:
                    while True:
                        root.backward()
                        alarm.check()
            except TimeoutError:
                pass
            except KeyboardInterrupt:
                hits += 1
            assert len({x.grad for x in leaves}) == 1
    finally:
        gc.enable()
    assert hits + len(swallowed) == 100
    assert hits > 90


# Between open() and `with` no code can close the file: Python does, and warns of it.
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@timers
def test_loading_weights_is_all_or_nothing_wherever_it_is_interrupted(tmp_path):
    """The file's numbers or those from before, never some of each."""

    class Model:
        def __init__(self):
            self.values = [Value(0.0) for _ in range(3000)]

        def parameters(self):
            return self.values

    model, other, path = Model(), Model(), tmp_path / "weights"
    for p in other.values:
        p.data = 1.0
    save_parameters(path, other)
    moments = random.Random(1)
    for _ in range(40):
        for p in model.values:
            p.data = 0.0
        try:
            with Alarm(moments.uniform(1e-4, 4e-3)):
                load_parameters(path, model)
                time.sleep(1)
        except KeyboardInterrupt:
            pass
        assert len({p.data for p in model.values}) == 1


def kept(model):
    """All that an estimator holds, comparable."""
    return {name: pickle.dumps(value) for name, value in vars(model).items()}


class Stop:
    """Interrupts at the n-th line that the estimators' own code runs."""

    files = "_sklearn_contract.py", "mlp_estimators.py", "perceptron.py", "linear_regression.py"

    def __init__(self, after):
        self.left = after

    def __call__(self, frame, event, _):
        if not frame.f_code.co_filename.endswith(self.files):
            return None
        if event == "line":
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
        return self


def fit_interrupted(model, X, y, after):
    """Whether it came to an interrupt before the end."""
    before = sys.gettrace()
    sys.settrace(Stop(after))
    try:
        model.fit(X, y)
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


@pytest.mark.parametrize(
    "make",
    [
        lambda: MLPClassifier(hidden_layer_sizes=(2,), max_iter=3, tol=1e9, n_iter_no_change=1, random_state=0),
        lambda: MLPRegressor(hidden_layer_sizes=(2,), max_iter=3, tol=1e9, n_iter_no_change=1, random_state=0),
        lambda: Perceptron(random_state=0),
        lambda: LinearRegression(epochs=3),
    ],
    ids=["MLPClassifier", "MLPRegressor", "Perceptron", "LinearRegression"],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_fitting_again_is_whole_at_every_line(make):
    """An interrupt leaves the estimator as it was, as it is after some complete epoch, or as it becomes.

    Here even the number of features changes.
    """
    first = [[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1]
    second = [[2.0], [1.0], [-1.0], [-2.0]], [1, 1, 0, 0]
    old = make().fit(*first)
    new = copy.deepcopy(old).fit(*second)
    seen, after, going = [], 0, True
    while going:
        model = copy.deepcopy(old)
        going = fit_interrupted(model, *second, after)
        seen.append(kept(model))
        after += 1
    stages = [kept(copy.deepcopy(old))]
    if isinstance(old, (Perceptron, LinearRegression)):  # their passes are of those lines
        limit = "max_iter" if isinstance(old, Perceptron) else "epochs"
        for passes in range(1, new.n_iter_):
            model = copy.deepcopy(old).set_params(**{limit: passes}).fit(*second)
            stages.append(kept(model.set_params(**{limit: getattr(old, limit)})))
    stages.append(kept(new))
    assert stages[0] != stages[-1]
    places = [stages.index(each) for each in seen]
    assert places.count(0) > 5
    assert places == sorted(places)
    assert places[-1] == len(stages) - 1


class StopAt:
    """Interrupts at the n-th call of a function of this name."""

    def __init__(self, name, after):
        self.name, self.left = name, after

    def __call__(self, frame, event, _):
        if event == "call" and frame.f_code.co_name == self.name and "models" in frame.f_code.co_filename:
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt


def fit_interrupted_at(model, X, y, name, after):
    """Fit up to the n-th call of a function, where Ctrl-C is pressed."""
    before = sys.gettrace()
    sys.settrace(StopAt(name, after))
    try:
        with pytest.raises(KeyboardInterrupt):
            model.fit(X, y)
    finally:
        sys.settrace(before)
    return model


XOR = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0]
LINE = [[1.0], [2.0], [3.0], [4.0]], [3.0, 5.0, 7.0, 9.5]
SHORT = {"hidden_layer_sizes": (3,), "batch_size": 2, "random_state": 0}
FITS = {  # the function that is called so many times an epoch
    "MLPClassifier": (lambda n: MLPClassifier(max_iter=n, **SHORT), XOR, "update", 2),
    "MLPClassifier, held out": (
        lambda n: MLPClassifier(max_iter=n, early_stopping=True, validation_fraction=0.4, tol=0.0, **SHORT),
        ([*XOR[0], *XOR[0]], [*XOR[1], *XOR[1]]), "validation_loss", 1,
    ),
    "MLPRegressor": (lambda n: MLPRegressor(max_iter=n, engine="eager", **SHORT), LINE, "update", 2),
    "Perceptron": (lambda n: Perceptron(max_iter=n, random_state=0), XOR, "one_pass", 1),
    "LinearRegression": (lambda n: LinearRegression(epochs=n), LINE, "update", 1),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", FITS)
def test_ctrl_c_in_a_fit_keeps_the_last_complete_epoch(name):
    """The first fit, a later one or a warm start: what is kept is what a fit of so many epochs learns, whole."""
    make, (X, y), function, calls = FITS[name]
    learned = {"coef_", "coefs_", "intercept_", "intercepts_", "loss_curve_", "n_iter_", "n_features_in_"}
    for epochs in (1, 2, 3):
        model = fit_interrupted_at(make(9), X, y, function, calls * epochs)
        if "held out" in name:  # the latest weights, where a fit that ends takes the best ones
            assert model.n_iter_ == epochs == len(model.validation_curve_)
            continue
        whole = make(epochs).fit(X, y)
        there = learned & set(vars(whole))
        assert len(there) == 5
        for each in there:
            assert pickle.dumps(getattr(model, each)) == pickle.dumps(getattr(whole, each)), each
        assert len(model.predict(X)) == len(X)
    again = copy.deepcopy(make(2).fit(X[:-1], y[:-1]))
    assert kept(fit_interrupted_at(copy.deepcopy(again), X, y, function, 0)) == kept(again)
    more = fit_interrupted_at(again.set_params(warm_start=True), X, y, function, calls)
    assert more.n_iter_ == (1 if name == "LinearRegression" else 3)
    fresh = make(9)
    assert kept(fit_interrupted_at(make(9), X, y, function, 0)) == kept(fresh)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", ["MLPClassifier", "Perceptron"])
def test_a_fit_that_was_interrupted_goes_on_as_one_that_ended_there(name):
    """The generator stands where the last complete epoch left it."""
    make, (X, y), function, calls = FITS[name]
    whole = make(2).fit(X, y)
    model = fit_interrupted_at(make(9), X, y, function, calls * 2)
    for each in (whole, model):
        each.set_params(warm_start=True, max_iter=4).fit(X, y)
    assert model.loss_curve_ == whole.loss_curve_


def test_an_interrupt_carries_the_history_of_the_complete_epochs():
    """`train` has nobody to give it to but who catches the interrupt."""

    def stop(end):
        if end.epoch == 3:
            raise KeyboardInterrupt

    whole = train(MLP(2, [2, 1], random_state=0), *XOR, epochs=3)
    with pytest.raises(KeyboardInterrupt) as caught:
        train(MLP(2, [2, 1], random_state=0), *XOR, epochs=9, callbacks=[stop])
    assert caught.value.history.loss_curve == whole.loss_curve


# Memory


def test_ten_thousand_steps_of_training_do_not_grow():
    """After a step everything but the parameters is gone, without the collector."""
    w, b = Value(0.5), Value(0.1)

    def steps(n):
        for i in range(n):
            loss = (w * (0.1 * (i % 10)) + b - 1.0) ** 2 + (w * b).tanh()
            w.zero_grad()
            b.zero_grad()
            loss.backward()
            w.data -= 0.01 * w.grad
            b.data -= 0.01 * b.grad

    gc.disable()
    tracemalloc.start()
    try:
        steps(100)
        before = tracemalloc.get_traced_memory()[0]
        steps(10_000)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
        gc.enable()
    assert grown < 2_000


@pytest.mark.parametrize("engine", ["eager", "compiled"])
def test_a_training_loop_keeps_its_history_and_nothing_else(engine):
    """500 epochs more take the loss of each, a float in a list; compiling, once a run, is in both sums."""
    net = MLP(1, [2, 1], activation="tanh", random_state=0)

    def grown(epochs):
        before = tracemalloc.get_traced_memory()[0]
        history = train(net, [[0.0], [1.0]], [0.0, 1.0], epochs=epochs, engine=engine)
        assert history.n_iter == epochs
        return tracemalloc.get_traced_memory()[0] - before

    gc.disable()
    tracemalloc.start()
    try:
        grown(20)
        short, long = grown(20), grown(520)
    finally:
        tracemalloc.stop()
        gc.enable()
    assert long - short < 100 * 500 + 10_000


@pytest.mark.parametrize("nodes", [10_000, 100_000])
def test_a_graph_takes_a_fixed_number_of_bytes_per_node_and_gives_them_back(nodes):
    """At most 300 bytes with δ, whatever the size; dropping the last name frees all, without the collector.

    The engine in C keeps slabs of a graph for the next one (docs/design.md): that one takes no more.
    """
    gc.disable()
    tracemalloc.start()
    try:
        x = Value(1.0)
        before = tracemalloc.get_traced_memory()[0]
        left = []
        for _ in range(3):
            y = x
            for _ in range(nodes // 2):
                y = y * 0.5 + x
            y.backward()
            held = tracemalloc.get_traced_memory()[0] - before
            del y
            left.append(tracemalloc.get_traced_memory()[0] - before)
    finally:
        tracemalloc.stop()
        gc.enable()
    assert held / nodes < 300
    if autodiff.engine == "C":
        assert left[0] < 64 * 2**20
        assert left[-1] < left[0] + 10_000
    else:
        assert max(left) < 10_000


# Files


LIMITED = """
import resource, sys
from autodiff import Value, draw
from autodiff.pictures import render
y = Value(2.0, "x")
for _ in range(50):
    y = y * 2.0
picture = draw(y)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    render(picture, sys.argv[1])
except OSError as error:
    print(error.strerror)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows sets no limits to a process")
def test_a_picture_that_finds_no_room_keeps_the_old_one(tmp_path):
    """The system refuses to write more: its own error comes out, the old file stays, nothing lies beside it."""
    path = tmp_path / "picture.gv"
    path.write_text("old")
    done = subprocess.run(
        [sys.executable, "-c", "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n" + LIMITED, str(path)],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert "File too large" in done.stdout, done.stderr
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["picture.gv"]


AUDITED = """
import sys
events = []
watching = True
BAD = ("exec", "compile", "import", "pickle", "marshal", "subprocess", "os.system", "os.exec", "os.posix_spawn", "socket",
       "ctypes", "code")
def hook(event, args):
    if watching and event.startswith(BAD):
        events.append((event, repr(args)[:80]))
import pickle, hashlib, json
from pathlib import Path
from autodiff import Value
from models import MLP
from models.checkpoints import CheckpointError, load_parameters, save_parameters
path = Path(sys.argv[1])
net = MLP(1, [2, 1], random_state=0)
save_parameters(path, net)
load_parameters(path, net)  # what is imported when first used is imported
good = path.read_bytes()
class Bomb:
    def __reduce__(self):
        return eval, ("open('/tmp/never', 'w')",)
bomb = pickle.dumps(Bomb())
header = b'{"__reduce__": ["eval", "1"], "kind": "parameters", "facts": {"$ref": "file:///etc/passwd"}, "arrays": [], "sha256": ""}'
signed = good[:8] + (1).to_bytes(4, "little") + len(header).to_bytes(4, "little") + hashlib.sha256(header).digest() + header
sys.addaudithook(hook)
refused = 0
for contents in (bomb, good[:48] + bomb, good + bomb, signed, b"\\x93NUMPY" + bomb, b"PK\\x03\\x04" + bomb):
    path.write_bytes(contents)
    try:
        load_parameters(path, net)
    except CheckpointError:
        refused += 1
path.write_bytes(good)
load_parameters(path, net)
watching = False
print(refused, events)
"""


def test_loading_executes_and_imports_nothing(tmp_path):
    """The interpreter's own audit of a good file and of files made to be run: no code, no import, no process."""
    done = subprocess.run(
        [sys.executable, "-c", AUDITED, str(tmp_path / "weights")],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.stdout == "6 []\n", done.stdout + done.stderr


# Imports


IMPORT = """
import sys
seen = []
def hook(event, args):
    if event.startswith(("socket.", "urllib", "http", "ftplib", "smtplib", "subprocess", "os.system", "os.exec",
                         "os.posix_spawn", "os.fork", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link",
                         "os.symlink", "os.truncate", "os.chmod", "shutil", "tempfile")):
        seen.append((event, repr(args)[:100]))
    if event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"):
        seen.append((event, repr(args)[:100]))
    if event == "open" and isinstance(args[2], int) and args[2] & 3 and not isinstance(args[1], str):
        seen.append((event, repr(args)[:100]))
sys.path.insert(0, sys.argv[1])
import numpy, graphviz  # what NumPy does is NumPy's
sys.addaudithook(hook)
import autodiff, models
import autodiff.pictures, models.training, models.checkpoints
print(seen)
"""


def test_importing_neither_writes_nor_asks_the_network():
    """Seen by the interpreter's audit hook; -B since bytecode caches are Python's own."""
    done = subprocess.run(
        [sys.executable, "-I", "-B", "-W", "error", "-c", IMPORT, str(ROOT)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "[]\n", done.stdout + done.stderr


def test_importing_the_engine_costs_few_modules_beyond_numpys():
    """What makes an import slow is what it pulls in: our own core and a handful of the standard library's."""
    count = "import sys, numpy; before = set(sys.modules); import autodiff; print(sorted(set(sys.modules) - before))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", count], capture_output=True, text=True, check=True, cwd=ROOT
    )
    others = {name.partition(".")[0] for name in eval(done.stdout) if name[0] != "_"} - {"autodiff"}
    assert len(others) < 15, others
