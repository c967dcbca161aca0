"""The page that compares methods with printed figures: docs/comparison.md, by `make comparison`.

python -m experiments.suite.report.comparison_page --outputs outputs --docs docs
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.suite.claims.intervals import bootstrap_interval, pooled_mean
from experiments.suite.claims.wording import between, duration, number
from experiments.suite.figures.labels import label
from experiments.suite.figures.notes import seed_note
from experiments.suite.figures.rendering import render
from experiments.suite.report.accuracy_page import grid
from experiments.suite.report.records import Record, joined, of_scale
from experiments.suite.report.texts import listed
from experiments.suite.store.files import write_atomic
from experiments.suite.store.joined import load_runs
from experiments.suite.task_tables import tables

if TYPE_CHECKING:
    import pandas as pd

comparison: Any = import_module("experiments.comparison")

OTHERS_BETTER = 0.005
"""A method is named as better in a family where it is ahead by more than so many nats."""


@dataclass(frozen=True)
class Source:
    """Where the rows of some methods come from.

    Attributes:
        methods: their names.
        rows: their rows.
        about: the provenance of their run.
    """

    methods: tuple[str, ...]
    rows: pd.DataFrame
    about: Mapping[str, Any]

    def __str__(self) -> str:
        commit = str(self.about.get("git_commit"))[:7]
        if self.about.get("git_dirty"):
            commit += f" with changes (sources {self.about.get('code')})"
        machine = f"{self.about.get('cores', 'several')} cores"
        system = self.about.get("platform", "several systems")
        seconds = duration(float(self.rows["seconds"].sum()), "coarse")
        return f"commit {commit}, {machine}, {system}: {seconds} of one core"


def latest(records: Sequence[Record]) -> list[Source]:
    """Each method's rows from the latest run that has it, the latest run first."""
    found: list[Source] = []
    taken: set[str] = set()
    for record in sorted(records, key=lambda one: one.order, reverse=True):
        new = tuple(m for m in record.rows["method"].unique() if m not in taken)
        if new:
            rows = record.rows[record.rows["method"].isin(new)]
            found.append(Source(new, rows, record.provenance))
            taken |= set(new)
    return found


def page(sources: Sequence[Source]) -> str:
    """The whole page."""
    found = tables.table(concatenated(sources))
    counts = sorted(found["n"].unique())
    parts = [
        "# Beside other estimators",
        introduction(found, sources),
        "![Mean absolute error against rows](figures/comparison.png)",
        "## All tasks",
        (
            "Mean over tasks and seeds of |estimate − truth| in nats, with its 95 % interval (a "
            "bootstrap over seeds). In brackets: the mean over tasks of |mean estimate − truth|."
        ),
        overall(found, counts),
        "## As printed by others",
        (
            "Mean absolute error in nats, Table 2 of [Alice](https://arxiv.org/abs/2609.34962) "
            "(Franzese, Rossi and Michiardi, 2026), means of five seeds. These were not run here. "
            "There Alice trains nothing on the data, and its competitors are tuned per task."
        ),
        printed(counts),
        "## By family of tasks",
        "Mean |estimate − truth| in nats.",
        *(part for n in counts for part in (f"### {n:,} rows", by_family(found, n))),
        "## The interval of auto",
        (
            "Cells whose 95 % interval covers the truth, and in brackets the mean interval score "
            "in nats: the width, and 40 times what the interval misses by (Winkler, 1972)."
        ),
        intervals(found, counts),
        "![Coverage and interval score by family](figures/comparison_intervals.png)",
        "## Where others are better",
        better(found),
    ]
    return "\n\n".join(parts) + "\n"


def concatenated(sources: Sequence[Source]) -> pd.DataFrame:
    import pandas as pd

    return pd.concat([source.rows for source in sources], ignore_index=True)


def introduction(rows: pd.DataFrame, sources: Sequence[Source]) -> str:
    return (
        "Made by `make comparison`: do not edit. The tasks are the "
        f"{rows['name'].nunique()} of [Beyond Normal](https://arxiv.org/abs/2306.11078) (Czyż et "
        f"al., 2023), and every method has one setting for all of them. {seed_note(rows)}. "
        f"{origin(sources)}."
    )


def origin(sources: Sequence[Source]) -> str:
    """'The rows come from commit abcdef0, 2 cores, ...', of one run or of several."""
    if len(sources) == 1:
        return f"The rows come from {sources[0]}"
    of_each = (f"those of {listed([*map(label, one.methods)])} from {one}" for one in sources)
    return "The rows come from several runs: " + "; ".join(of_each)


def overall(rows: pd.DataFrame, counts: Sequence[int]) -> str:
    """A line a method, the nearest first; a column for each number of rows."""
    last = rows[rows["n"] == counts[-1]]
    return grid(
        ["method", *(f"{n:,} rows" for n in counts), "lost cells"],
        (
            [label(method), *(cell(own, n) for n in counts), int((own["status"] != "ok").sum())]
            for method in tables.per_method(last)["method"]
            for own in [rows[rows["method"] == method]]
        ),
    )


def cell(rows: pd.DataFrame, n: int) -> str:
    """'0.043 [0.040, 0.047] (0.038)': one method at n rows."""
    own = rows[rows["n"] == n]
    if not len(own):
        return "–"
    groups = [one["size"].to_numpy(float) for _, one in own.groupby("name")]
    mean = float(own["size"].mean())
    if not math.isfinite(mean):
        return "infinite: a cell was lost"
    several = max(map(len, groups)) > 1
    interval = f" {between(bootstrap_interval(groups, pooled_mean))}" if several else ""
    return f"{number(mean)}{interval} ({number(comparison.of_means(own))})"


def printed(counts: Sequence[int]) -> str:
    """The printed figures at the numbers of rows that were run."""
    shown = [i for i, n in enumerate(comparison.PRINTED_ROWS) if n in counts]
    return grid(
        ["estimator", *(f"{comparison.PRINTED_ROWS[i]:,} rows" for i in shown)],
        (
            [name, *(number(values[i]) if values[i] < math.inf else "> 10" for i in shown)]
            for name, values in comparison.PRINTED.items()
        ),
    )


def by_family(rows: pd.DataFrame, n: int) -> str:
    """A line a family of tasks, a column a method; the least error of a line is bold."""
    own = rows[rows["n"] == n]
    methods = list(tables.per_method(own)["method"])
    means = own.groupby(["family", "method"])["size"].mean()
    families = dict.fromkeys(tables.places(own)["family"])

    def texts(family: str) -> Iterator[str]:
        values = [float(means[family, method]) for method in methods]
        for value in values:
            text = number(value) if math.isfinite(value) else "lost"
            yield f"**{text}**" if value == min(values) else text

    return grid(
        ["family", "tasks", *map(label, methods)],
        (
            [family, own.loc[own["family"] == family, "name"].nunique(), *texts(family)]
            for family in families
        ),
    )


def intervals(rows: pd.DataFrame, counts: Sequence[int]) -> str:
    """A line a family and one for all, a column for each number of rows."""
    own = rows[(rows["method"] == comparison.OWN) & (rows["status"] == "ok")]

    def text(part: pd.DataFrame) -> str:
        covered = f"{int(part['covered'].sum())} of {len(part)}"
        return f"{covered} ({number(float(part['score'].mean()))})" if len(part) else "–"

    families = list(dict.fromkeys(tables.places(own)["family"]))
    parts = [*((name, own[own["family"] == name]) for name in families), ("all", own)]
    return grid(
        ["family", *(f"{n:,} rows" for n in counts)],
        ([name, *(text(part[part["n"] == n]) for n in counts)] for name, part in parts),
    )


def better(rows: pd.DataFrame) -> str:
    """The families in which another method is nearer than auto, in sentences."""
    lines = []
    for (n, family), part in rows.groupby(["n", "family"]):
        means = part.groupby("method")["size"].mean()
        if comparison.OWN not in means:
            continue
        own = float(means[comparison.OWN])
        ahead = means[means < own - OTHERS_BETTER].sort_values()
        if len(ahead):
            named = ", ".join(f"{label(m)} {number(float(v))}" for m, v in ahead.items())
            lines.append(f"- {family}, {n:,} rows: {named}; auto {number(own)}")
    if not lines:
        return "In no family."
    return f"Families where another method is nearer than auto by more than {OTHERS_BETTER} " + (
        "nats, mean |error|:\n\n" + "\n".join(lines)
    )


def write_page(
    experiment: Any, page: Callable[[Sequence[Source]], str], arguments: Sequence[str] | None
) -> int:
    """docs/<experiment>.md and its figures, from the rows of its runs.

    Args:
        experiment: its module, whose name the page has.
        page: the text, of the rows and where they come from.
        arguments: of the command line.

    Returns:
        0; 2 where there is no run to take the rows from.
    """
    name = experiment.__name__.rsplit(".", 1)[-1]
    program = f"python -m experiments.suite.report.{name}_page"
    parser = argparse.ArgumentParser(
        prog=program,
        description=f"docs/{name}.md and its figure, from the rows of {name}.",
        epilog=f"example: {program} --outputs outputs",
    )
    parser.add_argument("--outputs", type=Path, default=Path("outputs"))
    parser.add_argument("--scale", default="default")
    parser.add_argument("--docs", type=Path, default=Path("docs"), help="where to write (docs)")
    asked = parser.parse_args(arguments)
    runs = joined(Record(run) for run in load_runs(asked.outputs)[0])
    sources = latest([r for r in of_scale(runs, name, asked.scale) if len(r.rows)])
    if not sources:
        print(
            f"{name} page: expected a run of {name} at scale={asked.scale} under "
            f"{str(asked.outputs)!r}, got none: run `make {name}` first",
            file=sys.stderr,
        )
        return 2
    text = page(sources)
    write_atomic(asked.docs / f"{name}.md", text.encode())
    for figure_name, figure in experiment.figures(concatenated(sources)).items():
        write_atomic(asked.docs / "figures" / f"{figure_name}.png", render(figure)["png"])
    print(f"Wrote {asked.docs / f'{name}.md'}")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """0; 2 where there is no run to take the rows from."""
    return write_page(comparison, page, arguments)


if __name__ == "__main__":
    sys.exit(main())
