"""The work of one point: `python -m benchmarks.growth.work KIND METHOD SIZE`, on one thread.

It prints seconds, seconds of a core, and steps, as JSON. Imports, data and a first call, which
loads what a process loads once, are not in the seconds; they are in the peak memory.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.growth import points

RHO = 0.6
SEED = 50
Work = Callable[[], Any]


def normal(rows: int, columns: int) -> tuple[Any, Any]:
    """(rows, columns) of x and y: the first columns have correlation `RHO`, the others none.

    So the truth is the same however many columns there are.
    """
    import numpy as np

    rng = np.random.default_rng(SEED)
    x, y = rng.normal(size=(2, rows, columns))
    y[:, 0] = RHO * x[:, 0] + math.sqrt(1 - RHO**2) * y[:, 0]
    return x, y


def table(rows: int, columns: int) -> Any:
    """Normal columns, each of which has something of the others."""
    import numpy as np

    rng = np.random.default_rng(SEED)
    mixing = np.eye(columns) + 0.3 * rng.normal(size=(columns, columns)) / math.sqrt(columns)
    return rng.normal(size=(rows, columns)) @ mixing


def estimation(method: str, rows: int, columns: int) -> Work:
    import mine

    x, y = normal(rows, columns)
    return lambda: mine.estimate(x, y, method, SEED)


def stack(_: str, networks: int) -> Work:
    from benchmarks import contenders
    from benchmarks.cases import SMALL

    return lambda: contenders.stack(SMALL, networks, points.STEPS)


def matrix(_: str, pairs: int) -> Work:
    import mine

    columns = table(points.OF_PAIRS, points.columns_of(pairs))
    return lambda: mine.pairwise(columns, seed=SEED, steps=points.STEPS)


WORK: dict[str, Callable[[str, int], Work]] = {
    points.ROWS: lambda method, size: estimation(method, size, 1),
    points.COLUMNS: lambda method, size: estimation(method, points.BESIDE, size),
    points.NETWORKS: stack,
    points.PAIRS: matrix,
}


def first_call(kind: str, method: str) -> Work:
    """Little work of the same kind, for what a process does only once."""
    if kind == points.NETWORKS:
        return stack(method, 1)
    import mine

    few = {} if method in ("ksg", "gaussian") else {"steps": 2}
    if kind == points.PAIRS:
        return lambda: mine.pairwise(table(100, 2), **few)
    return lambda: mine.estimate(*normal(100, 1), method, SEED, **few)


def write_parquet(file: Path, rows: int) -> list[str]:
    """A file of ten columns of numbers; the words of the command's columns."""
    import pyarrow
    from pyarrow import parquet

    values = table(rows, 10)
    names = [f"c{i}" for i in range(10)]
    parquet.write_table(pyarrow.table(dict(zip(names, values.T, strict=True))), file)
    return ["--x", ",".join(names[:-1]), "--y", names[-1]]


def main(arguments: Sequence[str]) -> None:
    kind, method, size = arguments
    import torch

    torch.set_num_threads(1)
    work = WORK[kind](method, int(size))
    first_call(kind, method)()
    wall, cpu = time.perf_counter(), time.process_time()
    found = work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(json.dumps({"seconds": wall, "cpu": cpu, "steps": getattr(found, "steps", None)}))


if __name__ == "__main__":
    main(sys.argv[1:])
