"""From DOT text to an image: the only place that runs a process or writes a file.

The system's `dot` is tried first, then the Graphviz inside pygraphviz, in a process of its own, so that a layout that
hangs or crashes does no harm. Without either, RenderError says what to install. Where there are no processes, as in a
browser, `set_renderer` says who draws.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from autodiff.errors import RenderError

TIMEOUT = 60.0  # seconds for one layout
_DAY = 86_400.0  # longer waits overflow in some systems
FORMATS = {".svg": "svg", ".png": "png", ".pdf": "pdf", ".dot": "dot", ".gv": "dot"}

_PYGRAPHVIZ = """
import sys
from pygraphviz import AGraph
source = sys.stdin.buffer.read().decode()
sys.stdout.buffer.write(AGraph(string=source).draw(format=sys.argv[1], prog=sys.argv[2]))
"""


Renderer = Callable[[str, str, str], str | bytes]
_chosen: list[Renderer] = []  # at most one


def set_renderer(renderer: Renderer | None) -> None:
    """Let a function draw instead of the Graphviz that is installed; None goes back to that.

    `renderer(source, form, engine)` takes DOT text, a format of Graphviz (`draw` in a notebook asks for "svg" and
    "json0") and one of its engines ("dot", "nop2"), and returns the image as text or bytes. It runs in this process, so
    `timeout` does not bound it. What it raises becomes a RenderError. This is how a page in a browser draws, by a
    Graphviz compiled to WebAssembly. Raises TypeError for what cannot be called.

    >>> from autodiff import Value, draw
    >>> set_renderer(lambda source, form, engine: f"<{form} by {engine}>")
    >>> draw(Value(2.0, "x")).pipe("svg")
    b'<svg role="img" aria-label="x = 2" by dot>'
    >>> set_renderer(None)
    """
    if not (renderer is None or callable(renderer)):
        raise TypeError(f"renderer must be a function of (source, form, engine), or None, got {renderer!r}")
    _chosen[:] = [] if renderer is None else [renderer]


class HasSource(Protocol):
    """Anything with DOT text in `source`."""

    @property
    def source(self) -> str: ...  # noqa: D102 # the class says it


class Source(NamedTuple):
    """DOT text alone."""

    source: str


def render(picture: HasSource, path: str | os.PathLike[str], *, timeout: float = TIMEOUT) -> Path:
    """Write a picture to `path` and return the path; the suffix is .svg, .png, .pdf, or .dot and .gv for the source.

    The file appears whole or not at all, and nothing else is written. Raises ValueError for another suffix,
    FileNotFoundError when the folder does not exist, and RenderError when no image could be made within `timeout`
    seconds: then the DOT source is left beside `path`, in the file that the message names.

    >>> import tempfile
    >>> from autodiff import Value, draw
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     written = render(draw(Value(2.0, "x") * 3.0), f"{folder}/product.gv")
    ...     (written.name, written.read_text()[:7])
    ('product.gv', 'digraph')
    """
    source = getattr(picture, "source", None)
    if not isinstance(source, str):
        raise TypeError(f"picture must be that of draw, got {type(picture).__name__}; call render(draw(value), path)")
    path, suffix = target(path, FORMATS)
    form = FORMATS[suffix]
    if form == "dot":
        write(path, source.encode())
        return path
    try:
        write(path, image_of(picture, form, timeout))
    except RenderError as error:
        raise kept(path, source, error) from error
    return path


def kept(path: Path, source: str, error: RenderError) -> RenderError:
    """Leave the DOT source beside a path that could not be written; return an error that says so."""
    beside = path.with_name(path.name + ".dot")
    try:
        write(beside, source.encode())
    except OSError as refused:
        return RenderError(f"{error}. The DOT source could not be left in {str(beside)!r}: {refused.strerror}")
    return RenderError(f"{error}. The DOT source is in {str(beside)!r}")


def target(path: str | os.PathLike[str], suffixes: Iterable[str]) -> tuple[Path, str]:
    """Return the path to write to and its suffix; raise before any work is done."""
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in suffixes:
        raise ValueError(f"the suffix must be one of {', '.join(suffixes)}, got {path.suffix!r} in {str(path)!r}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"the folder must exist, got {str(path.parent)!r} for {path.name!r}; create it first")
    if path.is_dir():
        raise IsADirectoryError(f"path must be that of a file, got the folder {str(path)!r}; add a file name")
    return path, suffix


def image_of(picture: HasSource, form: str, timeout: float) -> bytes:
    """Return the bytes of a picture's image, made as it makes it itself if it can."""
    own = getattr(picture, "_image", None)
    return own(form, timeout=timeout) if own is not None else image(picture.source, form, timeout=timeout)


def image(source: str, form: str, *, engine: str = "dot", timeout: float = TIMEOUT) -> bytes:
    """Return DOT text as the bytes of an image, made by the first Graphviz that can; RenderError if none can."""
    if not (isinstance(timeout, (int, float)) and 0 < timeout <= _DAY):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValueError(f"timeout must be a number of seconds above 0, at most a day, got {timeout!r}")
    for renderer in _chosen:
        return _by(renderer, source, form, engine)
    failures: list[str] = []
    for name, command, environment in _commands(form, engine):
        try:
            code, out, complaint = _run(command, source.encode(), environment, timeout)
        except subprocess.TimeoutExpired:
            raise RenderError(f"{name} took longer than {timeout:g} s; draw a smaller part, or raise timeout") from None
        except OSError as error:
            failures.append(f"{name}: {error}")
            continue
        if code == 0 and out:
            return out
        lines = complaint.decode(errors="replace").strip().splitlines()
        failures.append(f"{name}: {lines[-1] if lines else f'no output, exit code {code}'}")
    if failures:
        raise RenderError(f"Graphviz could not make {form}: {'; '.join(failures)}")
    raise RenderError(
        "there is no Graphviz to draw with; install it inside Python with "
        '`pip install "delta-autodiff[render]"`, or on the system (`apt install graphviz`, `brew install graphviz`)'
    )


def _by(renderer: Renderer, source: str, form: str, engine: str) -> bytes:
    try:
        made = renderer(source, form, engine)
    except Exception as error:
        raise RenderError(f"the renderer could not make {form}: {error}") from error
    if not (isinstance(made, (str, bytes)) and made):  # pyright: ignore[reportUnnecessaryIsInstance] # users write it
        raise RenderError(f"the renderer must return the {form} as text or bytes, got {made!r:.60}")
    return made.encode() if isinstance(made, str) else made


def write(path: Path, content: bytes) -> None:
    """Write a file as a whole: under a temporary name beside it, then renamed."""
    temporary = path.with_name(f".{path.name[:100]}.{secrets.token_hex(8)}")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)  # noqa: PTH105 # tests stand in for this very call
    except OSError as error:  # its message names the temporary file
        told = f"the folder must let a file be written; choose another, got {error.strerror}"
        raise type(error)(error.errno, told, str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


def _commands(form: str, engine: str) -> Iterator[tuple[str, Sequence[str], Mapping[str, str] | None]]:
    """Yield each Graphviz there is: its name in messages, its command line and its environment."""
    system = shutil.which("dot")
    if system:
        yield "dot", [system, f"-K{engine}", f"-T{form}"], None
    frozen = getattr(sys, "frozen", False)  # then sys.executable is the program itself, not Python
    if sys.executable and not frozen and importlib.util.find_spec("pygraphviz"):
        searched = os.pathsep.join(filter(None, sys.path))
        command = [sys.executable, "-P", "-W", "ignore", "-c", _PYGRAPHVIZ, form, engine]
        yield "pygraphviz", command, {**os.environ, "PYTHONPATH": searched}


def _run(
    command: Sequence[str], given: bytes, environment: Mapping[str, str] | None, timeout: float
) -> tuple[int, bytes, bytes]:
    """Run a command to its end, or kill it with all it started; return exit code, output and complaints."""
    pipe = subprocess.PIPE
    with subprocess.Popen(  # noqa: S603 # dot as the system finds it, or this very Python; no shell
        command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment, start_new_session=True
    ) as process:
        try:
            out, complaint = process.communicate(given, timeout)
        except BaseException:
            if sys.platform == "win32":
                process.kill()
            else:  # a `dot` that is a script has children that would keep the pipes open
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            raise
        return process.returncode, out, complaint
