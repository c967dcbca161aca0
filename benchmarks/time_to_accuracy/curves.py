"""Held-out error against seconds of a core, and when it stays within a tolerance."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import mean

import torch
from torch import Tensor

from benchmarks.time_to_accuracy.loops import (
    CONTENDERS,
    NOTEBOOK,
    Data,
    Looks,
    data_of,
    own_rows,
    seeds_of,
)
from benchmarks.time_to_accuracy.settings import FIRST_SEED, Setting
from mine.critics.protocol import Critic
from mine.data.sources import Pairs
from mine.method.donsker_varadhan import donsker_varadhan
from mine.method.held_out import held_out_values
from mine.running.devices import working_on

AUTO = "auto"
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Look:
    """Where a contender is, as a mean over its networks.

    Attributes:
        steps: steps of a network.
        seconds: seconds of a core that a network took for them.
        error: the mean of |held-out value - truth|, in nats.
        signed: the mean of held-out value - truth, in nats.
    """

    steps: int
    seconds: float
    error: float
    signed: float


def curve(setting: Setting, contender: str) -> list[Look]:
    """All looks of a contender."""
    if contender == AUTO:
        return [_auto(setting)]
    runs = []
    for seeds in seeds_of(setting, contender):
        data = [data_of(setting, seed) for seed in seeds]
        runs.append(list(_run(contender, setting, seeds, data)))
    return [_mean(looks, setting.task.mi) for looks in zip(*runs, strict=True)]


Seen = tuple[int, float, list[float]]
"""Steps, seconds a network, and each network's held-out value."""


def _run(contender: str, setting: Setting, seeds: list[int], data: list[Data]) -> Iterator[Seen]:
    """The looks of one training; looking takes none of its seconds.

    Where there are validation rows, the value is that of the best critic on them so far. The
    notebook's loop has none: its value is that of its newest critic.
    """
    tests = [one.test for one in data]
    rows = [one.validation for one in data if one.validation is not None]
    best, shown = torch.full((len(seeds),), -torch.inf), torch.zeros(len(seeds))
    with working_on(CPU):
        for steps, seconds, critic in _clocked(CONTENDERS[contender](setting, seeds, data)):
            found = held_out(critic, tests)
            if rows and contender != NOTEBOOK:
                criterion = held_out(critic, rows)
                found = torch.where(criterion > best, found, shown)
                best = torch.maximum(criterion, best)
            shown = found
            yield steps, seconds / len(seeds), shown.tolist()


def _clocked(looks: Looks) -> Iterator[tuple[int, float, Critic]]:
    """With the seconds of a core that the training took until then."""
    spent = 0.0
    while True:
        begun = time.process_time()
        look = next(looks, None)
        spent += time.process_time() - begun
        if look is None:
            return
        yield look[0], spent, look[1]


def held_out(critic: Critic, rows: Sequence[Pairs]) -> Tensor:
    """Each critic's bound on its own rows, in nats, (K,)."""
    x, y = (torch.stack(side) for side in zip(*rows, strict=True))
    values = held_out_values(critic, x, y)
    return donsker_varadhan(values.joint, values.flat)


def _mean(looks: Sequence[Seen], truth: float) -> Look:
    """Over all networks."""
    errors = [value - truth for _, _, values in looks for value in values]
    seconds = mean(seconds for _, seconds, _ in looks)
    return Look(looks[0][0], seconds, mean(map(abs, errors)), mean(errors))


def _auto(setting: Setting) -> Look:
    """`mine.estimate` by `auto` on the same rows: its steps are those of a fold's critic."""
    import mine

    errors, seconds, steps = [], [], []
    for seed in range(FIRST_SEED, FIRST_SEED + setting.single):
        x, y = own_rows(setting, seed)
        begun = time.process_time()
        with working_on(CPU):
            found = mine.estimate(x, y, AUTO, seed)
        seconds.append(time.process_time() - begun)
        errors.append(found.nats - setting.task.mi)
        steps.append(found.steps)
    return Look(round(mean(steps)), mean(seconds), mean(map(abs, errors)), mean(errors))


def within(looks: Sequence[Look], tolerance: float) -> Look | None:
    """The first look from which on the error stays within a tolerance; None where it does not."""
    found = None
    for look in reversed(looks):
        if not look.error <= tolerance:
            break
        found = look
    return found
