"""MINE: mutual information neural estimation (Belghazi et al., 2018), and how far to trust it.

>>> import mine
>>> e = mine.estimate(x, y)          # numpy or torch, (n, dx) and (n, dy)
>>> e.nats, e.interval(0.95), e.warnings
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mine.bounds import donsker_varadhan, f_divergence
    from mine.critics import MLP
    from mine.estimators import estimate, estimate_many
    from mine.evaluation import Estimate
    from mine.given import Conditional, conditional
    from mine.matrix import Pairwise, pairwise
    from mine.method import methods
    from mine.saved import load
    from mine.tasks import CorrelatedGaussian, NoiseChannel, Warped
    from mine.training import Training

__version__ = "0.1.0"
__all__ = [
    "MLP",
    "Conditional",
    "CorrelatedGaussian",
    "Estimate",
    "NoiseChannel",
    "Pairwise",
    "Training",
    "Warped",
    "conditional",
    "donsker_varadhan",
    "estimate",
    "estimate_many",
    "f_divergence",
    "load",
    "methods",
    "pairwise",
]

_HOME = {
    "MLP": "critics",
    "Conditional": "given",
    "CorrelatedGaussian": "tasks",
    "Estimate": "evaluation",
    "NoiseChannel": "tasks",
    "Pairwise": "matrix",
    "Training": "training",
    "Warped": "tasks",
    "conditional": "given",
    "donsker_varadhan": "bounds",
    "estimate": "estimators",
    "estimate_many": "estimators",
    "f_divergence": "bounds",
    "load": "saved",
    "methods": "method",
    "pairwise": "matrix",
}


def __getattr__(name: str) -> Any:
    """Loads torch when a name that needs it is first asked for: `--help` answers at once."""
    if name == "sklearn":  # a module of its own, that needs no import of its own
        return import_module("mine.sklearn")
    if name not in _HOME:
        raise AttributeError(f"module 'mine' has no attribute {name!r}")
    return getattr(import_module(f"mine.{_HOME[name]}"), name)
