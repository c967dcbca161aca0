"""A critic that starts from the log-ratio of a fitted mixture of normals (nats):

    T(x, y) = log-ratio of a mixture (`mine.critics.components`) + network(x, y)

The network's output layer starts at 0. A mixture is taken where it does better than a copula
(`mine.critics.elliptical`) on a third of the training rows, which are held out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from mine.critics.added import StackedAdded
from mine.critics.components import (
    NONE,
    Components,
    Sides,
    agreement,
    belonging,
    counts_of,
    first_groups,
    fit_components,
    no_sides,
    one_component,
    places,
    sides_of,
)
from mine.critics.elliptical import fit_ratio
from mine.critics.held_out_start import gains, on_held_out
from mine.critics.mlp import StackedMLP
from mine.critics.residual import elliptical_buffers
from mine.critics.residual import log_ratios as elliptical_log_ratios
from mine.critics.started import Started
from mine.critics.variates import MOST_ROWS
from mine.data.pairs import Pairing
from mine.data.sources import Pairs


class Mixed(Started):
    """The critic's config."""

    def stack(
        self, dx: int, dy: int, generators: Sequence[torch.Generator], device: torch.device | str
    ) -> StackedMixed:
        return StackedMixed(self.network.stack(dx, dy, generators, device), dx, dy)


class StackedMixed(StackedAdded):
    """K networks, each added to the log-ratio of a mixture: see `Mixed` and `Critic`.

    Attributes:
        buffers: those of `components.Sides`, with a leading axis K. Until `fit` T is 0.
    """

    def __init__(self, network: StackedMLP, dx: int, dy: int) -> None:
        nothing = vars(no_sides(dx, dy))
        super().__init__(network, {name: of.shape for name, of in nothing.items()})
        for name, of in nothing.items():
            self.buffers[name].copy_(of)
        self._places = slice(None)  # of the components that any cell has

    @property
    def plain(self) -> Tensor:
        """(K,), whether a cell starts from one normal law, as other critics do."""
        return (self.buffers["levels"][:, 2] > NONE).sum(1) < 2

    def fit(self, rows: Sequence[Pairs]) -> None:
        for k, (x, y) in enumerate(rows):
            every = math.ceil(len(x) / MOST_ROWS)
            found = fit_mixture(x[::every].double().cpu(), y[::every].double().cpu())
            for name, buffer in self.buffers.items():
                buffer[k].copy_(getattr(found, name))
        self._places = slice(int((self.buffers["levels"][:, 2] > NONE).sum(1).max()))

    def log_ratios(self, x: Tensor, y: Tensor, pairing: Pairing) -> list[Tensor]:
        return log_ratios(self._of_components(), x, y, pairing)

    def _of_components(self) -> dict[str, Tensor]:
        """The buffers without the places that stand empty in every cell."""
        some, levels = self._places, self.buffers["levels"]
        found = {name: of[:, some] for name, of in self.buffers.items()}
        return found | {"levels": levels[:, :, some]}


def log_ratios(
    buffers: Mapping[str, Tensor], x: Tensor, y: Tensor, pairing: Pairing
) -> list[Tensor]:
    """Log-ratios of the joint rows, then of each x with its partners: 1 + m times (K, B).

    Args:
        buffers: those of `StackedMixed`.
        x: (K, B, dx).
        y: (K, rows, dy).
        pairing: which y the marginal pairs take.
    """
    rho, levels = buffers["rho"].unsqueeze(2), buffers["levels"].unsqueeze(3)
    a, own_x = _of_side(x, buffers["of_x"], levels[:, 0])
    b, own_y = _of_side(y, buffers["of_y"], levels[:, 1])
    r = rho.shape[-1]
    rest = 1.0 - rho.square()
    square = 0.5 * rho.square() / rest
    a, b = a[..., :r], b[..., :r]
    # What x and y bring on their own to the log-density of both, of each component.
    of_x = own_x - (square * a.square()).sum(-1) - 0.5 * rest.log().sum(-1) - levels[:, 2]
    of_y = own_y - (square * b.square()).sum(-1)
    a = a * (rho / rest)
    sides = torch.cat([b, of_y.unsqueeze(-1), own_y.unsqueeze(-1)], -1)
    extended = pairing.extend(sides.transpose(1, 2).flatten(2))
    alone, found = own_x.logsumexp(1), []
    for one in pairing.pair(extended, x.shape[1]):
        side = one.unflatten(2, (-1, r + 2)).transpose(1, 2)
        both = of_x + side[..., r] + (a * side[..., :r]).sum(-1)
        found.append(both.logsumexp(1) - alone - side[..., r + 1].logsumexp(1))
    return found


def _of_side(v: Tensor, affine: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
    """Canonical variates (K, C, B, d) of rows (K, B, d), and log w_c p_c (K, C, B) up to a
    constant."""
    variates = v.unsqueeze(1) @ affine[..., :-1, :] + affine[..., -1:, :]
    return variates, level - 0.5 * variates.square().sum(-1)


def fit_mixture(x: Tensor, y: Tensor) -> Sides:
    """The mixture of these rows, (n, dx) and (n, dy) float64: one component where a copula is as
    good."""
    z = torch.cat([x, y], 1)
    if places(z.shape[1]) == 1:
        return no_sides(x.shape[1], y.shape[1])
    try:
        several = _several(x, y, z)
        of_all = several and fit_components(z, belonging(several, z))
        return sides_of(of_all or one_component(z), x.shape[1])
    # Such as two columns that are one, in units of a million.
    except (np.linalg.LinAlgError, torch.linalg.LinAlgError):  # type: ignore[attr-defined]
        return no_sides(x.shape[1], y.shape[1])


def _several(x: Tensor, y: Tensor, z: Tensor) -> Components | None:
    """Two components or more, if they are better than a copula on the last third of the rows,
    which is held out. More are tried as long as they gain there."""
    n, dx = len(x), x.shape[1]
    fitted, held_out = slice(2 * n // 3), (x[2 * n // 3 :], y[2 * n // 3 :])
    counts = counts_of(2 * n // 3, z.shape[1])
    best: Components | None = None
    if not counts:
        return best
    agree = agreement(x[fitted], y[fitted])
    ratio = fit_ratio(x[fitted].numpy(), y[fitted].numpy())
    before = on_held_out(elliptical_log_ratios, elliptical_buffers(ratio), *held_out)
    for count in counts:
        found = fit_components(z[fitted], first_groups(agree, count))
        if found is None:
            break
        buffers = {name: v[None] for name, v in vars(sides_of(found, dx)).items()}
        values = on_held_out(log_ratios, buffers, *held_out)
        if not gains(values, before):
            break
        best, before = found, values
    return best
