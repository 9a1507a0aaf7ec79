"""Files of weights: what is read is what was written, and a file that is not whole and ours changes nothing."""

import errno
import hashlib
import json
import os
import signal
import stat
import struct
import subprocess
import sys
import tracemalloc
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodiff import Value
from models.checkpoints import (
    CheckpointError,
    describe,
    describe_model,
    load_parameters,
    read_container,
    save_parameters,
    write_container,
)
from models.losses import huber
from models.mlp import MLP
from models.schedules import warmup

PREFIX = struct.Struct("<8sII32s")
MAGIC = b"\x89DAD\r\n\x1a\n"


class Model:
    """Two parameters of given names."""

    def __init__(self, *labels):
        self.values = [Value(float(i + 1), label) for i, label in enumerate(labels)]

    def parameters(self):
        return self.values

    @property
    def data(self):
        return [p.data for p in self.values]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.weights"


@pytest.fixture
def saved(path):
    save_parameters(path, Model("w", "b"))
    return path


def container(header, payload=b"", version=1, magic=MAGIC):
    """A file by the table in the module's documentation, with checksums that are right."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return PREFIX.pack(magic, version, len(text), hashlib.sha256(text).digest()) + text + payload


def refused(path, match, model=None):
    """The file is refused with such a message that names it, and the model stays as it was."""
    model = model or Model("w", "b")
    before = model.data
    with pytest.raises(CheckpointError, match=match) as caught:
        load_parameters(path, model)
    assert str(path) in str(caught.value)
    assert model.data == before


def names(folder):
    return [entry.name for entry in folder.iterdir()]


def bits(numbers):
    return np.asarray(numbers, dtype=np.float64).tobytes()


def test_a_network_comes_back_bit_for_bit(path):
    """Weights saved from one network make another one of the same shape the same."""
    one, other = (MLP(3, [4, 2], random_state=seed) for seed in (1, 2))
    save_parameters(str(path), one)
    load_parameters(str(path), other)
    assert bits([p.data for p in one.parameters()]) == bits([p.data for p in other.parameters()])
    assert names(path.parent) == [path.name]


@given(
    blocks=st.dictionaries(st.text(), st.lists(st.floats(), max_size=5), max_size=4),
    facts=st.dictionaries(
        st.text(), st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text())
    ),
)
def test_whatever_is_written_is_read(tmp_path_factory, blocks, facts):
    """Any float64 (NaN, infinities, -0, subnormals), any name, integers of any size: the same bits again."""
    path = tmp_path_factory.getbasetemp() / "container"
    write_container(path, "test", facts, {name: np.array(block) for name, block in blocks.items()})
    found, arrays = read_container(path, "test")
    assert found == facts
    assert {name: bits(array) for name, array in arrays.items()} == {
        name: bits(block) for name, block in blocks.items()
    }


def test_shapes_come_back_and_numpy_facts_become_plain(path):
    """Arrays of any number of dimensions, empty ones too; NumPy's numbers among the facts are numbers."""
    arrays = {"a": np.arange(6.0).reshape(2, 3).T, "b": np.array(2.5), "c": np.empty((0, 4))}
    write_container(path, "test", {"n": np.int64(7), "key": np.arange(3, dtype=np.uint32)}, arrays)
    facts, found = read_container(path, "test")
    assert facts == {"n": 7, "key": [0, 1, 2]}
    for name, array in arrays.items():
        assert found[name].shape == array.shape
        assert np.array_equal(found[name], array)
    with pytest.raises(TypeError, match=r"a checkpoint holds only numbers, text, lists and arrays, got set \{1\}"):
        write_container(path, "test", {"x": {1}}, {})
    assert read_container(path, "test")[0] == facts


def test_the_layout_is_the_documented_one(saved):
    """A reader written from the table alone finds the same numbers, and a writer's file is accepted."""
    data = saved.read_bytes()
    magic, version, length, digest = PREFIX.unpack(data[:48])
    text, payload = data[48 : 48 + length], data[48 + length :]
    header = json.loads(text)
    assert (magic, version, digest) == (MAGIC, 1, hashlib.sha256(text).digest())
    assert header["kind"] == "parameters"
    assert header["arrays"] == [["weights", [2]]]
    assert header["sha256"] == hashlib.sha256(payload).hexdigest()
    assert struct.unpack("<2d", payload) == (1.0, 2.0)
    payload = struct.pack("<2d", 5.0, 6.0)
    saved.write_bytes(container(header | {"sha256": hashlib.sha256(payload).hexdigest()}, payload))
    model = Model("w", "b")
    load_parameters(saved, model)
    assert model.data == [5.0, 6.0]


def test_every_truncation_is_refused(saved):
    """A file cut after any byte, or with bytes too many, is refused; nothing changes."""
    data = saved.read_bytes()
    for length in range(len(data)):
        saved.write_bytes(data[:length])
        refused(saved, "cut short")
    saved.write_bytes(data + b"\0")
    refused(saved, "too long")


def test_every_damaged_byte_is_noticed(saved):
    """Whichever byte is changed, in whatever way a bit can flip, the file is refused."""
    data = saved.read_bytes()
    for i in range(len(data)):
        for bit in (0, 7):
            saved.write_bytes(data[:i] + bytes([data[i] ^ 1 << bit]) + data[i + 1 :])
            refused(saved, "damaged|not a checkpoint|format version")


@pytest.mark.parametrize(
    "contents", [b"w = 3\n", b"PK\x03\x04" + bytes(100), b"\x80\x04N.", bytes(1000), MAGIC.replace(b"\r", b"") * 9]
)
def test_a_foreign_file_is_refused(path, contents):
    """Text, zip, pickle, zeros, and our own magic mangled by a transfer as text."""
    path.write_bytes(contents)
    refused(path, "not a checkpoint of delta-autodiff")


def test_a_newer_version_says_so(saved):
    """A file of a later format is refused as such, whatever its header holds."""
    saved.write_bytes(container(b"anything", version=2))
    refused(saved, "version 2, and this delta-autodiff reads version 1: a newer delta-autodiff")


GOOD = {"kind": "parameters", "facts": {"labels": ["w", "b"]}, "arrays": [["weights", [2]]], "sha256": "0" * 64}


@pytest.mark.parametrize(
    "header",
    [
        b"[" * 100_000, b"{}", b"7", b'"', b"\xff", b"9" * 5000,
        json.dumps(GOOD | {"arrays": [["weights", [-2]]]}).encode(),
        json.dumps(GOOD | {"arrays": [["weights", [2.0]]]}).encode(),
        json.dumps(GOOD | {"arrays": [["weights", [True]]]}).encode(),
        json.dumps(GOOD | {"arrays": [["weights", [1]], ["weights", [1]]]}).encode(),
        json.dumps(GOOD | {"arrays": {"weights": 2}}).encode(),
        json.dumps(GOOD | {"facts": []}).encode(),
        json.dumps(GOOD | {"kind": None}).encode(),
        json.dumps(GOOD | {"sha256": None}).encode(),
    ],
)  # fmt: skip
def test_a_header_made_to_mislead_is_refused(path, header):
    """Right checksum, wrong contents: deep nesting, missing entries, negative or fractional sizes, a name twice."""
    path.write_bytes(container(header, bytes(16)))
    refused(path, "header does not say what it must")


@pytest.mark.parametrize("shape", [[10**12], [10**6, 10**6, 10**6], [2**61 + 1], [0, 3]])
def test_promised_sizes_are_checked_before_memory_is_taken(path, shape):
    """Sizes beyond the file are refused at once, products that wrap around 64 bits too."""
    path.write_bytes(container(GOOD | {"arrays": [["weights", shape]]}, bytes(8)))
    tracemalloc.start()
    try:
        refused(path, "8 bytes of numbers where")
        assert tracemalloc.get_traced_memory()[1] < 1e6
    finally:
        tracemalloc.stop()


def test_a_huge_file_of_another_shape_is_not_read(path):
    """100 GB of (sparse) numbers for a model of two: the header alone decides."""
    with path.open("wb") as file:
        file.write(container(GOOD | {"arrays": [["weights", [10**11 // 8]]]}))
        file.truncate(file.tell() + 10**11)
    refused(path, r"'weights' is of shape \(12500000000,\), where of shape \(2,\) is wanted")


@pytest.mark.parametrize(
    ("labels", "match"),
    [
        (("w",), "holds 2 parameters, and the model has 1"),
        (("w", "c"), "its parameter 1 is 'b', and the model's is 'c'"),
    ],
)
def test_weights_of_another_model_are_refused(saved, labels, match):
    """Another number of parameters, or other labels."""
    refused(saved, match, Model(*labels))


@pytest.mark.parametrize("call", [save_parameters, load_parameters])
def test_what_has_no_parameters_is_refused(path, call):
    """Parameters in the place of the path, and the path in the place of the model: the message shows the order."""
    with pytest.raises(
        TypeError, match=rf"model must have parameters\(\), got .*; write {call.__name__}\(path, model\)"
    ):
        call(MLP(2, [1]).parameters(), str(path))
    assert not path.exists()


def test_weights_of_a_network_with_another_activation_are_refused(path):
    """Same shapes and labels, another function: refused by the words of both."""
    save_parameters(path, MLP(2, [3, 1], activation="tanh"))
    refused(path, "its model is 'MLP.*3 tanh.*', and this one is 'MLP.*3 relu", Network(activation="relu"))
    load_parameters(path, MLP(2, [3, 1], activation="tanh"))


class Network(MLP):
    """A network with the `data` that `refused` compares; to its repr it is an MLP."""

    def __init__(self, activation):
        super().__init__(2, [3, 1], activation=activation)

    @property
    def data(self):
        return [p.data for p in self.parameters()]


class Odd:
    """What has no repr of its own, and a method."""

    def method(self):
        pass


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (None, None), (True, True), (np.float64(0.5), 0.5), ("text", "text"), (np.tanh, "tanh"), (Odd, "Odd"),
        (Odd(), "Odd"), (Odd().method, "Odd.method"), (Value(3.0, "w"), "'w'"), (Value(3.0), "Value"),
        (warmup(lambda step: 0.1, 3), "warmup(after=<function <lambda>>, steps=3)"),
        (partial(huber, 1, b=[Value(2.0, "w")], a={8, 0}), "partial(huber, 1, a={0, 8}, b=['w'])"),
        (partial(partial(huber, delta=np.float64(2)), x={1: np.array(3)}), "partial(huber, delta=2.0, x={1: 3})"),
        (np.array([Value(1.0, "w"), None]), "['w', None]"),
    ],
)  # fmt: skip
def test_descriptions_are_the_same_in_every_process(x, words):
    """Names, arguments and reprs; no addresses, no order of a set, no number that training changes."""
    assert describe(x) == words


class Copied:
    """A model whose repr shows its weight; copied as it is told."""

    def __init__(self, copy):
        self.w, self.copy = Value(2.5, "w"), copy

    def parameters(self):
        return [self.w]

    def __repr__(self):
        return f"Copied({self.w.data})"

    def __deepcopy__(self, memo):
        return self.copy(self)


def test_a_model_that_cannot_be_copied_is_described_by_its_class():
    """Its weights stay as they are, whether copying raises or gives the very same parameters."""
    for copy, words in ((lambda _: Copied(None), "Copied(0.0)"), (lambda x: x, "Copied"), (lambda _: 1 / 0, "Copied")):
        model = Copied(copy)
        assert describe_model(model) == words
        assert model.w.data == 2.5


def test_the_data_are_on_the_disk_before_the_name_points_at_them(saved, monkeypatch):
    """In this order: every byte handed to the system and synced, the renaming, the folder synced."""
    events, fsync, rename = [], os.fsync, Path.replace

    def record_fsync(handle):
        status = os.fstat(handle)
        events.append(("sync folder",) if stat.S_ISDIR(status.st_mode) else ("sync", status.st_size))
        fsync(handle)

    def record_rename(path, target):
        events.append(("rename", path.stat().st_size))
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", record_fsync)
    monkeypatch.setattr(Path, "replace", record_rename)
    save_parameters(saved, Model("w", "b", "c"))
    size = saved.stat().st_size
    assert events == [("sync", size), ("rename", size), ("sync folder",)]


def test_a_file_of_another_kind_is_refused(path):
    """A container of the right format that holds something else."""
    write_container(path, "training run", {}, {})
    refused(path, "holds training run, where parameters is wanted")


def test_what_cannot_be_read_is_a_clear_error(tmp_path):
    """A missing file, a folder, a pipe that nobody writes to, a path that cannot be."""
    refused(tmp_path / "missing", "No such file")
    refused(tmp_path, "not a regular file")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        refused(tmp_path / "pipe", "not a regular file")
    with pytest.raises(CheckpointError, match=r"null (byte|character)"):
        load_parameters("a\0b", Model("w"))


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failed_write_keeps_the_old_file(saved, monkeypatch, step, error):
    """A full disk or Ctrl-C at any step of writing: the old file whole, nothing beside it, and the reason."""

    def fail(*_):
        raise error

    before = saved.read_bytes()
    monkeypatch.setattr(*((os, "fsync") if step == "fsync" else (Path, "replace")), fail)
    expected = CheckpointError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected, match=r"No space left on device; a file that was there is unchanged|^$"):
        save_parameters(saved, Model("w", "c"))
    assert saved.read_bytes() == before
    assert names(saved.parent) == [saved.name]


def test_a_limit_of_the_system_keeps_the_old_file(saved):
    """The kernel itself refuses to write past 4096 bytes, as a full disk would."""
    pytest.importorskip("resource", reason="limits of file sizes are POSIX's")
    before = saved.read_bytes()
    code = """
import resource, sys, numpy as np
from models.checkpoints import write_container, CheckpointError
from models.mlp import MLP
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    write_container(sys.argv[1], "test", {}, {"x": np.ones(10_000)})
except CheckpointError as error:
    sys.exit(0 if "too large" in str(error) else str(error))
sys.exit("written")
"""
    done = subprocess.run([sys.executable, "-c", code, saved], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert saved.read_bytes() == before
    assert names(saved.parent) == [saved.name]


def test_a_target_that_cannot_be_written_is_a_clear_error(tmp_path):
    """No such folder; a file where the folder should be; a folder that may only be read."""
    with pytest.raises(CheckpointError, match="No such file or directory"):
        save_parameters(tmp_path / "none" / "x", Model("w"))
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="Not a directory"):
        save_parameters(tmp_path / "file" / "x", Model("w"))
    assert names(tmp_path) == ["file"]


def test_a_read_only_folder_is_a_clear_error(saved, monkeypatch):
    """The old file stays. (To root every folder is writable, so there the system's refusal is played.)"""

    def refuse(path, mode="r", **options):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    saved.parent.chmod(0o500)
    try:
        with monkeypatch.context() as patch, pytest.raises(CheckpointError, match="Permission denied"):
            if os.geteuid() == 0:
                patch.setattr(Path, "open", refuse)
            save_parameters(saved, Model("w", "c"))
    finally:
        saved.parent.chmod(0o700)
    assert names(saved.parent) == [saved.name]
    load_parameters(saved, Model("w", "b"))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="SIGKILL is POSIX's")
@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_a_process_killed_while_it_writes_leaves_the_old_file(saved, moment):
    """SIGKILL before the data are on the disk, and between that and the renaming."""
    code = f"""
import os, pathlib, signal, sys
from models.checkpoints import write_container
from models.mlp import MLP
def die(*_): os.kill(os.getpid(), signal.SIGKILL)
{"os.fsync" if moment == "fsync" else "pathlib.Path.replace"} = die
write_container(sys.argv[1], "test", {{}}, {{"x": [1.0]}})
"""
    before = saved.read_bytes()
    done = subprocess.run([sys.executable, "-c", code, saved], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert saved.read_bytes() == before
    assert len(names(saved.parent)) == 2, "the killed process had begun to write"


def test_a_link_stays_a_link(tmp_path):
    """Saving through a symbolic link renews the file that it points to."""
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there" / "file")
    for label in "ab":
        save_parameters(tmp_path / "link", Model(label))
    assert (tmp_path / "link").is_symlink()
    load_parameters(tmp_path / "there" / "file", Model("b"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes in folders are POSIX's")
@pytest.mark.parametrize("through", ["pipe", "link"])
def test_what_is_no_regular_file_is_not_replaced(tmp_path, through):
    """A pipe, as a device would: refused by name, and still there; a link to one too."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    with pytest.raises(CheckpointError, match=f"cannot write .*{through}.*not a regular file"):
        save_parameters(tmp_path / through, Model("w"))
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert sorted(names(tmp_path)) == ["link", "pipe"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666])
def test_a_file_that_is_replaced_keeps_its_permissions(saved, mode):
    """A file that others may not read stays so after the next save."""
    saved.chmod(mode)
    save_parameters(saved, Model("w", "c"))
    assert stat.S_IMODE(saved.stat().st_mode) == mode
    load_parameters(saved, Model("w", "c"))
