r"""Additive uniform noise: Y = X + N, X ~ U(0, 1), N ~ U(-e, e), independent in each dimension.

Since h(Y | X) = log 2e and Y has a trapezoidal density, in each dimension

    I = e - log 2e    for e <= 1/2,        I = 1 / (4 e)    for e > 1/2

(Czyz et al., "Beyond Normal", NeurIPS 2023, https://arxiv.org/abs/2306.11078).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from mine.tasks.task import Interval, check_dim, check_positive

ROUNDING = 1e-6  # error of y = x + noise in float32, which matters at the edges of the support


@dataclass(frozen=True)
class AdditiveUniform:
    """Y = X + N, X ~ U(0, 1)^dim, N ~ U(-epsilon, epsilon)^dim."""

    epsilon: float = 0.1
    dim: int = 1

    def __post_init__(self) -> None:
        check_dim(self.dim)
        check_positive(self.epsilon, "epsilon", "half the width of the noise, e.g. 0.1")
        if self.epsilon < 1e-4:
            raise ValueError(
                f"expected epsilon >= 1e-4, got {self.epsilon!r}: float32 samples resolve no less"
            )

    @property
    def dim_x(self) -> int:
        return self.dim

    @property
    def dim_y(self) -> int:
        return self.dim

    @property
    def support_x(self) -> Interval:
        return 0.0, 1.0

    @property
    def support_y(self) -> Interval:
        return -self.epsilon, 1 + self.epsilon

    @property
    def mi(self) -> float:
        e = self.epsilon
        return self.dim * (0.25 / e if e > 0.5 else e - math.log(2 * e))

    def sample(self, n: int, generator: Generator) -> tuple[Tensor, Tensor]:
        return self._pair(
            *torch.rand(2, n, self.dim, generator=generator, device=generator.device)
        )

    @property
    def noise_columns(self) -> tuple[int, int]:
        return 2 * self.dim, 0

    def from_noise(self, uniform: Tensor, normal: Tensor) -> tuple[Tensor, Tensor]:
        return self._pair(*uniform.split(self.dim, -1))

    def _pair(self, x: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
        return x, x + self.epsilon * (2 * u - 1)

    def log_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        """log p(x, y) / (p(x) p(y)) of rows (N, dim), (N, dim): (N,), -inf where p(x, y) = 0."""
        u, v, e = x.double(), y.double(), self.epsilon
        sources = (v + e).clamp(max=1) - (v - e).clamp(
            min=0
        )  # length of the interval of x that y allows
        ratio = -sources.clamp(min=ROUNDING).log()
        possible = (v - u).abs() <= e + ROUNDING
        return torch.where(possible, ratio, -math.inf).sum(-1).to(x.dtype)
