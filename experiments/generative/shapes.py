r"""Mixtures in the plane that show a generator's collapse: a ring, a grid, and a spiral.

Each is a set of anchors of equal probability with normal noise of standard deviation sigma around
them. The anchors of a ring and of a grid are their modes. A spiral has 2,000 anchors along
r = radius sqrt(u), u uniform on (0, 1), with an angle proportional to r; its modes are pieces of
equal probability. So all of them are sampled and measured in one way.

The grid is that of VEEGAN and PacGAN: 25 modes at -4, -2, ..., 4 with sigma .05 (PacGAN's code;
https://arxiv.org/abs/1712.04086). The ring is theirs too, at radius 2 here. The paper's spiral has
no formula in print; this one is this suite's.

A sample is of high quality within 3 sigma of the nearest anchor, as in these papers. No torch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from experiments.generative.mode_counts import captured, counts_of, reverse_kl

Points = NDArray[np.float64]

KINDS = ("ring", "grid", "spiral")
QUALITY_SIGMAS = 3.0
SPIRAL_ANCHORS = 2000
MARGIN = 0.5
"""How far a uniform cloud reaches beyond the anchors."""


@dataclass(frozen=True)
class Shape:
    """A mixture in the plane; the fields are the config's keys.

    Attributes:
        kind: "ring", "grid" or "spiral".
        modes: how many; a square number for a grid. Of a spiral: its pieces.
        size: the radius of a ring, the distance of a grid's neighbours, the outer radius of a
            spiral.
        sigma: standard deviation of the noise around an anchor.
        turns: of a spiral.
    """

    kind: str
    modes: int
    size: float
    sigma: float
    turns: float = 2.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {list(KINDS)}, got {self.kind!r}: take one")
        if type(self.modes) is not int or self.modes < 2:
            raise ValueError(f"modes must be a whole number above 1, got {self.modes!r}")
        if self.kind == "grid" and math.isqrt(self.modes) ** 2 != self.modes:
            raise ValueError(
                f"modes of a grid must be a square number, got {self.modes}: take one such as 25"
            )
        if self.kind == "spiral" and self.modes > SPIRAL_ANCHORS:
            raise ValueError(
                f"modes of a spiral must be at most {SPIRAL_ANCHORS}, got {self.modes}"
            )
        for name in ("size", "sigma", "turns"):
            value = getattr(self, name)
            if not (isinstance(value, int | float) and 0 < value < math.inf):
                raise ValueError(f"{name} must be a finite number above 0, got {value!r}")

    @property
    def anchors(self) -> Points:
        """(A, 2), in the order of their modes."""
        if self.kind == "grid":
            side = math.isqrt(self.modes)
            line = self.size * (np.arange(side) - (side - 1) / 2)
            return np.stack([one.ravel() for one in np.meshgrid(line, line, indexing="ij")], 1)
        if self.kind == "ring":
            radius, angle = np.full(self.modes, self.size), np.arange(self.modes) / self.modes
        else:
            root = np.sqrt((np.arange(SPIRAL_ANCHORS) + 0.5) / SPIRAL_ANCHORS)
            radius, angle = self.size * root, self.turns * root
        angle = 2 * math.pi * angle
        return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)

    def mode_of(self, anchors: NDArray[np.int64]) -> NDArray[np.int64]:
        """The mode of each anchor, given by its place among `anchors`."""
        return anchors * self.modes // (SPIRAL_ANCHORS if self.kind == "spiral" else self.modes)

    def sample(self, n: int, rng: np.random.Generator) -> Points:
        """Draws (n, 2). Training draws by torch: `experiments.generative.collapse`."""
        anchors = self.anchors
        chosen = anchors[rng.integers(len(anchors), size=n)]
        return chosen + self.sigma * rng.standard_normal((n, 2))

    def uniform_cloud(self, n: int, rng: np.random.Generator) -> Points:
        """(n, 2) uniform on the square around the anchors: samples of a generator that knows
        nothing but where the data are."""
        half = float(np.abs(self.anchors).max()) + MARGIN
        return rng.uniform(-half, half, size=(n, 2))


@dataclass(frozen=True)
class Quality:
    """What a set of samples says of its generator.

    Attributes:
        modes: those with at least a fifth of their fair part of samples of high quality.
        touched: those with one sample of high quality: the usual count.
        quality: the share of samples of high quality.
        kl: from the modes of these samples to the uniform mixture, in nats.
    """

    modes: int
    touched: int
    quality: float
    kl: float


def quality_of(samples: NDArray[np.floating], shape: Shape) -> Quality:
    """The measures of samples (n, 2); a sample that is not finite is of no quality.

    Raises:
        ValueError: there are fewer samples than modes.
    """
    from scipy.spatial import KDTree

    check_count(len(samples), shape)
    finite = samples[np.isfinite(samples).all(1)].astype(np.float64)
    distance, anchor = KDTree(shape.anchors).query(finite)
    good = distance <= QUALITY_SIGMAS * shape.sigma
    counts = counts_of(shape.mode_of(anchor[good]), shape.modes)
    return Quality(
        modes=captured(counts, len(samples)),
        touched=captured(counts, len(samples), share=0.0),
        quality=float(good.sum() / len(samples)),
        kl=reverse_kl(counts),
    )


def check_count(n: int, shape: Shape) -> None:
    """
    Raises:
        ValueError: n samples cannot show all modes.
    """
    if n < shape.modes:
        raise ValueError(
            f"expected at least as many samples as modes, got {n} samples and {shape.modes} "
            "modes: take more samples or fewer modes"
        )


@cache
def null_quality(shape: Shape, n: int, draws: int = 20) -> Quality:
    """The mean measures of `draws` uniform clouds of n samples; counts are rounded."""
    rng = np.random.default_rng(0)
    found = [quality_of(shape.uniform_cloud(n, rng), shape) for _ in range(draws)]
    mean = {name: float(np.mean([getattr(one, name) for one in found])) for name in vars(found[0])}
    return Quality(round(mean["modes"]), round(mean["touched"]), mean["quality"], mean["kl"])
