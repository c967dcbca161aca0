r"""Injective maps of a task's variables, which leave the mutual information unchanged (`Warped`).

The functions in `FUNCTIONS` are elementwise maps without parameters, chosen by name. The maps here
have parameters, or mix coordinates. The wiggly map, the spiral and the swiss roll are from Czyz et
al., "Beyond Normal", NeurIPS 2023, https://arxiv.org/abs/2306.11078.

Samples are mapped in float32. Inverses are computed in float64, for `Warped.log_ratio`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from mine.tasks.functions import Elementwise, ndtri
from mine.tasks.task import (
    LINE,
    Interval,
    check_positive,
    is_finite,
    is_whole,
    numbers,
    probabilities,
)

SWEEPS = {torch.float32: 30, torch.float64: 50}  # bisections that exhaust a dtype's digits


class Map(Protocol):
    """Maps rows (N, d) to rows (N, dim_out(d)), injectively on the interval `injective_on`."""

    @property
    def injective_on(self) -> Interval | None: ...

    @property
    def inverse(self) -> Elementwise | None: ...

    def __call__(self, x: Tensor) -> Tensor: ...

    def dim_out(self, dim: int) -> int:
        """The dimension that rows of `dim` coordinates are mapped to.

        Raises:
            ValueError: the map takes no rows of so many coordinates.
        """

    def image(self, support: Interval) -> Interval:
        """An interval that contains every coordinate of the image of `support`."""


@cache
def orthogonal(dim: int, seed: int) -> np.ndarray:
    """A rotation or reflection drawn from the Haar measure: (dim, dim)."""
    q, r = np.linalg.qr(np.random.default_rng(seed).standard_normal((dim, dim)))
    turn: np.ndarray = q * np.sign(np.diag(r))
    return turn


def bisect(
    increasing: Callable[[Tensor], Tensor],
    target: Tensor,
    low: Tensor,
    high: Tensor,
    sweeps: int = SWEEPS[torch.float64],
) -> Tensor:
    """Solves increasing(x) = target for x between low and high, elementwise."""
    for _ in range(sweeps):
        middle = (low + high) / 2
        below = increasing(middle) < target
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    return (low + high) / 2


@dataclass(frozen=True)
class Wiggly:
    """u = x + sum_i a_i sin(w_i x + p_i), elementwise; increasing, because sum_i |a_i w_i| < 1.

    Args:
        waves: triples (a_i, w_i, p_i) of amplitude, frequency and phase.
    """

    waves: tuple[tuple[float, ...], ...] = ((0.5, 1.0, 0.0),)

    def __post_init__(self) -> None:
        if not isinstance(self.waves, Sequence) or isinstance(self.waves, str):
            raise ValueError(
                f"expected waves to be a list, got {self.waves!r}: "
                "write [[amplitude, frequency, phase], ...]"
            )
        waves = tuple(numbers(wave, "each wave") for wave in self.waves)
        if any(len(wave) != 3 for wave in waves):
            raise ValueError(
                f"expected each wave as [amplitude, frequency, phase], got {self.waves!r}: "
                "three numbers a wave"
            )
        object.__setattr__(self, "waves", waves)
        if (steepest := sum(abs(a * w) for a, w, _ in waves)) >= 1:
            raise ValueError(
                f"expected sum |amplitude * frequency| < 1, so that the map increases, got "
                f"{steepest:.4g}: take smaller amplitudes"
            )

    @property
    def injective_on(self) -> Interval:
        return LINE

    @property
    def _most(self) -> float:
        return sum(abs(a) for a, _, _ in self.waves)

    def __call__(self, x: Tensor) -> Tensor:
        return x + sum(a * torch.sin(w * x + p) for a, w, p in self.waves)

    def inverse(self, u: Tensor) -> Tensor:
        return bisect(self, u, u - self._most, u + self._most)

    def dim_out(self, dim: int) -> int:
        return dim

    def image(self, support: Interval) -> Interval:
        return support[0] - self._most, support[1] + self._most


@dataclass(frozen=True)
class MixtureMargins:
    """Turns standard normal margins into those of a mixture of normals: F^-1(Phi(x)).

    Args:
        weights: of the components, summing to 1.
        means: of the components.
        scales: their standard deviations.
    """

    weights: tuple[float, ...] = (0.5, 0.5)
    means: tuple[float, ...] = (-2.0, 2.0)
    scales: tuple[float, ...] = (1.0, 1.0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", probabilities(self.weights, "weights"))
        for name in ("means", "scales"):
            object.__setattr__(self, name, numbers(getattr(self, name), name))
        if not len(self.weights) == len(self.means) == len(self.scales):
            raise ValueError(
                f"expected as many weights as means and scales, got {len(self.weights)}, "
                f"{len(self.means)} and {len(self.scales)}: one of each a component"
            )
        if min(self.scales) <= 0 or min(self.weights) <= 0:
            raise ValueError(
                f"expected weights and scales > 0, got {list(self.weights)} and "
                f"{list(self.scales)}: leave the component out"
            )

    @property
    def injective_on(self) -> Interval:
        return LINE

    def __call__(self, x: Tensor) -> Tensor:
        z = x.double()
        ends = [m + s * z for m, s in zip(self.means, self.scales, strict=True)]
        low, high = torch.stack(ends).amin(0), torch.stack(ends).amax(0)
        # Bisection on the smaller of the two tails, which is precise even far out.
        sign = torch.where(z > 0, -1.0, 1.0).double()
        target = sign * torch.special.ndtr(sign * z)
        u = bisect(lambda u: self._tail(u, sign), target, low, high, SWEEPS[x.dtype])
        return u.to(x.dtype)

    def _tail(self, u: Tensor, sign: Tensor) -> Tensor:
        """F(u) where sign is 1, F(u) - 1 where it is -1."""
        parts = zip(self.weights, self.means, self.scales, strict=True)
        found = sum(w * torch.special.ndtr(sign * (u - m) / s) for w, m, s in parts)
        return sign * found

    def inverse(self, u: Tensor) -> Tensor:
        z = u.double()
        below, above = self._tail(z, torch.ones_like(z)), -self._tail(z, -torch.ones_like(z))
        return torch.where(below < above, ndtri(below), -ndtri(above))

    def dim_out(self, dim: int) -> int:
        return dim

    def image(self, support: Interval) -> Interval:
        return LINE


@dataclass(frozen=True)
class Rotation:
    """u = Q x, where the seed draws the orthogonal matrix Q."""

    seed: int = 0

    def __post_init__(self) -> None:
        check_seed(self.seed)

    @property
    def injective_on(self) -> Interval:
        return LINE

    def __call__(self, x: Tensor) -> Tensor:
        return x @ self._turn(x).mT

    def inverse(self, u: Tensor) -> Tensor:
        return u @ self._turn(u)

    def _turn(self, x: Tensor) -> Tensor:
        return torch.from_numpy(orthogonal(x.shape[-1], self.seed)).to(x)

    def dim_out(self, dim: int) -> int:
        return dim

    def image(self, support: Interval) -> Interval:
        return LINE


@dataclass(frozen=True)
class Spiral:
    """Rotates two coordinates by the angle speed |x|^2, in radians; x is the whole row.

    Args:
        speed: radians per unit of |x|^2.
        plane: the two coordinates, counted from 0.
    """

    speed: float = 1.0
    plane: tuple[int, ...] = (0, 1)

    def __post_init__(self) -> None:
        if not is_finite(self.speed):
            raise ValueError(f"expected a finite speed, got {self.speed!r}: take e.g. 0.5")
        plane = tuple(self.plane)
        if len(set(plane)) != 2 or not all(is_whole(axis, 0) for axis in plane):
            raise ValueError(
                f"expected plane as two coordinates, got {self.plane!r}: "
                "count from 0, as in [0, 1]"
            )
        object.__setattr__(self, "plane", plane)

    @property
    def injective_on(self) -> Interval:
        return LINE

    def __call__(self, x: Tensor) -> Tensor:
        return self._turned(x, self.speed)

    def inverse(self, u: Tensor) -> Tensor:
        return self._turned(u, -self.speed)

    def _turned(self, x: Tensor, speed: float) -> Tensor:
        i, j = self.plane
        angle = speed * x.square().sum(-1)
        cos, sin = angle.cos(), angle.sin()
        out = x.clone()
        out[..., i] = cos * x[..., i] - sin * x[..., j]
        out[..., j] = sin * x[..., i] + cos * x[..., j]
        return out

    def dim_out(self, dim: int) -> int:
        if dim <= max(self.plane):
            raise ValueError(
                f"expected a task with more than {max(self.plane)} coordinates, got {dim}: "
                f"the spiral turns the coordinates {list(self.plane)}"
            )
        return dim

    def image(self, support: Interval) -> Interval:
        return LINE


@dataclass(frozen=True)
class SwissRoll:
    """Rolls up the first coordinate: x -> (t cos t, t sin t) / 21, t = 1.5 pi (1 + 2 x).

    The other coordinates follow unchanged: one dimension becomes 2, two become the roll in 3. It
    is for variables in (0, 1), such as `Warped(..., map_x="normal_cdf")` makes.
    """

    @property
    def injective_on(self) -> Interval:
        return -0.5, math.inf

    def __call__(self, x: Tensor) -> Tensor:
        t = 1.5 * math.pi * (1 + 2 * x[..., :1])
        return torch.cat([t * t.cos() / 21, t * t.sin() / 21, x[..., 1:]], -1)

    def inverse(self, u: Tensor) -> Tensor:
        t = 21 * u[..., :2].norm(dim=-1, keepdim=True)
        return torch.cat([(t / (1.5 * math.pi) - 1) / 2, u[..., 2:]], -1)

    def dim_out(self, dim: int) -> int:
        return dim + 1

    def image(self, support: Interval) -> Interval:
        return LINE


@dataclass(frozen=True)
class Flow:
    """A random smooth bijection: layers of a rotation and a `Wiggly` map with random waves.

    Args:
        seed: draws the rotations and waves.
        layers: how many layers.
        strength: in (0, 1), the most by which a layer's waves change the slope.
    """

    seed: int = 0
    layers: int = 3
    strength: float = 0.8

    def __post_init__(self) -> None:
        check_seed(self.seed)
        if not is_whole(self.layers, 1):
            raise ValueError(f"expected layers >= 1, got {self.layers!r}: take e.g. 3")
        check_positive(self.strength, "strength", "take a number in (0, 1), e.g. 0.8")
        if self.strength >= 1:
            raise ValueError(
                f"expected strength < 1, so that the flow is injective, got {self.strength!r}: "
                "take e.g. 0.8"
            )

    @property
    def injective_on(self) -> Interval:
        return LINE

    def __call__(self, x: Tensor) -> Tensor:
        for step in _steps(self):
            x = step(x)
        return x

    def inverse(self, u: Tensor) -> Tensor:
        for step in reversed(_steps(self)):
            u = step.inverse(u)
        return u

    def dim_out(self, dim: int) -> int:
        return dim

    def image(self, support: Interval) -> Interval:
        return LINE


@cache
def _steps(flow: Flow) -> list[Rotation | Wiggly]:
    rng = np.random.default_rng(flow.seed)
    steps: list[Rotation | Wiggly] = []
    for _ in range(flow.layers):
        steps.append(Rotation(int(rng.integers(2**31))))
        frequencies, phases = rng.uniform(0.5, 2.0, 2), rng.uniform(0, 2 * math.pi, 2)
        waves = [
            (flow.strength / 2 / float(w), float(w), float(p))
            for w, p in zip(frequencies, phases, strict=True)
        ]
        steps.append(Wiggly(tuple(waves)))
    return steps


def check_seed(seed: object) -> None:
    if not is_whole(seed, 0):
        raise ValueError(
            f"expected seed to be an integer >= 0, got {seed!r}: two seeds give two maps"
        )
