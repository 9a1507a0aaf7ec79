"""The MLP estimators beside scikit-learn's, both with their defaults: run `python -m benchmarks.estimators`.

Five folds of five data sets, scaled by StandardScaler and as they come: mean accuracy (R² for diabetes), folds with a
warning, processor time of a fit, median over the folds, one thread; the difference is that of the same folds, with its
standard error. `--seeds N` takes N divisions into folds, each with
another `random_state`. A last line has the peak memory of a fit.

Our defaults were chosen on folds of these very data sets, of seeds 0, 1 and 42: `--first 100` takes other seeds.
"""

# ruff: noqa: E402 # the number of threads is set before NumPy is loaded

from __future__ import annotations

import os

for _threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_threads] = "1"  # before NumPy is loaded: a fit of either is one thread

import argparse
import statistics
import sys
import time
import tracemalloc
import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.table import Table
from models import MLPClassifier, MLPRegressor

DATA = ("iris", "wine", "breast_cancer", "digits", "diabetes")
HEADINGS = (
    "data", "ours, scaled", "scikit-learn, scaled", "difference", "ours, unscaled", "scikit-learn, unscaled",
    "warned, unscaled", "ours, s", "scikit-learn, s", "met",
)  # fmt: skip


@dataclass
class Outcome:
    """Scores, seconds and warned folds of one estimator on one form of the data."""

    scores: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    warned: int = 0

    @property
    def score(self) -> float:
        return statistics.fmean(self.scores)

    @property
    def time(self) -> float:
        return statistics.median(self.seconds)

    def fit(self, estimator: Any, train: Any, test: Any) -> None:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            start = time.process_time()
            estimator.fit(*train)
            self.seconds.append(time.process_time() - start)
        self.warned += bool(caught)
        self.scores.append(estimator.score(*test))


def row(name: str, seeds: range) -> dict[tuple[str, str], Outcome]:
    """Return the outcomes by estimator ("ours", "theirs") and form of the data ("scaled", "unscaled")."""
    from sklearn import datasets, model_selection, neural_network
    from sklearn.preprocessing import StandardScaler

    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    regression = name == "diabetes"
    kinds = {
        "ours": MLPRegressor if regression else MLPClassifier,
        "theirs": neural_network.MLPRegressor if regression else neural_network.MLPClassifier,
    }
    split = model_selection.KFold if regression else model_selection.StratifiedKFold
    outcomes = {(who, form): Outcome() for who in kinds for form in ("scaled", "unscaled")}
    for seed in seeds:
        for train, test in split(5, shuffle=True, random_state=seed).split(X, y):
            scaler = StandardScaler().fit(X[train])
            for form, data in (("scaled", scaler.transform(X)), ("unscaled", X)):
                for who, kind in kinds.items():  # in turn, so that both meet the same machine
                    given = (data[train], y[train]), (data[test], y[test])
                    outcomes[who, form].fit(kind(random_state=seed), *given)
    return outcomes


def peak_of_a_fit() -> float:
    """Return the peak memory of a fit on 100,000 × 50, in multiples of the data."""
    X = np.random.default_rng(0).normal(size=(100_000, 50))
    y = (X[:, 0] > 0).astype(int)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        MLPClassifier(max_iter=1).fit(X[:500], y[:500])  # imports, and compiling for the first time
        tracemalloc.start()
        MLPClassifier(max_iter=2, early_stopping=True).fit(X, y)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak / X.nbytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1, help="divisions into folds")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    table = Table(HEADINGS)
    for name in DATA:
        found = row(name, range(options.first, options.first + options.seeds))
        ours, theirs = found["ours", "scaled"], found["theirs", "scaled"]
        raw = found["ours", "unscaled"]
        apart = [a - b for a, b in zip(ours.scores, theirs.scores, strict=True)]  # fold by fold
        difference, error = statistics.fmean(apart), statistics.stdev(apart) / len(apart) ** 0.5
        as_good = (raw.score >= ours.score - 0.02 or raw.warned == len(raw.scores)) and ours.time <= theirs.time
        met = "NO" if not as_good or difference < -error else "yes" if difference >= 0 else "within error"
        table.add(
            name, f"{ours.score:.3f}", f"{theirs.score:.3f}", f"{difference:+.3f} ± {error:.3f}", f"{raw.score:.3f}",
            f"{found['theirs', 'unscaled'].score:.3f}", f"{raw.warned} of {len(raw.scores)}",
            f"{ours.time:.3f}", f"{theirs.time:.3f}", met,
        )  # fmt: skip
    sys.stdout.write(table.text(markdown=options.markdown) + "\n\n")
    sys.stdout.write(f"{table.missed} targets missed. Peak memory of a fit: {peak_of_a_fit():.2f} times the data.\n")


if __name__ == "__main__":
    main()
