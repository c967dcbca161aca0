"""Synthetic rows whose every value is known, in the shape that a run writes.

Estimates are truth + bias(row) + noise: with `noise=0` each claim's answer follows from bias.
`python tests/experiments/rows_example.py <folder>` writes runs to look at the report with.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from experiments import equitability, gaussian
from experiments.suite.store.runs import Run
from experiments.suite.store.tables import row_frame

Bias = Callable[[Mapping[str, Any]], float]

RHO = [-0.99, -0.9, -0.7, -0.5, -0.3, -0.1, 0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99]
SIGMA = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
PER_DIMENSION = {
    "identity": [1.6671, 1.0643, 0.7491, 0.5518, 0.4187, 0.3255, 0.2585, 0.2091, 0.1721],
    "cube": [1.2495, 0.7322, 0.4695, 0.3177, 0.2256, 0.1670, 0.1279, 0.1007, 0.0812],
    "sin": [1.5355, 0.9651, 0.6704, 0.4869, 0.3646, 0.2802, 0.2205, 0.1771, 0.1449],
}
"""True values in nats for sigma = .1, ..., .9 (quadrature)."""


def gaussian_config(seeds: int = 5, scale: str = "default", **experiment: Any) -> dict[str, Any]:
    """The resolved config of a Gaussian run."""
    return {
        "experiment": {
            "name": "gaussian",
            "rho": RHO,
            "methods": ["mine", "mine_f", "dv", "ksg"],
            "panels": {
                "scalar": {"dim": 1, "steps": 1.0, "seeds": 1.0},
                "high": {"dim": 20, "steps": 4.0, "seeds": 0.6},
            },
            **experiment,
        },
        "train": {"steps": 1000, "batch_size": 256},
        "scale": {"name": scale, "seeds": seeds, "ksg_n": 5000},
    }


def equitability_config(
    seeds: int = 3, scale: str = "default", **experiment: Any
) -> dict[str, Any]:
    """The resolved config of an equitability run."""
    return {
        "experiment": {
            "name": "equitability",
            "functions": ["identity", "cube", "sin"],
            "sigma": SIGMA,
            "dim": 2,
            "methods": ["mine"],
            "panels": {"map": {"steps": 2.0, "seeds": 1.0}, "self": {"steps": 2.0, "seeds": 1.0}},
            **experiment,
        },
        "train": {"steps": 1000, "batch_size": 256},
        "scale": {"name": scale, "seeds": seeds, "ksg_n": 5000},
    }


def truth_of(task: Mapping[str, Any]) -> float:
    """True mutual information of a cell's task, in nats."""
    task = task.get("base", task)
    if "rho" in task:
        return -0.5 * float(task["dim"]) * math.log1p(-(float(task["rho"]) ** 2))
    sigma = float(task["sigma"])
    if sigma == 0:
        return math.inf
    return float(task["dim"]) * PER_DIMENSION[task["function"]][round(10 * sigma) - 1]


def example_rows(
    config: Mapping[str, Any], bias: Bias = lambda row: 0.0, noise: float = 0.0
) -> pd.DataFrame:
    """A row for each cell of the config, all ok: nats = truth + bias(row) + noise * normal."""
    name = config["experiment"]["name"]
    module = {"gaussian": gaussian, "equitability": equitability}[name]
    rng = np.random.default_rng(0)
    rows = []
    for cell in module.cells(config):
        target = str(cell.task["_target_"]).rsplit(".", maxsplit=1)[-1]
        params = {key: value for key, value in cell.task.items() if key != "_target_"}
        truth = truth_of(cell.task)
        row = {
            "experiment": name,
            "run_id": "0" * 12,
            "key": cell.key,
            "role": cell.role,
            "task": target,
            "params": json.dumps(params),
            "dim": int(cell.task.get("base", cell.task)["dim"]),
            "method": cell.method,
            "seed": cell.seed,
            "n_train": cell.n or cell.steps * int(config["train"]["batch_size"]),
            "n_test": cell.n or 10000,
            "steps": cell.steps,
            "stderr": 0.005,
            "truth": truth,
            "seconds": 1.5,
            "device": "cpu",
            "status": "ok",
        }
        center = truth if math.isfinite(truth) else 5.0
        row["nats"] = center + bias(row) + noise * float(rng.standard_normal())
        row["train_nats"] = math.nan if cell.n else row["nats"] + 0.01
        rows.append(row)
    return row_frame(rows)


def edited(rows: pd.DataFrame, where: pd.Series, **columns: Any) -> pd.DataFrame:
    """A copy of the rows with these columns set in the rows that `where` picks."""
    rows = rows.copy()
    for column, value in columns.items():
        rows.loc[where, column] = value
    return rows


def realistic_bias(row: Mapping[str, Any]) -> float:
    """About what the methods do: KSG far below at 20-D, networks a little, MINE-f more so."""
    truth, method = float(row["truth"]), row["method"]
    wobble = float(np.random.default_rng(int(row["key"], 16) % 2**32).standard_normal())
    if not math.isfinite(truth):
        return 0.4 * wobble
    if row["dim"] < 20:
        scale = {"ksg": 0.008, "dv": 0.012, "mine_f": 0.014}.get(method, 0.008)
        return (0.02 if method != "ksg" else 0.0) * -truth / 2 + scale * wobble
    if method == "ksg":
        return 3.3 * (1 - math.exp(-truth / 8)) - truth + 0.03 * wobble
    drop = {"mine": 0.10, "mine_f": 0.17, "dv": 0.12}[method] * truth * min(truth / 10, 2.5)
    return -drop + 0.03 * (1 + truth / 3) * wobble


def realistic_gaussian(config: Mapping[str, Any]) -> pd.DataFrame:
    """Rows of a Gaussian run in which plain DV diverges at 20-D and one KSG cell failed."""
    rows = example_rows(config, realistic_bias)
    high_dv = (rows["role"] == "high") & (rows["method"] == "dv")
    beyond = high_dv & (rows["truth"] > 10)
    rows = edited(
        rows,
        beyond,
        status="diverged",
        nats=np.nan,
        step_diverged=1234,
        reason="the critic's parameters turned non-finite at step 1234",
    )
    rows = edited(rows, high_dv & rows["truth"].between(6, 7) & (rows["seed"] == 0), nats=395.0)
    rows = edited(
        rows,
        (rows["truth"] > 9.2) & (rows["status"] == "ok"),
        warnings="the value is above log n_test = 9.21 nats, where no estimate can be certified",
    )
    first_ksg = rows.index[(rows["role"] == "high") & (rows["method"] == "ksg")][4]
    return edited(
        rows,
        rows.index == first_ksg,
        status="failed",
        nats=np.nan,
        n_train=0,
        n_test=0,
        reason="MemoryError: expected room for 5000 x 5000 distances <script>alert(1)</script>",
    )


def write_run(outputs: Path, config: Mapping[str, Any], rows: pd.DataFrame, **status: Any) -> Path:
    """A run folder as the runner leaves it."""
    name = str(config["experiment"]["name"])
    run = Run.create(outputs, name, config)
    counts = rows["status"].value_counts()
    run.write_provenance(
        {
            "git_commit": "0123456789abcdef0123456789abcdef01234567",
            "git_dirty": True,
            "version": "0.1.0",
            "packages": {"torch": "2.13.0", "numpy": "2.4.6"},
            "python": "3.11.2",
            "platform": "Linux x86_64",
            "cores": 2,
            "device": "cpu",
            "seed": 0,
            "time": "2026-11-23T16:00:00+00:00",
        }
    )
    run.write_rows(rows.assign(run_id=run.run_id))
    run.write_status(
        {
            "state": "finished",
            "cells": len(rows),
            "done": len(rows),
            "failed": int(counts.get("failed", 0)),
            "diverged": int(counts.get("diverged", 0)),
            "seconds": 412.0,
            "command": f"python -m experiments experiment={name} scale={config['scale']['name']}",
            "started": "2026-11-23T16:00:00+00:00",
            "updated": "2026-11-23T16:06:52+00:00",
            **status,
        }
    )
    return run.folder


def write_example(outputs: Path, kinds: Iterable[str] = ("gaussian", "equitability")) -> None:
    """Realistic runs of both experiments."""
    if "gaussian" in kinds:
        config = gaussian_config()
        write_run(outputs, config, realistic_gaussian(config))
    if "equitability" in kinds:
        config = equitability_config()
        write_run(outputs, config, example_rows(config, realistic_bias))


if __name__ == "__main__":
    write_example(Path(sys.argv[1]))
