r"""What a bound is: a pure function of critic values, in nats; and what all bounds share.

The value that is reported and the function whose gradient is followed are two things with two
names. A *bound* maps critic values to nats. An *objective* (`mine.method.objective`) maps critic
values and a state to a surrogate: its gradient is right, and its value may mean nothing. A
*method* (`mine.method.method`) pairs the two.

Notation in all files of this folder: P is the joint distribution of (X, Y), Q the product of its
marginals, T the critic. ``t_joint`` (..., N) holds T(x_i, y_i) for (x_i, y_i) ~ P. ``t_marginal``
(..., m N) holds T(x, y) for (x, y) ~ Q, in an order such that
``by_row(t_joint, t_marginal)[..., j, i]`` is T(x_i, y) with the j-th of the m partners of x_i.
Functions that say shape (..., M) need no partners: any M values do. Leading axes are stacked
critics: a function gives one value for each, shape (...). The unit is nats.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

Bound = Callable[[Tensor, Tensor], Tensor]
"""(t_joint, t_marginal) -> nats."""


def log_mean_exp(t: Tensor) -> Tensor:
    """log of the mean of exp(t) over the last axis, without overflow. (..., N) -> (...)."""
    return torch.logsumexp(t, -1) - math.log(t.shape[-1])


def by_row(t_joint: Tensor, t_marginal: Tensor) -> Tensor:
    """The marginal values (..., m N) by their rows of x: (..., m, N).

    Raises:
        ValueError: the rows have not equally many partners.
    """
    n, found = t_joint.shape[-1], t_marginal.shape[-1]
    if found == 0 or found % n:
        raise ValueError(
            f"expected m marginal values for each of {n} joint ones, got {found}: "
            "give every row of x as many partners"
        )
    return t_marginal.unflatten(-1, (found // n, n))
