"""`python -m benchmarks.conditional`: how often a conditional p-value finds what is not there.

Chains X -> Z -> Y and common causes X <- Z -> Y, of which I(X; Y | Z) = 0, and one with an edge
X -> Y beside them. A row is written after each draw, so that a run that was stopped goes on where
it was. The table says how often the p-value, from 19 copies, is at most .05 (nominal 5 %).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.page import table as markdown
from benchmarks.resuming import Row, measured_rows, options

OUT = Path("outputs/conditional/rows.csv")
FIRST_SEED = 100
FIELDS = ("case", "method", "seed", "nats", "p", "seconds")
METHODS = ("gaussian", "ksg")
ROWS = 500
COLUMNS = (1, 2, 5, 10)
NOISE = 0.7

Curve = Callable[[Any], Any]
Draw = Callable[[Any], tuple[Any, Any, Any]]


@dataclass(frozen=True)
class Case:
    """A law of (x, y, z), drawn by a numpy generator."""

    name: str
    draw: Draw


def _noise(rng: Any) -> Any:
    return NOISE * rng.normal(size=ROWS)


def common_cause(columns: int, curve: Curve, edge: float = 0.0) -> Draw:
    """X and Y are the same mean of curves of all columns of Z, each with noise; X adds to Y."""

    def draw(rng: Any) -> tuple[Any, Any, Any]:
        z = rng.normal(size=(ROWS, columns))
        cause = curve(z).sum(1) / math.sqrt(columns)
        noise = _noise(rng)
        return cause + noise, cause + edge * noise + _noise(rng), z

    return draw


def chain(columns: int, curve: Curve) -> Draw:
    """X tells of each column of Z, and Y is a mean of curves of them."""

    def draw(rng: Any) -> tuple[Any, Any, Any]:
        x = rng.normal(size=ROWS)
        z = x[:, None] + rng.normal(size=(ROWS, columns))
        return x, curve(z).sum(1) / math.sqrt(columns) + _noise(rng), z

    return draw


def levels(rng: Any) -> tuple[Any, Any, Any]:
    """A common cause of four levels."""
    import numpy as np

    z = rng.integers(0, 4, ROWS)
    return z + _noise(rng), np.sin(z) + _noise(rng), np.array(list("abcd"))[z]


def _straight(z: Any) -> Any:
    return z


def _bent(z: Any) -> Any:
    import numpy as np

    return np.tanh(2.0 * z)


CASES = (
    *(Case(f"common cause, {d}", common_cause(d, _straight)) for d in COLUMNS),
    *(Case(f"chain, {d}", chain(d, _straight)) for d in COLUMNS),
    *(Case(f"common cause, curved, {d}", common_cause(d, _bent)) for d in COLUMNS),
    *(Case(f"chain, curved, {d}", chain(d, _bent)) for d in COLUMNS),
    Case("common cause of four levels", levels),
    *(Case(f"an edge beside, {d}", common_cause(d, _straight, 0.3)) for d in COLUMNS),
)


def main(arguments: Sequence[str] | None = None) -> int:
    chosen = options("benchmarks.conditional", __doc__, OUT, METHODS, 200, arguments)
    asked = _asked(chosen.methods.split(","), chosen.draws)
    rows = measured_rows(chosen.out, FIELDS, asked, measured, chosen.minutes, chosen.cases)
    print(table(rows))
    return 0


def _asked(methods: Sequence[str], draws: int) -> Iterator[tuple[Case, str, int]]:
    """Twenty draws of all cases in turn, so that a run cut short has some of each."""
    for first in range(0, draws, 20):
        for case in CASES:
            for method in methods:
                for seed in range(first, min(draws, first + 20)):
                    yield case, method, FIRST_SEED + seed


def measured(case: Case, method: str, seed: int) -> Row:
    """One draw by one method, as texts."""
    import numpy as np

    import mine

    begun = time.perf_counter()
    x, y, z = case.draw(np.random.default_rng(seed))
    c = mine.conditional(x, y, z, method, seed, "cpu", null=19)
    found = {"nats": f"{c.nats:.6g}", "p": f"{c.p_value:.3g}"}
    seconds = f"{time.perf_counter() - begun:.3f}"
    return {"case": case.name, "method": method, "seed": str(seed), **found, "seconds": seconds}


def table(rows: Sequence[Row]) -> str:
    """Markdown: a line for each case, with the share of p <= .05 by each method."""
    methods = sorted({row["method"] for row in rows})
    lines = []
    for case in CASES:
        of = [[r for r in rows if (r["case"], r["method"]) == (case.name, m)] for m in methods]
        if any(of):
            lines.append([case.name, *map(_share, of)])
    return markdown(["case", *methods], lines)


def _share(rows: Sequence[Row]) -> str:
    return f"{sum(float(r['p']) <= 0.05 for r in rows)} of {len(rows)}" if rows else ""


if __name__ == "__main__":
    raise SystemExit(main())
