r"""Tasks: joint distributions of (X, Y) whose mutual information is known exactly, in nats.

A task is a frozen dataclass. Its fields are the keys of a config, `mi` is its truth, `sample`
draws from it, and `log_ratio`, where there is one, is the optimal critic of the Donsker-Varadhan
bound:

    T*(x, y) = log p(x, y) / (p(x) p(y)),    E_p(x,y)[T*] = I(X; Y),    E_p(x)p(y)[exp T*] = 1.

`CorrelatedGaussian` is Sec. 4.1 and `NoiseChannel` Sec. 4.2 of Belghazi et al., "MINE", ICML
2018, https://arxiv.org/abs/1801.04062. `Warped` maps the variables of another task: a map that is
injective on the support leaves I unchanged, and so does the noise channel's own f applied to X,
because X -> f(X) -> Y is a Markov chain (the self-equitability of Kinney and Atwal, PNAS 2014,
https://doi.org/10.1073/pnas.1309933111).

A noise channel of one dimension has I = h(Y) - log(sigma sqrt(2 pi e)) with
p(y) = 1/2 int_-1^1 N(y; f(x), sigma^2) dx. Both integrals are composite Gauss-Legendre sums whose
panels are halved until I moves by less than 1e-7 nats; `log_ratio` uses the same nodes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from numbers import Integral, Real
from typing import Any, Protocol

import numpy as np
import torch
from torch import Generator, Tensor

Elementwise = Callable[[Tensor], Tensor]
Interval = tuple[float, float]

LINE: Interval = (-math.inf, math.inf)


class Task(Protocol):
    """A joint distribution with known mutual information.

    A task may also have `log_ratio(x, y) -> (N,)`, the optimal critic: ask with `hasattr`; and
    `support_x`, `support_y`, the interval that holds each coordinate (the line where absent).
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


@dataclass(frozen=True)
class NamedFunction:
    """An elementwise function with what is known of it.

    `injective_on` is the largest interval on which it is known to be continuous and injective,
    None where there is none; `inverse` inverts it there.
    """

    fn: Elementwise
    injective_on: Interval | None = None
    inverse: Elementwise | None = None


FUNCTIONS: dict[str, NamedFunction] = {
    "identity": NamedFunction(lambda x: x, LINE, lambda u: u),
    "cube": NamedFunction(lambda x: x**3, LINE, lambda u: u.sign() * u.abs() ** (1 / 3)),
    "sin": NamedFunction(torch.sin, (-math.pi / 2, math.pi / 2), torch.asin),
    "double": NamedFunction(lambda x: 2 * x, LINE, lambda u: u / 2),
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
        fn: maps a torch tensor to one of its shape and dtype, elementwise; continuous and nowhere
            constant on [-1, 1]. It is always called with tensors (float32 samples, float64
            quadrature nodes), so write it with operators or torch functions; wrap one that needs
            numpy: `lambda x: torch.from_numpy(g(x.cpu().numpy())).to(x)`.
        injective_on: the interval on which fn is injective, so that `Warped` may apply it;
            (-inf, inf) for the line.
        inverse: inverts fn there; only `Warped.log_ratio` needs it.
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


@dataclass(frozen=True)
class CorrelatedGaussian:
    """Standard normal X and Y of `dim` coordinates with corr(X_i, Y_j) = rho if i = j, else 0.

    I = -(dim / 2) log(1 - rho^2).
    """

    dim: int = 1
    rho: float = 0.5

    def __post_init__(self) -> None:
        _check_dim(self.dim)
        if not _is_finite(self.rho) or not -1 < self.rho < 1:
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
        x, noise = torch.randn(2, n, self.dim, generator=generator, device=generator.device)
        return x, self.rho * x + math.sqrt((1 - self.rho) * (1 + self.rho)) * noise

    def log_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        """log p(x, y) / (p(x) p(y)) of rows x (N, dim), y (N, dim): shape (N,), in nats."""
        u, v = x.double(), y.double()
        residual = (v - self.rho * u) ** 2 / ((1 - self.rho) * (1 + self.rho))
        return (0.5 * (v**2 - residual).sum(-1) + self.mi).to(x.dtype)


@dataclass(frozen=True)
class NoiseChannel:
    """Y = f(X) + sigma eps, X ~ U(-1, 1)^dim, eps ~ N(0, I), f elementwise, named in `FUNCTIONS`.

    I = dim (h(Y_1) - log(sigma sqrt(2 pi e))), by quadrature to 1e-6 nats a dimension. It is
    infinite at sigma = 0, where there is no `log_ratio`.
    """

    function: str = "identity"
    sigma: float = 0.5
    dim: int = 1

    def __post_init__(self) -> None:
        _check_dim(self.dim)
        fn = _lookup(self.function).fn
        if not _is_finite(self.sigma) or self.sigma < 0:
            raise ValueError(
                f"expected a finite sigma >= 0, got {self.sigma!r}: "
                "sigma is the noise's standard deviation, e.g. 0.5"
            )
        if 0 < self.sigma < (least := 1e-5 * _variation(fn)):
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
        return LINE if self.sigma > 0 else _range(_lookup(self.function).fn)

    @property
    def mi(self) -> float:
        if self.sigma == 0:
            return math.inf
        return self.dim * _channel(_lookup(self.function).fn, float(self.sigma)).mi

    def sample(self, n: int, generator: Generator) -> tuple[Tensor, Tensor]:
        device = generator.device
        x = torch.rand(n, self.dim, generator=generator, device=device).mul_(2).sub_(1)
        noise = torch.randn(n, self.dim, generator=generator, device=device)
        return x, _lookup(self.function).fn(x) + self.sigma * noise

    @property
    def log_ratio(self) -> Callable[[Tensor, Tensor], Tensor]:
        """(x, y) -> log p(y | x) / p(y) of rows (N, dim), (N, dim): shape (N,), in nats.

        Within 1e-5 nats a dimension for y up to 8 sigma beyond the range of f.
        """
        if self.sigma == 0:
            raise AttributeError("no log_ratio at sigma = 0: mutual information is infinite")
        return self._log_ratio

    def _log_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        fn = _lookup(self.function).fn
        mixture = _channel(fn, float(self.sigma)).mixture
        u, v = fn(x.double()), y.double()
        conditional = _log_normal((v - u) / self.sigma) - math.log(self.sigma)
        return (conditional - mixture.log_density(v)).sum(-1).to(x.dtype)


@dataclass(frozen=True)
class Warped:
    """A task seen through elementwise maps named in `FUNCTIONS`; inherits the base's `mi`.

    A map must be injective on the support of what it maps, or be a noise channel's own function
    on x. There is a `log_ratio` where the base has one and each map has an inverse.
    """

    base: Task
    map_x: str | None = None
    map_y: str | None = None

    def __post_init__(self) -> None:
        if not hasattr(self.base, "sample"):
            raise ValueError(
                f"expected base to be a task, got {type(self.base).__name__}: "
                "pass an instance, or in a config a mapping with a _target_ in mine.tasks"
            )
        if self.map_x != _own_function(self.base):
            _check_injective("map_x", self.map_x, _support(self.base, "support_x"))
        _check_injective("map_y", self.map_y, _support(self.base, "support_y"))

    @property
    def dim_x(self) -> int:
        return self.base.dim_x

    @property
    def dim_y(self) -> int:
        return self.base.dim_y

    @property
    def support_x(self) -> Interval:
        return _image(self.map_x, _support(self.base, "support_x"))

    @property
    def support_y(self) -> Interval:
        return _image(self.map_y, _support(self.base, "support_y"))

    @property
    def mi(self) -> float:
        return self.base.mi

    def sample(self, n: int, generator: Generator) -> tuple[Tensor, Tensor]:
        x, y = self.base.sample(n, generator)
        return _forward(self.map_x)(x), _forward(self.map_y)(y)

    @property
    def log_ratio(self) -> Callable[[Tensor, Tensor], Tensor]:
        """(x, y) -> the base's log_ratio at the inverse images: shape (N,), in nats."""
        base_log_ratio = getattr(self.base, "log_ratio", None)
        inverse_x, inverse_y = _inverse(self.map_x), _inverse(self.map_y)
        if base_log_ratio is None or inverse_x is None or inverse_y is None:
            raise AttributeError("no log_ratio: the base has none or a map has no inverse")

        def log_ratio(x: Tensor, y: Tensor) -> Tensor:
            return base_log_ratio(inverse_x(x.double()), inverse_y(y.double())).to(x.dtype)

        return log_ratio


# Names, supports and checks


def _is_finite(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _check_dim(dim: object) -> None:
    if not isinstance(dim, Integral) or isinstance(dim, bool) or dim < 1:
        raise ValueError(
            f"expected dim to be an integer >= 1, got {dim!r}: "
            "dim counts the coordinates of X and of Y"
        )


def _lookup(name: str) -> NamedFunction:
    if name not in FUNCTIONS:
        raise ValueError(
            f"expected a function among {sorted(FUNCTIONS)}, got {name!r}: "
            "add yours with mine.tasks.register_function"
        )
    return FUNCTIONS[name]


def _own_function(base: Task) -> str | None:
    return base.function if isinstance(base, NoiseChannel) else None


def _support(base: Task, side: str) -> Interval:
    return getattr(base, side, LINE)


def _check_injective(side: str, name: str | None, support: Interval) -> None:
    if name is None:
        return
    domain = _lookup(name).injective_on
    if domain is None or not (domain[0] <= support[0] and support[1] <= domain[1]):
        known = [key for key, value in FUNCTIONS.items() if value.injective_on == LINE]
        raise ValueError(
            f"expected {side} to be injective on the support {support}, got {name!r}, known to be "
            f"so on {domain or 'no interval'}: it may lose information; use one of {known} or "
            "register it with injective_on"
        )


def _image(name: str | None, support: Interval) -> Interval:
    if name is None:
        return support
    if _lookup(name).injective_on is None:
        return _range(_lookup(name).fn)
    a, b = _lookup(name).fn(torch.tensor(support, dtype=torch.float64)).tolist()
    return min(a, b), max(a, b)


def _forward(name: str | None) -> Elementwise:
    return _lookup(name or "identity").fn


def _inverse(name: str | None) -> Elementwise | None:
    return _lookup(name or "identity").inverse


# Quadrature of the noise channel, one dimension

ORDER = 8  # Gauss-Legendre nodes a panel: 1e-11 on a normal density over two standard deviations
REACH = 12.0  # standard deviations after which a normal density is dropped (e^-72)
TOLERANCE = 1e-7  # nats
WORK = 5e8  # density evaluations of the last refinement
RUN = 128  # rows of sorted y evaluated at once


def _log_normal(z: Tensor) -> Tensor:
    return -0.5 * z**2 - 0.5 * math.log(2 * math.pi)


@lru_cache(maxsize=256)
def _trace(fn: Elementwise) -> tuple[np.ndarray, np.ndarray]:
    """A grid on [-1, 1] and f on it."""
    x = np.linspace(-1, 1, 4097)
    return x, fn(torch.from_numpy(x)).numpy()


def _variation(fn: Elementwise) -> float:
    return float(np.abs(np.diff(_trace(fn)[1])).sum())


def _range(fn: Elementwise) -> Interval:
    u = _trace(fn)[1]
    return float(u.min()), float(u.max())


def _gauss_legendre(edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights, each (panels * ORDER,), on the panels between edges."""
    node, weight = np.polynomial.legendre.leggauss(ORDER)
    centre, half = (edges[1:] + edges[:-1]) / 2, np.diff(edges) / 2
    return (centre[:, None] + half[:, None] * node).ravel(), (half[:, None] * weight).ravel()


@dataclass(frozen=True, eq=False)
class _Mixture:
    """p(y) = sum_j w_j N(y; mean_j, sigma^2), means ascending, shape (J,), float64."""

    means: Tensor
    log_weights: Tensor
    sigma: float

    def log_density(self, y: Tensor) -> Tensor:
        """log p(y), elementwise: each run of sorted y meets only the means within reach."""
        means, log_weights = self.means.to(y.device), self.log_weights.to(y.device)
        flat, order = y.reshape(-1).sort()
        out = torch.empty_like(flat)
        gap = float(means.diff().max()) if len(means) > 1 else 0.0
        near = flat.clamp(float(means[0]), float(means[-1]))
        starts = torch.arange(0, len(flat), RUN, device=y.device)
        ends = (starts + RUN - 1).clamp(max=len(flat) - 1)
        reach = REACH * self.sigma + gap
        low = torch.searchsorted(means, near[starts] - reach).tolist()
        high = torch.searchsorted(means, near[ends] + reach, right=True).tolist()
        for start, a, b in zip(range(0, len(flat), RUN), low, high, strict=True):
            z = (flat[start : start + RUN, None] - means[a:b]) / self.sigma
            out[start : start + RUN] = torch.logsumexp(_log_normal(z) + log_weights[a:b], -1)
        log_p = out - math.log(self.sigma)
        return torch.empty_like(log_p).scatter_(0, order, log_p).reshape(y.shape)


@dataclass(frozen=True, eq=False)
class _Channel:
    mi: float  # nats, one dimension
    mixture: _Mixture


def _mixture(fn: Elementwise, sigma: float, panels: int) -> _Mixture:
    """U(-1, 1) seen through f, on panels of equal length in |dx| / 2 + |df| / (16 sigma).

    At panels = 8 each is at most 1/4 long, and f varies by at most 2 sigma on it.
    """
    x, u = _trace(fn)
    arc = np.concatenate([[0.0], np.cumsum(np.diff(x) / 2 + np.abs(np.diff(u)) / (16 * sigma))])
    count = math.ceil(panels * arc[-1])
    nodes, weights = _gauss_legendre(np.interp(np.linspace(0, arc[-1], count + 1), arc, x))
    means, order = fn(torch.from_numpy(nodes)).sort()
    return _Mixture(means, torch.from_numpy(np.log(weights / 2))[order], sigma)


def _panels_in_y(mixture: _Mixture, panels: int) -> int:
    span = float(mixture.means[-1] - mixture.means[0])
    return math.ceil(panels * (span / (16 * mixture.sigma) + REACH / 8))


def _work(mixture: _Mixture, panels: int) -> float:
    """Densities that `_information` will evaluate, given the mixture at half these panels."""
    span = float(mixture.means[-1] - mixture.means[0])
    within_reach = min(1.0, 2 * REACH * mixture.sigma / max(span, 1e-300))
    return 2 * len(mixture.means) * ORDER * _panels_in_y(mixture, panels) * within_reach


def _information(mixture: _Mixture, panels: int) -> float:
    """h(Y) - log(sigma sqrt(2 pi e)), in nats, on panels of 16 sigma / panels in y."""
    low, high, sigma = float(mixture.means[0]), float(mixture.means[-1]), mixture.sigma
    count, reach = _panels_in_y(mixture, panels), REACH * sigma
    nodes, weights = _gauss_legendre(np.linspace(low - reach, high + reach, count + 1))
    log_p = mixture.log_density(torch.from_numpy(nodes))
    entropy = -float((torch.from_numpy(weights) * log_p.exp() * log_p).sum())
    return entropy - math.log(sigma) - 0.5 * math.log(2 * math.pi * math.e)


@lru_cache(maxsize=1024)
def _channel(fn: Elementwise, sigma: float) -> _Channel:
    """The truth of one dimension, and the density of Y on panels that halving moves no more."""
    panels = 8
    mixture = _mixture(fn, sigma, panels)
    mi, step = _information(mixture, panels), math.inf
    while _work(mixture, 2 * panels) <= WORK:
        panels *= 2
        finer = _mixture(fn, sigma, panels)
        finer_mi = _information(finer, panels)
        step = abs(finer_mi - mi)
        if step < TOLERANCE:
            return _Channel(max(finer_mi, 0.0), mixture)
        mixture, mi = finer, finer_mi
    raise ValueError(
        f"expected a truth that converges to {TOLERANCE} nats, got a last step of {step:.1e} "
        f"at {sigma=}: use a function that is continuous and varies less on [-1, 1], "
        "or a larger sigma"
    )
