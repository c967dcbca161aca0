"""What a run asks of a stack in training, whatever is trained: estimations or applications."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from mine.running.events import Failure, Outcome

CURVE_POINTS = 100
State = dict[str, np.ndarray]
"""All that the rest of a training depends on, as arrays by name."""


@dataclass(frozen=True)
class Moment:
    """A stack in training, after a block of steps.

    Attributes:
        steps: each job's network-steps since the last moment, or since this process began.
        values: running mean of each job's training value, in nats.
        last: whether the outcomes come next.
        state: gives a copy of the state.
    """

    steps: int
    values: tuple[float, ...]
    last: bool
    state: Callable[[], State]


class StackTraining(Protocol):
    """A stack of jobs in training. `mine.running.begin.begin` makes it."""

    def train(self) -> Iterator[Moment]:
        """Trains on from where it is to the end."""
        ...

    def take_up(self, state: State) -> None:
        """Goes on from a state that a `Moment` gave, to the same bits.

        Raises:
            ValueError: it is no state of such a stack; this object is then of no more use.
        """
        ...

    def outcomes(self) -> Sequence[Outcome | Failure]:
        """One a job, when the training has ended."""
        ...


def thinned(points: Iterable[tuple[int, float]]) -> tuple[tuple[int, float], ...]:
    """At most about `CURVE_POINTS` of a curve's points, (step, value)."""
    shown = list(points)
    every = max(1, len(shown) // CURVE_POINTS)
    return tuple(shown[every - 1 :: every])
