"""Models of the course, built on the public names of `autodiff` alone."""

from models.linear_regression import LinearRegression

__all__ = ["LinearRegression"]
