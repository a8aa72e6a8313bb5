"""Is this gradient right? The names a problem file uses, and nothing else."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "symbols": (
        "Named Parameter Size Variable array atan clip cos diff erf erfc erfinv exp frozen log log_softmax maximum minimum "
        "sigmoid sin softmax softplus sqrt step tan tanh"
    ),
    "spaces": "Integers LogRational Masks Normal OneOf Simplex Uniform",
    "mdp": "MDP",
    "laws": "Bernoulli Categorical Draw Gaussian log_prob",
    "expectation": "E",
    "bundles": "Rows batch episode",
    "quantities": "Covariance Curl Exact Gradient Hull Mean NonFinite Printed Trace Value",
    "claims": "AtMost Claim Differs Equal Erratum Mistake Raises Within",
    "derivation": "Derivation",
    "rules": "collect differentiate expand_log substitute take_expectation then",
    "figures": "Figure along bars",
    "points": "Point",
    "problem": "Problem",
    "variances": "ratio_of_variances variance_of_means",
    "loop": "check",
    "compare": "same_gradient",
    "slopes": "differences",
    "verdict": "Verdict",
    "report": "Report",
    "errors": "GradcheckError InputError ProblemError",
}
_home = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = sorted([*_home, "module", "torch"])  # pyright: ignore[reportUnsupportedDunderAll]


class _Torch:
    """torch, imported when it is first used, so that a problem file loads without it."""

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(".backends.torch", __name__).torch, name)

    def __dir__(self) -> list[str]:
        return dir(importlib.import_module(".backends.torch", __name__).torch)

    def __repr__(self) -> str:
        return "torch, imported when it is first used"


torch = _Torch()


def __getattr__(name: str) -> Any:
    if name == "module":
        return importlib.import_module(".backends.torch", __name__).module
    if name not in _home:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_home[name]}", __name__), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
