"""What a run has so far: the rows and curves of its cells, kept on disk as they come."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from experiments.suite.grid.cells import Cell
from experiments.suite.store import runs as store

if TYPE_CHECKING:
    from pandas import DataFrame

    from mine.running.estimates import Estimate
    from mine.running.events import Failure
    from mine.running.jobs import Job

log = logging.getLogger(__name__)


@dataclass
class Tally:
    """What a run has so far: rows and curves by the cell's key, in the order of the cells."""

    run: store.Run
    cells: Sequence[Cell]
    config: Mapping[str, Any]
    rows: dict[str, dict[str, Any]]
    curves: dict[str, list[dict[str, Any]]]
    started: str
    command: str
    spent: float  # seconds of earlier sittings
    clock: float
    steps: int = 0  # network-steps that this sitting has to do
    steps_done: int = 0
    halved: list[dict[str, Any]] = field(default_factory=list)
    provenance: dict[str, Any] = field(default_factory=dict)
    written: float = -math.inf

    @classmethod
    def resume(
        cls, run: store.Run, cells: Sequence[Cell], config: Mapping[str, Any], command: str
    ) -> Tally:
        """Takes up the rows that an earlier sitting finished; failed cells are tried again."""
        tally = cls(run, cells, config, {}, {}, store.utc_now(), command, 0.0, time.monotonic())
        try:
            tally._take(run.read_rows(), run.read_curves())
        except store.CorruptRunError as error:
            if (run.folder / "rows.parquet").exists():
                log.warning("what the run had cannot be read and is computed again: %s", error)
        with suppress(store.CorruptRunError, TypeError, ValueError):
            status = run.read_status()
            tally.spent = float(status.get("seconds", 0.0)) if tally.rows else 0.0
            tally.halved = list(status.get("halved", []))
        return tally

    def adopt(self, others: Sequence[store.Run]) -> None:
        """Takes the cells that other runs of the same basis have finished."""
        for other in others:
            before = len(self.rows)
            if before == len(self.cells):
                return
            try:
                self._take(other.read_rows(), other.read_curves())
            except store.CorruptRunError as error:
                log.info("no cells are taken from %s: %s", other.run_id, error)
            if taken := len(self.rows) - before:
                log.info("%d cells are taken from run %s", taken, other.run_id)

    def _take(self, rows: DataFrame, curves: DataFrame) -> None:
        """The finished cells among these rows that are this run's and not there yet.

        One that was trained and whose curve is lost is not: it is computed again, with both.
        """
        missing = {cell.key for cell in self.cells} - self.rows.keys()
        whole = (rows["steps"] == 0) | rows["key"].isin(curves["key"])
        found = rows[rows["key"].isin(missing) & (rows["status"] != "failed") & whole]
        new = {row["key"]: row | {"run_id": self.run.run_id} for row in found.to_dict("records")}
        points = curves[curves["key"].isin(new)].groupby("key")
        self.rows |= new
        self.curves |= {key: some.to_dict("records") for key, some in points}

    def add(
        self, i: int, job: Job, outcome: Estimate | Failure, seconds: float, device: str
    ) -> None:
        """The row and the curve of a cell that has ended, unless they are kept from before."""
        from mine.running.estimates import Estimate

        cell = self.cells[i]
        if cell.key in self.rows:
            return
        self.rows[cell.key] = row_of(cell, job, outcome, self.run, seconds, device)
        if isinstance(outcome, Estimate):
            self.curves[cell.key] = [
                {"key": cell.key, "step": s, "train_nats": v} for s, v in outcome.curve
            ]
        else:
            log.error("cell %s failed: %s", cell.key, outcome.reason)

    def write(self, state: str) -> None:
        """Curves, rows and status, each whole or not at all; no moment has a row without curve."""
        if not (self.run.folder / "config.yaml").exists():  # someone removed the folder
            self.run.write_config(self.config)
            self.run.write_provenance(self.provenance)
        ordered = [cell.key for cell in self.cells if cell.key in self.rows]
        points = [point for key in ordered for point in self.curves.get(key, ())]
        self.run.write_curves(store.curve_frame(points))
        self.run.write_rows(store.row_frame(self.rows[key] for key in ordered))
        self.write_status(state)

    def write_status(self, state: str) -> None:
        counts = self.counts()
        self.written = time.monotonic()
        self.run.write_status(
            {
                "state": state,
                "cells": len(self.cells),
                "done": len(self.rows),
                "failed": counts["failed"],
                "diverged": counts["diverged"],
                "halved": self.halved,
                "steps": self.steps,
                "steps_done": self.steps_done,
                "sitting_seconds": round(time.monotonic() - self.clock, 3),
                "seconds": round(self.spent + time.monotonic() - self.clock, 3),
                "command": self.command,
                "started": self.started,
                "updated": store.utc_now(),
            }
        )

    def counts(self) -> dict[str, int]:
        found = [row["status"] for row in self.rows.values()]
        return {status: found.count(status) for status in ("ok", "diverged", "failed")}


def params_of(cell: Cell) -> dict[str, Any]:
    """What tells a cell from the others of its task and method: its fields and its overrides."""
    return {k: v for k, v in cell.task.items() if k != "_target_"} | dict(cell.overrides)


def truth_of(job: Job) -> float:
    """The true mutual information in nats; nan where nobody knows it."""
    return float(getattr(job.source.task, "mi", math.nan))


def row_of(
    cell: Cell, job: Job, outcome: Estimate | Failure, run: store.Run, seconds: float, device: str
) -> dict[str, Any]:
    """The row of a cell that has ended, whatever happened to it."""
    from mine.running.estimates import Estimate

    row = {
        "experiment": run.experiment,
        "run_id": run.run_id,
        "key": cell.key,
        "role": cell.role,
        "task": cell.task["_target_"].rpartition(".")[2],
        "params": json.dumps(params_of(cell)),
        "dim": job.source.sizes[1],
        "method": cell.method,
        "seed": cell.seed,
        "steps": job.training.steps if cell.steps else 0,
        "truth": truth_of(job),
        "seconds": seconds,
        "device": device,
    }
    if not isinstance(outcome, Estimate):
        return {
            **row,
            "n_train": 0,
            "n_test": 0,
            "nats": math.nan,
            "stderr": math.nan,
            "train_nats": math.nan,
            "status": "failed",
            "reason": outcome.reason.partition("\n")[0],  # run.log has all of it
            "step_diverged": -1,
            "warnings": "",
        }
    diverged = outcome.diverged_at >= 0 or not math.isfinite(outcome.nats)
    return {
        **row,
        "n_train": outcome.n_train,
        "n_test": outcome.n_test,
        "nats": outcome.nats,
        "stderr": outcome.stderr,
        "train_nats": outcome.train_nats,
        "status": "diverged" if diverged else "ok",
        "reason": outcome.warnings[0] if diverged else "",
        "step_diverged": outcome.diverged_at,
        "warnings": "; ".join(outcome.warnings),
    }
