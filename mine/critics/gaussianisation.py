r"""Maps of the columns of one side, one to one, that make their joint law normal.

One layer turns the columns z by a rotation and gives each turned column its normal scores:

    z -> (q(z R)_1, ..., q(z R)_d),    q_j the map of a column's quantiles to those of a normal

Layers with random rotations, one after the other, bring any law nearer to independent normals
(rotation-based iterative Gaussianisation: Laparra, Camps-Valls and Malo, 2011,
https://doi.org/10.1109/TNN.2011.2106511). I(X; Y) is the same before and after maps of x alone and
of y alone. But where columns of one side hang together in bent ways, a normal copula fits the
mapped sides better.

A column's map is linear between `KNOTS` quantiles, with slope 1 beyond them.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

LAYERS = 20
KNOTS = 24
MOST_COLUMNS = 64  # of a side; more would take longer than a training
MOST_ROWS = 5_000  # that are looked at: they are enough for `KNOTS` quantiles
SURE = 5.0  # standard errors of a moment that no normal law has
_LEAST = 1e-6  # distance of two knots


@lru_cache
def levels() -> Tensor:
    """(KNOTS,) float64: what the knots are mapped to, quantiles of the normal."""
    return torch.special.ndtri((torch.arange(KNOTS, dtype=torch.float64) + 0.5) / KNOTS)


def rotations(d: int) -> Tensor:
    """(LAYERS, d, d) float64, orthogonal; the same ones in every call."""
    random = torch.Generator().manual_seed(d)
    normal = torch.randn(LAYERS, d, d, generator=random, dtype=torch.float64)
    return torch.linalg.qr(normal).Q


def nothing(d: int) -> tuple[Tensor, Tensor]:
    """Rotations (L, d, d) and knots (L, d, KNOTS) of layers that change nothing."""
    count = layers_of(d)
    turned = torch.eye(d, dtype=torch.float64).expand(count, d, d)
    return turned, levels().expand(count, d, KNOTS)


def layers_of(d: int) -> int:
    """L, the number of layers for d columns: 0 where there is nothing to turn, or too much."""
    return LAYERS if 1 < d <= MOST_COLUMNS else 0


def are_bent(z: Tensor) -> bool:
    """Whether normal scores (n, d) hang together among themselves as no normal law does.

    Under one E[(z_i^2 - 1) z_j] is 0, with a standard error of sqrt(2 / n).
    """
    n, d = z.shape
    if not layers_of(d):
        return False
    z = (z - z.mean(0)) / z.std(0).clamp(min=_LEAST)
    moments = (z.square() - 1.0).T @ z / n
    return float(moments.fill_diagonal_(0.0).abs().max()) > SURE * math.sqrt(2.0 / n)


def fit_layers(z: Tensor) -> tuple[Tensor, Tensor]:
    """Rotations (L, d, d) and knots (L, d, KNOTS) for rows (n, d), float64."""
    if not layers_of(z.shape[1]):
        return nothing(z.shape[1])
    z = z[:: math.ceil(len(z) / MOST_ROWS)]
    turned, found = rotations(z.shape[1]), []
    for rotation in turned:
        u = z @ rotation
        knots = u.T.quantile((torch.arange(KNOTS, dtype=z.dtype) + 0.5) / KNOTS, dim=1).T
        found.append(knots)
        z = _scores(u[None], knots[None])[0]
    return turned, torch.stack(found)


def mapped(z: Tensor, turned: Tensor, knots: Tensor) -> Tensor:
    """Rows of K cells through their layers: (K, B, d) -> (K, B, d).

    Args:
        z: (K, B, d).
        turned: rotations, (K, L, d, d).
        knots: (K, L, d, KNOTS).
    """
    for rotation, of_layer in zip(turned.unbind(1), knots.unbind(1), strict=True):
        z = _scores(z @ rotation, of_layer)
    return z


def _scores(u: Tensor, knots: Tensor) -> Tensor:
    """The maps of the columns: u (K, B, d) and knots (K, d, KNOTS) -> (K, B, d)."""
    columns, level = u.transpose(1, 2).contiguous(), levels().to(u)
    knots = knots.contiguous()
    place = torch.searchsorted(knots, columns).clamp_(1, KNOTS - 1)
    low, high = knots.gather(2, place - 1), knots.gather(2, place)
    slope = (level[place] - level[place - 1]) / (high - low).clamp_(min=_LEAST)
    inside = columns.clamp(min=knots[..., :1], max=knots[..., -1:])
    return (level[place - 1] + (inside - low) * slope + (columns - inside)).transpose(1, 2)
