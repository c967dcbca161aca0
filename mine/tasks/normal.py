r"""Normal tasks: correlated pairs of coordinates (Sec. 4.1 of the paper), and any covariance.

For (X, Y) ~ N(0, S) with blocks S_x, S_y:

    I = 1/2 log |S_x| |S_y| / |S| = -1/2 sum_i log(1 - c_i^2),

where c_i are the canonical correlations. Where only pairs (X_i, Y_i) are correlated, they are the
correlations of the pairs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Generator, Tensor

from mine.tasks.maps import orthogonal
from mine.tasks.task import check_dim, is_finite, is_whole, numbers


@dataclass(frozen=True)
class CorrelatedGaussian:
    """Standard normal X and Y of `dim` coordinates with corr(X_i, Y_j) = rho if i = j, else 0.

    I = -(dim / 2) log(1 - rho^2).
    """

    dim: int = 1
    rho: float = 0.5

    def __post_init__(self) -> None:
        check_dim(self.dim)
        if not is_finite(self.rho) or not -1 < self.rho < 1:
            raise ValueError(
                f"expected rho in the open interval (-1, 1), got {self.rho!r}: "
                "at -1 and 1 the mutual information is infinite, take e.g. 0.99"
            )

    @property
    def dim_x(self) -> int:
        return self.dim

    @property
    def dim_y(self) -> int:
        return self.dim

    @property
    def mi(self) -> float:
        return -0.5 * self.dim * (math.log1p(-self.rho) + math.log1p(self.rho))

    def sample(self, n: int, generator: Generator) -> tuple[Tensor, Tensor]:
        return self._pair(
            *torch.randn(2, n, self.dim, generator=generator, device=generator.device)
        )

    @property
    def noise_columns(self) -> tuple[int, int]:
        return 0, 2 * self.dim

    def from_noise(self, uniform: Tensor, normal: Tensor) -> tuple[Tensor, Tensor]:
        return self._pair(*normal.split(self.dim, -1))

    def _pair(self, x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        return x, self.rho * x + math.sqrt((1 - self.rho) * (1 + self.rho)) * noise

    def log_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        """log p(x, y) / (p(x) p(y)) of rows x (N, dim), y (N, dim): shape (N,), in nats."""
        u, v = x.double(), y.double()
        residual = (v - self.rho * u) ** 2 / ((1 - self.rho) * (1 + self.rho))
        return (0.5 * (v**2 - residual).sum(-1) + self.mi).to(x.dtype)


@dataclass(frozen=True)
class MultivariateNormal:
    """Jointly normal X (dim_x) and Y (dim_y), with correlations of three kinds.

    corr(X_i, X_j) = corr(Y_i, Y_j) = within for i != j, and corr(X_i, Y_j) = across, to which
    the i-th of `pairs` is added for i = j. So
    - dense: within = across = 0.5; all pairs of coordinates have the same correlation;
    - sparse: pairs = [0.8, 0.8]; further coordinates are independent of all others;
    - canonical correlations c_1, c_2, ...: pairs = [c_1, c_2, ...] and nothing else.

    Args:
        dim_x: coordinates of X.
        dim_y: coordinates of Y.
        pairs: added to corr(X_i, Y_i), at most min(dim_x, dim_y) of them.
        within: correlation of two coordinates of one side.
        across: correlation of a coordinate of X with one of Y.
        rotation: a seed; X and Y are then multiplied by one random orthogonal matrix each, which
            leaves I unchanged and correlates every coordinate with every other. None for no
            rotation.
        mean: of the dim_x + dim_y coordinates, after the rotation; empty for 0.
        scale: factors of these coordinates, after the rotation; empty for 1.
    """

    dim_x: int = 2
    dim_y: int = 2
    pairs: tuple[float, ...] = ()
    within: float = 0.0
    across: float = 0.0
    rotation: int | None = None
    mean: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        check_dim(self.dim_x, "dim_x", "X")
        check_dim(self.dim_y, "dim_y", "Y")
        for name in ("pairs", "mean", "scale"):
            object.__setattr__(self, name, numbers(getattr(self, name), name))
        if len(self.pairs) > min(self.dim_x, self.dim_y):
            raise ValueError(
                f"expected at most min(dim_x, dim_y) = {min(self.dim_x, self.dim_y)} pairs, got "
                f"{len(self.pairs)}: a coordinate has one partner"
            )
        for name in ("within", "across"):
            if not is_finite(getattr(self, name)):
                raise ValueError(
                    f"expected {name} to be a correlation in (-1, 1), got "
                    f"{getattr(self, name)!r}: take e.g. 0.5"
                )
        for name in ("mean", "scale"):
            if len(getattr(self, name)) not in (0, self.dim_x + self.dim_y):
                raise ValueError(
                    f"expected {name} of dim_x + dim_y = {self.dim_x + self.dim_y} numbers or "
                    f"none, got {len(getattr(self, name))}: first X's, then Y's"
                )
        if any(value <= 0 for value in self.scale):
            raise ValueError(
                f"expected each scale > 0, got {list(self.scale)}: a scale is a standard deviation"
            )
        if self.rotation is not None and not is_whole(self.rotation, 0):
            raise ValueError(
                f"expected rotation to be a seed (an integer >= 0) or none, got "
                f"{self.rotation!r}: two seeds give two rotations"
            )
        if (least := float(np.linalg.eigvalsh(self.correlation).min())) < 1e-9:
            raise ValueError(
                f"expected a positive definite correlation matrix, got least eigenvalue "
                f"{least:.3g} from pairs={list(self.pairs)}, within={self.within}, "
                f"across={self.across}: take correlations nearer to 0"
            )

    @property
    def correlation(self) -> np.ndarray:
        """The correlations of (X, Y) before the rotation: (dim_x + dim_y, dim_x + dim_y)."""
        dx, dy, k = self.dim_x, self.dim_y, len(self.pairs)
        found = np.full((dx + dy, dx + dy), float(self.within))
        found[:dx, dx:] = found[dx:, :dx] = self.across
        i = np.arange(k)
        found[i, dx + i] += self.pairs
        found[dx + i, i] += self.pairs
        np.fill_diagonal(found, 1.0)
        return found

    @cached_property
    def covariance(self) -> np.ndarray:
        """The covariance of (X, Y), rotated and scaled: (dim_x + dim_y, dim_x + dim_y)."""
        dx, turn = self.dim_x, np.eye(self.dim_x + self.dim_y)
        if self.rotation is not None:
            turn[:dx, :dx] = orthogonal(dx, self.rotation)
            turn[dx:, dx:] = orthogonal(self.dim_y, self.rotation + 1)
        turn *= np.array(self.scale or 1.0).reshape(-1, 1)
        return turn @ self.correlation @ turn.T

    @cached_property
    def mi(self) -> float:
        dx = self.dim_x
        whole, x, y = (
            float(np.linalg.slogdet(block)[1])
            for block in (self.correlation, self.correlation[:dx, :dx], self.correlation[dx:, dx:])
        )
        return max(0.5 * (x + y - whole), 0.0)

    def sample(self, n: int, generator: Generator) -> tuple[Tensor, Tensor]:
        device = generator.device
        z = torch.randn(n, self.dim_x + self.dim_y, generator=generator, device=device)
        return self.from_noise(z[:, :0], z)

    @property
    def noise_columns(self) -> tuple[int, int]:
        return 0, self.dim_x + self.dim_y

    def from_noise(self, uniform: Tensor, normal: Tensor) -> tuple[Tensor, Tensor]:
        device = normal.device
        xy = normal @ self._factor.to(device)
        if self.mean:
            xy += torch.tensor(self.mean, device=device)
        return xy[:, : self.dim_x].contiguous(), xy[:, self.dim_x :].contiguous()

    def squares(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Squared Mahalanobis norms of rows x, y and (x, y): each (N,), float64."""
        z = torch.cat([x, y], -1).double()
        if self.mean:
            z = z - torch.tensor(self.mean, dtype=torch.float64, device=z.device)
        u, v = z.split([self.dim_x, self.dim_y], -1)
        white = (part @ w.to(z.device) for part, w in zip((u, v, z), self._whiten, strict=True))
        of_x, of_y, of_both = (w.square().sum(-1) for w in white)
        return of_x, of_y, of_both

    def log_densities(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """log p(x), log p(y), log p(x, y) of rows: each (N,), float64."""
        of_x, of_y, of_both = (
            w.diagonal().log().sum().to(square.device)
            - 0.5 * (square + len(w) * math.log(2 * math.pi))
            for square, w in zip(self.squares(x, y), self._whiten, strict=True)
        )
        return of_x, of_y, of_both

    def log_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        """log p(x, y) / (p(x) p(y)) of rows x (N, dim_x), y (N, dim_y): shape (N,), in nats."""
        of_x, of_y, of_both = self.squares(x, y)
        return (0.5 * (of_x + of_y - of_both) + self.mi).to(x.dtype)

    @cached_property
    def _factor(self) -> Tensor:
        """For standard normal rows z, z @ factor has the covariance."""
        return torch.from_numpy(np.linalg.cholesky(self.covariance).T.copy()).float()

    @cached_property
    def _whiten(self) -> tuple[Tensor, Tensor, Tensor]:
        """(x - mean) @ whiten has independent coordinates of variance 1: for x, y and both."""
        dx, s = self.dim_x, self.covariance
        return (_inverse_root(s[:dx, :dx]), _inverse_root(s[dx:, dx:]), _inverse_root(s))


def _inverse_root(covariance: np.ndarray) -> Tensor:
    """The transposed inverse of the Cholesky factor: triangular, positive on the diagonal."""
    factor = np.linalg.cholesky(covariance)
    return torch.from_numpy(np.linalg.solve(factor, np.eye(len(factor))).T.copy())
