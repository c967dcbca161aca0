"""The statistics networks of an application's stack: their ascent, and their held-out bound."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Generator, Tensor

from mine.method.held_out import held_out_values
from mine.method.names import METHODS
from mine.method.objective import Objective
from mine.running.applications import ApplicationJob
from mine.training.ascent import Ascent, make_ascent

METHOD = "mine"


def statistics_networks(
    jobs: Sequence[ApplicationJob], dx: int, dy: int, device: torch.device, method: str = METHOD
) -> Ascent:
    """The ascent of T(x, y), one for each job, by the jobs' critic and training.

    Args:
        jobs: of one stack.
        dx: columns of x.
        dy: columns of y.
        device: where.
        method: what is ascended and reported; "mine" is Eq. 12, and Donsker-Varadhan's bound.
    """
    found, training = METHODS.resolve(method), jobs[0].training
    critic = found.critic(jobs[0].critic).stack(
        dx, dy, [job.generator("start") for job in jobs], device
    )
    return make_ascent(
        critic,
        cast(Objective, found.objective),
        found.bound,
        training,
        torch.full((len(jobs),), training.learning_rate, device=device),
        torch.full((len(jobs),), training.ema_rate, device=device),
    )


def noise_of(ascent: Ascent) -> list[Generator]:
    """The generators of the critics' own noise, on which later steps depend; none, as a rule."""
    return list(getattr(ascent.critic, "generators", ()))


def held_out_bound(
    ascent: Ascent, x: Tensor, y: Tensor, partners: int, method: str = METHOD
) -> tuple[Tensor, Tensor]:
    """The bound of each cell on rows that trained nothing, and its standard error, in nats.

    Args:
        ascent: of the critics.
        x: (K, N, dx).
        y: (K, N, dy).
        partners: marginal partners of each row.
        method: as for `statistics_networks`.

    Returns:
        (K,) and (K,).
    """
    values = held_out_values(ascent.critic, x, y, partners)
    return METHODS.resolve(method).test(values)
