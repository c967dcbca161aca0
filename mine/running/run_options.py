"""How a long run is looked after: where states are kept, when to stop, how long to wait."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from mine.running.stack_training import State


class Keeper(Protocol):
    """Where the states of stacks in training are kept while a program is stopped."""

    def load(self, stack: tuple[int, ...]) -> Iterator[State]:
        """The states kept of this stack, the newest first."""
        ...

    def due(self, stack: tuple[int, ...]) -> bool:
        """Whether it is time to save."""
        ...

    def save(self, stack: tuple[int, ...], state: State) -> None: ...


class Stopped(Exception):
    """Raised by `run` where `RunOptions.stopping` asked for it; all open stacks were saved."""


@dataclass(frozen=True)
class RunOptions:
    """How a run is looked after. The default keeps no states and waits without limit.

    Attributes:
        keeper: where states are kept.
        stopping: asked after each block of steps; true ends the run by `Stopped`.
        time_limit: seconds without an event after which a stack's process is killed (not on CUDA).
        clock: gives seconds, such as `time.monotonic`; a time limit needs it.
    """

    keeper: Keeper | None = None
    stopping: Callable[[], bool] = lambda: False
    time_limit: float = math.inf
    clock: Callable[[], float] = lambda: 0.0
