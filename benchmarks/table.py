"""Rows as a table for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from benchmarks.results import Row, Spread, Verdict

WIDTH = 118
MEASURES = {
    "vs_careful": "times as fast as (a), the careful loop",
    "vs_notebook": "times as fast as (b), the notebook's loop",
    "of_peak": "share of (c), the matrix products' peak",
    "vs_k64": "network-steps a second, beside K = 64",
}


def show(rows: Sequence[Row], verdicts: Sequence[Verdict], head: str) -> None:
    """Prints what was measured, and whether it reaches the targets."""
    console = Console(width=WIDTH, highlight=False)
    console.print(head)
    console.print(_measurements(rows))
    if verdicts:
        console.print(_targets(verdicts))


def _measurements(rows: Sequence[Row]) -> Table:
    table = Table(title="Medians over rounds (least to most)", title_justify="left")
    for name in ("network-step", "trained by", "K", "threads", "µs per network-step"):
        table.add_column(
            name, justify="left" if name in ("network-step", "trained by") else "right"
        )
    for name in ("x (a)", "x (b)", "of (c)", "cores", "MiB"):
        table.add_column(name, justify="right")
    names = {"careful": "(a) careful", "notebook": "(b) notebook"}
    for before, r in zip([None, *rows], rows, strict=False):
        if before and before.shape != r.shape:
            table.add_section()
        table.add_row(
            str(r.shape),
            names.get(r.contender, r.contender),
            str(r.k),
            str(r.threads),
            f"{r.us.median:.1f} ({r.us.low:.1f} to {r.us.high:.1f})",
            f"{r.vs_careful.median:.2f}",
            f"{r.vs_notebook.median:.2f}",
            f"{r.of_peak.median:.3f}",
            f"{r.cores:.2f}",
            "" if r.memory_mib is None else f"{r.memory_mib:.0f}",
        )
    return table


def _targets(verdicts: Sequence[Verdict]) -> Table:
    table = Table(title="Targets, stated for 2 cores", title_justify="left")
    for name in ("network-step", "K", "measure", "to reach", "measured", ""):
        table.add_column(name, justify="right" if name in ("K", "to reach") else "left")
    for v in verdicts:
        t = v.target
        table.add_row(
            str(t.shape),
            str(t.k),
            MEASURES[t.measure],
            f"{t.least:.3g}",
            _spread(v.measured),
            "reached" if v.met else "missed",
        )
    return table


def _spread(s: Spread) -> str:
    return f"{s.median:.3g} ({s.low:.3g} to {s.high:.3g})"
