"""Joining many runs: the seconds and the peak memory of writing results.csv and results.parquet.

Synthetic runs are written to a temporary folder, in the runner's format, but without waiting for
the disk. A fresh process then does what the report does: it finds and checks every run, joins
their rows, and writes both tables. Its peak memory is that of the whole process, imports included.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.arguments import whole

if TYPE_CHECKING:
    import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
RUNS, ROWS = 10_000, 100
SECONDS, MIB = 60.0, 1024.0
EXAMPLE = """\
examples:
  python -m benchmarks.joining                        10,000 runs of 100 rows: minutes
  python -m benchmarks.joining --runs 500             a first look
  python -m benchmarks.joining --outputs /tmp/runs    keep the runs, to join again"""
METHODS = ("mine", "mine_f", "dv", "ksg")
POINTS = 50
"""Points of a cell's training curve."""


# Synthetic runs


def config_of(number: int) -> dict[str, Any]:
    """A resolved config as long as a real one; each number has a different learning rate."""
    return {
        "experiment": {
            "name": "gaussian",
            "rho": [round(-0.9 + 0.1 * i, 1) for i in range(19)],
            "methods": list(METHODS),
            "first_seed": 0,
            "n": 0,
            "panels": {
                "scalar": {"dim": 1, "steps": 0.5, "seeds": 1.0},
                "high": {"dim": 20, "steps": 8.0, "seeds": 0.6},
            },
        },
        "scale": {"name": "default", "seeds": 5, "n_test": 10000, "ksg_n": 5000},
        "estimator": {"partners": 10, "k": 3},
        "critic": {
            "_target_": "mine.critics.MLP",
            "hidden": [128, 128],
            "activation": "elu",
            "init": "fan_in",
        },
        "train": {
            "_target_": "mine.training.Training",
            "steps": 1000,
            "batch_size": 256,
            "learning_rate": round(1e-6 * (number + 1), 9),
            "schedule": "cosine",
            "warmup": 0,
            "optimizer": "Adam",
            "ema_rate": 0.02,
            "marginal": "derangement",
            "marginal_samples": 2,
            "max_grad_norm": 0.0,
        },
        "device": "auto",
        "outputs": "outputs",
    }


def rows_of(run_id: str, number: int, rows: int) -> list[dict[str, Any]]:
    """`rows` rows of a run; no two runs have equal rows."""

    def row(i: int) -> dict[str, Any]:
        rho = round(-0.9 + 0.1 * (i % 19), 1)
        truth = -0.5 * math.log1p(-(rho**2))
        nats = truth + 1e-3 * math.sin(1.0 + number * rows + i)
        diverged = i % 50 == 49
        return {
            "experiment": "gaussian",
            "run_id": run_id,
            "key": f"{number:08x}{i:08x}",
            "role": "scalar",
            "task": "CorrelatedGaussian",
            "params": json.dumps({"rho": rho, "dim": 1}),
            "dim": 1,
            "method": METHODS[i % 4],
            "seed": i // 19,
            "n_train": 128000,
            "n_test": 10000,
            "steps": 500,
            "nats": math.nan if diverged else nats,
            "stderr": 0.001 * math.sqrt(1.0 + i),
            "truth": truth,
            "train_nats": nats + 0.01,
            "seconds": 1.0 + 1e-3 * i,
            "device": "cpu",
            "status": "diverged" if diverged else "ok",
            "reason": f"training turned non-finite at step {i}" if diverged else "",
            "step_diverged": i if diverged else -1,
            "warnings": "the value still rose at the end: train longer" if i % 3 == 0 else "",
        }

    return [row(i) for i in range(rows)]


def curves_of(rows: int) -> pd.DataFrame:
    """`POINTS` points of a curve for each row."""
    from experiments.suite.store.tables import curve_frame

    return curve_frame(
        {"key": f"{i:016x}", "step": 10 * step, "train_nats": 0.01 * step}
        for i in range(rows)
        for step in range(POINTS)
    )


def write_runs(outputs: Path, runs: int, rows: int) -> Iterator[None]:
    """Writes the folders of finished runs; the iterator takes one step for each run."""
    from experiments.suite.run.provenance import collect_provenance
    from experiments.suite.store.identity import run_id
    from experiments.suite.store.runs import Run
    from experiments.suite.store.serialising import json_bytes, yaml_bytes
    from experiments.suite.store.table_bytes import parquet_bytes
    from experiments.suite.store.tables import row_frame

    status = {
        "state": "finished",
        "cells": rows,
        "done": rows,
        "failed": 0,
        "diverged": rows // 50,
        "seconds": 412.0,
        "command": "python -m experiments experiment=gaussian",
        "started": "2026-01-01T00:00:00+00:00",
        "updated": "2026-01-01T00:06:52+00:00",
    }
    provenance = json_bytes(collect_provenance(device="cpu", seed=0, threads=1))
    curves = parquet_bytes(curves_of(rows))  # the same for all: joining does not read them
    for number in range(runs):
        config = config_of(number)
        run = Run(outputs / "gaussian" / run_id(config))
        run.folder.mkdir(parents=True)
        frame = row_frame(rows_of(run.run_id, number, rows))
        tables = {"rows.parquet": parquet_bytes(frame), "curves.parquet": curves}
        sums = {name: [hashlib.sha256(data).hexdigest()] for name, data in tables.items()}
        files: Mapping[str, bytes] = {
            "config.yaml": yaml_bytes(config),
            "provenance.json": provenance,
            "status.json": json_bytes(status),
            "checksums.json": json_bytes(sums),
            **tables,
        }
        for name, data in files.items():
            (run.folder / name).write_bytes(data)
        yield


# Joining


def join(outputs: Path) -> dict[str, float]:
    """Joins the runs under `outputs` as the report does; returns the seconds of each part."""
    from experiments.suite.report.writing import join_results, write_results

    start = time.perf_counter()
    joined = join_results(outputs)
    found = time.perf_counter()
    if joined.problems:
        raise ValueError(f"expected runs that can be read, got {joined.problems[0]}")
    write_results(outputs, joined)
    end = time.perf_counter()
    runs = len(joined.runs)
    return {"runs": runs, "rows": joined.rows, "read": found - start, "write": end - found}


def measured(outputs: Path) -> dict[str, float]:
    """Runs `join` in a new process; adds that process's wall time and peak memory."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.joining",
        "--outputs",
        str(outputs),
        "--only-join",
    ]
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    if process.returncode:
        raise RuntimeError(f"expected exit code 0, got {process.returncode} from: {command}")
    mib = usage.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    return {**json.loads(said), "seconds": seconds, "mib": mib}


# Command


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.joining",
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--runs", type=whole("500"), default=RUNS, help="to join (%(default)s)")
    parser.add_argument(
        "--rows", type=whole("500"), default=ROWS, help="of each run (%(default)s)"
    )
    parser.add_argument(
        "--outputs", type=Path, help="folder to make the runs in and keep; joined again if it is"
    )
    parser.add_argument("--only-join", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.only_join:
        print(json.dumps(join(asked.outputs)))
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        outputs = asked.outputs or Path(temporary)
        if not (outputs / "gaussian").is_dir():
            make(outputs, asked.runs, asked.rows)
        found = measured(outputs)
        sizes = {
            name: (outputs / name).stat().st_size / 1e6
            for name in ("results.csv", "results.parquet")
        }
    print(
        f"{found['runs']:,} runs, {found['rows']:,} rows: read, checked and joined in"
        f" {found['read']:.1f} s, written in {found['write']:.1f} s; the whole process"
        f" {found['seconds']:.1f} s, peak memory {found['mib']:.0f} MiB"
    )
    print(", ".join(f"{name} {size:.1f} MB" for name, size in sizes.items()))
    met = found["seconds"] < SECONDS and found["mib"] < MIB
    print(f"aim for 10,000 runs of 100 rows, {SECONDS:.0f} s and {MIB:.0f} MiB: ", end="")
    print("met" if met else "missed")
    return 0 if met else 1


def make(outputs: Path, runs: int, rows: int) -> None:
    from tqdm import tqdm

    for _ in tqdm(write_runs(outputs, runs, rows), total=runs, unit="run", disable=None):
        pass


if __name__ == "__main__":
    raise SystemExit(main())
