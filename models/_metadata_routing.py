"""What scikit-learn asks an estimator once `set_config(enable_metadata_routing=True)`: who is to be given weights.

A request tells that a method of this estimator, inside a pipeline or a search, wants what the outer call was given
under that name; scikit-learn's own classes keep it, and `clone` carries it along.
"""

from __future__ import annotations

import inspect
import sys
from typing import Any, Self

_METHODS = ("fit", "partial_fit", "score")
_NO_METADATA = {"self", "X", "y"}


class Routed:
    """Requests of `sample_weight` and `classes`, for the methods that take them."""

    _metadata_request: Any

    def get_metadata_routing(self) -> Any:
        """Give scikit-learn's MetadataRequest; RuntimeError where scikit-learn is not loaded."""
        if hasattr(self, "_metadata_request"):
            return self._metadata_request
        routing = sys.modules.get("sklearn.utils.metadata_routing")
        if routing is None:
            raise RuntimeError("scikit-learn is not loaded, and requests are made of its own classes: import sklearn")
        request = routing.MetadataRequest(owner=self)
        for method in _METHODS:
            for name in self._metadata_of(method):
                getattr(request, method).add_request(param=name, alias=None)
        return request

    def set_fit_request(self, **requests: bool | str | None) -> Self:
        """Have `fit` given what is named: `set_fit_request(sample_weight=True)`; or another name to look it up by.

        False: never. None: not asked for, and an error where it is passed all the same. TypeError for a name that the
        method does not take.
        """
        return self._set_request("fit", requests)

    def set_partial_fit_request(self, **requests: bool | str | None) -> Self:
        """Have `partial_fit` given what is named, as `set_fit_request` does."""
        return self._set_request("partial_fit", requests)

    def set_score_request(self, **requests: bool | str | None) -> Self:
        """Have `score` given what is named, as `set_fit_request` does."""
        return self._set_request("score", requests)

    def _metadata_of(self, method: str) -> list[str]:
        return [name for name in inspect.signature(getattr(type(self), method)).parameters if name not in _NO_METADATA]

    def _set_request(self, method: str, requests: dict[str, bool | str | None]) -> Self:
        known = self._metadata_of(method)
        strangers = sorted(set(requests) - set(known))
        if strangers:
            raise TypeError(f"{method} of {type(self).__name__} takes no {strangers[0]!r} to request, only {known}")
        routing = self.get_metadata_routing()
        for name, alias in requests.items():
            getattr(routing, method).add_request(param=name, alias=alias)
        self._metadata_request = routing
        return self
