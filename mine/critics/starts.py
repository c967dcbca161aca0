"""What a network may start from: something that is fitted to the training rows first."""

from __future__ import annotations

from typing import Any

from mine.critics.canonical import Canonical
from mine.critics.gaussianised import Gaussianised
from mine.critics.mixture import Mixed
from mine.critics.mlp import MLP
from mine.critics.residual import Residual
from mine.critics.started import Started

NOTHING, COPULA, MIXTURE, VARIATES = "", "copula", "mixture", "variates"
GAUSSIANISED = "gaussianised"
SAID = {
    COPULA: "a fitted copula",
    MIXTURE: "a fitted mixture of normals",
    GAUSSIANISED: "a fitted copula of sides made normal",
    VARIATES: "fitted variates",
}
_STARTS: dict[str, type[Started]] = {
    COPULA: Residual,
    MIXTURE: Mixed,
    GAUSSIANISED: Gaussianised,
    VARIATES: Canonical,
}


def started(network: MLP, start: str) -> MLP | Started:
    """The critic's config of this network with this start."""
    return _STARTS[start](network) if start else network


def network_of(config: Any) -> Any:
    """The network of a critic's config, without its start."""
    return config.network if isinstance(config, Started) else config


def start_of(config: Any) -> str:
    """The start of a critic's config."""
    return next((name for name, kind in _STARTS.items() if isinstance(config, kind)), NOTHING)


def inputs_of(config: MLP | Started, dx: int, dy: int) -> tuple[int, int]:
    """The columns that its network gets, of dx and dy columns."""
    return config.inputs(dx, dy) if isinstance(config, Started) else (dx, dy)
