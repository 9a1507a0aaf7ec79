"""The main job, end to end: fit real data by gradient descent, then watch δ flow back through one neuron."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from autodiff.pictures import render

from autodiff import Value, draw
from models import LinearRegression
from models.datasets import apples_and_oranges


def apples(epochs: int = 1000) -> None:
    """Fit apples and oranges on standardised inputs and print the weights beside the least-squares answer."""
    data = apples_and_oranges()
    mean, scale = data.X.mean(axis=0), data.X.std(axis=0)
    model = LinearRegression(learning_rate=0.1, epochs=epochs).fit((data.X - mean) / scale, data.y)
    coef = model.coef_ / scale  # back to the units of the data
    fitted = np.column_stack([coef, model.intercept_ - coef @ mean])
    exact = np.linalg.lstsq(np.column_stack([data.X, np.ones(len(data.X))]), data.y, rcond=None)[0].T
    print(f"Apples and oranges: {epochs} steps of gradient descent on Values, inputs standardised, α = 0.1")
    print(f"  mean squared error {model.loss_curve_[0]:.4f} -> {model.loss_curve_[-1]:.10f}")
    print(f"  {'':8}{'':18}" + "".join(f"{name:>14}" for name in (*data.feature_names, "bias")))
    for target, ours, best in zip(data.target_names, fitted, exact, strict=True):
        print(f"  {target:8}{'gradient descent':18}" + "".join(f"{w:14.8f}" for w in ours))
        print(f"  {'':8}{'least squares':18}" + "".join(f"{w:14.8f}" for w in best))


def neuron() -> Value:
    """Sweep δ back through the course's neuron with a squared error."""
    x, w, b = Value(2.0, "x"), Value(-3.0, "w"), Value(6.5, "b")
    z = w * x + b
    z.label = "z"
    a = z.sigmoid()
    a.label = "a"
    cost = (1.0 - a) ** 2 / 2
    cost.label = "C"
    cost.backward()
    print("\nOne neuron: z = wx + b, a = σ(z), C = (1 - a)²/2")
    print(
        f"  a = {a.data:.6f}, C = {cost.data:.6f}; δ = ∂C/∂z = {z.grad:.6f}, ∂C/∂w = {w.grad:.6f}, ∂C/∂b = {b.grad:.6f}"
    )
    return cost


def main() -> None:
    """Run both, and say what was written and where."""
    apples()
    picture = draw(neuron())
    out = Path("out")
    out.mkdir(exist_ok=True)
    print("\nδ flowing backward, drawn:")
    for suffix in ("svg", "png"):
        path = out / f"neuron.{suffix}"
        render(picture, path)
        print(f"  wrote {path} ({path.stat().st_size / 1000:.1f} kB)")


if __name__ == "__main__":
    main()
