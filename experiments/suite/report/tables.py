"""A run's rows as tables of text: estimates, lost cells, warnings."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from experiments.suite.claims.rows import summary, without_probed_truths
from experiments.suite.figures.labels import label
from experiments.suite.figures.palette import order
from experiments.suite.report.texts import Value, described, field_text, listed, params_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Table:
    """Estimates of one role: what all its cells share, the columns that vary, and the lines."""

    title: str
    names: list[str]
    lines: list[dict[str, Any]]


def tables(rows: pd.DataFrame) -> list[Table]:
    """One table of estimates for each role and task, lines sorted by their fields."""
    return [
        estimates(f"{role}: {task}" if role else str(task), group)
        for (role, task), group in rows.groupby(["role", "task"], sort=False)
    ]


def estimates(title: str, rows: pd.DataFrame) -> Table:
    """Mean over seeds with interval, truth, error and seconds for each task and method."""
    lines = summary(without_probed_truths(rows), ["params", "method"]).to_dict("records")
    fields = {line["params"]: params_of(line["params"]) for line in lines}
    names = list(dict.fromkeys(key for one in fields.values() for key in one))
    values = {key: {field_text(one.get(key, "")) for one in fields.values()} for key in names}
    shared = [f"{key} {next(iter(values[key]))}" for key in names if len(values[key]) == 1]
    varying = [key for key in names if len(values[key]) > 1]
    methods = order(set(rows["method"]))

    def cells(line: Mapping[str, Any]) -> list[Any]:
        return [fields[line["params"]].get(key, "") for key in varying]

    def place(line: Mapping[str, Any]) -> tuple[list[tuple[bool, float, str]], int]:
        return [_sort_key(cell) for cell in cells(line)], methods.index(line["method"])

    return Table(
        ", ".join([title, *shared]),
        varying,
        [
            {"params": [field_text(cell) for cell in cells(line)], **_estimate(line)}
            for line in sorted(lines, key=place)
        ],
    )


def _sort_key(cell: Any) -> tuple[bool, float, str]:
    """Numbers by size, before texts."""
    number = isinstance(cell, int | float)
    return not number, float(cell) if number else 0.0, str(cell)


def _estimate(line: Mapping[str, Any]) -> dict[str, Any]:
    """A line of a `summary` as text."""
    return {
        "method": label(line["method"]),
        "estimate": Value.of(line["mean"]),
        "interval": Value.between(line["low"], line["high"]),
        "truth": Value.of(line["truth"]),
        "error": Value.of(line["error"], signed=True),
        "seeds": seeds_of(line),
        "seconds": f"{line['seconds']:.1f}",
    }


def seeds_of(line: Mapping[str, Any]) -> str:
    """'3', or '1 of 3: 2 diverged' where some were lost."""
    lost = [f"{line[status]} {status}" for status in ("diverged", "failed") if line[status]]
    total = line["ok"] + line["diverged"] + line["failed"]
    return f"{line['ok']} of {total}: {', '.join(lost)}" if lost else str(total)


def lost_cells(rows: pd.DataFrame) -> list[dict[str, str]]:
    """Failed cells, then diverged ones, with their reasons; seeds of one task in one line."""
    same = ["status", "role", "task", "params", "method", "reason"]
    lost = rows[rows["status"] != "ok"].sort_values("status", ascending=False, kind="stable")
    return [
        {
            "status": status,
            "role": role,
            "task": f"{task}: {described(params)}",
            "method": label(method),
            "seeds": listed(group["seed"]),
            "steps": listed(step for step in group["step_diverged"] if step >= 0),
            "reason": reason or "no reason given",
        }
        for (status, role, task, params, method, reason), group in lost.groupby(same, sort=False)
    ]


def warnings_of(rows: pd.DataFrame) -> list[tuple[str, int]]:
    """(a cell's warnings with their numbers left out, cells that carry them), frequent first."""
    kinds = (re.sub(r"-?\d+(\.\d+)?(e[+-]?\d+)?", "…", text) for text in rows["warnings"])
    found = Counter(kind for kind in kinds if kind)
    return sorted(found.items(), key=lambda item: (-item[1], item[0]))
