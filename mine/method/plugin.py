r"""Plug-in: the information of two discrete variables from the table of their levels, in nats.

    I = H(X) + H(Y) - H(X, Y),

each entropy from its counts, with the bias corrected (`mine.method.entropy`). Several columns on a
side are one variable, whose levels are the combinations that occur. Nothing is trained.

The correction was chosen among none, Miller's and Madow's, Grassberger's (2003,
https://arxiv.org/abs/physics/0307138), Chao's and Shen's (2003,
https://doi.org/10.1023/A:1026096204727), that of Chao, Wang and Jost (2013), and a Dirichlet prior
around independence, on 35 tables of 3 x 3 to 40 x 40 levels and 150 to 5,000 rows, 30 draws each:
the root of the mean square error was .223, .142, .075, .064, .044 and .043 nats on average. The
prior was right at truth 0 and too low elsewhere, by up to .32 nats.

The standard error is the jackknife's over rows, beside three terms that a jackknife of few rows in
a cell misses: what it finds of the bias, the spread of a chi-squared, which is what is left where
X and Y are independent, and the other side's entropy for each row that is alone in its level.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mine.data.levels import as_sides, check_labels, codes_of
from mine.data.shared_work import once_a_column
from mine.method.entropy import (
    CHAO_WANG_JOST,
    CORRECTIONS,
    entropy,
    jackknife,
    without_one,
)
from mine.method.method import NEITHER, Method, check_parameter, direct_method

ALONE = 0.5  # share of the rows that may be alone in their cell of the table


@dataclass(frozen=True)
class PluginResult:
    """An estimate of I(X; Y) from a table of levels.

    Attributes:
        nats: the estimate; negative values are sampling error.
        stderr: its standard error, in nats.
        levels: how many X has, and Y.
        cells: of the table, that have rows.
        warnings: what a reader of the number should know.
    """

    nats: float
    stderr: float
    levels: tuple[int, int]
    cells: int
    warnings: tuple[str, ...]


def plugin(x: Any, y: Any, correction: int = CHAO_WANG_JOST) -> PluginResult:
    """I(X; Y) of labels or counts.

    Args:
        x: (n, dx) or (n,), numpy or torch; equal rows are one level.
        y: (n, dy) or (n,).
        correction: 0 for the plug-in value, 1 for Miller's and Madow's correction, 2 for that of
            Chao, Wang and Jost.

    Raises:
        ValueError: a column has too many values for labels.
    """
    sides = as_sides(x, y)
    check_labels("plugin", sides, 2)
    of_x, of_y = map(codes_of, sides)
    joint = codes_of(np.stack([of_x, of_y], 1).astype(np.float64))
    counts = [_counts(of) for of in (of_x, of_y, joint)]
    value, left_out = 0.0, np.zeros(len(joint))
    for sign, codes, of in zip((1, 1, -1), (of_x, of_y, joint), counts, strict=True):
        value += sign * entropy(of, correction)
        left_out += sign * without_one(of, correction)[codes]
    mean, spread = jackknife(left_out)
    n, (kx, ky, cells) = len(joint), (len(of) for of in counts)
    chance = (kx - 1) * (ky - 1) / (2.0 * n**2)  # the variance of a chi-squared over 2 n
    bias = (n - 1) * (mean - value)
    stderr = math.hypot(math.sqrt(max(spread**2, chance)), bias, _untold(counts[0], counts[1]))
    return PluginResult(value, stderr, (kx, ky), cells, _doubts(counts[2]))


@once_a_column
def _counts(codes: NDArray[np.intp]) -> NDArray[np.intp]:
    return np.bincount(codes)


def _untold(x: NDArray[np.intp], y: NDArray[np.intp]) -> float:
    """What rows that are alone in their level may tell of the other side, and nobody knows."""
    n = x.sum()
    lone = ((of == 1).sum() / n for of in (x, y))
    return float(sum(share * entropy(other) for share, other in zip(lone, (y, x), strict=True)))


def _doubts(cells: NDArray[np.intp]) -> tuple[str, ...]:
    alone, n = int((cells == 1).sum()), int(cells.sum())
    if alone <= ALONE * n:
        return ()
    warning = (
        f"few rows a cell: {alone} of {n} rows are alone in their cell of the table of levels, so "
        "the value leans on the correction: bring more rows, or join rare levels"
    )
    return (warning,)


def plugin_method(correction: int = CHAO_WANG_JOST) -> Method:
    check_parameter("correction", correction, correction in CORRECTIONS, f"one of {CORRECTIONS}")
    return direct_method(
        name="plugin",
        reports="entropies of the table of levels, bias corrected",
        kind=NEITHER,
        source="Chao, Wang and Jost 2013; Miller 1955",
        good_at="labels and counts on both sides; refuses other numbers",
        estimate=lambda x, y, k, seed, device: plugin(x, y, correction),
        discrete_sides=2,
    )


METHODS = (plugin_method,)
