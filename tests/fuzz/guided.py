"""One target under libFuzzer, which keeps the bytes that reach new branches and changes those: needs `atheris`."""

from __future__ import annotations

import sys
import warnings


def main() -> None:
    """`python -m tests.fuzz.guided TARGET -runs=1000 …`: libFuzzer's own options follow the target's name."""
    import atheris  # there for Linux and macOS alone

    with atheris.instrument_imports(include=["autodiff", "models"]):
        from tests.fuzz.targets import TARGETS
    warnings.simplefilter("error")
    target, _ = TARGETS[sys.argv.pop(1)]
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
