r"""Nonlinear features of the columns of one side, in groups.

Of columns z (d of them, of about unit variance), u_r = sigmoid(1.7 (log |z|^2 - m) / s), about the
distribution function of the radius |z|, and u_i = sigmoid(1.7 z_i), about that of a column:

    own        z_i
    radial     cos(pi k u_r), k = 1 ... 16, fewer in more than 4 columns
    turned     z_i cos(pi k u_r): a map of z that is linear, but another one at each radius
    waves      cos(pi k u_i), k = 2 ... 32, fewer in more than 2 columns
    products   z_i z_j, i < j, of at most 12 columns

The cosines are a basis of the functions of u on (0, 1).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

WAVES = 8, 32  # cosines of a column, at least and at most
RADIAL = 4, 16  # cosines of the radius, likewise
ABOUT = 64  # features of each of the two kinds
PRODUCTS = 12  # columns at most
FARTHEST = 5.0  # values beyond are clipped
_LOGISTIC = 1.7  # sigmoid(1.7 t) is within .01 of the normal distribution function


def cosines_of_radius(d: int) -> int:
    """How many cosines of the radius there are, of d columns; 0 of one, which has no radius."""
    low, high = RADIAL
    return max(low, min(high, ABOUT // d)) if d > 1 else 0


def cosines_of_column(d: int) -> int:
    """How many cosines of each of d columns there are."""
    low, high = WAVES
    return max(low, min(high, ABOUT // d))


def sizes(d: int) -> dict[str, int]:
    """The number of features of each group, of d columns."""
    cosines = cosines_of_radius(d)
    return {
        "own": d,
        "radial": cosines,
        "turned": cosines * d,
        "waves": (cosines_of_column(d) - 1) * d,
        "products": d * (d - 1) // 2 * (d <= PRODUCTS),
    }


def weights(d: int) -> dict[str, Tensor]:
    """The scale of each group's features, float64: a ridge shrinks what varies fast."""
    of = sizes(d)
    slower = 1.0 / (1.0 + torch.arange(1, of["radial"] + 1, dtype=torch.float64))
    waves = 1.0 / torch.arange(2, cosines_of_column(d) + 1, dtype=torch.float64)
    return {
        "own": torch.ones(d, dtype=torch.float64),
        "radial": slower,
        "turned": slower.repeat_interleave(d),
        "waves": waves.repeat_interleave(d),
        "products": torch.full((of["products"],), 0.5, dtype=torch.float64),
    }


def radius_of(z: Tensor) -> Tensor:
    """The mean of log |z|^2 over rows (n, d), and one by its deviation: (2,)."""
    logs = _log_radius(z.clamp(-FARTHEST, FARTHEST))
    return torch.stack([logs.mean(), 1.0 / (logs.std() + 1e-6)])


def groups_of(z: Tensor, radius: Tensor, wanted: frozenset[str]) -> dict[str, Tensor]:
    """The groups that are wanted, of K stacks of rows.

    Args:
        z: (K, B, d).
        radius: (K, 1, 2), `radius_of` each cell's training rows.
        wanted: names of groups.

    Returns:
        (K, B, size) each; groups of size 0 are left out.
    """
    of = {name for name, size in sizes(z.shape[-1]).items() if size} & wanted
    z = z.clamp(-FARTHEST, FARTHEST)
    found = {"own": z} if "own" in of else {}
    if of & {"radial", "turned"}:
        logs = (_log_radius(z).unsqueeze(-1) - radius[..., :1]) * radius[..., 1:]
        radial = torch.cat(_cosines(logs, cosines_of_radius(z.shape[-1]))[1:], -1)
        if "radial" in of:
            found["radial"] = radial
        if "turned" in of:
            found["turned"] = (radial.unsqueeze(-1) * z.unsqueeze(-2)).flatten(-2)
    if "waves" in of:
        found["waves"] = torch.cat(_cosines(z, cosines_of_column(z.shape[-1]))[2:], -1)
    if "products" in of:
        i, j = torch.triu_indices(z.shape[-1], z.shape[-1], 1, device=z.device)
        found["products"] = z[..., i] * z[..., j]
    return found


def _log_radius(z: Tensor) -> Tensor:
    """Of clipped values."""
    return (z.square().mean(-1) + 1e-6).log()


def _cosines(t: Tensor, most: int) -> list[Tensor]:
    """cos(pi k sigmoid(1.7 t)) for k = 0 ... most, by their recurrence."""
    first = torch.cos(math.pi * torch.sigmoid(_LOGISTIC * t))
    found = [torch.ones_like(first), first]
    for _ in range(most - 1):
        found.append(2.0 * first * found[-1] - found[-2])
    return found
