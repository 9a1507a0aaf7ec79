"""The processes of the engines, seen from the one that asks and compares."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from benchmarks.engines import PURE, PURE_WEIGHTED

ROOT = Path(__file__).resolve().parent.parent


class UnavailableError(Exception):
    """An engine that cannot take part, and why in two words."""


class Worker:
    """One engine in its own process, which lives as long as the measurements that compare it."""

    def __init__(self, engine: str, *, module: str = "benchmarks.worker", arguments: Sequence[str] = ()) -> None:
        self.engine = engine
        self._process = subprocess.Popen(  # our own interpreter and our own module
            [sys.executable, "-m", module, engine, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "AUTODIFF_PURE": "1" if engine in (PURE, PURE_WEIGHTED) else ""},
        )
        self.problem = ""
        if "missing" in self._read():
            self.problem = "not installed"

    def ask(self, do: str, **job: Any) -> Any:
        """Return the answer to one job; raise UnavailableError when the engine is absent or cannot do it."""
        if self.problem:
            raise UnavailableError(self.problem)
        assert self._process.stdin is not None  # it was opened as a pipe
        self._process.stdin.write(json.dumps({"do": do, **job}) + "\n")
        self._process.stdin.flush()
        answer = self._read()
        if "failed" in answer:
            raise UnavailableError(answer["failed"])
        return answer["answer"]

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None  # it was opened as a pipe
        line = self._process.stdout.readline()
        if not line:  # it died without a word, as a stack that overflows in C does
            self.problem = f"died ({self._process.wait()})"
            return {"failed": self.problem}
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process: it stops when there is nothing more to read."""
        self._process.communicate()


class Team:
    """Workers that are asked in turn, A B C A B C, so that a slow moment of the machine hits all alike."""

    def __init__(self, *engines: str, **worker: Any) -> None:
        self.workers = {engine: Worker(engine, **worker) for engine in engines}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers.values():
            worker.close()

    def ask(self, do: str, **job: Any) -> dict[str, Any]:
        """Ask everyone once; an engine that cannot answer gives its UnavailableError."""
        answers: dict[str, Any] = {}
        for engine, worker in self.workers.items():
            try:
                answers[engine] = worker.ask(do, **job)
            except UnavailableError as problem:
                answers[engine] = problem
        return answers

    def rounds(self, n: int, do: str, **job: Any) -> dict[str, list[float] | UnavailableError]:
        """Ask everyone n times, interleaved: per engine its times round by round, or its UnavailableError."""
        asked = [self.ask(do, **job) for _ in range(n)]
        gathered: dict[str, list[float] | UnavailableError] = {}
        for engine in self.workers:
            answers = [answer[engine] for answer in asked]
            problem = next((x for x in answers if isinstance(x, UnavailableError)), None)
            gathered[engine] = problem or answers
        return gathered
