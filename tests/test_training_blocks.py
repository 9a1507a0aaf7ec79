"""While a training block lasts, its array is where the parameters' numbers are: every reader sees them, every writer writes them."""

import copy
import gc
import math
import pickle
import random
import signal
import sys
import threading

import numpy as np
import pytest

import autodiff
from autodiff import OPS, Value, compile, draw, exp, grad, logsumexp, mean, no_grad, total, weighted_sum
from autodiff.testing import gradcheck
from autodiff.testing.faults import points_of
from models import MLP
from models.checkpoints import load_parameters, save_parameters
from models.optimizers import GradientDescent

X, Y = np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 6.0])


@pytest.fixture(name="w")
def _w():
    return Value(0.0, "w")


@pytest.fixture(name="loss")
def _loss(w):
    return compile(lambda x, y: (w * x - y) ** 2)


def test_other_programs_see_what_training_has_reached(w, loss):
    """A batch, one point, derivatives in all ways, and a program that was traced before or is traced only now."""
    predict = compile(lambda x: w * x)
    assert predict(X).tolist() == [0.0, 0.0, 0.0]
    with loss.training(X, Y) as flat:
        for _ in range(50):
            _, gradient = loss.value_and_grad(X, Y)
            flat -= 0.05 * gradient
        reached = flat.item()
        assert reached == pytest.approx(2.0, rel=1e-9)
        np.testing.assert_array_equal(predict(X), reached * X)
        np.testing.assert_array_equal(compile(lambda x: w * w * x)(X), reached**2 * X)
        assert predict(3.0) == 3.0 * reached
        assert predict.value_and_grad(3.0) == (3.0 * reached, [3.0])
        assert predict.value_and_grad(X, reduce="sum", argnums=0)[2].tolist() == [reached] * 3
        assert predict.jvp((X,), (X,))[1].tolist() == (reached * X).tolist()
        cube = compile(lambda x: x * w**3)
        for number in (2.0, -3.0):
            flat[:] = number
            assert cube.hvp(X, vector=[1.0]).tolist() == [6.0 * number * 2.0]
            assert cube.value_and_grad(X) == (2.0 * number**3, [3.0 * number**2 * 2.0])
            assert cube.value_and_grad(2.0) == (2.0 * number**3, [3.0 * number**2 * 2.0])
        assert cube(X, check=True).tolist() == (-27.0 * X).tolist()
    assert w.data == -3.0
    assert predict(X).tolist() == (-3.0 * X).tolist()


def test_a_program_with_parameters_of_several_blocks_sees_them_all(w, loss):
    """Two blocks of different parameters, and one that nobody holds."""
    v, free = Value(5.0, "v"), Value(1.0)
    other, both = compile(lambda x: v * x), compile(lambda x: w * x + v * x**2 + free)
    with loss.training(X, Y) as of_w, other.training(X) as of_v:
        of_w[:], of_v[:], free.data = 3.0, 7.0, 11.0
        assert both(X).tolist() == (3.0 * X + 7.0 * X**2 + 11.0).tolist()
        of_v[:] = 8.0
        assert both(2.0) == 6.0 + 32.0 + 11.0
    assert (w.data, v.data) == (3.0, 8.0)


EXPRESSIONS = {
    "w + 1": (lambda w: w + 1.0, 1.0),
    "1 - w": (lambda w: 1.0 - w, -1.0),
    "w + w": (lambda w: w + w, 2.0),
    "w * w": (lambda w: w * w, 2.0 * 1.5),
    "w * v": (lambda w: w * Value(4.0), 4.0),
    "v * w": (lambda w: Value(4.0) * w, 4.0),
    "v / w": (lambda w: Value(3.0) / w, -3.0 / 1.5**2),
    "w ** 3": (lambda w: w**3, 3.0 * 1.5**2),
    "-w": (lambda w: -w, -1.0),
    "abs(w)": (abs, 1.0),
    "exp": (exp, math.exp(1.5)),
    "method": (lambda w: w.tanh(), 1.0 - math.tanh(1.5) ** 2),
    "integer": (lambda w: 2 * w, 2.0),
    "numpy number": (lambda w: np.float64(2.0) * w, 2.0),
    "numpy function": (np.exp, math.exp(1.5)),
    "array": (lambda w: (np.array([1.0, 2.0]) * w).sum(), 3.0),
    "array of objects": (lambda w: np.square(np.array([w, w])).sum(), 2.0 * 2.0 * 1.5),
    "total": (lambda w: total([w, 1.0, w, Value(1.0)]), 2.0),
    "mean": (lambda w: mean([w, 1.0]), 0.5),
    "logsumexp": (lambda w: logsumexp([w, 0.0]), 1.0 / (1.0 + math.exp(-1.5))),
    "weighted_sum by weight": (lambda w: weighted_sum([w, Value(1.0)], [3.0, 4.0], Value(0.0)), 3.0),
    "weighted_sum by input": (lambda w: weighted_sum([2.0, Value(1.0)], [w, w]), 3.0),
    "weighted_sum by bias": (lambda w: weighted_sum([Value(2.0)], [Value(1.0)], w), 1.0),
}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_eager_expressions_see_what_training_has_reached(w, loss, name):
    """Value and derivative are those of a Value with that number; what was recorded stays as it was."""
    f, slope = EXPRESSIONS[name]
    with loss.training(X, Y) as flat:
        flat[:] = 1.5
        y = f(w)
        flat[:] = 100.0
        assert y.data == f(Value(1.5)).data
        y.backward()
        assert w.grad == pytest.approx(slope, rel=1e-14)
        w.zero_grad()
        with no_grad():
            assert f(w).data == f(Value(100.0)).data


@pytest.mark.parametrize("name", OPS)
def test_every_operation_takes_what_a_block_holds(name):
    """All rows of the table, on held operands alone and beside free ones, as on free ones."""
    op = OPS[name]
    for point in points_of(op)[:3]:
        held, free = [Value(x) for x in point], [Value(x) for x in point]
        program = compile(lambda x, held=held: total([h * x for h in held]))
        with program.training(1.0):
            found = [op(*held), op(*held[:1], *free[1:])]
        expected = op(*free)
        assert [y.data for y in found] == [expected.data] * 2
        assert [y.partials for y in found] == [expected.partials] * 2


def test_what_shows_a_number_shows_the_current_one(w, loss):
    """`data`, comparisons, text, pictures, errors, a derivative of a function that closes over it."""
    with loss.training(X, Y) as flat:
        flat[:] = 2.75
        assert w.data == 2.75
        assert w > 2.5
        assert w == 2.75
        assert w < Value(3.0)
        assert w != Value(2.0)
        assert bool(w)
        assert repr(w) == "Value(2.75, label='w')"
        assert f"{w:.1f}" == "2.8"
        C = w * 2.0
        assert "2.75" in draw(C).source
        C.backward()
        assert grad(lambda x: x * w)(1.0) == 2.75
        flat[:] = -0.5
        with pytest.raises(autodiff.DomainError, match=r"log of -0\.5, outside \(0, ∞\), in 'w'"):
            w.log()
        flat[:] = math.inf
        with pytest.raises(ValueError, match="must start from a finite number, got 'w' = inf"):
            w.backward()
        flat[:] = 1.0
        gradcheck(lambda x: x * w + exp(w), 0.5)


def test_copies_have_the_current_numbers_to_themselves(w, loss):
    """Copied, pickled, saved and loaded while a block lasts, of parameters, graphs, models and programs."""
    with loss.training(X, Y) as flat:
        flat[:] = 2.0
        copies = [copy.copy(w), copy.deepcopy(w), pickle.loads(pickle.dumps(w)), copy.deepcopy(w * w).operands[0]]
        again = copy.copy(loss)
        flat[:] = 3.0
        assert [each.data for each in copies] == [2.0] * 4
        copies[0].data = 7.0
        assert w.data == 3.0
        assert again(X, Y).tolist() == ((3.0 * X - Y) ** 2).tolist()


def test_a_model_that_is_saved_while_it_is_trained(tmp_path):
    """The file has the numbers of that moment; loading it within the block takes the training there."""
    mlp, twin = MLP(2, [3, 1], random_state=0), MLP(2, [3, 1], random_state=1)
    program = compile(lambda x, y: (mlp(x) - y) ** 2)
    inputs, targets = np.ones((4, 2)), np.zeros(4)
    with program.training(inputs, targets) as flat:
        flat[:] = np.arange(len(flat))
        save_parameters(tmp_path / "weights", mlp)
        load_parameters(tmp_path / "weights", twin)
        values = {id(p): float(i) for i, p in enumerate(program.parameters)}
        assert [p.data for p in twin.parameters()] == [values[id(p)] for p in mlp.parameters()]
        copied = copy.deepcopy(mlp)
        flat[:] = 0.0
        assert [p.data for p in copied.parameters()] == [values[id(p)] for p in mlp.parameters()]
        load_parameters(tmp_path / "weights", mlp)
        assert flat.tolist() == list(range(len(flat)))


def test_assigning_data_within_a_block_takes_effect(w, loss):
    """By hand or by an optimizer: the block goes on from there, and keeps it."""
    with loss.training(X, Y) as flat:
        w.data = 5.0
        assert flat.tolist() == [5.0]
        assert loss.value_and_grad(X, Y) == (np.mean((5.0 * X - Y) ** 2), [np.mean(2.0 * X * (5.0 * X - Y))])
        optimizer = GradientDescent([w], learning_rate=0.05)
        for _ in range(60):
            w.zero_grad()
            loss.backward(X, Y)
            optimizer.step()
        assert flat.item() == pytest.approx(2.0, rel=1e-9)
        w.data = np.float32(0.5)
        flat *= 3.0
    assert w.data == 1.5
    with pytest.raises(TypeError, match="a Value needs one real number"), loss.training():
        w.data = "5"
    assert w.data == 1.5


def test_a_parameter_is_in_one_block_at_a_time(w, loss):
    """A second block on it is refused by name, and changes nothing; its program can be called, and the first goes on."""
    v = Value(3.0, "v")
    other = compile(lambda x: w * x + v)
    with loss.training(X, Y) as flat:
        flat[:] = 4.0
        with (
            pytest.raises(RuntimeError, match="one training block at a time, and 'w' is in another"),
            other.training(X),
        ):
            pass
        assert (w.data, v.data) == (4.0, 3.0)
        assert other(X).tolist() == (4.0 * X + 3.0).tolist()
        flat[:] = 6.0
        assert loss(X, Y).tolist() == ((6.0 * X - Y) ** 2).tolist()
        assert other.value_and_grad(X)[0] == 15.0
    assert (w.data, v.data) == (6.0, 3.0)
    with other.training(X) as both:
        both += 1.0
    assert (w.data, v.data) == (7.0, 4.0)
    with loss.training(X, Y), pytest.raises(RuntimeError, match="training already"), loss.training():
        pass


def test_an_exception_ends_a_block_with_what_it_reached(w, loss):
    """Raised inside, thrown away before its end, or from a block that cannot begin."""
    predict = compile(lambda x: w * x)
    with pytest.raises(KeyError), loss.training(X, Y) as flat:
        flat[:] = 3.0
        raise KeyError
    flat[:] = 9.0  # nobody's any more
    assert (w.data, predict(1.0)) == (3.0, 3.0)
    block = loss.training()
    block.__enter__()[:] = 4.0
    assert predict(1.0) == 4.0
    del block
    gc.collect()
    assert (w.data, predict(1.0)) == (4.0, 4.0)
    with loss.training() as again:
        assert again is flat
        again[:] = 5.0
    assert w.data == 5.0


def test_threads_read_numbers_that_were_there():
    """Readers of all kinds, while another thread steps and opens and closes blocks: whole numbers, never none."""
    w = [Value(0.0) for _ in range(20)]
    loss = compile(lambda x: total([each * x for each in w]))
    loss.trace(1.0)
    ended, wrong = threading.Event(), []

    def read(look):
        while not ended.is_set():
            try:
                number = float(look())
            except Exception as error:  # noqa: BLE001 # whatever it is
                wrong.append(error)
                return
            if not number.is_integer():
                wrong.append(number)

    mean_of_all = compile(lambda x: total(w) * x)
    looks = [lambda: w[3].data, lambda: (w[3] * 1.0).data, lambda: mean_of_all(1.0), lambda: copy.copy(w[3]).data]
    readers = [threading.Thread(target=read, args=(look,)) for look in looks]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for reader in readers:
            reader.start()
        for _ in range(300):
            with loss.training() as flat:
                for _ in range(3):
                    flat += 1.0
    finally:
        ended.set()
        for reader in readers:
            reader.join()
        sys.setswitchinterval(before)
    assert not wrong
    assert {each.data for each in w} == {900.0}


def test_of_two_threads_that_train_the_same_parameter_one_is_refused(w):
    """Whoever comes second, and nothing is mixed up."""
    programs = [compile(lambda x, k=k: w * x * k) for k in (1.0, 2.0)]
    together, refused = threading.Barrier(2), []

    def train(program):
        program.trace(X)
        together.wait()
        try:
            with program.training():
                together.wait(timeout=60)
        except RuntimeError as error:
            refused.append(str(error))
            together.wait(timeout=60)

    threads = [threading.Thread(target=train, args=(p,)) for p in programs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 1
    assert "one training block at a time" in refused[0]
    assert w.data == 0.0


@pytest.mark.skipif(
    not hasattr(signal, "setitimer") or "coverage" in sys.modules,
    reason="the system has no timers that send signals, or coverage is being measured",
)
def test_ctrl_c_leaves_every_parameter_with_a_number_of_its_own():
    """A hundred real interrupts of blocks that open, step and end: all numbers are those after one step."""
    w = [Value(0.0) for _ in range(2000)]
    loss = compile(lambda x: total([each * x for each in w]))
    loss.trace(1.0)
    moments = random.Random(1986)
    hits = 0
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    gc.disable()  # what interrupts the collector's callbacks, of which Hypothesis has one, Python swallows
    try:
        for _ in range(100):
            try:
                signal.setitimer(signal.ITIMER_REAL, moments.uniform(1e-4, 3e-3))
                while True:
                    with loss.training() as flat:
                        flat += 1.0
            except KeyboardInterrupt:
                hits += 1
            assert len({each.data for each in w}) == 1
            with loss.training() as flat:  # nobody holds any of them
                flat += 1.0
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
        gc.enable()
    assert hits == 100
    w[7].data = -1.0
    assert w[7].data == -1.0
