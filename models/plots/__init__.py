"""Plots of the course, with matplotlib (the extra `plots`): functions return the Axes, and draw on `ax` if passed.

None touches pyplot: a new figure belongs to the caller alone. `ax.figure.savefig("file.svg")` writes it, and a notebook
shows `ax.figure`. Axes on a dark background, such as those of `axes(dark=True)`, get colours for it.

>>> ax = activation_curve("tanh", ax=axes(dark=True))
>>> ax.get_title()
'tanh'
"""

from models.plots.descents import descent_contour, descent_curve, descent_path
from models.plots.fits import loss_curves, regression_line
from models.plots.gifs import write_gif
from models.plots.hinton import hinton_diagram
from models.plots.neurons import activation_curve, activation_surface
from models.plots.regions import decision_regions, neuron_line
from models.plots.style import axes, panels

__all__ = [
    "activation_curve", "activation_surface", "axes", "decision_regions", "descent_contour", "descent_curve",
    "descent_path", "hinton_diagram", "loss_curves", "neuron_line", "panels", "regression_line", "write_gif",
]  # fmt: skip
