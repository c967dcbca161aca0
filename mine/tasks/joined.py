"""Independent tasks, concatenated: X = (X_1, X_2, ...), Y = (Y_1, Y_2, ...), and I is the sum."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from mine.tasks.task import Interval, Task, check_task, support


@dataclass(frozen=True)
class Joined:
    """Independent tasks whose X and whose Y are concatenated, in order."""

    tasks: tuple[Task, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.tasks, Sequence) or not self.tasks:
            raise ValueError(
                f"expected tasks to be a list of one task or more, got {self.tasks!r}: "
                "the mutual information of the whole is the sum of theirs"
            )
        object.__setattr__(self, "tasks", tuple(self.tasks))
        for task in self.tasks:
            check_task(task, "each of tasks")

    @property
    def dim_x(self) -> int:
        return sum(task.dim_x for task in self.tasks)

    @property
    def dim_y(self) -> int:
        return sum(task.dim_y for task in self.tasks)

    @property
    def support_x(self) -> Interval:
        return self._hull("x")

    @property
    def support_y(self) -> Interval:
        return self._hull("y")

    @property
    def mi(self) -> float:
        return math.fsum(task.mi for task in self.tasks)

    @property
    def mi_stderr(self) -> float:
        return math.hypot(*(getattr(task, "mi_stderr", 0.0) for task in self.tasks))

    def sample(self, n: int, generator: Generator) -> tuple[Tensor, Tensor]:
        xs, ys = zip(*(task.sample(n, generator) for task in self.tasks), strict=True)
        return torch.cat(xs, -1), torch.cat(ys, -1)

    @property
    def log_ratio(self) -> Callable[[Tensor, Tensor], Tensor]:
        """(x, y) -> the sum of the tasks' log-ratios: shape (N,), in nats."""
        parts = [getattr(task, "log_ratio", None) for task in self.tasks]
        known = [part for part in parts if part is not None]
        if len(known) < len(parts):
            raise AttributeError("no log_ratio: a task of the join has none")

        def log_ratio(x: Tensor, y: Tensor) -> Tensor:
            xs = x.double().split([task.dim_x for task in self.tasks], -1)
            ys = y.double().split([task.dim_y for task in self.tasks], -1)
            ratios = [part(u, v) for part, u, v in zip(known, xs, ys, strict=True)]
            return torch.stack(ratios).sum(0).to(x.dtype)

        return log_ratio

    def _hull(self, side: str) -> Interval:
        lows, highs = zip(*(support(task, side) for task in self.tasks), strict=True)
        return min(lows), max(highs)
