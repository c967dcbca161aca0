r"""What few rows can carry: a normal copula or nearest neighbours, in nats. Nothing is trained.

Below some 100 rows a network learns its rows and not the law. Two estimates without training are
compared: `gaussian_copula`, which has little variance and sees monotone dependence alone, and
`ksg` on standardised columns, which sees any. KSG's is taken where it is larger by more than the
two standard errors together, else that of the copula. The error is wide:

    sqrt((1.5 max(s_copula, s_ksg))^2 + (I_copula - I_ksg)^2 + ((dx + dy) / n)^2).

Where the two disagree, the interval covers both. Chosen on normal pairs, a square and a sine plus
noise, and up to ten columns, 20 to 90 rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from mine.data.whitening import standardised
from mine.method.gaussian import gaussian_copula
from mine.method.ksg import ksg
from mine.method.method import NEITHER, Method, direct_method

LEAST_ROWS = 100
"""Rows of which each of five folds has 20 test rows; `auto` trains on as many and more."""


@dataclass(frozen=True)
class FewRowsResult:
    """An estimate of I(X; Y) from few rows.

    Attributes:
        nats: the estimate; negative values are sampling error.
        stderr: its standard error, in nats, made wide: see the module.
        warnings: names what was taken, and what a reader of the number should know.
    """

    nats: float
    stderr: float
    warnings: tuple[str, ...]


def few_rows(x: Any, y: Any, k: int = 3, seed: int = 0) -> FewRowsResult:
    """I(X; Y) of rows x (n, dx) and y (n, dy), numpy or torch."""
    a, b = (np.asarray(v, dtype=np.float64) for v in (x, y))
    copula = gaussian_copula(a, b)
    neighbours = ksg(standardised(a), standardised(b), min(k, len(a) - 1), seed, workers=1)
    both = math.hypot(copula.stderr, neighbours.stderr)
    taken = neighbours if neighbours.nats - copula.nats > both else copula
    name = "ksg" if taken is neighbours else "gaussian_copula"
    wide = math.hypot(
        1.5 * max(copula.stderr, neighbours.stderr),
        copula.nats - neighbours.nats,
        (a.shape[1] + b.shape[1]) / len(a),
    )
    warning = (
        f"few rows: {len(a)} are too few to train networks on, so the value is that of {name}, "
        f"and the interval covers what ksg and gaussian_copula disagree on: bring {LEAST_ROWS} "
        "rows or more"
    )
    return FewRowsResult(taken.nats, wide, (warning, *taken.warnings))


def few_rows_method() -> Method:
    return direct_method(
        name="gaussian_copula or ksg",
        reports="a normal copula or nearest neighbours, whichever finds more",
        kind=NEITHER,
        source="Ince et al. 2017; Kraskov et al. 2004",
        good_at="fewer rows than networks can learn from; `auto` takes it",
        estimate=lambda x, y, k, seed, device: few_rows(x, y, k, seed),
        uses=("k", "preprocess"),
    )


METHODS = ()
