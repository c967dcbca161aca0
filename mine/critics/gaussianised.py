"""A critic that maps each side to normal columns first, and starts from a copula there (nats):

    T(x, y) = log-ratio of a copula (g(x), h(y)) + network(g(x), h(y))

g and h are one-to-one maps, fitted to the training rows of one side each
(`mine.critics.gaussianisation`). They are taken where columns of a side hang together in bent
ways, and where the copula does better with them on a third of the training rows, which are held
out. The network's output layer starts at 0.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mine.critics.elliptical import fit_ratio
from mine.critics.gaussianisation import are_bent, fit_layers, mapped, nothing
from mine.critics.held_out_start import gains, on_held_out
from mine.critics.mapped_sides import StackedMappedSides
from mine.critics.residual import StackedResidual, elliptical_buffers, log_ratios
from mine.critics.started import Started
from mine.data.sources import Pairs

Layers = tuple[Tensor, Tensor]  # rotations and knots


class Gaussianised(Started):
    """The critic's config."""

    def stack(
        self, dx: int, dy: int, generators: Sequence[torch.Generator], device: torch.device | str
    ) -> StackedGaussianised:
        inner = StackedResidual(self.network.stack(dx, dy, generators, device), dx, dy)
        return StackedGaussianised(inner, dx, dy)


class StackedGaussianised(StackedMappedSides):
    """K critics of sides made normal: see `Gaussianised` and `Critic`.

    Attributes:
        buffers: those of `StackedResidual`, and with a leading axis K the layers of the maps:
            ``turn_x`` (K, L, dx, dx), ``knots_x`` (K, L, dx, KNOTS), the same of y; and
            ``taken`` (K, 1), 1 where the maps are not the identity.
    """

    def __init__(self, inner: StackedResidual, dx: int, dy: int) -> None:
        super().__init__(inner)
        device = self.theta.device
        self.buffers = {**inner.buffers, "taken": torch.zeros(self.k, 1, device=device)}
        for side, d in (("x", dx), ("y", dy)):
            for name, of in zip(("turn", "knots"), nothing(d), strict=True):
                buffer = of.float().expand(self.k, *of.shape).clone().to(device)
                self.buffers[f"{name}_{side}"] = buffer

    @property
    def plain(self) -> Tensor:
        """(K,), whether a cell's sides are as they are, and its start that of other critics."""
        return self.buffers["taken"][:, 0] == 0.0

    def fit(self, rows: Sequence[Pairs]) -> None:
        found = []
        for k, (x, y) in enumerate(rows):
            maps = fit_maps(x.double().cpu(), y.double().cpu())
            if maps is not None:
                self.buffers["taken"][k] = 1.0
                for side, layers in zip("xy", maps, strict=True):
                    for name, of in zip(("turn", "knots"), layers, strict=True):
                        self.buffers[f"{name}_{side}"][k].copy_(of)
                x, y = (_through(v.double().cpu(), of) for v, of in zip((x, y), maps, strict=True))
            found.append((x, y))
        self.inner.fit(found)

    def side(self, z: Tensor, side: str, cells: slice = slice(None)) -> Tensor:
        turned, knots = (self.buffers[f"{name}_{side}"][cells] for name in ("turn", "knots"))
        return mapped(z, turned, knots)


def fit_maps(x: Tensor, y: Tensor) -> tuple[Layers, Layers] | None:
    """The maps of rows (n, dx) and (n, dy), float64; None where the copula gains nothing."""
    if not (are_bent(x) or are_bent(y)):
        return None
    fitted, held_out = slice(2 * len(x) // 3), slice(2 * len(x) // 3, None)

    def bound_of(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        copula = elliptical_buffers(fit_ratio(x[fitted].numpy(), y[fitted].numpy()))
        return on_held_out(log_ratios, copula, x[held_out], y[held_out])

    maps = [fit_layers(v[fitted]) for v in (x, y)]
    after = bound_of(*(_through(v, of) for v, of in zip((x, y), maps, strict=True)))
    return (fit_layers(x), fit_layers(y)) if gains(after, bound_of(x, y)) else None


def _through(z: Tensor, layers: Layers) -> Tensor:
    return mapped(z[None], *(of[None] for of in layers))[0]
