"""Elementwise functions by name, for noise channels and for maps of a task's variables.

`half_cube` is sign(x) |x|^(3/2), and `normal_cdf` turns normal margins into uniform ones. Both are
from Czyz et al., "Beyond Normal", NeurIPS 2023, https://arxiv.org/abs/2306.11078. `cauchy` turns
normal margins into Cauchy ones, tan(pi (Phi(x) - 1/2)).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mine.tasks.task import LINE, Interval

Elementwise = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class NamedFunction:
    """An elementwise function and its known properties.

    Attributes:
        fn: the function.
        injective_on: the largest interval on which it is known to be continuous and injective;
            None where there is none.
        inverse: its inverse there, where it is known.
    """

    fn: Elementwise
    injective_on: Interval | None = None
    inverse: Elementwise | None = None

    def __call__(self, x: Tensor) -> Tensor:
        return self.fn(x)

    def dim_out(self, dim: int) -> int:
        return dim

    def image(self, support: Interval) -> Interval:
        if self.injective_on is None:
            return range_of(self.fn)
        a, b = self.fn(torch.tensor(support, dtype=torch.float64)).tolist()
        return min(a, b), max(a, b)


def ndtri(u: Tensor) -> Tensor:
    """The normal quantile; values that float32 rounded to 0 or 1 are moved slightly inside."""
    return torch.special.ndtri(u.clamp(1e-38, 1 - 2.0**-26))


FUNCTIONS: dict[str, NamedFunction] = {
    "identity": NamedFunction(lambda x: x, LINE, lambda u: u),
    "cube": NamedFunction(lambda x: x**3, LINE, lambda u: u.sign() * u.abs() ** (1 / 3)),
    "sin": NamedFunction(torch.sin, (-math.pi / 2, math.pi / 2), torch.asin),
    "double": NamedFunction(lambda x: 2 * x, LINE, lambda u: u / 2),
    "asinh": NamedFunction(torch.asinh, LINE, torch.sinh),
    "half_cube": NamedFunction(
        lambda x: x * x.abs().sqrt(), LINE, lambda u: u.sign() * u.abs() ** (2 / 3)
    ),
    "normal_cdf": NamedFunction(torch.special.ndtr, LINE, ndtri),
    "cauchy": NamedFunction(
        lambda x: x.sign() / torch.tan(math.pi * torch.special.ndtr(-x.abs())),
        LINE,
        lambda u: -u.sign() * ndtri(torch.atan(1.0 / u.abs()) / math.pi),
    ),
}


def register_function(
    name: str,
    fn: Elementwise,
    injective_on: Interval | None = None,
    inverse: Elementwise | None = None,
) -> None:
    """Adds a function that `NoiseChannel.function`, `Warped.map_x` and `map_y` can name.

        register_function("square", lambda x: x**2)
        register_function("tanh", torch.tanh, (-math.inf, math.inf), inverse=torch.atanh)

    Args:
        name: a new name.
        fn: maps a torch tensor to one of equal shape and dtype, elementwise. It must be continuous
            and nowhere constant on [-1, 1]. It is always called with tensors (float32 samples,
            float64 quadrature nodes), so write it with operators or torch functions; wrap one that
            needs numpy: `lambda x: torch.from_numpy(g(x.cpu().numpy())).to(x)`.
        injective_on: the interval on which fn is injective, so that `Warped` may apply it;
            (-inf, inf) for the line.
        inverse: inverts fn there; only `Warped.log_ratio` needs it.

    Raises:
        ValueError: the name is taken, or fn is no such function.
    """
    if name in FUNCTIONS and FUNCTIONS[name].fn is not fn:
        raise ValueError(
            f"expected a new function name, got {name!r}, which is registered already: "
            "choose another name"
        )
    x = torch.linspace(-1, 1, 65)
    u: Any = fn(x)
    if not (
        isinstance(u, Tensor)
        and u.shape == x.shape
        and bool(u.isfinite().all())
        and torch.allclose(fn(x.flip(0)).flip(0), u)
    ):
        raise ValueError(
            f"expected an elementwise map of tensors, finite on [-1, 1], got {name!r}, which maps "
            f"shape (65,) to {type(u).__name__} of shape {tuple(getattr(u, 'shape', ()))}: "
            "write it with torch functions"
        )
    if injective_on is not None and not injective_on[0] < injective_on[1]:
        raise ValueError(
            f"expected injective_on as (low, high), got {injective_on}: "
            "use (-math.inf, math.inf) for the line"
        )
    FUNCTIONS[name] = NamedFunction(fn, injective_on, inverse)


def lookup(name: str) -> NamedFunction:
    if name not in FUNCTIONS:
        raise ValueError(
            f"expected a function among {sorted(FUNCTIONS)}, got {name!r}: "
            "add yours with mine.tasks.register_function"
        )
    return FUNCTIONS[name]


@lru_cache(maxsize=256)
def trace(fn: Elementwise) -> tuple[np.ndarray, np.ndarray]:
    """A grid on [-1, 1], and f on it: each (4097,)."""
    x = np.linspace(-1, 1, 4097)
    return x, fn(torch.from_numpy(x)).numpy()


def variation(fn: Elementwise) -> float:
    """The total variation of f on [-1, 1]."""
    return float(np.abs(np.diff(trace(fn)[1])).sum())


def range_of(fn: Elementwise) -> Interval:
    """The least and the largest value of f on [-1, 1]."""
    u = trace(fn)[1]
    return float(u.min()), float(u.max())
