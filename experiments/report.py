"""The report: rows, configs and provenance to figures, claims and pages. Nothing is computed anew.

    python -m experiments.report --outputs outputs --scale default

For each experiment the headline run is the most recently updated finished run of the scale asked
for. From the headline runs come the figures (in each run's folder, and over all runs) and the
claims; results.csv holds the rows of all runs. An experiment is any module of this package that
defines `cells`, `figures` and `claims`: a new one is in the report as soon as its module exists.

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
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from experiments import store
from experiments.claims import BITS_PER_NAT, Claim, number, summary
from experiments.figures import DARK, label, order

if TYPE_CHECKING:
    import pandas as pd

HERE = Path(__file__).parent
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
BADGES = {"reproduced": "✓", "not reproduced": "✗", "inconclusive": "?"}
PAGE_COLOURS = {
    "#000000": "var(--truth)",
    "#222222": "var(--ink)",
    "#ffffff": "var(--paper)",
    "#ececec": "var(--shade)",
    "#dddddd": "var(--grid)",
    **{colour: f"var(--c{colour[1:]})" for colour in DARK},
}
"""The figures' colours that follow the page; the others, and those of map cells, stay."""
EXAMPLE = "example: python -m experiments.report --outputs outputs --scale smoke"


# Experiments and runs


def experiment_names() -> list[str]:
    """The modules of this package that define cells, figures and claims; read, not imported."""
    wanted = {"cells", "figures", "claims"}
    return [
        path.stem
        for path in sorted(HERE.glob("*.py"))
        if wanted <= {n.name for n in ast.parse(path.read_bytes()).body if hasattr(n, "name")}
    ]


def experiments_in_order() -> dict[str, ModuleType]:
    """Name -> module, in the order of the paper's sections."""
    modules = {name: importlib.import_module(f"experiments.{name}") for name in experiment_names()}
    return dict(sorted(modules.items(), key=lambda item: getattr(item[1], "PAPER", "~")))


@dataclass(frozen=True)
class Record:
    """A run with its files read once."""

    run: store.Run

    @cached_property
    def rows(self) -> pd.DataFrame:
        return self.run.read_rows()

    @cached_property
    def config(self) -> dict[str, Any]:
        return self.run.read_config()

    @cached_property
    def provenance(self) -> dict[str, Any]:
        return self.run.read_provenance()

    @cached_property
    def status(self) -> dict[str, Any]:
        return self.run.read_status()

    @property
    def scale(self) -> str:
        scale = self.config.get("scale")
        return str(scale.get("name", "")) if isinstance(scale, Mapping) else ""

    @property
    def order(self) -> tuple[str, str]:
        """Runs sort by it, the latest last."""
        return str(self.status.get("updated", "")), self.run.run_id


def headline(records: Iterable[Record], name: str, scale: str | None) -> Record | None:
    """The run that stands for an experiment: the latest finished one of that scale.

    Without a finished one, the latest that has any rows; the report says that it is unfinished.
    """
    of_scale = [r for r in records if r.run.experiment == name and scale in (None, r.scale)]
    finished = [r for r in of_scale if r.status.get("state") == "finished"]
    return max(
        finished or [r for r in of_scale if len(r.rows)], key=lambda r: r.order, default=None
    )


# Figures


def draw(module: ModuleType, rows: pd.DataFrame) -> dict[str, Drawn]:
    """An experiment's figures, rendered."""
    from experiments.figures import render

    return {
        name: Drawn(name, figure.get_label(), render(figure))
        for name, figure in module.figures(rows).items()
    }


@dataclass(frozen=True)
class Drawn:
    """A rendered figure: name, caption, and bytes by kind (svg, pdf, png)."""

    name: str
    caption: str
    kinds: Mapping[str, bytes]

    @property
    def inline(self) -> str:
        """The SVG as part of an HTML page: ids of its own, the page's font and frame colours."""
        svg = self.kinds["svg"].decode()
        svg = svg[svg.index("<svg") :]
        svg = re.sub(r"<metadata>.*?</metadata>|<style[^>]*>.*?</style>", "", svg, flags=re.S)
        svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{self.name}-", svg)
        svg = re.sub(r"'DejaVu Sans'[^;\"]*sans-serif", "var(--sans)", svg)
        for colour, variable in PAGE_COLOURS.items():
            svg = svg.replace(f": {colour}", f": {variable}")
        size = re.search(r'viewBox="0 0 ([\d.]+) ', svg)
        width = round(float(size[1])) if size else 600
        attributes = (
            f'<svg role="img" aria-label="{html.escape(self.caption)}"'
            f' style="min-width:{round(1.1 * width)}px;max-width:{round(1.45 * width)}px"'
        )
        return re.sub(r'<svg( width="[^"]*"| height="[^"]*")*', attributes, svg, count=1)

    def write(self, folder: Path) -> None:
        """Writes <folder>/<name>.<kind> for each kind, atomically."""
        for kind, data in self.kinds.items():
            store.write_atomic(folder / f"{self.name}.{kind}", data)


def draw_run(run: store.Run) -> dict[str, Drawn]:
    """Draws a run's figures from its rows, into its folder: for the runner when it is done."""
    drawn = draw(importlib.import_module(f"experiments.{run.experiment}"), run.read_rows())
    for figure in drawn.values():
        figure.write(run.figures)
    return drawn


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
    fields = {params: params_of(params) for params in {line["params"] for line in lines}}
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


def duration(seconds: Any) -> str:
    """'6 min 52 s'."""
    if not isinstance(seconds, int | float) or not math.isfinite(seconds):
        return "unknown"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"


@dataclass(frozen=True)
class Section:
    """One experiment's part of the report; `record` is None where it has no run."""

    name: str
    title: str
    record: Record | None
    claims: list[Claim]
    figures: list[Drawn]
    problems: list[str]

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


def section(name: str, module: ModuleType, record: Record | None) -> Section:
    """Draws and judges one experiment; what goes wrong there is said in its section."""
    title = (module.__doc__ or name).strip().splitlines()[0]
    if record is None or not len(record.rows):
        return Section(name, title, record, [], [], [])
    problems: list[str] = []

    def attempt(what: str, make: Callable[[], Any], otherwise: Any) -> Any:
        try:
            return make()
        except Exception as error:
            problems.append(f"{name}: {what}: {type(error).__name__}: {error}")
            return otherwise

    claims = attempt("claims", lambda: module.claims(record.rows), [])
    drawn = attempt("figures", lambda: draw(module, record.rows), {})
    return Section(name, title, record, claims, list(drawn.values()), problems)


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


def results(records: Sequence[Record]) -> pd.DataFrame:
    """The rows of all runs, `FIRST_COLUMNS` first."""
    rows = store.join_rows(record.run for record in records)
    return rows[[*FIRST_COLUMNS, *(name for name in rows.columns if name not in FIRST_COLUMNS)]]


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
    runs, problems = store.load_runs(outputs)
    records = [Record(run) for run in runs]
    sections = [
        section(name, module, headline(records, name, scale))
        for name, module in experiments_in_order().items()
    ]
    problems = problems + [problem for one in sections for problem in one.problems]
    for one in sections:
        for figure in one.figures:
            figure.write(outputs / "figures")
            if one.record:
                figure.write(one.record.run.figures)
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
        "dark": DARK,
    }
    written = {
        "results.csv": store.csv_bytes(results(records)),
        "claims.json": store.json_bytes([claim.as_dict() for claim in claims]),
        **{name: text.encode() for name, text in pages(context).items()},
    }
    for name, data in written.items():
        store.write_atomic(outputs / name, data)
    return outputs / "report.html", problems


# Command


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.report",
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
