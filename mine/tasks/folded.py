r"""Maps that lose information, |x| and x^2: I must be computed anew.

Where a marginal is symmetric about 0, folding replaces the density ratio r by its mean over the
signs:

    r'(|x|, y) = (r(x, y) + r(-x, y)) / 2,    I(|X|; Y) = E[log r'] <= I(X; Y),

and likewise for y. The expectation is a two-dimensional quadrature, the same in each dimension.
x^2 is an injective function of |x|, so I(X^2; Y) = I(|X|; Y).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Generator, Tensor

from mine.tasks.channel import NoiseChannel
from mine.tasks.functions import lookup, trace
from mine.tasks.normal import CorrelatedGaussian
from mine.tasks.quadrature import mean_over_pairs, normal_nodes, settle, uniform_nodes

Foldable = CorrelatedGaussian | NoiseChannel

FOLDS: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "abs": (torch.abs, lambda u: u),
    "square": (torch.square, torch.sqrt),
}
"""Name -> the map, and its inverse on [0, inf)."""


@dataclass(frozen=True)
class Folded:
    """|x| or x^2, elementwise, of a task whose marginals are symmetric about 0.

    Args:
        base: a `CorrelatedGaussian` or a `NoiseChannel` with noise.
        fold_x: "abs", "square", or None for no fold.
        fold_y: the same for y; a channel's function must then be odd.
    """

    base: Foldable
    fold_x: str | None = "abs"
    fold_y: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.base, CorrelatedGaussian | NoiseChannel):
            raise ValueError(
                f"expected base to be a CorrelatedGaussian or NoiseChannel, got "
                f"{type(self.base).__name__}: the truth is a quadrature over pairs of coordinates"
            )
        for name in ("fold_x", "fold_y"):
            if getattr(self, name) not in (None, *FOLDS):
                raise ValueError(
                    f"expected {name} among {list(FOLDS)} or none, got {getattr(self, name)!r}: "
                    "an injective map is a Warped task"
                )
        if isinstance(self.base, NoiseChannel):
            if self.base.sigma == 0:
                raise ValueError(
                    "expected a channel with noise, got sigma = 0: mutual information is infinite"
                )
            u = trace(lookup(self.base.function).fn)[1]
            if self.fold_y is not None and abs(u + u[::-1]).max() > 1e-9:
                raise ValueError(
                    f"expected an odd function where y is folded, got {self.base.function!r}: "
                    "Y must be symmetric about 0"
                )

    @property
    def dim_x(self) -> int:
        return self.base.dim_x

    @property
    def dim_y(self) -> int:
        return self.base.dim_y

    @property
    def support_x(self) -> tuple[float, float]:
        return (-math.inf if self.fold_x is None else 0.0), math.inf

    @property
    def support_y(self) -> tuple[float, float]:
        return (-math.inf if self.fold_y is None else 0.0), math.inf

    @property
    def mi(self) -> float:
        if self.fold_x is None and self.fold_y is None:
            return self.base.mi
        return self.base.dim * _truth(
            replace(self.base, dim=1), bool(self.fold_x), bool(self.fold_y)
        )

    def sample(self, n: int, generator: Generator) -> tuple[Tensor, Tensor]:
        x, y = self.base.sample(n, generator)
        return _fold(self.fold_x)[0](x), _fold(self.fold_y)[0](y)

    @property
    def noise_columns(self) -> tuple[int, int]:
        return self.base.noise_columns

    def from_noise(self, uniform: Tensor, normal: Tensor) -> tuple[Tensor, Tensor]:
        x, y = self.base.from_noise(uniform, normal)
        return _fold(self.fold_x)[0](x), _fold(self.fold_y)[0](y)

    def log_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        """log p(x, y) / (p(x) p(y)) of rows x (N, dim), y (N, dim): shape (N,), in nats."""
        u, v = _fold(self.fold_x)[1](x.double()), _fold(self.fold_y)[1](y.double())
        one = replace(self.base, dim=1)
        columns = [
            _folded_ratio(one, u[:, [i]], v[:, [i]], bool(self.fold_x), bool(self.fold_y))
            for i in range(self.base.dim)
        ]
        return torch.stack(columns).sum(0).to(x.dtype)


def _fold(name: str | None) -> tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]:
    return FOLDS[name] if name else (lambda x: x, lambda u: u)


def _folded_ratio(one: Foldable, x: Tensor, y: Tensor, fold_x: bool, fold_y: bool) -> Tensor:
    """The log of the ratio's mean over the signs that the folds lose: columns (N, 1) -> (N,)."""
    signs_x, signs_y = ((1, -1) if fold else (1,) for fold in (fold_x, fold_y))
    ratios = [one.log_ratio(a * x, b * y) for a in signs_x for b in signs_y]
    return torch.logsumexp(torch.stack(ratios), 0) - math.log(len(ratios))


@lru_cache(maxsize=256)
def _truth(one: Foldable, fold_x: bool, fold_y: bool) -> float:
    """I of one dimension, in nats: the mean of the folded log-ratio over X and the noise."""

    def value(x: Tensor, noise: Tensor) -> Tensor:
        if isinstance(one, CorrelatedGaussian):
            y = one.rho * x + math.sqrt((1 - one.rho) * (1 + one.rho)) * noise
        else:
            y = lookup(one.function).fn(x) + one.sigma * noise
        return _folded_ratio(one, x, y, fold_x, fold_y)

    nodes = normal_nodes if isinstance(one, CorrelatedGaussian) else uniform_nodes

    def mean(panels: int) -> float:
        return mean_over_pairs(value, nodes(panels), normal_nodes(panels))

    return max(settle(mean, 8, 256), 0.0)
