"""Estimators in files of the checkpoint format: settings and what was learned as plain data, never as code."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from autodiff import OPS, Op
from models import checkpoints
from models._scaling import Scaling
from models.diagnosis import Diagnosis
from models.errors import CheckpointError
from models.losses import LOSSES
from models.schedules import Schedule

_GENERATORS = {name: getattr(np.random, name) for name in ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64")}


def save(path: checkpoints.FilePath, estimator: Any, state: Mapping[str, Any], settings: list[str]) -> None:
    """Write an estimator; CheckpointError, before anything is written, for a setting that only code could restore."""
    kind, path = type(estimator).__name__, checkpoints.file_path(path)
    try:
        write(path, "estimator", {"class": kind, "settings": settings}, state)
    except TypeError as error:
        raise CheckpointError(f"cannot save {kind}: {error}") from error


def load(path: checkpoints.FilePath, name: str, settings: list[str]) -> dict[str, Any]:
    """Return the attributes of the estimator in a file; CheckpointError for another class, or other settings."""

    def verify(facts: Mapping[str, Any], _: checkpoints.Shapes) -> None:
        if facts.get("class") != name:
            raise CheckpointError(f"it holds a {facts.get('class')}, where {name} is wanted")
        if facts.get("settings") != settings or not isinstance(facts.get("state"), dict):
            raise CheckpointError(f"its settings must be those of this {name}, {settings}, got {facts.get('settings')}")
        if not set(settings) <= set(facts["state"]):
            raise CheckpointError("its settings are not complete")

    return _read(path, "estimator", verify)


def resume(path: checkpoints.FilePath, kind: str, identity: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the state in a checkpoint, None where there is no file; CheckpointError for one of another run."""
    checkpoints.remove_leftovers(path)
    if not Path(path).exists():
        return None
    return _read(path, kind, lambda facts, _: checkpoints.check_identity(facts.get("identity"), identity))


def write(path: checkpoints.FilePath, kind: str, facts: Mapping[str, Any], state: Mapping[str, Any]) -> None:
    """Write a state of plain data by name; TypeError for what only code could restore."""
    arrays: dict[str, Any] = {}
    encoded: dict[str, Any] = {}
    for name, value in state.items():
        try:
            encoded[name] = _encoded(value, name, arrays)
        except TypeError as error:
            raise TypeError(f"{name}={error}") from error
    checkpoints.write_container(path, kind, {**facts, "state": encoded}, arrays)


def _read(path: checkpoints.FilePath, kind: str, verify: checkpoints.Check) -> dict[str, Any]:
    facts, arrays = checkpoints.read_container(path, kind, verify)
    try:
        return {key: _decoded(value, arrays) for key, value in facts["state"].items()}
    except (KeyError, ValueError, TypeError, IndexError, AttributeError, OverflowError, RecursionError) as error:
        raise CheckpointError(f"cannot use {str(path)!r}: it is not what save wrote: {error}") from error


def _encoded(x: Any, name: str, arrays: dict[str, Any]) -> Any:
    """Return `x` as JSON holds it: plain scalars as they are, all else as a list that begins with its kind."""
    if isinstance(x, np.generic):
        x = x.item()
    if x is None or isinstance(x, (bool, int, float, str)):
        return x
    if isinstance(x, bytes):
        return ["bytes", x.hex()]
    if isinstance(x, np.ndarray):
        if x.dtype == np.float64:
            arrays[name] = x
            return ["floats", name]
        text = "object" if x.dtype == object else x.dtype.str
        return ["array", text, list(x.shape), [_encoded(each, name, arrays) for each in x.ravel().tolist()]]
    if isinstance(x, (Scaling, Diagnosis)):
        fields = x._asdict() if isinstance(x, Scaling) else {f.name: getattr(x, f.name) for f in dataclasses.fields(x)}
        return [type(x).__name__.lower(), _encoded(fields, name, arrays)]
    if isinstance(x, (list, tuple)):
        kind = "list" if isinstance(x, list) else "tuple"
        return [kind, [_encoded(each, f"{name}.{i}", arrays) for i, each in enumerate(x)]]
    if isinstance(x, Mapping):
        pairs = [[_encoded(key, name, arrays), _encoded(value, f"{name}.{key}", arrays)] for key, value in x.items()]
        return ["dict", pairs]
    return _named(x, name, arrays)


def _named(x: Any, name: str, arrays: dict[str, Any]) -> Any:
    """Return what is found again by its name; TypeError for anything else, as only its code could restore it."""
    if isinstance(x, Op) and OPS.get(x.name) is x:
        return ["op", x.name]
    if isinstance(x, Schedule):
        return ["schedule", x.name, _encoded(dict(x.options), name, arrays)]
    if isinstance(x, np.random.RandomState):
        return ["randomstate", _encoded(x.get_state(legacy=False), name, arrays)]
    kind = "generator" if isinstance(x, np.random.Generator) else "bits"
    bits = x.bit_generator if isinstance(x, np.random.Generator) else x
    if isinstance(bits, np.random.BitGenerator) and type(bits).__name__ in _GENERATORS:
        return [kind, type(bits).__name__, _encoded(bits.state, name, arrays)]
    known = next((key for key, loss in LOSSES.items() if loss is x), None)
    if known is None:
        raise TypeError(f"{x!r} would need its code, which a file does not hold; use a setting that has a name")
    return ["loss", known]


def _decoded(x: Any, arrays: Mapping[str, Any]) -> Any:
    if not isinstance(x, list):
        return x
    kind, *rest = x
    if kind not in _DECODERS:
        raise ValueError(f"unknown kind {kind!r}")
    return _DECODERS[kind](arrays, *rest)


def _array(arrays: Mapping[str, Any], text: str, shape: list[int], entries: list[Any]) -> Any:
    if text != "object" and text[1] not in "biuUS":
        raise ValueError(f"an array of {text}")
    return np.array([_decoded(each, arrays) for each in entries], dtype=text).reshape(shape)


def _random_state(arrays: Mapping[str, Any], state: Any) -> np.random.RandomState:
    random = np.random.RandomState()
    random.set_state(_decoded(state, arrays))
    return random


def _bits(arrays: Mapping[str, Any], name: str, state: Any) -> Any:
    bits = _GENERATORS[name]()
    bits.state = _decoded(state, arrays)
    return bits


# How each kind is read: from the arrays of the file and what stands behind the kind.
_DECODERS: dict[str, Any] = {
    "floats": lambda arrays, name: arrays[name],
    "bytes": lambda _, text: bytes.fromhex(text),
    "op": lambda _, name: OPS[name],
    "loss": lambda _, name: LOSSES[name],
    "schedule": lambda arrays, name, options: Schedule(name, tuple(_decoded(options, arrays).items())),
    "list": lambda arrays, entries: [_decoded(each, arrays) for each in entries],
    "tuple": lambda arrays, entries: tuple(_decoded(each, arrays) for each in entries),
    "dict": lambda arrays, pairs: {_decoded(key, arrays): _decoded(value, arrays) for key, value in pairs},
    "scaling": lambda arrays, fields: Scaling(**_decoded(fields, arrays)),
    "diagnosis": lambda arrays, fields: Diagnosis(**_decoded(fields, arrays)),
    "array": _array,
    "randomstate": _random_state,
    "bits": _bits,
    "generator": lambda *bits: np.random.Generator(_bits(*bits)),
}
