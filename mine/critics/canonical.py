"""A critic of canonical variates, u(x) and v(y), fitted to the training rows (nats):

    T(x, y) = sum_j log-ratio of a normal pair with the correlation rho_j (u_j, v_j)
              + network(u, v)

The variates are linear in nonlinear features of x and of y (`mine.critics.variates`). They reach
what a small network does not find: relations that turn with the radius, waves, products. The
network's output layer starts at 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from mine.critics.features import groups_of, radius_of, sizes
from mine.critics.mapped_sides import StackedMappedSides
from mine.critics.residual import StackedResidual
from mine.critics.started import Started
from mine.critics.variates import FARTHEST, MOST, MOST_ROWS, choices_of, fit_variates
from mine.data.sources import Pairs

ALL = frozenset(sizes(2))


class Canonical(Started):
    """The critic's config."""

    def stack(
        self, dx: int, dy: int, generators: Sequence[torch.Generator], device: torch.device | str
    ) -> StackedCanonical:
        inner = self.network.stack(MOST, MOST, generators, device)
        return StackedCanonical(StackedResidual(inner, MOST, MOST), dx, dy)

    def inputs(self, dx: int, dy: int) -> tuple[int, int]:
        return MOST, MOST


class StackedCanonical(StackedMappedSides):
    """K critics of variates: see `Canonical` and `Critic`.

    Attributes:
        buffers: with a leading axis K: ``of_x`` (K, p + 1, MOST) and ``of_y`` (K, q + 1, MOST),
            the variates; ``radius_x`` and ``radius_y`` (K, 1, 2), `features.radius_of` the
            training rows; ``rho`` (K, 1, MOST). All are 0 until `fit`, and so is T.
    """

    def __init__(self, inner: StackedResidual, dx: int, dy: int) -> None:
        super().__init__(inner)
        device = self.theta.device
        unit = torch.eye(MOST + 1, MOST, device=device)
        inner.buffers["of_x"].copy_(unit.expand_as(inner.buffers["of_x"]))
        inner.buffers["of_y"].copy_(unit.expand_as(inner.buffers["of_y"]))
        self.buffers = {"rho": inner.buffers["rho"]}
        for side, d in (("x", dx), ("y", dy)):
            p = sum(sizes(d).values())
            self.buffers[f"of_{side}"] = torch.zeros(self.k, p + 1, MOST, device=device)
            self.buffers[f"radius_{side}"] = torch.zeros(self.k, 1, 2, device=device)
        self._wanted = ALL

    @property
    def blank(self) -> Tensor:
        """(K,), whether no variates were found, so that a cell's T says nothing of x and y."""
        return ~self.buffers["rho"].flatten(1).any(1)

    def fit(self, rows: Sequence[Pairs]) -> None:
        self._wanted = frozenset({"own"})
        for k, (x, y) in enumerate(rows):
            every = math.ceil(len(x) / MOST_ROWS)
            x, y = x[::every], y[::every]
            choices = choices_of(len(x), x.shape[-1], y.shape[-1])
            if len(choices) == 1:
                continue
            groups = []
            for side, v in (("x", x), ("y", y)):
                radius = radius_of(v)
                self.buffers[f"radius_{side}"][k, 0].copy_(radius)
                of = groups_of(v[None], radius[None, None], frozenset().union(*choices))
                groups.append({name: one[0].double().cpu() for name, one in of.items()})
            found = fit_variates(groups[0], groups[1], x.shape[-1], y.shape[-1], choices)
            for name in ("of_x", "of_y", "rho"):
                buffer = self.buffers[name][k]
                buffer.copy_(getattr(found, name).view_as(buffer))
            self._wanted |= found.groups
        self.inner.without_tails()

    def side(self, z: Tensor, side: str, cells: slice = slice(None)) -> Tensor:
        of, radius = (self.buffers[f"{name}_{side}"][cells] for name in ("of", "radius"))
        found = of[:, -1:].expand(-1, z.shape[1], -1).clone()
        groups, place = groups_of(z, radius, self._wanted), 0
        for name, size in sizes(z.shape[-1]).items():
            if name in groups:
                found.baddbmm_(groups[name], of[:, place : place + size])
            place += size
        return found.clamp(-FARTHEST, FARTHEST)
