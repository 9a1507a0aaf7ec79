"""Linear regression by gradient descent: the course's first model, and its neuron without an activation."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from models import _checks as check
from models._checks import Array
from models._engines import ENGINES, EVERY, Samples, Task, engine_by_name
from models._run import History, fitted
from models._scaling import mean_and_spread
from models._sklearn_contract import Regressor, hyperparameters
from models.checkpoints import FilePath
from models.errors import ConvergenceWarning, TrainingError, say, shared, warn
from models.losses import squared_error
from models.mlp import MLP
from models.optimizers import GradientDescent


class _Learned:
    """The attributes that `fit` leaves."""

    coef_: Array
    intercept_: Any
    loss_curve_: list[float]
    n_iter_: int
    learning_rate_: float


_STEPS = 10_000  # by default


@hyperparameters
class LinearRegression(_Learned, Regressor):
    """Fit y = Xw + b by gradient descent on the mean squared error (ECM) over all samples and targets.

    - `learning_rate`: α in `w ← w − α·∂C/∂w`. A number takes these very steps on the data as they come; too large an
      α diverges, and for unscaled data it is often far below 1. "auto" takes the steps on inputs that are centred and
      scaled inside, with the α that is best in the worst case: 2/(λ + μ), where λ is the steepest curvature of the cost
      and μ the flattest, and at most 1.9/λ. Every step then lowers the cost, whatever the units of X.
    - `epochs`: the most steps, each over all samples; "auto" ends when ten steps have not lowered the cost any more.
      Weights start at zero, or with `warm_start` where the last fit ended.
    - `solver`: "gd" for gradient descent, or "lstsq" for the least-squares solution at once. Of many solutions "lstsq"
      takes the one with the smallest weights, as scikit-learn does, and "gd" comes to the one with the smallest weights
      on scaled inputs. "lstsq" takes no steps, and needs no other setting.
    - `verbose`: 1 or True shows a plot that grows in a notebook, a bar on a terminal with tqdm, else some ten lines;
      2 prints every step.
    - `engine`: "compiled", array code of the traced loss, or "eager", a graph of Values at every step: the same numbers
      but for the last digits, slower.

    After `fit`: `coef_` of shape (n_features,), or (n_targets, n_features) for a 2-D y; `intercept_`, a float or
    (n_targets,); `loss_curve_`, the loss before the first step and after each one, of "lstsq" that of the solution;
    `n_iter_`, the number of steps; `learning_rate_`, the α of the last one, with "auto" that for scaled inputs, NaN for
    "lstsq". Weights are always those for X as it comes. Nothing is drawn at random.

    Gives a ConvergenceWarning when `fit` has not come to the least-squares solution: when predictions are off by more
    than a thousandth of the spread of y, or weights on scaled inputs by more than a hundredth of the largest, as where
    columns are nearly collinear. Where you set both α and the number of steps, they are taken without a word, and so
    are those of `partial_fit`.

    Source: course slides «Regresión lineal» and «Función de costo (ECM)».

    >>> model = LinearRegression(learning_rate=0.1, epochs=500).fit([[1], [2], [3], [4]], [3, 5, 7, 9])
    >>> model.coef_.round(6), round(model.intercept_, 5)
    (array([2.]), 1.0)
    """

    learning_rate: float | str = "auto"
    epochs: int = _STEPS
    solver: str = "gd"
    warm_start: bool = False
    verbose: bool | int = False
    engine: str = "compiled"

    def fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None, *, checkpoint: FilePath | None = None
    ) -> Self:
        """Fit to `X` (n_samples, n_features) and `y` (n_samples,) or (n_samples, n_targets); return `self`.

        `sample_weight` (n_samples,) makes the loss Σ sᵢ·errorᵢ / Σ sᵢ: a weight of 2 is the sample twice.
        `checkpoint` is as in MLPClassifier.

        Raises ValueError for data of other shapes or that are not finite, a learning rate that is not above 0, and a
        loss that stops being finite; a model that was fitted before keeps what it had.
        """
        check.whole("epochs", self.epochs, least=0)
        check.flag("warm_start", self.warm_start)
        check.verbosity("verbose", self.verbose)
        check.known("solver", self.solver, ("gd", "lstsq"))
        if self.solver == "lstsq":
            if checkpoint is not None:
                needless = 'checkpoint must be None with solver="lstsq", which takes no steps'
                raise ValueError(f"{needless}, got {checkpoint!r}")
            return self._solve(X, y, sample_weight)
        self._descend(X, y, sample_weight, self.epochs, curve=[], checkpoint=checkpoint)
        return self

    def partial_fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Take one step on these samples, from where the model is; the first call starts from zero weights.

        `loss_curve_` gains the loss of these samples after the step, and at the first call the loss before it too.
        Raises as `fit`, and ValueError for another number of features or targets than before and with solver="lstsq".
        """
        if self.solver != "gd":
            raise ValueError(f'partial_fit must have solver="gd", which takes steps, got {self.solver!r}')
        curve = list(self.loss_curve_) if self.__sklearn_is_fitted__() else []
        self._descend(X, y, sample_weight, 1, curve=curve, partial=True)
        return self

    def predict(self, X: ArrayLike) -> Array:
        """Predict for `X` (n_samples, n_features): (n_samples,), or (n_samples, n_targets) after a 2-D y."""
        return self._inputs_as_fitted(X) @ self.coef_.T + self.intercept_

    def _descend(
        self, X: Any, y: Any, sample_weight: Any, steps: int, *, curve: list[float], partial: bool = False,
        checkpoint: FilePath | None = None,
    ) -> None:  # fmt: skip
        """Check everything, take `steps` of gradient descent, keep the outcome, interrupted that of complete steps."""
        check.known("engine", self.engine, ENGINES)
        if not (auto := isinstance(self.learning_rate, str) and self.learning_rate == "auto"):
            check.positive("learning_rate ('auto' for one that fits the data)", self.learning_rate)
        resumed = self._resumes(partial=partial)
        inputs, targets, importance = self._data(X, y, sample_weight, resumed=resumed)
        columns = targets.reshape(len(targets), -1)
        rate: Any = self.learning_rate
        n_targets, best, (center, spread) = columns.shape[1], None, np.array([0.0, 1.0])  # units as they are
        if auto:
            if (deviation := mean_and_spread(columns, importance)[1].min()) < 1e-150:  # squared errors would be 0
                raise ValueError(
                    f"the deviation of y must have a square that floats can hold, got {deviation:.3g}; scale y to "
                    'numbers near 1, or set solver="lstsq"'
                )
            best = _LeastSquares(inputs, columns, importance)
            center, spread = best.center, best.spread
            inputs = inputs - center
            inputs /= spread
            curvatures = [1.0, *best.sizes**2]  # halves of them, for one target; 1 is that of the bias
            rate = n_targets * min(1.0 / (max(curvatures) + min(curvatures)), 0.95 / max(curvatures))
        line = MLP(inputs.shape[1], [n_targets], initialization="zeros")
        if resumed:
            if targets.shape[1:] != (own := self.coef_.shape[:-1]):
                raise ValueError(f"y must be (n_samples, {str(own)[1:]} as before, got {targets.shape}")
            coef, intercept = np.array(self.coef_, ndmin=2), np.array(self.intercept_, ndmin=1)
            line.load_weights([coef * spread], [intercept + (coef * center).sum(axis=1)])
        line.programs = {}  # the loss of the last step is asked of the same program
        shares = None if sample_weight is None else importance / importance.max()
        task = Task(line, line.parameters(), squared_error, Samples(inputs, columns, shares))

        def keep(history: History) -> None:
            with engine_by_name(self.engine, task) as engine:
                losses = [*history.loss_curve, engine.loss_and_gradient(EVERY)[0]]
            with np.errstate(over="ignore", invalid="ignore"):  # told below
                coef = line.weights()[0] / spread
                intercept = line.biases()[0] - (coef * center).sum(axis=1)
            n_iter = history.n_iter + (self.n_iter_ if curve else 0)
            self._keep_line(X, targets, coef, intercept, float(rate), n_iter, curve + losses[bool(curve) :])

        def told(error: TrainingError) -> str:
            cause = say("line.y") if auto else say("line.rate", rate=rate)
            done = (error.epoch or steps + 1) - 1
            return say("line.diverged", what=error.__cause__ or error, steps=done, cause=cause)

        history = fitted(
            keep, told, task, GradientDescent(task.parameters, learning_rate=rate), np.random.default_rng(0),
            engine=self.engine, epochs=steps, patience=10 if auto else None,
            progress=int(self.verbose) if steps > 1 else 0, checkpoint=checkpoint,
        )  # fmt: skip
        try:
            keep(history)
        except TrainingError as error:  # of the loss after the last step
            raise ValueError(told(error)) from error
        if not partial and (auto or steps == _STEPS):
            self._compare(best or _LeastSquares(inputs, columns, importance), line, history.n_iter)

    def _compare(self, best: _LeastSquares, line: MLP, steps: int) -> None:
        """Warn where the steps have not come to the least-squares solution."""
        coef, level = line.weights()[0], line.biases()[0]
        if not (auto := self.learning_rate == "auto"):
            coef, level = coef * best.spread, level + coef @ best.center
        missing = best.axes @ (coef.T - best.coef)
        off = ((best.sizes[:, None] * missing) ** 2).sum(axis=0) + (level - best.level) ** 2
        noise = 1e-20 * (best.variance + best.level**2) + np.finfo(float).tiny
        far = (off > noise) * np.sqrt(off / np.maximum(best.variance, noise))
        apart = (off > noise) * np.abs(best.axes.T @ missing).max(axis=0) / (np.abs(best.coef).max(axis=0) + 1e-300)
        if (far > 1e-3).any() or (apart > 1e-2).any():
            way = say("phrases.or epochs" if auto else "phrases.auto")
            facts = {"name": type(self).__name__, "steps": steps, "far": far.max(), "apart": apart.max(), "way": way}
            warn(say("line.far", **facts), shared(ConvergenceWarning))

    def _solve(self, X: Any, y: Any, sample_weight: Any) -> Self:  # Any: arrays, lists, frames
        inputs, targets, importance = self._data(X, y, sample_weight, resumed=False)
        best = _LeastSquares(inputs, targets.reshape(len(targets), -1), importance)
        if not np.isfinite(best.loss):
            raise ValueError("the squared errors must be finite, got infinite ones; scale the numbers in y down")
        with np.errstate(over="ignore", invalid="ignore"):  # told below
            coef = best.smallest()
            intercept = best.level - coef @ best.center
        self._keep_line(X, targets, coef, intercept, float("nan"), 0, [best.loss])
        return self

    def _keep_line(
        self, X: Any, targets: Array, coef: Array, intercept: Array,
        rate: float, steps: int, curve: list[float],
    ) -> None:  # fmt: skip
        several = targets.ndim == 2
        if not np.isfinite(coef).all():
            column = int(np.argmax(~np.isfinite(coef).all(axis=0)))
            raise ValueError(
                f"the weights must be finite, got {coef[:, column].tolist()} for column {column} of X, whose numbers "
                "are too small beside those of y; scale X to numbers near 1"
            )
        self._keep(
            X, coef.shape[1], coef_=coef if several else coef[0],
            intercept_=intercept if several else intercept.tolist()[0],
            learning_rate_=rate, n_iter_=steps, loss_curve_=curve,
        )  # fmt: skip


class _LeastSquares:
    """The least-squares solution on inputs that are centred and scaled.

    The triangle R of [inputs, y − level] has the same one as the data, and is made block by block. With R = U·S·Vᵀ for
    the inputs' part, `sizes` are the diagonal of S that is not zero, `axes` the rows of Vᵀ; `coef` (n_features,
    n_targets) has the smallest weights of all solutions, on scaled inputs. `variance` is that of each target.
    """

    def __init__(self, inputs: Array, columns: Array, importance: Array) -> None:
        share, n = importance / importance.max(), inputs.shape[1]
        share /= share.sum()
        (self.center, self.spread), self.level = mean_and_spread(inputs, share), share @ columns
        triangle: Any = np.zeros((0, n + columns.shape[1]))
        with np.errstate(over="ignore", invalid="ignore"):  # of y so large that its squares are infinite
            for start in range(0, len(inputs), 4096):
                rows = slice(start, start + 4096)
                block = np.hstack([(inputs[rows] - self.center) / self.spread, columns[rows] - self.level])
                block *= np.sqrt(share[rows, None])
                triangle = np.linalg.qr(np.vstack([triangle, block]), mode="r")
            R, answers = triangle[:, :n], triangle[:, n:]
            left, sizes, axes = np.linalg.svd(R, full_matrices=False)
            kept = sizes > sizes.max() * np.finfo(float).eps * max(inputs.shape)
            kept &= sizes > np.finfo(float).eps * max(inputs.shape)  # else columns that are constant but for rounding
            self.sizes, self.axes = sizes[kept], axes[kept]
            self.coef = self.axes.T @ ((left.T @ answers)[kept] / self.sizes[:, None])
            self.variance = (answers**2).sum(axis=0)
            self.loss = float(((answers - R @ self.coef) ** 2).sum(axis=0).mean())

    def smallest(self) -> Array:
        """Return the solution (n_targets, n_features) for inputs as they come, of many that of the smallest weights."""
        coef = self.coef
        if len(self.axes) < len(coef):
            unit = (self.spread / self.spread.max())[:, None]
            coef = unit * np.linalg.lstsq(self.axes * unit.T, self.axes @ coef, rcond=None)[0]
            coef += self.axes.T @ (self.axes @ (self.coef - coef))  # units far apart leave it inexact
        return (coef / self.spread[:, None]).T
