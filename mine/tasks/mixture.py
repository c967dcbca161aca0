r"""Mixtures of normal tasks: p(x, y) = sum_k w_k N_k(x, y), and its marginals are mixtures too.

The optimal critic has a closed form, but its mean I has none. For dim_x = dim_y = 1,

    I = sum_k w_k E_k[log p(x, y) / (p(x) p(y))]

is computed by quadrature over each component's standard coordinates, to 1e-6 nats. In more
dimensions it is a Monte-Carlo mean over samples of a fixed seed, with standard error `mi_stderr`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
from torch import Generator, Tensor

from mine.tasks.normal import MultivariateNormal
from mine.tasks.quadrature import mean_over_pairs, normal_nodes, settle
from mine.tasks.task import probabilities

SEED = 20180710
CHUNK = 1 << 16  # samples drawn at once
LEAST, MOST = 4, 256  # chunks, at least and at most
STDERR = 0.002  # nats: sampling stops below this


@dataclass(frozen=True)
class Mixture:
    """A mixture of `MultivariateNormal`s of equal dimensions.

    Args:
        components: each with a mean, scales and correlations.
        weights: of the components, summing to 1; empty for equal weights.
    """

    components: tuple[MultivariateNormal, ...]
    weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if (
            not isinstance(self.components, Sequence)
            or not self.components
            or not all(isinstance(one, MultivariateNormal) for one in self.components)
        ):
            raise ValueError(
                f"expected components to be a list of MultivariateNormal, got {self.components!r}:"
                " one or more"
            )
        object.__setattr__(self, "components", tuple(self.components))
        k = len(self.components)
        object.__setattr__(self, "weights", probabilities(self.weights or [1 / k] * k, "weights"))
        if len(self.weights) != k or min(self.weights) == 0:
            raise ValueError(
                f"expected one weight > 0 for each of {k} components, got {list(self.weights)}: "
                "leave a component of no weight out"
            )
        if len(shapes := {(one.dim_x, one.dim_y) for one in self.components}) > 1:
            raise ValueError(
                f"expected components of equal dim_x and dim_y, got {sorted(shapes)}: "
                "they are densities of the same variables"
            )

    @property
    def dim_x(self) -> int:
        return self.components[0].dim_x

    @property
    def dim_y(self) -> int:
        return self.components[0].dim_y

    @property
    def mi(self) -> float:
        return _truth(self)[0]

    @property
    def mi_stderr(self) -> float:
        """The standard error of `mi`, in nats; 0 where it is a quadrature."""
        return _truth(self)[1]

    def sample(self, n: int, generator: Generator) -> tuple[Tensor, Tensor]:
        device = generator.device
        u = torch.rand(n, 1, generator=generator, device=device)
        z = torch.randn(n, self.dim_x + self.dim_y, generator=generator, device=device)
        xy, below = torch.zeros_like(z), 0.0
        for weight, (mean, factor) in zip(self.weights, self._parts, strict=True):
            chosen = u >= below  # later components overwrite earlier ones
            xy = torch.where(chosen, z @ factor.to(z) + mean.to(z), xy)
            below += weight
        return xy[:, : self.dim_x].contiguous(), xy[:, self.dim_x :].contiguous()

    def log_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        """log p(x, y) / (p(x) p(y)) of rows x (N, dim_x), y (N, dim_y): shape (N,), in nats."""
        log_w = torch.tensor(self.weights, dtype=torch.float64, device=x.device).log()
        parts = zip(*(one.log_densities(x, y) for one in self.components), strict=True)
        of_x, of_y, of_both = (torch.logsumexp(torch.stack(p, -1) + log_w, -1) for p in parts)
        return (of_both - of_x - of_y).to(x.dtype)

    @cached_property
    def _parts(self) -> list[tuple[Tensor, Tensor]]:
        """Mean (d,) and factor (d, d) of each component, float64: z @ factor + mean samples it."""
        d = self.dim_x + self.dim_y
        return [
            (
                torch.tensor(one.mean or [0.0] * d, dtype=torch.float64),
                torch.linalg.cholesky(torch.from_numpy(one.covariance)).mT.contiguous(),
            )
            for one in self.components
        ]


@lru_cache(maxsize=256)
def _truth(mixture: Mixture) -> tuple[float, float]:
    """(I, its standard error), in nats."""
    if mixture.dim_x == mixture.dim_y == 1:
        return max(settle(lambda panels: _quadrature(mixture, panels), 16, 256), 0.0), 0.0
    return _monte_carlo(mixture)


def _quadrature(mixture: Mixture, panels: int) -> float:
    nodes = normal_nodes(panels)

    def mean(centre: Tensor, factor: Tensor) -> float:
        def value(a: Tensor, b: Tensor) -> Tensor:
            xy = torch.cat([a, b], -1) @ factor + centre
            return mixture.log_ratio(xy[:, :1], xy[:, 1:])

        return mean_over_pairs(value, nodes, nodes)

    means = (mean(centre, factor) for centre, factor in mixture._parts)
    return math.fsum(w * m for w, m in zip(mixture.weights, means, strict=True))


def _monte_carlo(mixture: Mixture) -> tuple[float, float]:
    """(I, its standard error), from chunks of samples until the error is below STDERR."""
    generator = torch.Generator().manual_seed(SEED)
    total, squares, n, stderr = 0.0, 0.0, 0, math.inf
    for chunk in range(1, MOST + 1):
        x, y = mixture.sample(CHUNK, generator)
        t = mixture.log_ratio(x.double(), y.double())
        total, squares, n = total + float(t.sum()), squares + float((t**2).sum()), n + CHUNK
        stderr = math.sqrt(max(squares / n - (total / n) ** 2, 0.0) / n)
        if chunk >= LEAST and stderr < STDERR:
            break
    return total / n, stderr
