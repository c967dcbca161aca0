"""What is measured: lines of one kind and method over growing sizes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

ROWS, COLUMNS, NETWORKS, PAIRS, PARQUET = "rows", "columns", "networks", "pairs", "parquet"

KINDS: Mapping[str, str] = {
    ROWS: "rows, of 1 and 1 column",
    COLUMNS: "columns on each side, of 5,000 rows",
    NETWORKS: "networks of 2 x 100 units, 100 steps each",
    PAIRS: "pairs of columns, of 1,000 rows, 100 steps each",
    PARQUET: "rows of a parquet file, of 9 and 1 columns",
}
"""A kind of line -> what its size counts."""
PANELS = ROWS, COLUMNS, NETWORKS, PAIRS
"""The kinds that are drawn: a file has one size, which makes no line."""
BESIDE = 5_000
"""The rows of tables whose columns grow."""
OF_PAIRS = 1_000
"""The rows of tables whose pairs of columns grow."""
STEPS = 100
"""The steps of each network where networks or pairs grow."""
LEAST_SLOPE = 1.0
"""A cost is predicted to grow at least in proportion."""

Costs = Mapping[int, float]
"""Size -> seconds of one core."""


@dataclass(frozen=True)
class Line:
    """One method as one kind of work grows.

    Attributes:
        kind: one of `KINDS`.
        method: by name; `pairwise` and `stack` are what runs where no method is chosen.
        sizes: in rising order.
    """

    kind: str
    method: str
    sizes: tuple[int, ...]


@dataclass(frozen=True)
class Point:
    """One size of a kind of work."""

    kind: str
    size: int

    @property
    def name(self) -> str:
        return f"{self.kind} {self.size}"


def _pairs(*columns: int) -> tuple[int, ...]:
    return tuple(math.comb(n, 2) for n in columns)


DECADES = tuple(n for e in (3, 4, 5) for n in (10**e, 3 * 10**e)) + (10**6,)
HUNDREDS = (1, 3, 10, 30, 100, 300, 1_000)
SCALES: Mapping[str, tuple[Line, ...]] = {
    "full": (
        *(Line(ROWS, method, DECADES) for method in ("mine", "ksg")),
        *(Line(COLUMNS, method, HUNDREDS) for method in ("mine", "gaussian")),
        Line(NETWORKS, "stack", tuple(4**i for i in range(7))),
        Line(PAIRS, "pairwise", _pairs(5, 15, 46, 142)),
        *(Line(PARQUET, method, (10**6,)) for method in ("mine", "gaussian")),
        Line(ROWS, "auto", DECADES),  # the costliest line comes last
    ),
    "tiny": (
        Line(ROWS, "ksg", (100, 200)),
        Line(COLUMNS, "gaussian", (1, 2)),
        Line(NETWORKS, "stack", (1, 2)),
        Line(PAIRS, "pairwise", _pairs(2, 3)),
        Line(PARQUET, "gaussian", (1_000,)),
    ),
}
"""`full` for the page; `tiny` to see whether it runs, in seconds."""


def slope(costs: Costs) -> float:
    """The power of the size by which the cost grew between the last two sizes; nan for one."""
    if len(costs) < 2:
        return math.nan
    (a, first), (b, last) = sorted(costs.items())[-2:]
    return math.log(last / first) / math.log(b / a)


def predicted(costs: Costs, size: int) -> float:
    """Seconds of a larger size: it grows on as between the last two, at least in proportion.

    0 where nothing was measured yet.
    """
    if not costs:
        return 0.0
    last = max(costs)
    power = max(LEAST_SLOPE, slope(costs)) if len(costs) > 1 else LEAST_SLOPE
    return costs[last] * (size / last) ** power


def affordable(line: Line, costs: Costs, limit: float) -> Iterator[Point]:
    """The points of a line, up to the first that is predicted to take longer than the limit.

    Args:
        line: what is measured.
        costs: those of the line, to which the caller adds each point before it asks for the next.
        limit: in seconds of one core.
    """
    for size in line.sizes:
        below = {n: cost for n, cost in costs.items() if n < size}
        if size not in costs and predicted(below, size) > limit:
            return
        yield Point(line.kind, size)


def columns_of(pairs: int) -> int:
    """How many columns have so many pairs."""
    return round((1 + math.sqrt(1 + 8 * pairs)) / 2)


def kinds_of(lines: Sequence[Line]) -> list[str]:
    """The kinds of these lines, in their order."""
    return list(dict.fromkeys(line.kind for line in lines))
