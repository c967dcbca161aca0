"""MINE of other packages, at its defaults, on rows that are given.

torch-mist and benchmark-mi need packages that this project does not have. So this file imports
nothing of it, and runs under a Python of its own: `benchmarks.time_to_accuracy.others` calls it.

    python other_packages.py                    names of those that this Python has, a JSON list
    python other_packages.py NAME ROWS.npz      [nats, seconds of a core, steps] of each data set

ROWS.npz holds x (K, n, dx) and y (K, n, dy); steps are 0 where the package does not say.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

Estimated = tuple[float, int]
"""A value in nats, and the steps of the training."""


def torch_mist(x: Any, y: Any, seed: int) -> Estimated:
    """`estimate_mi` with the estimator "mine". The value is on all rows, by its default."""
    import torch
    from torch_mist import estimate_mi

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    nats, log = estimate_mi((x, y), estimator="mine", verbose=False)
    return float(nats), int(log["iteration"].max())


def benchmark_mi(x: Any, y: Any, seed: int) -> Estimated:
    """`MINEEstimator`. The value is on the half of the rows that trained nothing."""
    from bmi.estimators import MINEEstimator

    return float(MINEEstimator(verbose=False, seed=seed).estimate(x, y)), 0


PACKAGES: dict[str, tuple[str, Callable[[Any, Any, int], Estimated]]] = {
    "torch-mist": ("torch_mist", torch_mist),
    "benchmark-mi": ("bmi", benchmark_mi),
}


def measured(name: str, file: str) -> list[tuple[float, float, int]]:
    """Of each data set of the file; the first call of the process is not counted."""
    _, estimate = PACKAGES[name]
    found = []
    with np.load(file, allow_pickle=False) as rows:
        xs, ys = rows["x"].astype("float32"), rows["y"].astype("float32")
    estimate(xs[0][:300], ys[0][:300], 0)
    for seed, (x, y) in enumerate(zip(xs, ys)):  # noqa: B905  (a Python of its own may be older)
        begun = time.process_time()
        nats, steps = estimate(x, y, seed)
        found.append((nats, time.process_time() - begun, steps))
    return found


def main(arguments: list[str]) -> None:
    found: Any = [name for name, (of, _) in PACKAGES.items() if importlib.util.find_spec(of)]
    if arguments:
        with contextlib.redirect_stdout(sys.stderr):  # the packages print as they go
            found = measured(*arguments)
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
