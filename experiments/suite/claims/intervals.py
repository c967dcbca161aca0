r"""95 % intervals: a percentile bootstrap over seeds, and Wilson's interval of a share.

The bootstrap resamples seeds within each cell of the grid: cells are independent, since each
draws its own data. With the 3 to 5 seeds of an ordinary run the interval is about the range of
the seeds, and somewhat too narrow. BCa's acceleration cannot be estimated from so few seeds.
scipy.stats.bootstrap does not take infinite errors, which is how a diverged cell counts here, so
the resampling is written out; a test compares it with scipy's.

Wilson's interval has a width even where all cells agree (the bootstrap's has none there):

    (p + z^2 / 2n +- z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n)

(Wilson, J. Am. Stat. Assoc. 22, 1927, https://doi.org/10.1080/01621459.1927.10502953).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Interval = tuple[float, float]
Statistic = Callable[[Sequence[Array]], Any]
"""Maps groups of shapes (..., S_g) to one array of shape (...)."""

LEVEL = 0.95
RESAMPLES = 2000
NORMAL_95 = 1.959964
"""Standard errors of a two-sided 95 % interval."""


def bootstrap_interval(
    groups: Sequence[Array],
    statistic: Statistic,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap interval; each group is resampled with replacement within itself.

    Args:
        groups: one array of shape (S_g,) per cell of the grid: a value for each seed.
        statistic: maps the groups' resamples, each of shape (R, S_g), to shape (R,).

    Returns:
        The interval's ends. They are infinite where infinite values reach them; a resample without
        a value (inf - inf) widens the interval to the whole line.
    """
    rng = np.random.default_rng(seed)
    drawn = [rng.choice(group, size=(resamples, len(group))) for group in groups]
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.sort(statistic(drawn))
    if np.isnan(values).any():
        return (-math.inf, math.inf)
    tail = (1.0 - level) / 2.0
    low = math.ceil(tail * resamples) - 1
    high = math.ceil((1.0 - tail) * resamples) - 1
    return float(values[low]), float(values[high])


def mean_interval(values: Array) -> Interval:
    """Bootstrap interval of the mean of one group, shape (S,)."""
    return bootstrap_interval([values], pooled_mean)


def pooled_mean(groups: Sequence[Array]) -> Array:
    """Mean over the groups' last axes together: shapes (..., S_g) to (...)."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.concatenate(groups, axis=-1).mean(-1))


def root_mean_square(groups: Sequence[Array]) -> Array:
    """Over the groups' last axes together: shapes (..., S_g) to (...)."""
    return np.sqrt(np.mean(np.square(np.concatenate(groups, axis=-1)), axis=-1))


def fewest_seeds(groups: Iterable[Array]) -> int:
    """The seeds of the smallest group; 0 without groups."""
    return min((len(group) for group in groups), default=0)


def interval_score(size: Array, half: Array) -> Array:
    """The score of symmetric 95 % intervals: their width, and 40 times what they miss by.

    The least score on average has the interval between the true quantiles (Winkler, 1972; Gneiting
    and Raftery, 2007, https://doi.org/10.1198/016214506000001437, Sec. 6.2).

    Args:
        size: |estimate - truth|.
        half: half of the interval's width.
    """
    return 2.0 * half + 2.0 / 0.05 * np.maximum(size - half, 0.0)


def share_interval(hits: int, n: int) -> Interval:
    """Wilson's 95 % interval of a share of n independent cells; all of [0, 1] without any."""
    if not n:
        return 0.0, 1.0
    p, z = hits / n, NORMAL_95
    centre, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low, high = (centre - half) / (1 + z * z / n), (centre + half) / (1 + z * z / n)
    return max(0.0, low), min(1.0, high)
