"""The main job, end to end: fit real data, train the course's models, watch δ flow back through one neuron."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from autodiff import Value, draw
from autodiff.pictures import render
from models import LinearRegression, MLPClassifier, Perceptron, datasets
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


def epic_night() -> None:
    """Let Rosenblatt's rule learn the course's «epic night», an AND, from zeros."""
    data = datasets.epic_night()
    order = [0, 2, 1, 3]  # 00, 01, 10, 11
    model = Perceptron(shuffle=False).fit(data.X[order], data.y[order])
    print("\n«Noche épica»: Rosenblatt's rule from zeros")
    weights = ", ".join(f"{w:g}" for w in model.coef_[0])
    print(f"  {model.n_iter_} passes, w = ({weights}), b = {model.intercept_[0]:g}")
    for x, z, y in zip(data.X, model.decision_function(data.X), model.predict(data.X), strict=True):
        print(f"  {data.feature_names[0]} {x[0]:g}, {data.feature_names[1]} {x[1]:g}: z = {z:2g} -> {y:g}")
    print(f"  accuracy {model.score(data.X, data.y):.3f}{beside('Perceptron', data, data, random_state=0)}")


def moons_and_iris() -> None:
    """Train a 2-16-16-1 network on moons and a 4-8-3 network on iris, and print accuracies on rows held out."""
    moons = [datasets.moons(n_samples=n, noise=0.1, random_state=seed) for n, seed in ((100, 0), (200, 1))]
    iris = datasets.iris()
    held_out = np.arange(len(iris.X)) % 5 == 0
    scaled = (iris.X - iris.X[~held_out].mean(axis=0)) / iris.X[~held_out].std(axis=0)
    split = [iris._replace(X=scaled[rows], y=iris.y[rows]) for rows in (~held_out, held_out)]
    print("\nNetworks, trained by backpropagation on Values (accuracy on data not seen)")
    for name, (train, test), hidden, rate in (("moons", moons, (16, 16), 0.05), ("iris", split, (8,), 0.05)):
        model = MLPClassifier(
            hidden_layer_sizes=hidden, learning_rate=rate, batch_size=20, max_iter=200, tol=3e-3, random_state=0
        ).fit(train.X, train.y)
        sizes = "-".join(map(str, (train.X.shape[1], *hidden, model.n_outputs_)))
        theirs = beside(
            "MLPClassifier",
            train,
            test,
            hidden_layer_sizes=hidden,
            learning_rate_init=rate,
            batch_size=20,
            random_state=0,
        )
        print(f"  {name:6}{sizes:10} {model.n_iter_} epochs, accuracy {model.score(test.X, test.y):.3f}{theirs}")


def beside(name: str, train: datasets.Dataset, test: datasets.Dataset, **options: Any) -> str:
    """The accuracy of scikit-learn's namesake, where that is installed."""
    try:
        from sklearn import linear_model, neural_network
    except ImportError:
        return ""
    make = getattr(linear_model, name, None) or getattr(neural_network, name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that its default number of epochs is not enough here is no news
        model = make(**options).fit(train.X, train.y)
    return f" (scikit-learn {model.score(test.X, test.y):.3f})"


def main() -> None:
    """Run everything, and say what was written and where."""
    apples()
    epic_night()
    moons_and_iris()
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
