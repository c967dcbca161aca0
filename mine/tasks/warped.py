"""Tasks whose variables are maps of another task's X and Y.

A map that is injective on the support leaves I unchanged. So does a noise channel's f applied to
its X, because X -> f(X) -> Y is a Markov chain (self-equitability: Kinney and Atwal, PNAS 2014,
https://doi.org/10.1073/pnas.1309933111). Other maps may lose information: see `Folded`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Generator, Tensor

from mine.tasks.channel import NoiseChannel
from mine.tasks.functions import FUNCTIONS, lookup
from mine.tasks.maps import Map
from mine.tasks.task import LINE, Interval, Task, check_task, support


@dataclass(frozen=True)
class Warped:
    """Maps of another task's X and Y, with the same `mi`.

    A map is a name in `FUNCTIONS`, applied elementwise, or one of `mine.tasks.maps`. It must be
    injective on the support of its variable; on the x of a noise channel, the channel's function
    is allowed too. There is a `log_ratio` where the base has one and each map has an inverse.
    """

    base: Task
    map_x: str | Map | None = None
    map_y: str | Map | None = None

    def __post_init__(self) -> None:
        check_task(self.base, "base")
        if self.map_x is None or self.map_x != _own_function(self.base):
            _check_injective("map_x", self.map_x, support(self.base, "x"))
        _check_injective("map_y", self.map_y, support(self.base, "y"))
        _ = self.dim_x, self.dim_y  # a map may refuse the dimension

    @property
    def dim_x(self) -> int:
        return resolve(self.map_x).dim_out(self.base.dim_x)

    @property
    def dim_y(self) -> int:
        return resolve(self.map_y).dim_out(self.base.dim_y)

    @property
    def support_x(self) -> Interval:
        return resolve(self.map_x).image(support(self.base, "x"))

    @property
    def support_y(self) -> Interval:
        return resolve(self.map_y).image(support(self.base, "y"))

    @property
    def mi(self) -> float:
        return self.base.mi

    @property
    def mi_stderr(self) -> float:
        return float(getattr(self.base, "mi_stderr", 0.0))

    def sample(self, n: int, generator: Generator) -> tuple[Tensor, Tensor]:
        x, y = self.base.sample(n, generator)
        return resolve(self.map_x)(x), resolve(self.map_y)(y)

    @property
    def noise_columns(self) -> tuple[int, int]:
        """The base's; there are none where the base has none."""
        columns: tuple[int, int] = self.base.noise_columns  # type: ignore[attr-defined]
        return columns

    def from_noise(self, uniform: Tensor, normal: Tensor) -> tuple[Tensor, Tensor]:
        x, y = self.base.from_noise(uniform, normal)  # type: ignore[attr-defined]
        return resolve(self.map_x)(x), resolve(self.map_y)(y)

    @property
    def log_ratio(self) -> Callable[[Tensor, Tensor], Tensor]:
        """(x, y) -> the base's log_ratio at the maps' inverses, of shape (N,) in nats."""
        base_log_ratio = getattr(self.base, "log_ratio", None)
        inverse_x, inverse_y = resolve(self.map_x).inverse, resolve(self.map_y).inverse
        if base_log_ratio is None or inverse_x is None or inverse_y is None:
            raise AttributeError("no log_ratio: the base has none or a map has no inverse")

        def log_ratio(x: Tensor, y: Tensor) -> Tensor:
            return base_log_ratio(inverse_x(x.double()), inverse_y(y.double())).to(x.dtype)

        return log_ratio


def resolve(map_: str | Map | None) -> Map:
    return lookup(map_ or "identity") if map_ is None or isinstance(map_, str) else map_


def _own_function(base: Task) -> str | None:
    return base.function if isinstance(base, NoiseChannel) else None


def _check_injective(side: str, map_: str | Map | None, values: Interval) -> None:
    if map_ is not None and not isinstance(map_, str) and not hasattr(map_, "injective_on"):
        raise ValueError(
            f"expected {side} to be a function's name or a map, got {type(map_).__name__}: "
            "use a class of mine.tasks.maps, or in a config a mapping with its _target_"
        )
    domain = resolve(map_).injective_on
    if domain is None or not (domain[0] <= values[0] and values[1] <= domain[1]):
        known = [key for key, value in FUNCTIONS.items() if value.injective_on == LINE]
        raise ValueError(
            f"expected {side} to be injective on the support {values}, got {map_!r}, known to be "
            f"so on {domain or 'no interval'}: it may lose information; use one of {known} or "
            "register it with injective_on"
        )
