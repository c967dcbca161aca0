"""A small finished run, for the tests of the store."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from experiments.suite.store.runs import Run
from experiments.suite.store.tables import curve_frame, row_frame

CONFIG: dict[str, Any] = {
    "experiment": {"name": "gaussian", "rho": [-0.5, 0.0, 0.5]},
    "train": {"learning_rate": 1e-3, "steps": 2000},
    "device": "cpu",
    "outputs": "outputs",
}
ROW: dict[str, Any] = {
    "experiment": "gaussian",
    "run_id": "0123456789ab",
    "key": "a",
    "role": "scalar",
    "task": "CorrelatedGaussian",
    "params": '{"dim":1,"rho":0.5}',
    "dim": 1,
    "method": "mine",
    "seed": 0,
    "n_train": 100_000,
    "n_test": 5000,
    "steps": 2000,
    "nats": 0.1 + 0.2,
    "stderr": 0.01,
    "truth": math.inf,
    "train_nats": math.nan,
    "seconds": 1.5,
    "device": "cpu",
    "status": "ok",
    "reason": "",
    "step_diverged": -1,
    "warnings": "",
}


def finished_run(outputs: Path, **changes: Any) -> Run:
    run = Run.create(outputs, "gaussian", CONFIG | changes)
    run.write_provenance({"git_commit": None})
    run.write_rows(row_frame([ROW, ROW | {"key": "b", "seed": 1}]))
    run.write_curves(curve_frame([{"key": "a", "step": 20, "train_nats": 0.1}]))
    run.write_status({"state": "finished", "cells": 2})
    return run
