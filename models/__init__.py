"""Models of the course, built on the public names of `autodiff` alone."""

from models.course_equations import equations
from models.linear_regression import LinearRegression
from models.mlp import MLP, Layer, Neuron
from models.mlp_estimators import MLPClassifier, MLPRegressor
from models.perceptron import Perceptron

__all__ = ["MLP", "Layer", "LinearRegression", "MLPClassifier", "MLPRegressor", "Neuron", "Perceptron", "equations"]
