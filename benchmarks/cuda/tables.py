"""Part 4: all pairs of a table's columns, by `mine.pairwise` at its defaults."""

from __future__ import annotations

import math
import time
from functools import partial
from itertools import combinations

import numpy as np

import mine
from benchmarks.cuda.tasks import Numbers, Setting, Skipped, Task

SPARE = 0.7  # of the time that is left: what a forecast may plan with


def tasks(setting: Setting) -> list[Task]:
    """A small table, and as much of a large one as there is time for."""
    few, many = setting.scale.columns
    per_pair: list[float] = []
    return [
        Task(f"{few} columns", partial(small, few, per_pair), least=10.0),
        Task(f"{many} columns", partial(part_of, many, per_pair), least=10.0),
    ]


def small(columns: int, per_pair: list[float], setting: Setting) -> Numbers:
    found = matrix(columns, setting)
    per_pair.append(found["seconds_per_pair"])
    return found


def part_of(columns: int, per_pair: list[float], setting: Setting) -> Numbers:
    """The first columns of it, as many as fit; the time of all is scaled from them."""
    if not per_pair:
        raise Skipped("the small table gave no time to plan with")
    pairs = SPARE * setting.left() / per_pair[0]
    chosen = min(columns, int((1 + math.sqrt(1 + 8 * pairs)) / 2))
    if chosen < 2:
        raise Skipped(f"one pair takes {per_pair[0]:.1f} s, {setting.left():.0f} s are left")
    found = matrix(chosen, setting)
    all_pairs = columns * (columns - 1) // 2
    return {**found, "of_columns": columns, "all_s": found["seconds_per_pair"] * all_pairs}


def matrix(columns: int, setting: Setting) -> Numbers:
    """Seconds and errors of all pairs of so many correlated normal columns."""
    rows = setting.scale.rows
    table, truth = normal_table(rows, columns)
    options = {} if setting.scale.name == "full" else {"steps": 10}
    began = time.perf_counter()
    found = mine.pairwise(table, device=str(setting.device), **options)
    seconds = time.perf_counter() - began
    pairs = list(combinations(range(columns), 2))
    errors = np.array([found.nats[i, j] - truth[i, j] for i, j in pairs])
    return {
        "columns": columns,
        "rows": rows,
        "pairs": len(pairs),
        "run_s": seconds,
        "seconds_per_pair": seconds / len(pairs),
        "mean_error": float(np.abs(errors).mean()),
        "largest_error": float(np.abs(errors).max()),
        "bias": float(errors.mean()),
    }


def normal_table(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """(rows, columns) of a normal distribution, and I of each pair of columns, in nats."""
    rng = np.random.default_rng(0)
    mixing = np.eye(columns) + 0.3 * rng.normal(size=(columns, columns))
    covariance = mixing.T @ mixing
    scale = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(scale, scale)
    np.fill_diagonal(correlation, 0.0)
    return rng.normal(size=(rows, columns)) @ mixing, -0.5 * np.log1p(-(correlation**2))
