"""`python -m benchmarks.pairwise`: `pairwise` on a table against one call of `estimate` per pair.

Both run at their defaults, in turn, round after round. Only a few of the single calls are timed,
and their time is scaled to all pairs. CPU seconds are those of the process and its children.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Callable, Sequence

from benchmarks.arguments import whole
from benchmarks.rounds import cpu_seconds

COLUMNS, ROWS, SINGLES = 20, 5000, 4


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pairwise", description=__doc__)
    parser.add_argument("--columns", type=whole("20"), default=COLUMNS, help="(%(default)s)")
    parser.add_argument("--rows", type=whole("1000"), default=ROWS, help="(%(default)s)")
    parser.add_argument("--rounds", type=whole("3"), default=3, help="(%(default)s)")
    parser.add_argument("--steps", type=whole("100"), help="the same few for both: does it run")
    chosen = parser.parse_args(arguments)
    found = ratios(chosen.columns, chosen.rows, chosen.rounds, chosen.steps)
    pairs = chosen.columns * (chosen.columns - 1) // 2
    for name, of_rounds in found.items():
        print(
            f"{pairs} pairs, {name}: {statistics.median(of_rounds):.1f} times as fast {of_rounds}"
        )
    return 0


def ratios(columns: int, rows: int, rounds: int, steps: int | None) -> dict[str, list[float]]:
    """The time of all single calls divided by that of `pairwise`, for each round: wall and CPU.

    A ratio is nan where `pairwise` took too little time for the clock to measure.
    """
    import numpy as np

    import mine

    rng = np.random.default_rng(0)
    mixing = np.eye(columns) + 0.3 * rng.normal(size=(columns, columns))
    table = rng.normal(size=(rows, columns)) @ mixing
    options = {} if steps is None else {"steps": steps}
    pairs = columns * (columns - 1) // 2
    mine.estimate(table[:, 0], table[:, 1], "mine", steps=2)  # imports what a process imports once
    found: dict[str, list[float]] = {"wall": [], "CPU": []}
    for i in range(rounds):
        chosen = [rng.choice(columns, 2, replace=False) for _ in range(SINGLES)]

        def singly(chosen: Sequence[np.ndarray] = chosen, seed: int = i) -> None:
            for a, b in chosen:
                mine.estimate(table[:, a], table[:, b], "mine", seed=seed, **options)

        alone = spent(singly)
        together = spent(lambda seed=i: mine.pairwise(table, seed=seed, **options))
        for kind, a, b in zip(found, alone, together, strict=True):
            found[kind].append(round(a * pairs / len(chosen) / b, 2) if b > 0 else math.nan)
    return found


def spent(work: Callable[[], object]) -> tuple[float, float]:
    """Wall seconds and CPU seconds."""
    wall, before = time.perf_counter(), cpu_seconds()
    work()
    return time.perf_counter() - wall, cpu_seconds() - before


if __name__ == "__main__":
    raise SystemExit(main())
