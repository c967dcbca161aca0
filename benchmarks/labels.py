"""How often the intervals of `plugin` and `mixed` cover the truth, and how often they see nothing.

`python -m benchmarks.labels` prints the table of docs/accuracy.md, in some minutes. Its tables of
labels: y is x in a share of the rows, else any level; or independent levels of weights 1 / i.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import xlogy

from mine.method.mixed import MixedResult, mixed
from mine.method.plugin import PluginResult, plugin
from mine.tasks import ClassLabel, StepUniform, ZeroInflatedPoisson

Law = NDArray[np.float64]
Found = PluginResult | MixedResult

DRAWS = 1000
COPIES = 19
COPIED = 200  # draws that are compared with permuted copies
SEED = 100


def same(levels: int, kept: float) -> Law:
    return kept * np.eye(levels) / levels + (1.0 - kept) * np.ones((levels, levels)) / levels**2


def uneven(levels: int) -> Law:
    weights = 1.0 / np.arange(1, levels + 1)
    return np.asarray(np.outer(weights, weights) / weights.sum() ** 2)


def information(p: Law) -> float:
    return max(0.0, float(xlogy(p, p / np.outer(p.sum(1), p.sum(0))).sum()))


TABLES = {
    "3 x 3, half kept": (same(3, 0.5), 150),
    "5 x 5, a tenth kept": (same(5, 0.1), 150),
    "10 x 10, half kept": (same(10, 0.5), 400),
    "10 x 10, a tenth kept": (same(10, 0.1), 1000),
    "20 x 20, half kept": (same(20, 0.5), 150),
    "20 x 20, half kept, more rows": (same(20, 0.5), 1000),
    "40 x 40, half kept": (same(40, 0.5), 600),
    "3 x 3, independent": (same(3, 0.0), 150),
    "10 x 10, independent": (same(10, 0.0), 150),
    "20 x 20, independent": (same(20, 0.0), 150),
    "20 x 20, independent, more rows": (same(20, 0.0), 1000),
    "5 x 5, independent, uneven": (uneven(5), 150),
    "20 x 20, independent, uneven": (uneven(20), 400),
}
LABELS = {
    "5 steps": (StepUniform(5), 300),
    "5 steps, more rows": (StepUniform(5), 1000),
    "12 steps": (StepUniform(12), 200),
    "12 steps, more rows": (StepUniform(12), 2000),
    "3 classes": (ClassLabel((-2.0, 0.0, 1.5), 0.7, (0.5, 0.3, 0.2)), 300),
    "zero-inflated counts": (ZeroInflatedPoisson(0.5), 1000),
    "3 classes, independent": (ClassLabel((0.0, 0.0, 0.0), 1.0), 200),
    "2 classes, one of 2 %, independent": (ClassLabel((0.0, 0.0), 1.0, (0.98, 0.02)), 1000),
}


def of_table(p: Law, n: int, copies: int, rng: np.random.Generator) -> Iterator[Found]:
    """The estimate of one draw, and of copies whose y is permuted."""
    x, y = np.divmod(rng.choice(p.size, n, p=p.ravel()), p.shape[1])
    yield plugin(x, y)
    for _ in range(copies):
        yield plugin(x, rng.permutation(y))


def shown(name: str, n: int, truth: float, found: Sequence[Found], p: float | None) -> str:
    values, errors = (np.array([getattr(e, of) for e in found]) for of in ("nats", "stderr"))
    covered = np.mean(abs(values - truth) < 1.96 * errors)
    seen = np.mean(values > 1.645 * errors)
    cells = (
        *(name, f"{n:,}", f"{truth:.3f}", f"{values.mean() - truth:+.3f}", f"{errors.mean():.3f}"),
        *(f"{covered:.0%}", f"{seen:.1%}", "" if p is None else f"{p:.1%}"),
    )
    return f"| {' | '.join(cells)} |"


def main() -> None:
    print("| rows of | n | truth | mean error | mean stderr | covered | seen | p at most .05 |")
    print("|" + "---|" * 8)
    for name, (p, n) in TABLES.items():
        rng = np.random.default_rng(SEED)
        found = [next(of_table(p, n, 0, rng)) for _ in range(DRAWS)]
        least = [
            first.nats > max(e.nats for e in others)
            for first, *others in (of_table(p, n, COPIES, rng) for _ in range(COPIED))
        ]
        print(shown(name, n, information(p), found, float(np.mean(least))), flush=True)
    for name, (task, n) in LABELS.items():
        g = torch.Generator().manual_seed(SEED)
        with_mixed = [mixed(*task.sample(n, g)) for _ in range(DRAWS)]
        print(shown(name, n, task.mi, with_mixed, None), flush=True)


if __name__ == "__main__":
    main()
