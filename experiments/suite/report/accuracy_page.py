"""The tables of the accuracy experiment as Markdown, from the rows of its latest run.

python -m experiments.suite.report.accuracy_page --outputs outputs --scale default > tables.md
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.suite.claims.intervals import share_interval
from experiments.suite.claims.rows import summary
from experiments.suite.claims.wording import between, number
from experiments.suite.figures.labels import label
from experiments.suite.figures.notes import seed_note
from experiments.suite.report.records import Record, headline, joined
from experiments.suite.store.joined import load_runs
from experiments.suite.task_tables import tables

if TYPE_CHECKING:
    import pandas as pd


accuracy: Any = import_module("experiments.accuracy")


def page(rows: pd.DataFrame) -> str:
    """All tables, from the rows of one run. Errors are estimate less truth, in nats."""
    found = tables.table(rows)
    compared = found[found["role"] == accuracy.COMPARED]
    seeds = seed_note(compared)
    lost = "A cell that diverged or failed has an infinite error."
    parts = [
        "# Accuracy: every method on every task that auto was developed on",
        "Made by `make benchmark-accuracy`; read with [accuracy.md](accuracy.md).",
        "## Methods",
        f"|error| in nats over all tasks. {seeds}. Off: beyond {tables.WHAT_IS_OFF}. {lost}",
        methods(compared),
        "## Tasks",
        f"Estimate less truth, in nats. {seeds}, of the cells that gave an estimate.",
        *(part for name in families(compared) for part in (f"### {name}", errors(compared, name))),
        "## auto: where it was off",
        off(compared),
        "## auto: coverage of the 95 % interval",
        f"Truth above 0, at most {accuracy.MOST_NATS:g} nats, n at least {accuracy.LEAST_ROWS:,}.",
        shares(accuracy.coverable(found), "covered"),
        "## auto: found where there is nothing",
        "Values above 1.645 of their standard errors: a one-sided test of nominal 5 %.",
        shares(accuracy.independent(found), "found", by="name"),
    ]
    return "\n\n".join(parts) + "\n"


def families(rows: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(tables.places(rows)["family"]))


def methods(rows: pd.DataFrame) -> str:
    """The methods, the nearest first."""
    head = ["method", "mean", "95 % interval", "median", "cells off", "diverged", "failed",
            "seconds a cell"]  # fmt: skip
    return grid(
        head,
        (
            [
                label(line["method"]),
                number(line["mean"]),
                "–" if math.isnan(line["low"]) else between((line["low"], line["high"])),
                number(line["median"]),
                f"{line['off']} of {line['cells']}",
                line["diverged"],
                line["failed"],
                f"{line['seconds']:.1f}",
            ]
            for line in tables.per_method(rows).to_dict("records")
        ),
    )


def errors(rows: pd.DataFrame, family: str) -> str:
    """One family: a line a method, a column a task."""
    own = rows[rows["family"] == family]
    lines = summary(own, ["name", "method"]).set_index(["name", "method"]).to_dict("index")
    places = tables.places(own).to_dict("records")

    head = [f"{one['name']}: {number(one['truth'])}, n = {one['n']:,}" for one in places]
    return grid(
        ["method", *head],
        (
            [label(method), *(error_text(lines.get((one["name"], method))) for one in places)]
            for method in tables.per_method(rows)["method"]
        ),
    )


def error_text(line: Mapping[str, Any] | None) -> str:
    """'+0.012 [+0.002, +0.022] (1 lost)': a mean error with its interval; '' without a cell."""
    if line is None:
        return ""
    lost = line["diverged"] + line["failed"]
    if not line["ok"]:
        return f"{lost} lost"
    interval = (line["low"] - line["truth"], line["high"] - line["truth"])
    interval_text = f" {between(interval, signed=True)}" if line["ok"] > 1 else ""
    note = f" ({lost} lost)" if lost else ""
    return f"{number(line['error'], signed=True)}{interval_text}{note}"


def off(rows: pd.DataFrame) -> str:
    """Each cell of auto that is off, and what it said."""
    own = rows[(rows["method"] == accuracy.OWN) & rows["off"]]
    if not len(own):
        return "Nowhere."
    body = (
        [
            line["name"],
            line["seed"],
            number(line["truth"]),
            number(line["error"], signed=True),
            line["warnings"] or line["reason"] or "nothing",
        ]
        for line in own.to_dict("records")
    )
    return grid(["task", "seed", "truth", "error", "it said"], body)


def shares(rows: pd.DataFrame, column: str, by: str = "family") -> str:
    """Share of the cells where a column is true, by family or name, and over all."""
    kept = rows[rows["status"] != "failed"]
    parts = [*((str(name), part) for name, part in kept.groupby(by, sort=False)), ("all", kept)]

    def line(name: str, part: pd.DataFrame) -> list[Any]:
        hits, n = int(part[column].sum()), len(part)
        interval = share_interval(hits, n)
        return [name, f"{hits} of {n}", number(hits / n if n else 0.0), between(interval)]

    return grid([by, "cells", "share", "95 % interval"], (line(*part) for part in parts))


def grid(head: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    """A Markdown table."""
    rows = [head, ["---"] * len(head), *lines]
    escaped = ([str(cell).replace("|", r"\|") for cell in row] for row in rows)
    return "\n".join(f"| {' | '.join(row)} |" for row in escaped)


def main(arguments: Sequence[str] | None = None) -> int:
    """0; 2 where there is no run to take the rows from."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.suite.report.accuracy_page",
        description="Markdown tables of accuracy.",
    )
    parser.add_argument("--outputs", type=Path, default=Path("outputs"))
    parser.add_argument("--scale", default="default")
    asked = parser.parse_args(arguments)
    runs, _ = load_runs(asked.outputs)
    records = joined(Record(run) for run in runs)
    record = headline(records, "accuracy", asked.scale)
    if record is None:
        print(
            f"accuracy tables: expected a run of accuracy at scale={asked.scale} under "
            f"{str(asked.outputs)!r}, got none: run `python -m experiments experiment=accuracy "
            f"scale={asked.scale}` first",
            file=sys.stderr,
        )
        return 2
    print(page(record.rows), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
