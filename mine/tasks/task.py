"""What a task is, and the checks of arguments that tasks share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Protocol

from torch import Generator, Tensor

Interval = tuple[float, float]

LINE: Interval = (-math.inf, math.inf)


class Task(Protocol):
    """A joint distribution with known mutual information.

    A task may have further members:
    - `log_ratio(x, y) -> (N,)`, the optimal critic; `hasattr` tells whether there is one;
    - `support_x` and `support_y`, an interval that contains every coordinate of a side; without
      them it is the whole line;
    - `mi_stderr`, the standard error of `mi`, where that is a Monte-Carlo mean; without it, 0;
    - `noise_columns`, how many numbers of U(0, 1) and of N(0, 1) one sample takes, and
      `from_noise(uniform, normal) -> (x, y)`, which makes samples of such rows, (N, columns) each.
      With them the samples of many networks are drawn on CUDA at once (`mine.data.blocks`).
    """

    @property
    def dim_x(self) -> int: ...

    @property
    def dim_y(self) -> int: ...

    @property
    def mi(self) -> float:
        """I(X; Y) in nats; may be infinite."""

    def sample(self, n: int, generator: Generator) -> tuple[Tensor, Tensor]:
        """Draws x (n, dim_x) and y (n, dim_y), float32, on the generator's device."""


def support(task: Task, side: str) -> Interval:
    """An interval that contains every coordinate of a side, "x" or "y"."""
    found: Interval = getattr(task, f"support_{side}", LINE)
    return found


def is_finite(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def is_whole(value: object, least: int) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least


def check_dim(dim: object, name: str = "dim", counts: str = "X and of Y") -> None:
    if not is_whole(dim, 1):
        raise ValueError(
            f"expected {name} to be an integer >= 1, got {dim!r}: "
            f"{name} counts the coordinates of {counts}"
        )


def check_positive(value: object, name: str, hint: str) -> None:
    if not is_finite(value) or not value > 0:  # type: ignore[operator]
        raise ValueError(f"expected a finite {name} > 0, got {value!r}: {hint}")


def check_task(task: object, name: str) -> None:
    if not hasattr(task, "sample"):
        raise ValueError(
            f"expected {name} to be a task, got {type(task).__name__}: "
            "pass an instance, or in a config a mapping with a _target_ in mine.tasks"
        )


def numbers(values: object, name: str) -> tuple[float, ...]:
    """A list of finite numbers as a tuple: configs hold lists, and a task must be hashable."""
    if (
        not isinstance(values, Sequence)
        or isinstance(values, str)
        or not all(is_finite(value) for value in values)
    ):
        raise ValueError(
            f"expected {name} to be a list of finite numbers, got {values!r}: "
            "write it as [0.5, 0.25]"
        )
    return tuple(float(value) for value in values)


def probabilities(values: object, name: str) -> tuple[float, ...]:
    """A list of probabilities, scaled to sum to 1, which they must do within 1e-6 already."""
    found = numbers(values, name)
    total = math.fsum(found)
    if not found or min(found) < 0 or abs(total - 1) > 1e-6:
        raise ValueError(
            f"expected {name} to be probabilities that sum to 1, got {list(found)}, which sum to "
            f"{total:.6g}: divide them by their sum"
        )
    return tuple(value / total for value in found) if total != 1 else found
