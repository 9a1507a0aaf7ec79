"""Models of the course, built on the public names of `autodiff` alone; what they raise and warn: `models.errors`."""

from models.course_equations import equations
from models.errors import (
    CheckpointError,
    ConvergenceWarning,
    DataConversionWarning,
    NotFiniteError,
    NotFittedError,
    SettingError,
    TrainingError,
)
from models.linear_regression import LinearRegression
from models.mlp import MLP, Layer, Neuron
from models.mlp_estimators import MLPClassifier, MLPRegressor
from models.perceptron import Perceptron
from models.playgrounds import playground

__all__ = [
    "MLP", "CheckpointError", "ConvergenceWarning", "DataConversionWarning", "Layer", "LinearRegression",
    "MLPClassifier", "MLPRegressor", "Neuron", "NotFiniteError", "NotFittedError", "Perceptron", "SettingError",
    "TrainingError", "equations", "playground",
]  # fmt: skip
