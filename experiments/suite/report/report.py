"""The report: rows, configs and provenance to figures, claims and pages. Nothing is computed anew.

    python -m experiments.suite.report --outputs outputs --scale default

For each experiment the headline run is the most recently updated finished run of the scale asked
for. From the headline runs come the figures (in each run's folder, and over all runs) and the
claims. Where an experiment has several runs of that scale, with different settings, a section on
each sweep among them (experiments/suite/sweeps/sweep.py) compares all of these; sweeps.csv has
its numbers.
results.csv and results.parquet hold the rows of all runs. An experiment is any module of this
package that defines `cells`, `figures` and `claims`: a new one is in the report as soon as its
module exists.

The page is one file: figures are inline SVG, colours follow the reader's light or dark setting,
and its content security policy forbids every request. All text from rows, configs and statuses is
escaped. The clock is not read, so the same runs give the same bytes.
"""

from __future__ import annotations

import argparse
import ast
import html
import importlib
import json
import math
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from experiments.suite.claims.claim import Claim, judge
from experiments.suite.claims.rows import summary
from experiments.suite.claims.wording import BITS_PER_NAT, duration, number
from experiments.suite.figures.drawing import Drawn, side_by_side
from experiments.suite.figures.style import DARK, label, order
from experiments.suite.grid import shards
from experiments.suite.store import runs as store
from experiments.suite.sweeps import sweep

if TYPE_CHECKING:
    import pandas as pd

HERE = Path(__file__).parent
EXPERIMENTS = HERE.parents[1]
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
MAIN = ("gaussian", "equitability")
"""The experiments that the report begins with."""
BADGES = {"reproduced": "✓", "not reproduced": "✗", "inconclusive": "?"}
CRITERIA = {
    "value": "highest held-out value",
    "stability": "smallest spread over seeds",
}
"""What chooses a setting of a sweep, in words."""
CHOOSING = (
    "Highest held-out value: the mean estimate on samples that trained nothing, where one above"
    " ln n_test counts as ln n_test, since no more can be certified from n_test samples. Smallest"
    " spread: the standard deviation over seeds, averaged over tasks; a network that learns"
    " nothing is stable too. Both choose among the settings that have all cells and lost none to"
    " divergence or failure, and neither reads the truth."
)
WORST_FIRST = ("failed", "running", "stopped", "finished")
MOST_LINES = 200
"""Lines of a table on the pages; sweeps.csv and results.csv have all of them."""
EXAMPLE = "example: python -m experiments.suite.report --outputs outputs --scale smoke"


# Experiments and runs


@cache
def experiment_names() -> tuple[str, ...]:
    """The modules of experiments/ that define cells, figures and claims; read, not imported."""
    wanted = {"cells", "figures", "claims"}
    return tuple(
        path.stem
        for path in sorted(EXPERIMENTS.glob("*.py"))
        if wanted <= set(defined(ast.parse(path.read_bytes())))
    )


def defined(module: ast.Module) -> Iterator[str]:
    """The names of a module's functions, classes and variables."""
    for node in module.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (one.id for one in node.targets if isinstance(one, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id


def experiments_in_order() -> dict[str, ModuleType]:
    """Name -> module: the main ones, those on the paper's sections, those on the follow-ups."""
    modules = {name: importlib.import_module(f"experiments.{name}") for name in experiment_names()}

    def place(name: str) -> tuple[bool, bool, str]:
        paper = str(getattr(modules[name], "PAPER", "~"))
        return name not in MAIN, not paper.startswith("Sec."), paper

    return {name: modules[name] for name in sorted(modules, key=place)}


@dataclass(frozen=True)
class Record:
    """A run with its files read once; of a grid dealt to shards, all of them as one."""

    run: store.Run
    others: tuple[Record, ...] | None = None  # the further shards, in order; None for a run alone

    @cached_property
    def rows(self) -> pd.DataFrame:
        return store.join_rows([self.run, *(other.run for other in self.others or ())])

    @cached_property
    def curves(self) -> pd.DataFrame:
        return store.join_curves([self.run, *(other.run for other in self.others or ())])

    @cached_property
    def config(self) -> dict[str, Any]:
        return self.run.read_config()

    @cached_property
    def provenance(self) -> dict[str, Any]:
        return self.run.read_provenance()

    @cached_property
    def status(self) -> dict[str, Any]:
        own = self.run.read_status()
        return own if self.others is None else self._joined(own, self.others)

    def _joined(self, own: Mapping[str, Any], others: Sequence[Record]) -> dict[str, Any]:
        """The worst state, the sums, the latest time and the command of all shards."""
        all_of_them = [own, *(other.status for other in others)]
        states = {one["state"] for one in all_of_them} | ({"running"} if self.missing else set())
        command = str(
            own.get("command") or f"python -m experiments experiment={self.run.experiment} "
        )
        return {
            **own,
            "state": next(
                state for state in ("failed", "running", "stopped", "finished") if state in states
            ),
            "seconds": sum(float(one.get("seconds", 0.0)) for one in all_of_them),
            "updated": max(str(one.get("updated", "")) for one in all_of_them),
            "halved": [stack for one in all_of_them for stack in one.get("halved", [])],
            "command": shards.sweep_command(command, range(self.config["shards"])),
        }

    @cached_property
    def missing(self) -> list[int]:
        """The shards that have no run."""
        if self.others is None:
            return []
        return shards.missing([self.config, *(other.config for other in self.others)])

    @property
    def problems(self) -> list[str]:
        """What a reader of the joined rows must know, a line each."""
        if not self.missing:
            return []
        command = shards.sweep_command(str(self.status["command"]), self.missing)
        are = "is" if len(self.missing) == 1 else "are"
        where = f"{self.run.experiment} {self.run.run_id}: of {self.config['shards']} shards"
        return [f"{where}, {listed(self.missing)} {are} missing: run `{command}`"]

    @property
    def scale(self) -> str:
        scale = self.config.get("scale")
        return str(scale.get("name", "")) if isinstance(scale, Mapping) else ""

    @property
    def order(self) -> tuple[str, str]:
        """Runs sort by it, the latest last."""
        return str(self.status.get("updated", "")), self.run.run_id


def joined(records: Iterable[Record]) -> list[Record]:
    """The shards of one grid as one record, of each shard the latest run; others as they are."""
    families: dict[tuple[str, str], dict[int, Record]] = {}
    found = []
    for record in sorted(records, key=lambda one: one.run.run_id):
        count, place = shards.place(record.config)
        if count == 1:
            found.append(record)
            continue
        parts = families.setdefault((record.run.experiment, shards.family(record.config)), {})
        parts[place] = max(parts.get(place, record), record, key=lambda one: one.order)
    for parts in families.values():
        first, *others = (parts[place] for place in sorted(parts))
        found.append(Record(first.run, tuple(others)))
    return found


def headline(records: Iterable[Record], name: str, scale: str | None) -> Record | None:
    """The run that stands for an experiment: the latest finished one of that scale.

    Without a finished one, the latest that has any rows; the report says that it is unfinished.
    """
    own = of_scale(records, name, scale)
    finished = [r for r in own if r.status.get("state") == "finished"]
    return max(finished or [r for r in own if len(r.rows)], key=lambda r: r.order, default=None)


def of_scale(records: Iterable[Record], name: str, scale: str | None) -> list[Record]:
    """The runs of an experiment at that scale, or at any."""
    return [r for r in records if r.run.experiment == name and scale in (None, r.scale)]


# What the pages show, as plain text


@dataclass(frozen=True)
class Value:
    """A number in nats with its bits, as text."""

    nats: str
    bits: str

    @classmethod
    def of(cls, value: float, signed: bool = False) -> Value:
        return cls(number(value, signed), number(value * BITS_PER_NAT, signed))

    @classmethod
    def between(cls, low: float, high: float) -> Value:
        """An interval; a dash where there is none."""
        if math.isnan(low) or math.isnan(high):
            return cls("–", "–")
        one, two = cls.of(low), cls.of(high)
        return cls(f"{one.nats} to {two.nats}", f"{one.bits} to {two.bits}")


@dataclass(frozen=True)
class Table:
    """Estimates of one role: what all its cells share, the columns that vary, and the lines."""

    title: str
    names: list[str]
    lines: list[dict[str, Any]]


def flat(params: Mapping[str, Any]) -> dict[str, Any]:
    """Task fields without nesting and targets: {'function': 'cube', 'sigma': .1, ...}."""
    found: dict[str, Any] = {}
    for key, value in params.items():
        if isinstance(value, Mapping):
            found |= flat(value)
        elif key != "_target_":
            found[key] = value
    return found


def params_of(text: str) -> dict[str, Any]:
    """The fields of a row's `params`; the text itself where it is no JSON object."""
    try:
        parsed = json.loads(text)
    except ValueError:
        parsed = text
    return flat(parsed) if isinstance(parsed, Mapping) else {"params": text}


def show(value: Any) -> str:
    """A field's value as text."""
    return f"{value:g}".replace("-", "−") if isinstance(value, float) else str(value)


def described(params: str) -> str:
    """'rho 0.5, dim 20'."""
    return ", ".join(f"{key} {show(value)}" for key, value in params_of(params).items())


def tables(rows: pd.DataFrame) -> list[Table]:
    """One table of estimates for each role and task, lines sorted by their fields."""
    return [
        estimates(f"{role}: {task}" if role else str(task), group)
        for (role, task), group in rows.groupby(["role", "task"], sort=False)
    ]


def estimates(title: str, rows: pd.DataFrame) -> Table:
    """Mean over seeds with interval, truth, error and seconds for each task and method."""
    lines = summary(rows, ["params", "method"]).to_dict("records")
    fields = {line["params"]: params_of(line["params"]) for line in lines}
    names = list(dict.fromkeys(key for one in fields.values() for key in one))
    values = {key: {show(one.get(key, "")) for one in fields.values()} for key in names}
    shared = [f"{key} {next(iter(values[key]))}" for key in names if len(values[key]) == 1]
    varying = [key for key in names if len(values[key]) > 1]

    methods = order(set(rows["method"]))

    def place(line: Mapping[str, Any]) -> tuple[list[tuple[bool, float, str]], int]:
        cells = [fields[line["params"]].get(key, "") for key in varying]
        numeric = [isinstance(cell, int | float) for cell in cells]
        keys = [
            (not n, float(cell) if n else 0.0, str(cell))
            for n, cell in zip(numeric, cells, strict=True)
        ]
        return keys, methods.index(line["method"])

    return Table(
        ", ".join([title, *shared]),
        varying,
        [
            {
                "params": [show(fields[line["params"]].get(key, "")) for key in varying],
                "method": label(line["method"]),
                "estimate": Value.of(line["mean"]),
                "interval": Value.between(line["low"], line["high"]),
                "truth": Value.of(line["truth"]),
                "error": Value.of(line["error"], signed=True),
                "seeds": seeds_of(line),
                "seconds": f"{line['seconds']:.1f}",
            }
            for line in sorted(lines, key=place)
        ],
    )


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


def listed(values: Iterable[Any]) -> str:
    """'0, 1, 2'; '–' without any."""
    return ", ".join(str(value) for value in dict.fromkeys(values)) or "–"


def warnings_of(rows: pd.DataFrame) -> list[tuple[str, int]]:
    """(a cell's warnings with their numbers left out, cells that carry them), frequent first."""
    kinds = (re.sub(r"-?\d+(\.\d+)?(e[+-]?\d+)?", "…", text) for text in rows["warnings"])
    found = Counter(kind for kind in kinds if kind)
    return sorted(found.items(), key=lambda item: (-item[1], item[0]))


def facts(nested: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """A nested mapping as (dotted name, text) pairs."""
    found: list[tuple[str, str]] = []
    for key, value in nested.items():
        if isinstance(value, Mapping):
            found += facts(value, f"{prefix}{key}.")
        else:
            found.append((f"{prefix}{key}", "unknown" if value is None else str(value)))
    return found


# Sweeps


@dataclass(frozen=True)
class SweepPart:
    """A sweep's part of an experiment's section."""

    sweep: sweep.Sweep
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
        return len(set(self.sweep.settings.values()))


def few(texts: Sequence[str], most: int = 24) -> str:
    """'a, b, c', or 'a, b, ..., z (90 values)' where there are many."""
    if len(texts) <= most:
        return ", ".join(texts)
    return f"{', '.join(texts[: most - 1])}, …, {texts[-1]} ({len(texts)} values)"


def sweep_parts(name: str, records: Sequence[Record], rows: pd.DataFrame) -> list[SweepPart]:
    """The sweeps among the runs of an experiment, each drawn and judged.

    Args:
        name: the experiment.
        records: its runs.
        rows: the rows of all runs, with the columns `sweep.COLUMNS`.
    """
    asked = [
        sweep.Asked(
            record.run.run_id,
            record.config,
            str(record.status.get("command", "")),
            str(record.provenance.get("version", "")),
        )
        for record in records
    ]
    found = sweep.split(name, asked) if len(asked) > 1 else []
    return [
        sweep_part(one, rows, f"{name}_sweep{i or ''}" if len(found) > 1 else f"{name}_sweep")
        for i, one in enumerate(found, start=1)
        if rows["run_id"].isin([run.run_id for run in one.runs]).any()
    ]


def sweep_part(one: sweep.Sweep, rows: pd.DataFrame, name: str) -> SweepPart:
    """Draws and tabulates one sweep; its figures' names begin with `name`."""
    from experiments.suite.figures.style import render
    from experiments.suite.sweeps.figures import figures

    table = one.table(rows)
    lines = sweep.measures(table, ["role", *one.keys, "method"])
    return SweepPart(
        one,
        [
            Drawn(figure_name, str(figure.get_label()), render(figure))
            for figure_name, figure in figures(one, rows, name).items()
        ],
        [
            sweep_table(one, str(role), lines[lines["role"] == role])
            for role in table["role"].unique()
        ],
        [choice_line(one, choice) for choice in sweep.choices(one, rows)],
        lines,
    )


def sweep_table(one: sweep.Sweep, role: str, lines: pd.DataFrame) -> Table:
    """A line for each method and setting of a role."""
    methods = order({str(method) for method in lines["method"]})
    rank = {method: i for i, method in enumerate(methods)}
    records = lines.to_dict("records")
    records.sort(key=lambda line: (rank[str(line["method"])], [line[key] for key in one.keys]))
    return Table(
        role or "all cells",
        [axis.short for axis in one.axes],
        [
            {
                "params": [axis.labels[line[axis.key]] for axis in one.axes],
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


def choice_line(one: sweep.Sweep, choice: sweep.Choice) -> dict[str, Any]:
    """What one criterion chose for a role and method, as text."""
    return {
        "role": choice.role,
        "method": label(choice.method),
        "criterion": CRITERIA[choice.criterion],
        "setting": choice.reason if choice.setting is None else one.name(choice.setting),
        "score": Value.of(choice.score),
        "error": Value.of(choice.error),
        "nearest": "–" if choice.nearest is None else one.name(choice.nearest),
        "least": Value.of(choice.least),
    }


def sweeps_csv(sections: Iterable[Section]) -> bytes:
    """The measures of every setting of every sweep; a setting is a JSON object."""
    import pandas as pd

    frames = []
    for name, part in ((one.name, part) for one in sections for part in one.sweeps):
        axes = part.sweep.axes
        settings = [
            store.canonical_json({a.key: a.values[i] for a, i in zip(axes, places, strict=True)})
            for places in part.lines[part.sweep.keys].itertuples(index=False)
        ]
        frame = part.lines.drop(columns=part.sweep.keys)
        frame.insert(0, "setting", settings)
        frame.insert(0, "experiment", name)
        frames.append(
            frame.assign(role=frame["role"].astype("str"), method=frame["method"].astype("str"))
        )
    columns = ["experiment", "setting", "role", "method"]
    joined = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)
    return store.csv_bytes(joined)


@dataclass(frozen=True)
class Section:
    """One experiment's part of the report; `record` is None where it has no run."""

    name: str
    title: str
    record: Record | None
    claims: list[Claim]
    figures: list[Drawn]
    problems: list[str]
    sweeps: list[SweepPart] = field(default_factory=list)

    @property
    def state(self) -> str:
        return str(self.record.status.get("state", "unknown")) if self.record else "no run"

    @property
    def counts(self) -> dict[str, int]:
        """Cells by status."""
        statuses = self.record.rows["status"] if self.record else []
        return {status: int(sum(s == status for s in statuses)) for status in store.ROW_STATUSES}

    @property
    def command(self) -> str:
        """What runs it again, on one line."""
        default = f"python -m experiments experiment={self.name}"
        found = self.record.status.get("command") if self.record else None
        return " ".join(str(found or default).split())

    @property
    def seconds(self) -> str:
        return duration(self.record.status.get("seconds")) if self.record else "–"

    @property
    def tables(self) -> list[Table]:
        return tables(self.record.rows) if self.record else []

    @property
    def lost(self) -> list[dict[str, str]]:
        return lost_cells(self.record.rows) if self.record else []

    @property
    def warnings(self) -> list[tuple[str, int]]:
        return warnings_of(self.record.rows) if self.record else []

    @property
    def provenance(self) -> list[tuple[str, str]]:
        return facts(self.record.provenance) if self.record else []

    @property
    def config(self) -> list[tuple[str, str]]:
        return facts(self.record.config) if self.record else []


def section(
    name: str,
    module: ModuleType,
    record: Record | None,
    figures: Callable[[], Mapping[str, Drawn]] | None,
    sweeps: Callable[[], list[SweepPart]],
) -> Section:
    """One experiment drawn and judged, and its sweeps; what goes wrong is said in its section.

    `figures` is None where there are no rows to draw.
    """
    title = (module.__doc__ or name).strip().splitlines()[0]
    if record is None or figures is None:
        return Section(name, title, record, [], [], [])
    problems: list[str] = []

    def attempt(what: str, make: Callable[[], Any], otherwise: Any) -> Any:
        try:
            return make()
        except Exception as error:
            problems.append(f"{name}: {what}: {type(error).__name__}: {error}")
            return otherwise

    claims = attempt("claims", lambda: judge(module, record.rows, record.curves), [])
    drawn = attempt("figures", figures, {})
    swept = attempt("sweep", sweeps, [])
    return Section(name, title, record, claims, list(drawn.values()), problems, swept)


# Pages


def markdown(value: Any) -> Any:
    """Text that no Markdown reader takes for markup; what is marked as safe stays."""
    from markupsafe import Markup

    if isinstance(value, Markup):
        return value
    text = html.escape(" ".join(str(value).split()), quote=False)
    return re.sub(r"([\\`*_\[\]|~$]|^[#+-])", r"\\\1", text)


def pages(context: Mapping[str, Any]) -> dict[str, str]:
    """report.html and report.md."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    def page(name: str, **options: Any) -> str:
        environment = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            **options,
        )
        environment.filters["raw"] = Markup
        environment.filters["slug"] = lambda text: re.sub(r"[^a-z0-9]+", "-", str(text).lower())
        return environment.get_template(name).render(context)

    return {
        "report.html": page("report.html", autoescape=True),
        "report.md": page("report.md", autoescape=False, finalize=markdown),
    }


def join_results(outputs: Path) -> store.Joined:
    """All runs under `outputs`, their rows joined, `FIRST_COLUMNS` first."""
    others = [name for name in store.ROW_COLUMNS if name not in FIRST_COLUMNS]
    return store.join_runs(outputs, [*FIRST_COLUMNS, *others])


def write_results(outputs: Path, joined: store.Joined) -> None:
    """results.parquet and results.csv: the rows of all runs."""
    store.write_atomic(outputs / "results.parquet", joined.parquet)
    store.write_atomic(outputs / "results.csv", store.parquet_to_csv(joined.parquet))


def write_report(
    outputs: Path, scale: str | None = None, figures_only: bool = False
) -> tuple[Path, list[str]]:
    """Everything over all runs, under `outputs`; and the headline runs' figures in their folders.

    Args:
        outputs: the folder of the runs.
        scale: the headline runs' scale; the latest of any scale where it is None.
        figures_only: write the figures alone.

    Returns:
        The page's path (the figures' folder with `figures_only`), and what went wrong, one line
        each: folders that cannot be read, figures or claims that raised.

    Raises:
        FileNotFoundError: `outputs` is not a folder.
    """
    if not outputs.is_dir():
        raise FileNotFoundError(
            f"expected a folder with runs, got {str(outputs)!r}: run"
            " `python -m experiments experiment=gaussian` first, or name it with --outputs"
        )
    found = join_results(outputs)
    records = [Record(run) for run in found.runs]
    families = joined(records)
    rows = found.frame(sweep.COLUMNS)

    def swept(name: str) -> list[SweepPart]:
        return sweep_parts(name, of_scale(records, name, scale), rows)

    modules = experiments_in_order()
    heads = {name: headline(families, name, scale) for name in modules}
    shown = {n: (one.rows, one.curves) for n, one in heads.items() if one and len(one.rows)}
    with side_by_side(shown) as drawing:
        sections = [
            section(name, module, heads[name], drawing.get(name), partial(swept, name))
            for name, module in modules.items()
        ]
    apart = [problem for one in families for problem in one.problems]
    problems = found.problems + apart
    problems += [problem for one in sections for problem in one.problems]
    for one in sections:
        for figure in one.figures:
            figure.write(outputs / "figures")
            if one.record and one.record.others is None:  # a shard's are of its own rows
                figure.write(one.record.run.figures)
        for figure in (drawn for part in one.sweeps for drawn in part.figures):
            figure.write(outputs / "figures")
    if figures_only:
        return outputs / "figures", problems
    claims = [claim for one in sections for claim in one.claims]
    context = {
        "sections": sections,
        "claims": claims,
        "badges": BADGES,
        "verdicts": {verdict: sum(c.verdict == verdict for c in claims) for verdict in BADGES},
        "records": sorted(records, key=lambda record: record.order, reverse=True),
        "smoke": any(one.record and one.record.scale == "smoke" for one in sections),
        "scale": scale,
        "problems": problems,
        "duration": duration,
        "most_lines": MOST_LINES,
        "choosing": CHOOSING,
        "dark": DARK,
    }
    written = {
        "sweeps.csv": sweeps_csv(sections),
        "claims.json": store.json_bytes([claim.as_dict() for claim in claims]),
        **{name: text.encode() for name, text in pages(context).items()},
    }
    write_results(outputs, found)
    for name, data in written.items():
        store.write_atomic(outputs / name, data)
    return outputs / "report.html", problems


# Command


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.suite.report",
        description="Figures, claims, results.csv and the report, from the rows alone.",
        epilog=EXAMPLE,
    )
    parser.add_argument(
        "--outputs", type=Path, default=Path("outputs"), help="the folder of the runs (outputs)"
    )
    parser.add_argument(
        "--scale", help="show the latest finished runs of this scale, not of any scale"
    )
    parser.add_argument("--figures-only", action="store_true", help="write the figures alone")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """0; 1 where something could not be read or drawn; 2 where the folder cannot be used."""
    asked = parser().parse_args(arguments)
    try:
        path, problems = write_report(asked.outputs, asked.scale, asked.figures_only)
    except OSError as error:
        print(f"experiments.report: {error}", file=sys.stderr)
        return 2
    for problem in problems:
        print(f"experiments.report: {problem}", file=sys.stderr)
    print(f"Wrote {path}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
