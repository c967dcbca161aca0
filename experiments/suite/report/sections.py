"""One experiment's part of the report: its run, claims, figures, tables and sweeps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import ModuleType
from typing import Any

from experiments.suite.claims.claim import Claim, judge
from experiments.suite.claims.wording import duration
from experiments.suite.figures.rendering import Drawn
from experiments.suite.report.origins import by_other_code, mixed
from experiments.suite.report.records import Record
from experiments.suite.report.sweeps import SweepPart
from experiments.suite.report.tables import Table, lost_cells, tables, warnings_of
from experiments.suite.report.texts import facts
from experiments.suite.store.errors import raised
from experiments.suite.store.tables import ROW_STATUSES


@dataclass(frozen=True)
class Section:
    """One experiment's part of the report; `record` is None where it has no run, and `wanted` is
    then the command that makes one."""

    name: str
    title: str
    record: Record | None
    wanted: str
    claims: list[Claim] = field(default_factory=list)
    figures: list[Drawn] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    sweeps: list[SweepPart] = field(default_factory=list)

    @cached_property
    def notes(self) -> list[str]:
        """What a reader must know of the rows: their settings, and where they come from."""
        if self.record is None or not len(self.record.rows):
            return []
        own = [f"its settings are not those of configs/: {self.changed}"] if self.changed else []
        return [*own, *mixed(self.record.rows), *by_other_code(self.record.rows)]

    @property
    def changed(self) -> str:
        """The overrides of its run; '' where the settings are those of configs/."""
        return " ".join(self.record.changed) if self.record else ""

    @property
    def state(self) -> str:
        return self.record.state if self.record else "no run"

    @cached_property
    def counts(self) -> dict[str, int]:
        """Cells by status."""
        statuses = self.record.rows["status"] if self.record else []
        return {status: int(sum(s == status for s in statuses)) for status in ROW_STATUSES}

    @cached_property
    def command(self) -> str:
        """What runs it again, on one line."""
        found = self.record.status.get("command") if self.record else None
        return " ".join(str(found or self.wanted).split())

    @cached_property
    def seconds(self) -> str:
        return duration(self.record.status.get("seconds")) if self.record else "–"

    @cached_property
    def tables(self) -> list[Table]:
        return tables(self.record.rows) if self.record else []

    @cached_property
    def lost(self) -> list[dict[str, str]]:
        return lost_cells(self.record.rows) if self.record else []

    @cached_property
    def warnings(self) -> list[tuple[str, int]]:
        return warnings_of(self.record.rows) if self.record else []

    @cached_property
    def provenance(self) -> list[tuple[str, str]]:
        return facts(self.record.provenance) if self.record else []

    @cached_property
    def config(self) -> list[tuple[str, str]]:
        return facts(self.record.config) if self.record else []


PARTS = ("counts", "command", "seconds", "notes", "tables", "lost", "warnings", "config")
"""What the templates show of a run."""


def section(
    name: str,
    module: ModuleType,
    record: Record | None,
    wanted: str,
    figures: Callable[[], Mapping[str, Drawn]] | None,
    sweeps: Callable[[], list[SweepPart]],
) -> Section:
    """One experiment drawn and judged, and its sweeps; its section says what went wrong.

    `figures` is None where there are no rows to draw.
    """
    title = (module.__doc__ or name).strip().splitlines()[0]
    if record is None or figures is None:
        return Section(name, title, record, wanted)
    problems: list[str] = []
    try:  # what a template asks for must not raise
        for part in PARTS:
            getattr(Section(name, title, record, wanted), part)
    except Exception as error:
        said = f"{name}: run {record.run.run_id}: {raised(error)}"
        return Section(name, title, None, wanted, problems=[f"{said}: it is left out"])

    def attempt(what: str, make: Callable[[], Any], otherwise: Any) -> Any:
        try:
            return make()
        except Exception as error:
            problems.append(f"{name}: {what}: {raised(error)}")
            return otherwise

    claims = attempt("claims", lambda: judge(module, record.rows, record.curves), [])
    if record.incomplete:
        so_far = f"an unfinished run, {len(record.rows)} cells so far"
        claims = [claim.undecided(so_far) for claim in claims]
    drawn = attempt("figures", figures, {})
    swept = attempt("sweep", sweeps, [])
    return Section(name, title, record, wanted, claims, list(drawn.values()), problems, swept)
