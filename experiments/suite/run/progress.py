"""The progress of a run: the rows and curves of the cells that have ended, kept on disk."""

from __future__ import annotations

import logging
import math
import time  # noqa: TID251
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from experiments.suite.grid.cells import Cell
from experiments.suite.run.config_check import keeps_other_code
from experiments.suite.run.provenance import row_origin, utc_now
from experiments.suite.run.rows import estimate_of, to_row
from experiments.suite.store.checked_tables import CorruptRunError, checksums
from experiments.suite.store.code import UNKNOWN, code_hash
from experiments.suite.store.runs import Run
from experiments.suite.store.tables import curve_frame, row_frame

if TYPE_CHECKING:
    from pandas import DataFrame

    from mine.running.events import Failure, Outcome
    from mine.running.jobs import AnyJob

log = logging.getLogger(__name__)


@dataclass
class Progress:
    """The rows and curves of a run so far, by the cell's key.

    Attributes:
        run: the run's folder.
        cells: all cells of the run; rows and curves are written in their order.
        config: the resolved config.
        rows: key -> row.
        curves: key -> the points of the training curve.
        started: when this process began to work on the run, UTC.
        command: the command that runs it.
        spent: seconds that earlier processes worked on the run.
        clock: the monotonic time at which this process began.
        steps: network-steps that this process has to do; `steps_done` of them are done.
        halved: the stacks that did not fit into memory, and why.
        provenance: see `collect_provenance`.
        set_aside: code -> how many cells it had made of this run, which are computed again.
        written: the monotonic time at which the status was last written.
        stamp: the checksums of the rows on disk as this process last read or wrote them.
    """

    run: Run
    cells: Sequence[Cell]
    config: Mapping[str, Any]
    rows: dict[str, dict[str, Any]]
    curves: dict[str, list[dict[str, Any]]]
    started: str
    command: str
    spent: float
    clock: float
    steps: int = 0
    steps_done: int = 0
    halved: list[dict[str, Any]] = field(default_factory=list)
    provenance: dict[str, Any] = field(default_factory=dict)
    set_aside: Counter[str] = field(default_factory=Counter)
    written: float = -math.inf
    stamp: Sequence[str] = ()

    @classmethod
    def resume(
        cls, run: Run, cells: Sequence[Cell], config: Mapping[str, Any], command: str
    ) -> Progress:
        """The progress that is on disk; failed cells are left out, to be tried again.

        Cells that other code made are left out too, unless the config keeps them.
        """
        progress = cls(run, cells, config, {}, {}, utc_now(), command, 0.0, time.monotonic())
        progress.stamp = progress._stamp()
        try:
            progress.set_aside = progress._take(run.read_rows(), run.read_curves())
        except CorruptRunError as error:
            if (run.folder / "rows.parquet").exists():
                log.warning("what the run had cannot be read and is computed again: %s", error)
        with suppress(CorruptRunError, TypeError, ValueError):
            status = run.read_status()
            progress.spent = float(status.get("seconds", 0.0)) if progress.rows else 0.0
            progress.halved = list(status.get("halved", []))
        return progress

    @property
    def missing(self) -> list[int]:
        """The indices of the cells that have no row yet."""
        return [i for i, cell in enumerate(self.cells) if cell.key not in self.rows]

    def adopt(self, others: Sequence[Run]) -> None:
        """Take over the cells that other runs with the same basis have finished."""
        for other in others:
            before = len(self.rows)
            if before == len(self.cells):
                return
            try:
                self._take(other.read_rows(), other.read_curves())
            except CorruptRunError as error:
                log.info("no cells are taken from %s: %s", other.run_id, error)
            if taken := len(self.rows) - before:
                log.info("%d cells are taken from run %s", taken, other.run_id)

    @property
    def other_code(self) -> Counter[str]:
        """Code -> how many rows it made, of code that is not this process's."""
        return Counter(code for code in self._codes() if code != code_hash())

    def _take(self, rows: DataFrame, curves: DataFrame) -> Counter[str]:
        """Add those of these rows that belong to missing cells and did not fail.

        A trained cell whose curve is lost is not added: it is computed again, with its curve. Nor
        is one that other code made, unless the config keeps those: their number is returned.
        """
        missing = {self.cells[i].key for i in self.missing}
        whole = (rows["steps"] == 0) | rows["key"].isin(curves["key"])
        found = rows[rows["key"].isin(missing) & (rows["status"] != "failed") & whole]
        other = found["code"] != code_hash()
        set_aside: Counter[str] = Counter()
        if not keeps_other_code(self.config):
            set_aside, found = Counter(found["code"][other].replace("", UNKNOWN)), found[~other]
        new = {row["key"]: row | {"run_id": self.run.run_id} for row in found.to_dict("records")}
        points = curves[curves["key"].isin(new)].groupby("key")
        self.rows |= new
        self.curves |= {key: some.to_dict("records") for key, some in points}
        return set_aside

    def add(
        self,
        i: int,
        job: AnyJob,
        outcome: Outcome | Failure,
        seconds: float,
        device: str,
        code: str = "",
    ) -> None:
        """Add the row and the curve of a cell that has ended, unless the cell has a row.

        `code` names the code that made it where that is not this process's alone.
        """
        from mine.running.events import Failure

        cell = self.cells[i]
        if cell.key in self.rows:
            return
        origin = row_origin(self.provenance) | ({"code": code} if code else {})
        self.rows[cell.key] = to_row(cell, job, outcome, self.run, seconds, device) | origin
        if isinstance(outcome, Failure):
            log.error("cell %s failed: %s", cell.key, outcome.reason)
        else:
            self.curves[cell.key] = [
                {"key": cell.key, "step": s, "train_nats": v}
                for s, v in estimate_of(outcome).curve
            ]

    def write(self, state: str) -> None:
        """Write curves, then rows, then the status: a row on disk always has its curve.

        Rows that another process has written in the meantime are taken, not lost.

        Raises:
            LostLockError: another process works on the run now.
        """
        with self.run.fenced():
            if self._stamp() != self.stamp:
                with suppress(CorruptRunError):
                    self._take(self.run.read_rows(), self.run.read_curves())
            self._write(state)
            self.stamp = self._stamp()

    def _stamp(self) -> Sequence[str]:
        return checksums(self.run.folder).get("rows.parquet", ())[:1]

    def _write(self, state: str) -> None:
        if not (self.run.folder / "config.yaml").exists():  # someone removed the folder
            self.run.write_config(self.config)
            self.run.write_provenance(self.provenance)
        ordered = [cell.key for cell in self.cells if cell.key in self.rows]
        points = [point for key in ordered for point in self.curves.get(key, ())]
        self.run.write_curves(curve_frame(points))
        self.run.write_rows(row_frame(self.rows[key] for key in ordered))
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
                "codes": dict(sorted(Counter(self._codes()).items())),
                "steps": self.steps,
                "steps_done": self.steps_done,
                "sitting_seconds": round(time.monotonic() - self.clock, 3),
                "seconds": round(self.spent + time.monotonic() - self.clock, 3),
                "command": self.command,
                "started": self.started,
                "updated": utc_now(),
            }
        )

    def _codes(self) -> list[str]:
        return [row["code"] or UNKNOWN for row in self.rows.values()]

    def counts(self) -> dict[str, int]:
        """Status -> the number of rows with it."""
        found = [row["status"] for row in self.rows.values()]
        return {status: found.count(status) for status in ("ok", "diverged", "failed")}
