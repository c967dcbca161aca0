"""Points measured one by one, each in a process of its own, and kept as they come."""

from __future__ import annotations

import json
import math
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.growth.points import PARQUET, Line, Point, affordable
from benchmarks.growth.work import SEED, write_parquet
from benchmarks.memory import used_by
from benchmarks.resuming import Row, measured_rows, read_rows

FIELDS = ("case", "kind", "method", "seed", "size", "steps", "seconds", "cpu", "mib")
ONE_THREAD: Mapping[str, str] = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"
)
Known = dict[tuple[str, str], dict[int, float]]
"""(kind, method) -> size -> seconds of a core."""


def measure(
    file: Path,
    lines: Sequence[Line],
    limit: float,
    minutes: float = math.inf,
    done: Callable[[Row], None] = lambda row: None,
) -> list[Row]:
    """All rows of the file: those that were there, and those of the lines that lacked.

    Args:
        file: a csv.
        lines: what is measured.
        limit: seconds of a core; points that are predicted to take longer are left out.
        minutes: after which no other point is begun.
        done: called with each new row.
    """
    known = costs(read_rows(file, FIELDS))

    def asked() -> Iterator[tuple[Point, str, int]]:
        for line in lines:
            for point in affordable(line, known[line.kind, line.method], limit):
                yield point, line.method, SEED

    def measured(point: Point, method: str, seed: int) -> Row:
        row = row_of(point, method, seed)
        known[point.kind, method][point.size] = float(row["cpu"])
        done(row)
        return row

    return measured_rows(file, FIELDS, asked(), measured, minutes)


def costs(rows: Iterator[Row] | Sequence[Row], field: str = "cpu") -> Known:
    """Seconds of a core, or another field, of each line's sizes."""
    found: Known = defaultdict(dict)
    for row in rows:
        found[row["kind"], row["method"]][int(row["size"])] = float(row[field])
    return found


def row_of(point: Point, method: str, seed: int) -> Row:
    """One point, as texts."""
    found = _file(point, method) if point.kind == PARQUET else _work(point, method)
    about = {"case": point.name, "kind": point.kind, "method": method, "seed": str(seed)}
    numbers = {name: f"{found[name]:.4g}" for name in ("seconds", "cpu", "mib")}
    steps = found["steps"]
    return {**about, "size": str(point.size), "steps": "" if steps is None else str(steps)} | (
        numbers
    )


def _work(point: Point, method: str) -> dict[str, float]:
    words = ["-m", "benchmarks.growth.work", point.kind, method, str(point.size)]
    used = used_by([sys.executable, *words], ONE_THREAD)
    return {**json.loads(used.output), "mib": used.mib}


def _file(point: Point, method: str) -> dict[str, float]:
    """`mine estimate` on a file: the whole command, its start and the reading included."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.parquet"
        words = ["estimate", str(file), *write_parquet(file, point.size), "--method", method]
        started = time.perf_counter()
        used = used_by([sys.executable, "-m", "mine", *words, "--json"], ONE_THREAD)
    seconds = time.perf_counter() - started
    steps = json.loads(used.output).get("steps")
    return {"steps": steps, "seconds": seconds, "cpu": used.cpu, "mib": used.mib}
