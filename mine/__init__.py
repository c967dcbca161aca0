"""MINE: mutual information neural estimation (Belghazi et al., 2018), and how far to trust it.

>>> import mine
>>> e = mine.estimate(x, y)          # numpy or torch, (n, dx) and (n, dy)
>>> e.nats, e.interval(0.95), e.warnings
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mine.critics.mlp import MLP
    from mine.estimators.conditional import Conditional, conditional
    from mine.estimators.estimate import estimate, estimate_many
    from mine.estimators.lagged import Lagged, lagged
    from mine.estimators.multivariate import (
        Multivariate,
        interaction_information,
        total_correlation,
    )
    from mine.estimators.pairwise import Pairwise, pairwise
    from mine.estimators.term import Term
    from mine.method.donsker_varadhan import donsker_varadhan
    from mine.method.f_divergence import f_divergence
    from mine.method.names import methods
    from mine.running.estimates import Estimate
    from mine.saved import load
    from mine.tasks import CorrelatedGaussian, NoiseChannel, Warped
    from mine.training.settings import Training

__version__ = "0.2.0"
__all__ = [
    "MLP",
    "Conditional",
    "CorrelatedGaussian",
    "Estimate",
    "Lagged",
    "Multivariate",
    "NoiseChannel",
    "Pairwise",
    "Term",
    "Training",
    "Warped",
    "conditional",
    "donsker_varadhan",
    "estimate",
    "estimate_many",
    "f_divergence",
    "interaction_information",
    "lagged",
    "load",
    "methods",
    "pairwise",
    "total_correlation",
]

_HOME = {
    "MLP": "critics.mlp",
    "Conditional": "estimators.conditional",
    "CorrelatedGaussian": "tasks",
    "Estimate": "running.estimates",
    "Lagged": "estimators.lagged",
    "Multivariate": "estimators.multivariate",
    "NoiseChannel": "tasks",
    "Pairwise": "estimators.pairwise",
    "Term": "estimators.term",
    "Training": "training.settings",
    "Warped": "tasks",
    "conditional": "estimators.conditional",
    "donsker_varadhan": "method.donsker_varadhan",
    "estimate": "estimators.estimate",
    "estimate_many": "estimators.estimate",
    "f_divergence": "method.f_divergence",
    "interaction_information": "estimators.multivariate",
    "lagged": "estimators.lagged",
    "load": "saved",
    "methods": "method.names",
    "pairwise": "estimators.pairwise",
    "total_correlation": "estimators.multivariate",
}


def __getattr__(name: str) -> Any:
    """Loads torch when a name that needs it is first asked for: `--help` answers at once."""
    if name == "sklearn":  # a module of its own, that needs no import of its own
        return import_module("mine.sklearn")
    if name not in _HOME:
        raise AttributeError(f"module 'mine' has no attribute {name!r}")
    return getattr(import_module(f"mine.{_HOME[name]}"), name)
