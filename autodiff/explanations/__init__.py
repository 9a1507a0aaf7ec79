"""Why a gradient has its value: `explain` shows the chain-rule sum, `anomalies` the source of a NaN or infinity."""

from autodiff.explanations.explaining import Explanation, Path, explain
from autodiff.explanations.flow import Contribution
from autodiff.explanations.origins import Anomaly, anomalies

__all__ = ["Anomaly", "Contribution", "Explanation", "Path", "anomalies", "explain"]
