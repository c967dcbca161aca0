"""Whether one start is better than another: by their bounds on training rows that are held out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from mine.data.pairs import Independent

LEAST_GAIN = 0.01  # nats
SURE = 2.0  # standard errors of the gain on joint pairs
TURNS = 10  # other partners of each row

Values = tuple[Tensor, Tensor]
"""Of T on joint pairs (n,), and on marginal ones (TURNS n,)."""


def on_held_out(
    log_ratios: Callable[..., list[Tensor]], buffers: Mapping[str, Tensor], x: Tensor, y: Tensor
) -> Values:
    """T of one cell on rows (n, dx) and (n, dy).

    Args:
        log_ratios: (buffers, x, y, pairing) -> T on joint rows and on each partner, (1, n) each.
        buffers: what it takes, with a leading axis of 1.
        x: its rows.
        y: their partners.
    """
    partners = torch.cat([y, *turned(y, TURNS)])
    joint, *marginal = (
        of[0] for of in log_ratios(buffers, x[None], partners[None], Independent(TURNS))
    )
    return joint, torch.cat(marginal)


def turned(rows: Tensor, turns: int) -> Tensor:
    """Other partners for each of n rows, (turns, n, d): as far away as can be, since neighbours
    in a series or of one group are nearly the same."""
    n = len(rows)
    return torch.stack([rows.roll(n * place // (turns + 1), 0) for place in range(1, turns + 1)])


def gains(one: Values, other: Values) -> bool:
    """Whether the bound of Donsker and Varadhan of one is above the other's, beyond chance."""
    unsure = (one[0] - other[0]).std() / math.sqrt(len(one[0]))
    return bound(*one) - bound(*other) > max(LEAST_GAIN, SURE * float(unsure))


def bound(joint: Tensor, marginal: Tensor) -> float:
    """Donsker and Varadhan's, of T on joint pairs (n,) and on marginal ones (m,), in nats."""
    return float(joint.mean() - marginal.logsumexp(0) + math.log(len(marginal)))
