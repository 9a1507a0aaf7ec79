"""Weights and training runs in files: written whole or not at all, checked before anything is used.

One container, without pickle, so that reading a file never runs code from it:

| bytes | content |
|---|---|
| 8 | `89 44 41 44 0d 0a 1a 0a`, "DAD" framed as PNG does it: a transfer as text damages it visibly |
| 4 + 4 | version of the format, length of the header: unsigned, little-endian |
| 32 | SHA-256 of the header |
| header | JSON, UTF-8: `kind`, `facts`, `arrays` (a list of name and shape), `sha256` of the payload |
| payload | the arrays one after the other in C order: float64, little-endian |

A file is written under a temporary name in the same folder, flushed to the disk, and renamed over the old one, so a
reader sees the old file or the new one. A process killed while it writes leaves `.NAME.xxxxxxxx.tmp` behind, which
the next training run with that checkpoint removes.

Why not a format that others read? NumPy's npz is a zip: its reader walks a directory at the file's end, allocates what
a member claims before checking it, and can hold facts such as a generator's state only as more arrays or as pickles,
which run code. safetensors has a plain JSON header as here, but no checksum, so a flipped bit is silently another
weight; and it would be a dependency in place of some hundred lines. Here the header's checksum and the promised sizes
are compared with the file's size, and the facts with the model, before memory for the numbers is allocated. Weights go
to other programs as arrays: `MLP.weights()` and `numpy.savez`.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import math
import os
import re
import secrets
import stat
import struct
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from autodiff import Value
from models._values import assign
from models.errors import CheckpointError

FilePath = str | os.PathLike[str]
Shapes = Mapping[str, tuple[int, ...]]
Check = Callable[[Mapping[str, Any], Shapes], None]

SECONDS = 0.05  # between two writings of a checkpoint by the clock: what a killed process loses at the most

_MAGIC = b"\x89DAD\r\n\x1a\n"
_VERSION = 1
_PREFIX = struct.Struct("<8sII32s")
_LONGEST_HEADER = 1 << 28  # labels of millions of parameters fit; a damaged length does not fill the memory
_ADDRESS = re.compile(r"(?: at)? ?0x[0-9A-Fa-f]{6,}")
_FRACTION = re.compile(r"\d\.|\de[-+]?\d|\b(?:nan|inf)\b")  # as weights look in a repr, and counts do not


def save_parameters(path: FilePath, model: Any) -> None:  # Any: whatever has parameters() and can be called
    """Write the parameters of `model`, anything with `parameters()`, to the file `path`, with their labels.

    An older file is replaced in one step, keeping its permissions. When writing fails, as it does for anything but a
    regular file, CheckpointError says why and the older file is unchanged.

    >>> import tempfile, types, os
    >>> from autodiff import Value
    >>> w = Value(3.0, "w")
    >>> model = types.SimpleNamespace(parameters=lambda: [w])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_parameters(os.path.join(folder, "line.weights"), model)
    ...     w.data = 0.0
    ...     load_parameters(os.path.join(folder, "line.weights"), model)
    >>> w.data
    3.0
    """
    parameters = _parameters(model, "save_parameters")
    facts = {"labels": [p.label for p in parameters], "model": describe_model(model)}
    write_container(path, "parameters", facts, {"weights": np.array([p.data for p in parameters], dtype=np.float64)})


def load_parameters(path: FilePath, model: Any) -> None:  # Any: whatever has parameters() and can be called
    """Set the parameters of `model` to those that `save_parameters` wrote to `path`.

    Raises CheckpointError, and changes nothing, when there is no such file, it is damaged or of another kind, a newer
    version wrote it, or it belongs to another model, one with another number of parameters, other labels or another
    repr (a network with another activation, say). To move weights on purpose, load them into a network like the one
    they came from and pass them on: `other.load_weights(net.weights(), net.biases())`.
    """
    parameters, here = _parameters(model, "load_parameters"), describe_model(model)

    def check(facts: Mapping[str, Any], shapes: Shapes) -> None:
        check_labels(facts.get("labels"), [p.label for p in parameters])
        check_shapes(shapes, {"weights": (len(parameters),)})
        if facts.get("model") != here:
            raise CheckpointError(f"its model is {facts.get('model')!r}, and this one is {here!r}")

    _, arrays = read_container(path, "parameters", check)
    assign(parameters, arrays["weights"].tolist())


def describe(x: Any) -> Any:  # Any: x, result: whatever is described
    """Describe `x` in the same words in every process: a number or text as it is, anything else as text.

    A function becomes its name (variables it closes over are not seen), `functools.partial` the function and its
    arguments, an array its shape and checksum, a Value its label, any other object its repr without addresses.

    >>> from models.losses import huber
    >>> describe(0.5), describe(huber), describe(partial(huber, delta=2.0))
    (0.5, 'huber', 'partial(huber, delta=2.0)')
    """
    if isinstance(x, np.generic):
        x = x.item()
    return x if x is None or isinstance(x, (bool, int, float, str)) else _words(x)


def _words(x: Any) -> str:
    if isinstance(x, partial):
        named = [f"{name}={_words(value)}" for name, value in sorted(x.keywords.items())]
        return f"partial({', '.join([_words(x.func), *map(_words, x.args), *named])})"
    if isinstance(x, (np.ndarray, np.generic)):
        if x.ndim == 0 or x.dtype == object:
            return _words(x.tolist())
        return f"array{x.shape} {x.dtype} {hashlib.sha256(x.tobytes()).hexdigest()[:16]}"  # a repr leaves out most
    if isinstance(x, Value):
        return repr(x.label) if x.label else "Value"  # its number changes in training
    if isinstance(x, (list, tuple)):
        return f"[{', '.join(map(_words, x))}]"
    if isinstance(x, (set, frozenset)):
        return f"{{{', '.join(sorted(map(_words, x)))}}}"  # their order differs from process to process
    if isinstance(x, Mapping):
        return f"{{{', '.join(f'{_words(key)}: {_words(value)}' for key, value in x.items())}}}"
    if inspect.ismethod(x):
        return f"{_words(x.__self__)}.{x.__name__}"
    name = getattr(x, "__qualname__", getattr(x, "__name__", None))  # ufuncs have the first since NumPy 2.2
    if name is not None or type(x).__repr__ is object.__repr__:
        return name or type(x).__qualname__
    return _ADDRESS.sub("", repr(x))


def _parameters(model: Any, caller: str) -> list[Value]:
    if not callable(getattr(model, "parameters", None)):
        raise TypeError(
            f"model must have parameters(), got {type(model).__name__} {model!r:.60}; write {caller}(path, model)"
        )
    return list(model.parameters())


def describe_model(model: Any) -> str:  # Any: whatever has parameters() and can be called
    """Return the model's repr with all parameters set to 0 and no addresses, or its class where that fails."""
    text = _words(model)
    if not _FRACTION.search(text):
        return text
    try:  # a repr that may show weights is asked of a copy: the model itself may be in use in another thread
        copy = deepcopy(model)
        parameters = list(copy.parameters())
    except Exception:  # noqa: BLE001 # whatever a model has that cannot be copied
        return type(model).__qualname__
    if {id(p) for p in parameters} & {id(p) for p in model.parameters()}:
        return type(model).__qualname__
    for parameter in parameters:
        parameter.data = 0.0
        parameter.zero_grad()
    return _words(copy)


def check_labels(found: Any, wanted: Sequence[str]) -> None:  # Any: what a file holds
    """Raise CheckpointError unless a file's parameters are the model's, by number and labels."""
    if not isinstance(found, list) or len(found) != len(wanted):
        count = len(found) if isinstance(found, list) else "no"
        raise CheckpointError(f"it holds {count} parameters, and the model has {len(wanted)}")
    for i, (there, here) in enumerate(zip(found, wanted, strict=True)):
        if there != here:
            raise CheckpointError(f"its parameter {i} is {there!r}, and the model's is {here!r}")


def check_shapes(found: Shapes, wanted: Shapes) -> None:
    """Raise CheckpointError unless a file's arrays have the names and shapes that are wanted."""
    for name in sorted({*found, *wanted}):
        if found.get(name) != wanted.get(name):
            there, here = (f"of shape {x[name]}" if name in x else "missing" for x in (found, wanted))
            raise CheckpointError(f"its array {name!r} is {there}, where {here} is wanted")


def check_identity(found: Any, wanted: Mapping[str, Any]) -> None:  # Any: found, wanted: what files hold
    """Raise CheckpointError unless a file's run is the one that is wanted, naming what differs."""
    found = found if isinstance(found, dict) else {}
    for what in (*wanted, *found):
        there, here = found.get(what), wanted.get(what)
        if there != here:
            raise CheckpointError(
                f"it belongs to another run: {what} was {there!r} and is {here!r}; keep the settings, or use another "
                "file"
            )


def write_container(  # Any: facts are what JSON holds
    path: FilePath, kind: str, facts: Mapping[str, Any], arrays: Mapping[str, ArrayLike]
) -> None:
    """Write `facts`, which JSON can hold, and named arrays of numbers; CheckpointError when that fails."""
    blocks = {name: np.asarray(array, dtype="<f8") for name, array in arrays.items()}
    payload = b"".join(block.tobytes() for block in blocks.values())
    contents = {
        "kind": kind,
        "facts": facts,
        "arrays": [[name, block.shape] for name, block in blocks.items()],
        "sha256": hashlib.sha256(payload).hexdigest(),
    }
    header = json.dumps(contents, default=_as_json).encode()
    _replace(path, _PREFIX.pack(_MAGIC, _VERSION, len(header), hashlib.sha256(header).digest()) + header + payload)


def read_container(
    path: FilePath, kind: str, check: Check | None = None
) -> tuple[dict[str, Any], dict[str, NDArray[np.float64]]]:  # Any: what JSON holds
    """Read what `write_container` wrote: facts and arrays.

    `check(facts, shapes)` is called before memory for the arrays is allocated, and raises CheckpointError to refuse
    them. Raises CheckpointError, naming the path, for any other file.
    """
    try:
        return _read(file_path(path), kind, check)
    except CheckpointError as error:
        raise CheckpointError(f"cannot use {os.fspath(path)!r}: {error}") from None
    except (OSError, ValueError) as error:  # ValueError: a path that no file can have
        raise CheckpointError(f"cannot read {os.fspath(path)!r}: {_reason(error)}") from error


def remove_leftovers(path: FilePath) -> None:
    """Remove temporary files left beside `path` by processes that were killed while writing it."""
    with suppress(OSError, ValueError):
        target = file_path(path).resolve()
        leftover = re.compile(rf"\.{re.escape(target.name)}\.[0-9a-f]{{8}}\.tmp")
        for entry in target.parent.iterdir():
            if leftover.fullmatch(entry.name):
                entry.unlink()


def file_path(path: Any) -> Path:  # Any: whatever is to be a path
    """Return the path of a file; TypeError for what is none."""
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"a file must be named by text or a path, got {type(path).__name__} {path!r}")
    return Path(path)


def _read(path: Path, kind: str, check: Check | None) -> tuple[dict[str, Any], dict[str, NDArray[np.float64]]]:
    if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for
        raise CheckpointError("it is not a regular file")
    with path.open("rb") as file:
        header = _header(file.read(_PREFIX.size), file.read, os.fstat(file.fileno()).st_size)
        if header["kind"] != kind:
            raise CheckpointError(f"it holds {header['kind']}, where {kind} is wanted")
        shapes: dict[str, tuple[int, ...]] = {name: tuple(shape) for name, shape in header["arrays"]}
        if check is not None:
            check(header["facts"], shapes)
        payload = file.read(8 * sum(map(math.prod, shapes.values())))
    if hashlib.sha256(payload).hexdigest() != header["sha256"]:
        raise CheckpointError("it is damaged: the checksum of its numbers is wrong")
    arrays: dict[str, NDArray[np.float64]] = {}
    offset = 0
    for name, shape in shapes.items():
        count = math.prod(shape)
        block = np.frombuffer(payload, dtype="<f8", count=count, offset=offset)
        arrays[name] = block.reshape(shape).astype(np.float64)  # a copy, in this machine's byte order
        offset += 8 * count
    return header["facts"], arrays


def _header(prefix: bytes, read: Callable[[int], bytes], size: int) -> dict[str, Any]:
    """Return the header, once its length, checksum and promised sizes agree with the size of the file."""
    if not prefix.startswith(_MAGIC):
        cut = len(prefix) < len(_MAGIC) and _MAGIC.startswith(prefix)
        raise CheckpointError("it is cut short" if cut else "it is not a checkpoint of delta-autodiff")
    if len(prefix) < _PREFIX.size:
        raise CheckpointError("it is cut short")
    _, version, length, digest = _PREFIX.unpack(prefix)
    if version != _VERSION:
        raise CheckpointError(
            f"it is of format version {version}, and this delta-autodiff reads version {_VERSION}"
            + (": a newer delta-autodiff wrote it" if version > _VERSION else "")
        )
    if length > min(size - _PREFIX.size, _LONGEST_HEADER):
        raise CheckpointError(f"it is cut short or damaged: a header of {length} bytes in a file of {size}")
    text = read(length)
    if hashlib.sha256(text).digest() != digest:
        raise CheckpointError("it is damaged: the checksum of its header is wrong")
    try:
        header = json.loads(text)
        well_formed = (
            isinstance(header["facts"], dict)
            and isinstance(header["kind"], str)
            and all(
                isinstance(name, str) and all(type(n) is int and n >= 0 for n in shape)
                for name, shape in header["arrays"]
            )
            and len({name for name, _ in header["arrays"]}) == len(header["arrays"])
            and isinstance(header["sha256"], str)
        )
        promised = sum(8 * math.prod(shape) for _, shape in header["arrays"])
    except (ValueError, TypeError, KeyError, RecursionError):
        well_formed, header, promised = False, {}, 0
    if not well_formed:
        raise CheckpointError("its header does not say what it must")
    if promised != size - _PREFIX.size - length:
        there = size - _PREFIX.size - length
        raise CheckpointError(f"it is cut short or too long: {there} bytes of numbers where {promised} belong")
    return header


def _replace(path: FilePath, contents: bytes) -> None:
    """Write `contents` to the file `path`, all or nothing; CheckpointError leaves an older file as it was."""
    try:
        target = file_path(path).resolve()  # a link stays a link
        temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
        mode = _mode(target)
        try:
            with temporary.open("xb") as file:
                if mode is not None and mode != stat.S_IMODE(os.fstat(file.fileno()).st_mode):
                    temporary.chmod(mode)  # while it is empty: nobody reads what the old file kept from them
                file.write(contents)
                file.flush()
                os.fsync(file.fileno())  # the name must not point at data that a power cut can still lose
            temporary.replace(target)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"cannot write {os.fspath(path)!r}: {_reason(error)}; a file that was there is unchanged"
        ) from error
    with suppress(OSError):  # the rename itself reaches the disk, where the system lets folders be opened
        handle = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _mode(target: Path) -> int | None:
    """Return the permissions of the file to be replaced, None if there is none; OSError unless it is a regular file."""
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(mode):
        raise OSError("it is a folder, a device or a pipe, not a regular file")
    return stat.S_IMODE(mode)


def _reason(error: OSError | ValueError) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)


def _as_json(x: Any) -> Any:
    """Return NumPy's numbers and arrays, such as a random generator's state, as JSON holds them."""
    if isinstance(x, (np.ndarray, np.generic)):
        return x.tolist()
    raise TypeError(f"a checkpoint holds only numbers, text, lists and arrays, got {type(x).__name__} {x!r}")
