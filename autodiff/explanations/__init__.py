"""Why a gradient is what it is: `explain` gives the chain-rule sum, `anomalies` where a NaN or infinity came from."""

from autodiff.explanations.explaining import Explanation, Path, explain
from autodiff.explanations.flow import Contribution
from autodiff.explanations.origins import Anomaly, anomalies

__all__ = ["Anomaly", "Contribution", "Explanation", "Path", "anomalies", "explain"]
