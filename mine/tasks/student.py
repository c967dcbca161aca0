r"""Student-t tasks: heavy tails, and dependence without correlation.

(X, Y) = Z sqrt(nu / V), where Z is normal with covariance S and all coordinates share one
V ~ chi^2(nu). With d = dim_x + dim_y,

    I = I_normal + c(dim_x) + c(dim_y) - c(d),
    c(k) = log B(k) + (nu + k) / 2 (psi((nu + k) / 2) - psi(nu / 2)),
    B(k) = Gamma(nu / 2) (nu pi)^(k / 2) / Gamma((nu + k) / 2),

where c(k) is the entropy of the standard k-dimensional Student-t (Arellano-Valle, Contreras-Reyes
and Genton, Scand. J. Stat. 40, 2013, https://doi.org/10.1111/j.1467-9469.2011.00774.x). Because of
the shared V, I > 0 even where S is the identity. There is no mean for nu <= 1 and no variance for
nu <= 2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from dataclasses import field as default

import torch
from scipy.special import digamma, gammaln
from torch import Generator, Tensor

from mine.private_torch import standard_gamma
from mine.tasks.normal import MultivariateNormal
from mine.tasks.task import check_positive


@dataclass(frozen=True)
class StudentT:
    """A multivariate Student-t whose dispersion is the covariance of `normal`.

    Args:
        normal: its covariance is the dispersion S, its mean the location.
        dof: degrees of freedom nu >= 0.5; 1 is Cauchy.
    """

    normal: MultivariateNormal = default(default_factory=MultivariateNormal)
    dof: float = 5.0

    def __post_init__(self) -> None:
        if not isinstance(self.normal, MultivariateNormal):
            raise ValueError(
                f"expected normal to be a MultivariateNormal, got {type(self.normal).__name__}: "
                "it carries the dispersion"
            )
        check_positive(self.dof, "dof", "the fewer degrees of freedom, the heavier the tails")
        if self.dof < 0.5:
            raise ValueError(
                f"expected dof >= 0.5, got {self.dof!r}: float32 does not hold heavier tails"
            )

    @property
    def dim_x(self) -> int:
        return self.normal.dim_x

    @property
    def dim_y(self) -> int:
        return self.normal.dim_y

    @property
    def mi(self) -> float:
        dx, dy = self.dim_x, self.dim_y
        correction = self._entropy(dx) + self._entropy(dy) - self._entropy(dx + dy)
        return self.normal.mi + correction

    def sample(self, n: int, generator: Generator) -> tuple[Tensor, Tensor]:
        x, y = self.normal.sample(n, generator)
        shape = torch.full((n, 1), self.dof / 2, device=generator.device)
        # torch.distributions has a gamma too, which draws from the global generator only.
        halved = standard_gamma(shape, generator=generator)
        factor = (self.dof / (2 * halved)).sqrt()
        if not self.normal.mean:
            return x * factor, y * factor
        mean = torch.tensor(self.normal.mean, device=generator.device)
        at_x, at_y = mean.split([self.dim_x, self.dim_y])
        return at_x + (x - at_x) * factor, at_y + (y - at_y) * factor

    def log_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        """log p(x, y) / (p(x) p(y)) of rows x (N, dim_x), y (N, dim_y): shape (N,), in nats."""
        dx, dy = self.dim_x, self.dim_y
        of_x, of_y, of_both = (
            self._log_constant(d) + 0.5 * (self.dof + d) * torch.log1p(square / self.dof)
            for d, square in zip((dx, dy, dx + dy), self.normal.squares(x, y), strict=True)
        )
        return (of_x + of_y - of_both + self.normal.mi).to(x.dtype)

    def _log_constant(self, k: int) -> float:
        nu = self.dof
        log_beta = gammaln(nu / 2) - gammaln((nu + k) / 2)
        return float(log_beta) + 0.5 * k * math.log(nu * math.pi)

    def _entropy(self, k: int) -> float:
        half = (self.dof + k) / 2
        return self._log_constant(k) + half * float(digamma(half) - digamma(self.dof / 2))
