"""The main job, end to end: fit real data, train the course's models, and see δ flow back, on one page.

`make demo` runs it; it prints what was learnt and writes `out/index.html` with every picture beside it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from autodiff import Value, draw, explain, topological_order
from autodiff.pictures import RenderError, animate, render, stepper
from lessons import pictures
from lessons.gallery import Figure, Section, page
from lessons.plots import FILMS, PLOTS, save, save_film
from models import MLP, LinearRegression, MLPClassifier, Perceptron, datasets, playground
from models.course_equations import equations
from models.datasets import apples_and_oranges

TITLE = "Watch δ flow backward"
LEAD = (
    "Values flow forward through a computation; δ, the error imputed to each node (∂C/∂node), flows back. Blue: if the "
    "node grows, the cost grows. Orange: if it grows, the cost falls. The wider, the larger."
)


def apples(epochs: int = 1000) -> str:
    """Fit apples and oranges on standardised inputs: the weights beside the least-squares answer."""
    data = apples_and_oranges()
    mean, scale = data.X.mean(axis=0), data.X.std(axis=0)
    model = LinearRegression(learning_rate=0.1, epochs=epochs).fit((data.X - mean) / scale, data.y)
    coef = model.coef_ / scale  # back to the units of the data
    fitted = np.column_stack([coef, model.intercept_ - coef @ mean])
    exact = np.linalg.lstsq(np.column_stack([data.X, np.ones(len(data.X))]), data.y, rcond=None)[0].T
    lines = [
        f"Apples and oranges: {epochs} steps of gradient descent, inputs standardised, α = 0.1",
        f"  mean squared error {model.loss_curve_[0]:.4f} -> {model.loss_curve_[-1]:.10f}",
        f"  {'':8}{'':18}" + "".join(f"{name:>14}" for name in (*data.feature_names, "bias")),
    ]
    for target, ours, best in zip(data.target_names, fitted, exact, strict=True):
        lines.append(f"  {target:8}{'gradient descent':18}" + "".join(f"{w:14.8f}" for w in ours))
        lines.append(f"  {'':8}{'least squares':18}" + "".join(f"{w:14.8f}" for w in best))
    return "\n".join(lines)


def epic_night() -> str:
    """Let Rosenblatt's rule learn the course's «epic night», an AND, from zeros."""
    data = datasets.epic_night()
    order = [0, 2, 1, 3]  # 00, 01, 10, 11
    model = Perceptron(shuffle=False).fit(data.X[order], data.y[order])
    weights = ", ".join(f"{w:g}" for w in model.coef_[0])
    lines = [
        "The «epic night»: Rosenblatt's rule from zeros",
        f"  {model.n_iter_} passes, w = ({weights}), b = {model.intercept_[0]:g}",
    ]
    lines += [
        f"  {data.feature_names[0]} {x[0]:g}, {data.feature_names[1]} {x[1]:g}: z = {z:2g} -> {y:g}"
        for x, z, y in zip(data.X, model.decision_function(data.X), model.predict(data.X), strict=True)
    ]
    lines.append(f"  accuracy {model.score(data.X, data.y):.3f}{beside('Perceptron', data, data, random_state=0)}")
    return "\n".join(lines)


def moons_and_iris() -> str:
    """Train a 2-16-16-1 network on moons and a 4-8-3 network on iris: accuracies on rows held out."""
    moons = [datasets.moons(n_samples=n, noise=0.1, random_state=seed) for n, seed in ((100, 0), (200, 1))]
    iris = datasets.iris()
    held_out = np.arange(len(iris.X)) % 5 == 0
    scaled = (iris.X - iris.X[~held_out].mean(axis=0)) / iris.X[~held_out].std(axis=0)
    split = [iris._replace(X=scaled[rows], y=iris.y[rows]) for rows in (~held_out, held_out)]
    lines = ["Networks, trained by backpropagation (accuracy on data not seen)"]
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
        score = model.score(test.X, test.y)
        lines.append(f"  {name:6}{sizes:10} {model.n_iter_} epochs, accuracy {score:.3f}{theirs}")
    return "\n".join(lines)


def beside(name: str, train: datasets.Dataset, test: datasets.Dataset, **options: Any) -> str:
    """Return the accuracy of scikit-learn's namesake, where that is installed."""
    try:
        from sklearn import linear_model, neural_network
    except ImportError:
        return ""
    make = getattr(linear_model, name, None) or getattr(neural_network, name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that its default number of epochs is not enough here is no news
        model = make(**options).fit(train.X, train.y)
    return f" (scikit-learn {model.score(test.X, test.y):.3f})"


def neuron() -> Value:
    """Sweep δ back through the course's neuron with a squared error."""
    cost = pictures.neuron()
    cost.backward()
    return cost


def one_neuron() -> str:
    """Return the numbers of that sweep."""
    value = {node.label: node for node in topological_order(neuron())}
    return (
        "One neuron: z = wx + b, a = σ(z), C = (1 - a)²/2\n"
        f"  a = {value['a'].data:.6f}, C = {value['C'].data:.6f}; δ = ∂C/∂z = {value['z'].grad:.6f}, "
        f"∂C/∂w = {value['w'].grad:.6f}, ∂C/∂b = {value['b'].grad:.6f}"
    )


def why() -> str:
    """Write out the chain-rule sum of each leaf of the neuron, in numbers."""
    cost = neuron()
    leaves = [node for node in topological_order(cost) if node.label in {"x", "w", "b"}]
    return "\n".join(str(explain(leaf, of=cost)) for leaf in leaves)


def network() -> Value:
    """Sweep δ back through a small network."""
    cost = pictures.network()
    cost.backward()
    return cost


class Gallery:
    """Writes pictures into a folder, light and dark, and the page that shows them."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.problems: list[str] = []
        self.written: list[Path] = []

    def graph(self, root: Value, name: str, title: str, caption: str, **look: Any) -> Figure:
        """Draw a graph as SVG, for both kinds of paper."""
        for dark in (False, True):
            theme = "dark" if dark else "light"
            self.written.append(render(draw(root, theme=theme, **look), self.out / f"{name}{'-dark' * dark}.svg"))
        return Figure(title, caption, f"{name}.svg", f"{name}-dark.svg", wide=True)

    def plots(self) -> Iterator[Figure]:
        """Every plot of the course, first those that move."""
        for name, film in FILMS.items():
            for dark in (False, True):
                self.written += save_film(film, self.out / f"{name}{'-dark' * dark}.gif", dark=dark)
            light, night, still, still_night = (f"{name}{end}" for end in (".gif", "-dark.gif", ".png", "-dark.png"))
            yield Figure(film.title, film.caption, light, night, (light,), still=still, still_dark=still_night)
        for name, plot in PLOTS.items():
            for dark in (False, True):
                self.written.append(save(plot, self.out / f"{name}{'-dark' * dark}{plot.suffix}", dark=dark))
            light, night = f"{name}{plot.suffix}", f"{name}-dark{plot.suffix}"
            yield Figure(plot.title, plot.caption, light, night, (light,), wide=plot.wide)

    def section(self, title: str, text: str, figures: Callable[[], list[Figure]]) -> Section:
        """Return a section, or a line about what is not there to make it with."""
        try:
            return Section(title, text, figures())
        except (RenderError, ImportError) as error:
            self.problems.append(f"{title}: {error}")
            return Section(title, text, note=str(error))

    def sections(self, printed: str) -> list[Section]:
        """Everything there is to see."""
        return [
            self.section("A network in your hands", "It learns while you look, and lets you change it.", self.played),
            self.section("A neuron", "What the engine records, drawn as it is.", self.one)._replace(printed=why()),
            self.section("A network, three zooms", "One cost of a 2-3-1 network, seen closer and closer.", self.zooms),
            Section(
                "The course's equations",
                "The same network by the three formulas, with its numbers, each checked against the graph.",
                printed=str(equations(pictures.small_mlp(), pictures.SAMPLE, pictures.TARGET)),
            ),
            self.section("The sweep", "δ starts as 1 at the cost and is handed back, consumers first.", self.sweeps),
            self.section("Step by step", "Forward, then backward, then the update w ← w − α·∂C/∂w.", self.steps),
            self.section("Plots", "The course where people would rather look.", lambda: list(self.plots())),
            Section("Numbers", "What the models learnt, just now.", printed=printed),
        ]

    def played(self) -> list[Figure]:
        """Write the page in which a network learns two moons."""
        X, y, *_ = datasets.moons(200, noise=0.1, random_state=0)
        model = MLP(2, [8, 8, 1], activation="tanh", random_state=0)
        options = {"loss": "binary_cross_entropy", "random_state": 0}
        path = playground(model, X, y, path=self.out / "playground.html", **options)
        self.written.append(path)
        caption = "Press Play. Point at a neuron or a line, click to change it; take other data, other neurons, XOR."
        return [Figure("playground(model, X, y)", caption, path.name, wide=True)]

    def one(self) -> list[Figure]:
        """Draw the neuron."""
        caption = "z = wx + b, a = σ(z), C = (1 − a)²/2. Grey: the local derivative. In colour: what δ hands back."
        figure = self.graph(neuron(), "neuron", "draw(C)", caption)
        self.written.append(render(draw(neuron()), self.out / "neuron.png"))
        return [figure._replace(files=("neuron.svg", "neuron.png"))]

    def zooms(self) -> list[Figure]:
        """Draw the network from afar and from near, and a larger one."""
        small, large = network(), pictures.moons()
        large.backward()
        captions = {
            "layers": "Shapes and norms: how much of δ arrives in each layer.",
            "neurons": "The course's diagram: neurons with their outputs and δ, weights as strokes.",
            "operations": "Every node and every partial, as the engine has them.",
        }
        figures = [
            self.graph(small, f"network-{detail}", f'draw(C, detail="{detail}")', caption, detail=detail)
            for detail, caption in captions.items()
        ]
        caption = (
            f"Micrograd's 2-16-16-1 over 20 points of two moons: {len(topological_order(large)):,} nodes, one picture."
        )
        return [*figures, self.graph(large, "moons", "A larger network", caption, detail="neurons")]

    def sweeps(self) -> list[Figure]:
        """Animate the same sweeps."""
        made: list[Figure] = []
        for name, root, title, look in (
            ("sweep", pictures.neuron(), "Through the neuron", {}),
            ("sweep-network", pictures.network(), "Through the network, layer by layer", {"detail": "neurons"}),
        ):
            files = [f"{name}.svg", f"{name}-dark.svg", f"{name}.html", f"{name}.gif"]
            for file in files:
                theme = "dark" if "dark" in file else "light"
                self.written.append(animate(root, self.out / file, theme=theme, **look))
            caption = "Nothing jumps: every step has the same layout. The page beside it has buttons and keys."
            made.append(Figure(title, caption, files[0], files[1], (files[0], *files[2:]), wide=True))
        return made

    def steps(self) -> list[Figure]:
        """Write the walk through forward pass, backward pass and update."""
        path = stepper(pictures.network(), self.out / "stepper.html", learning_rate=0.5, title="Backpropagation")
        self.written.append(path)
        caption = "Play, step, or use the arrow keys; click a node to see the chain-rule sum behind its δ."
        return [Figure("Step by step through the network", caption, path.name, wide=True)]


def main(out: Path = Path("out")) -> None:
    """Run everything, and say what was written and where."""
    printed: list[str] = []
    for part in (apples, epic_night, moons_and_iris, one_neuron):
        printed.append(part())
        print(printed[-1], end="\n\n", flush=True)
    out.mkdir(exist_ok=True)
    gallery = Gallery(out)
    sections = gallery.sections("\n\n".join(printed))
    index = out / "index.html"
    index.write_text(page(TITLE, LEAD, sections), encoding="utf-8")
    for problem in gallery.problems:
        print(f"not drawn: {problem}")
    size = sum(path.stat().st_size for path in gallery.written)
    print(f"δ flowing backward, drawn: {len(gallery.written)} files of {size / 1e6:.1f} MB in {out}/")
    print(f"  open {index}, or the neuron alone: {out / 'neuron.svg'}, {out / 'neuron.png'}")


if __name__ == "__main__":
    main()
