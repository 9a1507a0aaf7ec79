"""The commands that pages tell to type: each could be typed, and those of the README and the first pages are."""

import importlib.util
import itertools
import re
import shlex
import tomllib
from pathlib import Path

import pytest

from website import shell

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
NAME = PROJECT["project"]["name"]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
OURS = ("autodiff", "models", "lessons", "benchmarks", "browser", "website", "tests")
# Of other packages; each is installed by one of our groups, or comes with Python.
OTHERS = {"pytest", "mutmut", "coverage", "mkdocs", "http.server"}
COMMANDS = sorted(
    {(path.relative_to(ROOT).as_posix(), command) for path in shell.pages() for command in shell.commands(path)}
)
COMMANDS += [  # what the hosted workflows run
    (path.name, command)
    for path in sorted(ROOT.glob(".github/workflows/*.yml"))
    for command in re.findall(r"run: ((?:[A-Z_]+=\S+ )?make .*)", path.read_text(encoding="utf-8"))
]


def check(command):
    """Raise AssertionError for a command that names a target, module, option, extra, group, address or file that is not there."""
    words = shlex.split(command)
    while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
        words.pop(0)
    program, *rest = words
    if program == "make":
        for word in rest:
            name = word.partition("=")[0]
            assert f"$({name})" in MAKEFILE if "=" in word else re.search(rf"^{name}:", MAKEFILE, re.MULTILINE), word
    elif program == "python" and rest[0] == "-m":
        module, arguments = rest[1], rest[2:]
        if module.split(".")[0] not in OURS:
            assert module in OTHERS, module
            return
        found = importlib.util.find_spec(module)
        if found is not None and found.submodule_search_locations:
            found = importlib.util.find_spec(f"{module}.__main__")
        assert found is not None, module
        source = Path(found.origin).read_text(encoding="utf-8")
        assert '__name__ == "__main__"' in source or found.name.endswith("__main__"), module
        for word in arguments:
            assert not word.startswith("--") or f'"{word.partition("=")[0]}"' in source, word
    elif program == "python":
        assert rest[0].endswith(".py")
    elif program == "pip":
        assert rest[0] == "install"
        for before, word in itertools.pairwise(rest):
            if before == "--group":
                assert word in PROJECT["dependency-groups"], word
            elif asked := re.fullmatch(rf"(\.|\./{NAME}|{NAME})(?:\[(.*)\])?", word):
                for extra in filter(None, (asked[2] or "").split(",")):
                    assert extra in PROJECT["project"]["optional-dependencies"], extra
            else:
                assert word in {"--group", "--editable", "jupyterlab"}, word
    elif program == "git":
        assert rest == ["clone", PROJECT["project"]["urls"]["Repository"]], rest
    elif program == "jupyter":
        assert rest[0] == "lab"
        assert (ROOT / rest[1].removeprefix(f"{NAME}/")).is_dir(), rest[1]
    elif program == "npm":
        assert rest[0] == "ci"
    else:
        assert (ROOT / program).is_file(), program


@pytest.mark.parametrize(("page", "command"), COMMANDS)
def test_a_command_of_a_page_names_what_is_there(page, command):
    """Targets, modules, their options, extras, groups, folders, the address of the repository."""
    check(command)


@pytest.mark.parametrize(
    "command",
    [
        "make dmeo", "make test PYTHNO=python3", "python -m benchmarks.eagre", "python -m benchmarks.eager --quik",
        "python -m autodiff", f'pip install "{NAME}[rendr]"', "pip install delta-autograd", "pip install --group tset",
        "git clone https://example.org/delta", f"jupyter lab {NAME}/lessons/fr", ".ci/rnu", "python -m htpp.server",
    ],
)  # fmt: skip
def test_a_command_that_names_what_is_not_there_is_found(command):
    """A planted mistake of each kind."""
    with pytest.raises(AssertionError):
        check(command)


def test_commands_that_a_newcomer_types_are_run():
    """The README's two by `.ci/run`; every block of the pages to start from by `.ci/release-check`."""
    run, release = ((ROOT / ".ci" / name).read_text(encoding="utf-8") for name in ("run", "release-check"))
    for readme in ("README.md", "README.es.md"):
        for block in shell.blocks(ROOT / readme):
            assert all(re.search(rf"(^|[ \n]){command}\b", run) for command in block)
    for page, count in (("docs/start.md", 2), ("docs/course/index.md", 1)):
        assert len(shell.blocks(ROOT / page)) == count
        for number in range(1, count + 1):
            assert f"typed {page} {number}" in release
        assert shell.blocks(ROOT / page.replace(".md", ".es.md")) == [
            [command.replace("/en", "/es") for command in block] for block in shell.blocks(ROOT / page)
        ]
    assert len(COMMANDS) > 60
