"""The sweeps among the runs of an experiment, drawn and judged, and sweeps.csv."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from experiments.suite.figures.labels import label
from experiments.suite.figures.palette import order
from experiments.suite.figures.rendering import Drawn
from experiments.suite.report.records import Record
from experiments.suite.report.tables import Table, seeds_of
from experiments.suite.report.texts import Value, few
from experiments.suite.store.serialising import canonical_json
from experiments.suite.store.table_bytes import csv_bytes
from experiments.suite.sweeps.choices import Choice, Criterion, choices
from experiments.suite.sweeps.figures import sweep_figures
from experiments.suite.sweeps.measures import measures
from experiments.suite.sweeps.sweep import Sweep, SweptRun, split

if TYPE_CHECKING:
    import pandas as pd

CRITERIA: dict[Criterion, str] = {
    "value": "highest held-out value",
    "stability": "smallest spread over seeds",
}
"""What chooses a setting, in words."""
CSV_COLUMNS = ["experiment", "setting", "role", "method"]
"""The columns with which sweeps.csv begins; the measures follow."""


@dataclass(frozen=True)
class SweepPart:
    """A sweep's part of an experiment's section."""

    sweep: Sweep
    figures: list[Drawn]
    tables: list[Table]
    choices: list[dict[str, Any]]
    lines: pd.DataFrame

    @property
    def axes(self) -> list[tuple[str, str, str]]:
        """(key, its values, the keys that vary with it), each as text."""
        return [(a.key, few(a.labels), ", ".join(a.tied)) for a in self.sweep.axes]

    @property
    def commands(self) -> list[str]:
        return [" ".join(command.split()) for command in self.sweep.commands]

    @property
    def settings(self) -> int:
        return self.sweep.size


def sweep_parts(name: str, records: Sequence[Record], rows: pd.DataFrame) -> list[SweepPart]:
    """The sweeps among the runs of an experiment, each drawn and judged.

    Args:
        name: the experiment.
        records: its runs.
        rows: the rows of all runs, with the columns `measures.COLUMNS`.
    """
    found = split(name, [_swept(record) for record in records]) if len(records) > 1 else []
    return [
        sweep_part(sweep, rows, f"{name}_sweep{i or ''}" if len(found) > 1 else f"{name}_sweep")
        for i, sweep in enumerate(found, start=1)
        if rows["run_id"].isin([run.run_id for run in sweep.runs]).any()
    ]


def _swept(record: Record) -> SweptRun:
    return SweptRun(
        record.run.run_id,
        record.config,
        str(record.status.get("command", "")),
        str(record.provenance.get("version", "")),
    )


def sweep_part(sweep: Sweep, rows: pd.DataFrame, name: str) -> SweepPart:
    """Draws and tabulates one sweep; its figures' names begin with `name`."""
    table = sweep.table(rows)
    lines = measures(table, ["role", *sweep.keys, "method"])
    return SweepPart(
        sweep,
        list(Drawn.of(sweep_figures(sweep, rows, name)).values()),
        [
            sweep_table(sweep, str(role), lines[lines["role"] == role])
            for role in table["role"].unique()
        ],
        [choice_line(sweep, choice) for choice in choices(sweep, rows)],
        lines,
    )


def sweep_table(sweep: Sweep, role: str, lines: pd.DataFrame) -> Table:
    """A line for each method and setting of a role."""
    methods = order({str(method) for method in lines["method"]})
    records = lines.to_dict("records")
    records.sort(
        key=lambda line: (methods.index(str(line["method"])), [line[key] for key in sweep.keys])
    )
    return Table(
        role or "all cells",
        [axis.short for axis in sweep.axes],
        [
            {
                "params": [axis.labels[line[axis.key]] for axis in sweep.axes],
                "method": label(str(line["method"])),
                **{
                    measure: Value.of(float(line[measure]), signed=measure == "bias")
                    for measure in ("error", "bias", "rmse", "spread")
                },
                "cells": seeds_of(line),
                "seconds": f"{line['seconds']:.3g}",
            }
            for line in records
        ],
    )


def choice_line(sweep: Sweep, choice: Choice) -> dict[str, Any]:
    """What one criterion chose for a role and method, as text."""
    return {
        "role": choice.role,
        "method": label(choice.method),
        "criterion": CRITERIA[choice.criterion],
        "setting": choice.reason if choice.setting is None else sweep.name(choice.setting),
        "score": Value.of(choice.score),
        "error": Value.of(choice.error),
        "nearest": "–" if choice.nearest is None else sweep.name(choice.nearest),
        "least": Value.of(choice.least),
    }


def sweeps_csv(parts: Iterable[tuple[str, SweepPart]]) -> bytes:
    """The measures of every setting of every sweep; a setting is a JSON object.

    Args:
        parts: (experiment, one of its sweeps).
    """
    import pandas as pd

    frames = [_csv_lines(name, part) for name, part in parts]
    empty = pd.DataFrame(columns=CSV_COLUMNS)
    return csv_bytes(pd.concat(frames, ignore_index=True) if frames else empty)


def _csv_lines(name: str, part: SweepPart) -> pd.DataFrame:
    axes, keys = part.sweep.axes, part.sweep.keys
    settings = [
        canonical_json({a.key: a.values[i] for a, i in zip(axes, places, strict=True)})
        for places in part.lines[keys].itertuples(index=False)
    ]
    frame = part.lines.drop(columns=keys)
    frame.insert(0, "setting", settings)
    frame.insert(0, "experiment", name)
    return frame.assign(role=frame["role"].astype("str"), method=frame["method"].astype("str"))
