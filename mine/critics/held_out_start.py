"""Whether one start is better than another: by their bounds on training rows that are held out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from mine.data.pairs import Shifts

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
        x: rows in random order.
        y: their partners.
    """
    joint, *marginal = (of[0] for of in log_ratios(buffers, x[None], y[None], Shifts(TURNS)))
    return joint, torch.cat(marginal)


def gains(one: Values, other: Values) -> bool:
    """Whether the bound of Donsker and Varadhan of one is above the other's, beyond chance."""
    unsure = (one[0] - other[0]).std() / math.sqrt(len(one[0]))
    return _bound(*one) - _bound(*other) > max(LEAST_GAIN, SURE * float(unsure))


def _bound(joint: Tensor, marginal: Tensor) -> float:
    return float(joint.mean() - marginal.logsumexp(0) + math.log(len(marginal)))
