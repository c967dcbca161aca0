"""Noise channels (Belghazi et al., Sec. 4.2): Y = f(X) + sigma eps.

In one dimension I = h(Y) - log(sigma sqrt(2 pi e)) with
p(y) = 1/2 int_-1^1 N(y; f(x), sigma^2) dx. Both integrals are composite Gauss-Legendre sums, whose
panels are halved until I changes by less than 1e-7 nats; `log_ratio` uses the same nodes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Generator, Tensor

from mine.tasks import quadrature
from mine.tasks.functions import Elementwise, lookup, range_of, trace, variation
from mine.tasks.quadrature import (
    TOLERANCE,
    NormalSum,
    gauss_legendre,
    information,
    log_normal,
    work,
)
from mine.tasks.task import LINE, Interval, check_dim, is_finite


@dataclass(frozen=True)
class NoiseChannel:
    """Y = f(X) + sigma eps, X ~ U(-1, 1)^dim, eps ~ N(0, I), f elementwise, named in `FUNCTIONS`.

    I = dim (h(Y_1) - log(sigma sqrt(2 pi e))), by quadrature to 1e-6 nats for each dimension. At
    sigma = 0 it is infinite, and there is no `log_ratio`.
    """

    function: str = "identity"
    sigma: float = 0.5
    dim: int = 1

    def __post_init__(self) -> None:
        check_dim(self.dim)
        fn = lookup(self.function).fn
        if not is_finite(self.sigma) or self.sigma < 0:
            raise ValueError(
                f"expected a finite sigma >= 0, got {self.sigma!r}: "
                "sigma is the noise's standard deviation, e.g. 0.5"
            )
        if 0 < self.sigma < (least := 1e-5 * variation(fn)):
            raise ValueError(
                f"expected sigma = 0 or sigma >= {least:.2g} for {self.function!r}, "
                f"got {self.sigma!r}: "
                "the truth's quadrature resolves no less, take a larger sigma or 0"
            )

    @property
    def dim_x(self) -> int:
        return self.dim

    @property
    def dim_y(self) -> int:
        return self.dim

    @property
    def support_x(self) -> Interval:
        return -1.0, 1.0

    @property
    def support_y(self) -> Interval:
        return LINE if self.sigma > 0 else range_of(lookup(self.function).fn)

    @property
    def mi(self) -> float:
        if self.sigma == 0:
            return math.inf
        return self.dim * _channel(lookup(self.function).fn, float(self.sigma)).mi

    def sample(self, n: int, generator: Generator) -> tuple[Tensor, Tensor]:
        device = generator.device
        uniform = torch.rand(n, self.dim, generator=generator, device=device)
        return self.from_noise(
            uniform, torch.randn(n, self.dim, generator=generator, device=device)
        )

    @property
    def noise_columns(self) -> tuple[int, int]:
        return self.dim, self.dim

    def from_noise(self, uniform: Tensor, normal: Tensor) -> tuple[Tensor, Tensor]:
        x = uniform.mul(2).sub_(1)
        return x, lookup(self.function).fn(x) + self.sigma * normal

    @property
    def log_ratio(self) -> Callable[[Tensor, Tensor], Tensor]:
        """(x, y) -> log p(y | x) / p(y) of rows (N, dim), (N, dim), of shape (N,) in nats.

        Its error is at most 1e-5 nats per dimension, for y up to 8 sigma beyond the range of f.
        """
        if self.sigma == 0:
            raise AttributeError("no log_ratio at sigma = 0: mutual information is infinite")
        return self._log_ratio

    def _log_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        fn = lookup(self.function).fn
        mixture = _channel(fn, float(self.sigma)).mixture
        u, v = fn(x.double()), y.double()
        conditional = log_normal((v - u) / self.sigma) - math.log(self.sigma)
        return (conditional - mixture.log_density(v)).sum(-1).to(x.dtype)


@dataclass(frozen=True, eq=False)
class _Channel:
    mi: float  # nats, one dimension
    mixture: NormalSum


def _mixture(fn: Elementwise, sigma: float, panels: int) -> NormalSum:
    """The density of f(X) + noise, X ~ U(-1, 1), as a sum over quadrature nodes in x.

    The panels have equal length in |dx| / 2 + |df| / (16 sigma). With panels = 8, each is at most
    1/4 long in x, and f varies by at most 2 sigma on it.
    """
    x, u = trace(fn)
    arc = np.concatenate([[0.0], np.cumsum(np.diff(x) / 2 + np.abs(np.diff(u)) / (16 * sigma))])
    count = math.ceil(panels * arc[-1])
    nodes, weights = gauss_legendre(np.interp(np.linspace(0, arc[-1], count + 1), arc, x))
    means, order = fn(torch.from_numpy(nodes)).sort()
    return NormalSum(means, torch.from_numpy(np.log(weights / 2))[order], sigma)


@lru_cache(maxsize=1024)
def _channel(fn: Elementwise, sigma: float) -> _Channel:
    """I of one dimension, and the density of Y, on panels so fine that halving changes neither."""
    panels = 8
    mixture = _mixture(fn, sigma, panels)
    mi, step = information(mixture, panels), math.inf
    while work(mixture, 2 * panels) <= quadrature.WORK:
        panels *= 2
        finer = _mixture(fn, sigma, panels)
        finer_mi = information(finer, panels)
        step = abs(finer_mi - mi)
        if step < TOLERANCE:
            return _Channel(max(finer_mi, 0.0), mixture)
        mixture, mi = finer, finer_mi
    raise ValueError(
        f"expected a truth that converges to {TOLERANCE} nats, got a last step of {step:.1e} "
        f"at {sigma=}: use a function that is continuous and varies less on [-1, 1], "
        "or a larger sigma"
    )
