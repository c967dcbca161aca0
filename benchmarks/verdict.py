"""`python -m benchmarks.verdict`: how often the verdict on an estimate is right.

An estimate is *off* where it misses the truth by more than .15 nats and 15 %, the others are
*near*. An estimate that is off should not be called reliable (aim: 95 % are not), and one that is
near should be (aim: 85 %). The tasks are those on which `auto` was developed, and cases that are
hard on purpose, by `auto` and by methods that train nothing. A row is written after each draw, so
that a stopped run goes on.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.dependence import patients, series
from benchmarks.page import table as markdown
from benchmarks.resuming import Row, measured_rows, options
from mine.method.doubts import tolerance
from mine.running.verdict import RELIABLE, VERDICTS

OUT = Path("outputs/verdict/rows.csv")
FIRST_SEED = 6000
FIELDS = (
    *("case", "method", "seed", "kind", "truth", "nats", "low", "high"),
    *("verdict", "reasons", "seconds"),
)
METHODS = ("auto", "ksg", "gaussian", "gaussian_copula")
CONFIGS = Path(__file__).resolve().parents[1] / "configs"
TASKS, HARD = "development tasks", "hard cases"
NONE = "none"  # the verdict where an estimate was refused

Draw = Callable[[int], tuple[Any, Any]]


@dataclass(frozen=True)
class Case:
    """A law of (x, y) with its truth in nats, drawn by a seed."""

    name: str
    kind: str
    truth: float
    draw: Draw


# ------------------------------------------------------------------- cases


def development() -> Iterator[Case]:
    """The tasks of configs/tasks/development.yaml, each with its rows in `accuracy`."""
    from experiments.suite.run.jobs import build
    from experiments.suite.store.serialising import read_yaml

    tasks = read_yaml((CONFIGS / "tasks/development.yaml").read_bytes())
    rows = read_yaml((CONFIGS / "experiment/accuracy.yaml").read_bytes())["experiment"]["rows"]
    for name, config in tasks.items():
        task = build(config)
        yield Case(name, TASKS, float(task.mi), partial(_sample, task, int(rows[name])))


def _sample(task: Any, rows: int, seed: int) -> tuple[Any, Any]:
    import torch

    return task.sample(rows, torch.Generator().manual_seed(seed))


def normal(rows: int, rho: float, seed: int, noise: int = 0, power: int = 1) -> tuple[Any, Any]:
    """A pair of correlation rho, each to an odd power, with columns of noise beside x."""
    import numpy as np

    rng = np.random.default_rng(seed)
    x, other, beside = rng.normal(size=rows), rng.normal(size=rows), rng.normal(size=(rows, noise))
    y = rho * x + math.sqrt(1 - rho**2) * other
    return np.column_stack([x**power, beside]), y**power


def outlier(rows: int, rho: float, seed: int) -> tuple[Any, Any]:
    """The same pair with one value of 1e12."""
    x, y = normal(rows, rho, seed)
    x[0, 0] = 1e12
    return x, y


def checkerboard(rows: int, squares: int, seed: int) -> tuple[Any, Any]:
    """Uniform on the black squares of a board."""
    import numpy as np

    rng = np.random.default_rng(seed)
    column, half = rng.integers(0, squares, rows), rng.integers(0, squares // 2, rows)
    row = 2 * half + column % 2
    return column + rng.uniform(size=rows), row + rng.uniform(size=rows)


def unsaid(draw: Callable[[Any, int], Any], rows: int, seed: int) -> tuple[Any, Any]:
    """Rows that hang together, of which nothing is said."""
    import numpy as np

    x, y, _ = draw(np.random.default_rng(seed), rows)
    return x, y


def labels(levels: int, rows: int, seed: int) -> tuple[Any, Any]:
    """Two labels, equal in half of the rows and independent in the others."""
    import numpy as np

    rng = np.random.default_rng(seed)
    x, other, kept = rng.integers(0, levels, rows), rng.integers(0, levels, rows), rng.random(rows)
    return [f"a{i}" for i in x], [f"b{i}" for i in np.where(kept < 0.5, x, other)]


def _gaussian(rho: float) -> float:
    return -0.5 * math.log1p(-(rho**2))


def _labels(levels: int) -> float:
    same = (0.5 + 0.5 / levels) / levels
    other = 0.5 / levels**2
    return levels * same * math.log(same * levels**2) + levels * (levels - 1) * other * math.log(
        other * levels**2
    )


HARD_CASES = (
    *(
        Case(f"normal, {n} rows, rho {rho}", HARD, _gaussian(rho), partial(normal, n, rho))
        for n, rho in ((20, 0.8), (30, 0.8), (100, 0.0), (100, 0.8), (200, 0.95))
    ),
    *(
        Case(
            f"normal, {n} rows, {d} columns of noise",
            HARD,
            _gaussian(0.8),
            partial(normal, n, 0.8, noise=d),
        )
        for n, d in ((500, 20), (500, 199), (2000, 50))
    ),
    Case("cubes of normals", HARD, _gaussian(0.9), partial(normal, 1000, 0.9, power=3)),
    Case("fifth powers of normals", HARD, _gaussian(0.9), partial(normal, 1000, 0.9, power=5)),
    Case("an outlier", HARD, _gaussian(0.8), partial(outlier, 1000, 0.8)),
    Case("checkerboard, 4 x 4", HARD, math.log(2.0), partial(checkerboard, 2000, 4)),
    Case("checkerboard, 8 x 8", HARD, math.log(2.0), partial(checkerboard, 2000, 8)),
    Case("AR(1), .9, as rows", HARD, 0.0, partial(unsaid, series(0.9), 2000)),
    Case("AR(1), .99, as rows", HARD, 0.0, partial(unsaid, series(0.99), 2000)),
    Case("random walks, as rows", HARD, 0.0, partial(unsaid, series(1.0), 2000)),
    Case("40 subjects of 50 visits, as rows", HARD, 0.0, partial(unsaid, patients, 2000)),
    Case("labels, 10 x 10, 200 rows", HARD, _labels(10), partial(labels, 10, 200)),
    Case("labels, 40 x 40, 600 rows", HARD, _labels(40), partial(labels, 40, 600)),
)


# -------------------------------------------------------------------- rows


def main(arguments: Sequence[str] | None = None) -> int:
    chosen = options("benchmarks.verdict", __doc__, OUT, METHODS, 2, arguments)
    asked = _asked(chosen.methods.split(","), chosen.draws)
    rows = measured_rows(chosen.out, FIELDS, asked, measured, chosen.minutes, chosen.cases)
    print(table(rows))
    return 0


def _asked(methods: Sequence[str], draws: int) -> Iterator[tuple[Case, str, int]]:
    """One draw of all cases by all methods, then the next."""
    cases = (*development(), *HARD_CASES)
    for seed in range(FIRST_SEED, FIRST_SEED + draws):
        for case in cases:
            yield from ((case, method, seed) for method in methods)


def measured(case: Case, method: str, seed: int) -> Row:
    """One draw by one method, as texts."""
    import mine

    begun = time.perf_counter()
    x, y = case.draw(seed)
    row = dict.fromkeys(FIELDS, "") | {"case": case.name, "method": method, "seed": str(seed)}
    row |= {"kind": case.kind, "truth": f"{case.truth:.6g}"}
    try:
        e = mine.estimate(x, y, method, seed, "cpu")
    except ValueError as error:
        row |= {"verdict": NONE, "reasons": str(error).partition(":")[0]}
    else:
        low, high = e.interval(0.95)
        row |= {"nats": f"{e.nats:.6g}", "low": f"{low:.6g}", "high": f"{high:.6g}"}
        row |= {"verdict": e.verdict, "reasons": "; ".join(e.reasons)}
    return row | {"seconds": f"{time.perf_counter() - begun:.3f}"}


def is_off(row: Row) -> bool:
    """Whether the value misses the truth by more than .15 nats and 15 %."""
    truth = float(row["truth"])
    return not abs(float(row["nats"]) - truth) <= tolerance(truth)


def table(rows: Sequence[Row]) -> str:
    """Markdown: for each method, how many of the values that are near, and off, have each word."""
    words = (*VERDICTS, NONE)
    heads = ("of", "method", "", "estimates", *words)
    lines = []
    for kind in (TASKS, HARD):
        for method in METHODS:
            of = [row for row in rows if (row["kind"], row["method"]) == (kind, method)]
            for name, off in (("near", False), ("off", True)):
                some = [row for row in of if row["verdict"] != NONE and is_off(row) == off]
                counts = [sum(row["verdict"] == word for row in some) for word in VERDICTS]
                if some:
                    lines.append([kind, method, name, str(len(some)), *map(str, counts), ""])
            if refused := sum(row["verdict"] == NONE for row in of):
                none = [""] * len(VERDICTS)
                lines.append([kind, method, "refused", str(refused), *none, str(refused)])
    return "\n".join([markdown(heads, lines), "", *shares(rows)])


def shares(rows: Sequence[Row]) -> list[str]:
    """What the table comes to, in two sentences."""
    given = [row for row in rows if row["verdict"] != NONE]
    off, near = ([row for row in given if is_off(row) == which] for which in (True, False))
    caught = sum(row["verdict"] != RELIABLE for row in off)
    passed = sum(row["verdict"] == RELIABLE for row in near)
    return [
        f"Off, and not called reliable: {caught} of {len(off)}.",
        f"Near, and called reliable: {passed} of {len(near)}.",
    ]


if __name__ == "__main__":
    raise SystemExit(main())
