"""Nearest neighbours: KSG, which trains nothing and which MINE is compared with.

The estimate of Kraskov et al. (2004), https://doi.org/10.1103/PhysRevE.69.066138, in nats; neither
bound. Equation, ceiling and standard error stand in `mine.method.ksg`.
"""

from __future__ import annotations

import math
from typing import Any

from mine.data.dependence import Dependence
from mine.method.doubts import of_neighbours
from mine.method.ksg import KsgResult, ksg
from mine.method.method import NEITHER, Method, direct_method


def _work(n: int, dx: int, dy: int) -> float:
    """Operations of the faster road, about: all pairs of rows, or a tree (`neighbour_counts`)."""
    d = dx + dy
    return min(40.0 * n**2 * d, 6000.0 * d**2 * n * math.log2(n + 2))


def ksg_method() -> Method:
    def estimate(x: Any, y: Any, k: int, seed: int, device: str) -> KsgResult:
        return ksg(x, y, k=k, seed=seed, device=device, workers=1)

    def dependent(
        x: Any, y: Any, k: int, seed: int, device: str, dependence: Dependence
    ) -> KsgResult:
        return ksg(x, y, k=k, seed=seed, workers=1, dependence=dependence)

    return direct_method(
        name="ksg",
        reports="k-nearest neighbours, estimator 1",
        kind=NEITHER,
        source="Kraskov et al. 2004",
        good_at="few columns and I up to some 3 nats; falls far short in high dimension",
        estimate=estimate,
        dependent=dependent,
        doubted=of_neighbours,
        uses=("k", "preprocess"),
        units="standardise",
        work=_work,
    )


METHODS = (ksg_method,)
