"""The report over all runs, written: rows, configs and provenance to figures, claims and pages.

Nothing is computed again. For each experiment the headline run is the most recently updated
finished run of the scale asked for. From the headline runs come the figures (in each run's folder,
and over all runs) and the claims. Where an experiment has several runs of that scale, with
different settings, a section on each sweep among them (experiments/suite/sweeps/) compares all of
these; sweeps.csv has its numbers. results.csv and results.parquet hold the rows of all runs.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from experiments.suite.figures.drawing import side_by_side
from experiments.suite.report.discovery import experiments_in_order
from experiments.suite.report.origins import COLUMNS as COLUMNS_OF_ORIGIN
from experiments.suite.report.origins import mixed
from experiments.suite.report.pages import pages
from experiments.suite.report.records import Record, headline, joined, of_scale
from experiments.suite.report.sections import Section, section
from experiments.suite.report.sweeps import SweepPart, sweep_parts, sweeps_csv
from experiments.suite.store.files import write_atomic
from experiments.suite.store.joined import Joined, join_runs
from experiments.suite.store.reading import leads_out
from experiments.suite.store.serialising import json_bytes
from experiments.suite.store.table_bytes import parquet_to_csv
from experiments.suite.store.tables import ROW_COLUMNS
from experiments.suite.sweeps.measures import COLUMNS

FIRST_COLUMNS = [
    "experiment",
    "run_id",
    "task",
    "params",
    "dim",
    "method",
    "seed",
    "n_train",
    "n_test",
    "steps",
    "nats",
    "stderr",
    "truth",
    "train_nats",
    "seconds",
    "device",
    "status",
    "reason",
]
"""The columns with which results.csv begins; the others follow."""


class Written(NamedTuple):
    """What `write_report` returns."""

    path: Path
    problems: list[str]
    notes: list[str]


def write_report(outputs: Path, scale: str | None = None, figures_only: bool = False) -> Written:
    """Everything over all runs, under `outputs`; and the headline runs' figures in their folders.

    Args:
        outputs: the folder of the runs.
        scale: the headline runs' scale; the latest of any scale where it is None.
        figures_only: write the figures alone.

    Returns:
        The page's path (the figures' folder with `figures_only`); what went wrong, one line each:
        folders that cannot be read, figures or claims that raised; and where the rows come from,
        where they do not come from one code and one kind of arithmetic.

    Raises:
        OSError: `outputs` is not a folder, or cannot be written.
    """
    if not outputs.is_dir():
        raise FileNotFoundError(
            f"expected a folder with runs, got {str(outputs)!r}: run"
            " `python -m experiments experiment=gaussian` first, or name it with --outputs"
        )
    if leads_out(outputs / "figures", outputs):
        raise OSError(
            f"expected a folder at {outputs / 'figures'}, got a link that leads out of "
            f"{outputs}: move it away"
        )
    found = join_results(outputs)
    records = [Record(run) for run in found.runs]
    families = joined(records)
    check_scale(outputs, records, scale)
    sections = make_sections(records, families, found, scale, outputs)
    write_figures(outputs, sections)
    problems = found.problems + [problem for one in families for problem in one.problems]
    problems += [problem for one in sections for problem in one.problems]
    if figures_only:
        return Written(outputs / "figures", problems, found.begun)
    notes = mixed(found.frame(COLUMNS_OF_ORIGIN))
    files = page_files(sections, records, scale, problems, notes)
    write_results(outputs, found)
    for name, data in files.items():
        write_atomic(outputs / name, data)
    notes += found.begun
    notes += [f"{one.name}: {note}" for one in sections for note in one.notes]
    return Written(outputs / "report.html", problems, notes)


def check_scale(outputs: Path, records: Sequence[Record], scale: str | None) -> None:
    """That there are runs of this scale, or none at all: a report of nothing replaces none.

    Raises:
        FileNotFoundError: all runs are of other scales.
    """
    scales = sorted({str(record.scale) for record in records})
    if scales and scale and scale not in scales:
        raise FileNotFoundError(
            f"expected runs at scale {scale} in {str(outputs)!r}, got runs at scale "
            f"{' and '.join(scales)}: give --scale {scales[0]} (make report SCALE={scales[0]})"
        )


def join_results(outputs: Path) -> Joined:
    """All runs under `outputs`, their rows joined, `FIRST_COLUMNS` first; without measures."""
    others = [name for name in ROW_COLUMNS if name not in (*FIRST_COLUMNS, "measures")]
    return join_runs(outputs, [*FIRST_COLUMNS, *others])


def make_sections(
    records: Sequence[Record],
    families: Sequence[Record],
    found: Joined,
    scale: str | None,
    outputs: Path,
) -> list[Section]:
    """A section for each experiment.

    Args:
        records: all runs.
        families: the same, with the shards of one grid as one record.
        found: the rows of all runs.
        scale: of the headline runs.
        outputs: the folder of the runs.
    """
    modules = experiments_in_order()
    heads = {name: headline(families, name, scale) for name in modules}
    shown = {n: (one.rows, one.curves) for n, one in heads.items() if one and len(one.rows)}
    rows = found.frame(COLUMNS)

    def swept(name: str) -> list[SweepPart]:
        return sweep_parts(name, of_scale(records, name, scale), rows)

    def wanted(name: str) -> str:
        words = [
            f"experiment={name}",
            *([f"scale={scale}"] if scale else ()),
            f"outputs={outputs}",
        ]
        return shlex.join(["python", "-m", "experiments", *words])

    with side_by_side(shown) as drawing:
        return [
            section(
                name, module, heads[name], wanted(name), drawing.get(name), partial(swept, name)
            )
            for name, module in modules.items()
        ]


def write_figures(outputs: Path, sections: Iterable[Section]) -> None:
    """All figures under `outputs`, and each headline run's in its folder."""
    for one in sections:
        drawn = [*one.figures, *(figure for part in one.sweeps for figure in part.figures)]
        for figure in drawn:
            figure.write(outputs / "figures")
        if one.record and one.record.others is None:  # a shard's folder has those of its own rows
            for figure in one.figures:
                figure.write(one.record.run.figures)


def write_results(outputs: Path, joined: Joined) -> None:
    """results.parquet and results.csv: the rows of all runs."""
    write_atomic(outputs / "results.parquet", joined.parquet)
    write_atomic(outputs / "results.csv", parquet_to_csv(joined.parquet))


def page_files(
    sections: Sequence[Section],
    records: Sequence[Record],
    scale: str | None,
    problems: Sequence[str],
    notes: Sequence[str],
) -> dict[str, bytes]:
    """sweeps.csv, claims.json and the pages; see `pages`."""
    claims = [claim for one in sections for claim in one.claims]
    texts = pages(sections, records, claims, scale, problems, notes)
    return {
        "sweeps.csv": sweeps_csv((one.name, part) for one in sections for part in one.sweeps),
        "claims.json": json_bytes([claim.as_dict() for claim in claims]),
        **{name: text.encode() for name, text in texts.items()},
    }
