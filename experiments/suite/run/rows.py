"""The row of a cell that has ended: what was asked, and what came of it."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from experiments.suite.grid.cells import Cell
from experiments.suite.store.measures import measures_text
from experiments.suite.store.runs import Run

if TYPE_CHECKING:
    from mine.running.estimates import Estimate
    from mine.running.events import Failure, Outcome
    from mine.running.jobs import AnyJob


def to_row(
    cell: Cell, job: AnyJob, outcome: Outcome | Failure, run: Run, seconds: float, device: str
) -> dict[str, Any]:
    """The row of a cell, with the columns of `ROW_COLUMNS`; a failed cell has one too."""
    from mine.running.events import Applied, Failure

    row = {
        "experiment": run.experiment,
        "run_id": run.run_id,
        "key": cell.key,
        "role": cell.role,
        "task": cell.task["_target_"].rpartition(".")[2],
        "params": json.dumps(params_of(cell)),
        "dim": job.dim,
        "method": cell.method,
        "seed": cell.seed,
        "steps": job.training.steps if cell.steps else 0,
        "truth": job.truth,
        "seconds": seconds,
        "device": device,
    }
    if isinstance(outcome, Failure):
        return row | _of_failure(outcome)
    if isinstance(outcome, Applied):
        row |= {"truth": outcome.truth, "measures": measures_text(outcome.measures)}
        return row | _of_estimate(outcome.estimate, diverged=outcome.estimate.diverged_at >= 0)
    diverged = outcome.diverged_at >= 0 or not math.isfinite(outcome.nats)
    return row | _of_estimate(outcome, diverged)


def estimate_of(outcome: Outcome) -> Estimate:
    """The estimate of a mutual information that came with an outcome."""
    from mine.running.events import Applied

    return outcome.estimate if isinstance(outcome, Applied) else outcome


def _of_estimate(estimate: Estimate, diverged: bool) -> dict[str, Any]:
    return {
        "n_train": estimate.n_train,
        "n_test": estimate.n_test,
        "nats": estimate.nats,
        "stderr": estimate.stderr,
        "train_nats": estimate.train_nats,
        "status": "diverged" if diverged else "ok",
        "reason": estimate.warnings[0] if diverged else "",
        "step_diverged": estimate.diverged_at,
        "warnings": "; ".join(estimate.warnings),
    }


def _of_failure(failure: Failure) -> dict[str, Any]:
    return {
        "n_train": 0,
        "n_test": 0,
        "nats": math.nan,
        "stderr": math.nan,
        "train_nats": math.nan,
        "status": "failed",
        "reason": failure.reason.partition("\n")[0],  # run.log has all of it
        "step_diverged": -1,
        "warnings": "",
    }


def params_of(cell: Cell) -> dict[str, Any]:
    """What tells a cell from others of its task and method: its fields and its overrides."""
    return {k: v for k, v in cell.task.items() if k != "_target_"} | dict(cell.overrides)
