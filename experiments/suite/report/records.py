"""Runs as the report reads them: each file once, shards of one grid joined, the headline run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from experiments.suite.grid import shards
from experiments.suite.report.origins import commits
from experiments.suite.report.texts import listed
from experiments.suite.store.joined import join_curves, join_rows
from experiments.suite.store.runs import Run
from experiments.suite.sweeps.commands import changes

if TYPE_CHECKING:
    import pandas as pd

WORST_FIRST = ("failed", "running", "stopped", "finished")
"""States of a run; the first one found among shards is the state of all."""
UNFINISHED = ("running", "stopped")
"""States in which cells are missing. A run that was killed still says "running"."""
COUNTS = ("cells", "done", "failed", "diverged")


@dataclass(frozen=True)
class Record:
    """A run with its files read once; of a grid dealt to shards, all of them as one."""

    run: Run
    others: tuple[Record, ...] | None = None  # the further shards, in order; None for a run alone

    @property
    def runs(self) -> list[Run]:
        """The run and its further shards."""
        return [self.run, *(other.run for other in self.others or ())]

    @cached_property
    def rows(self) -> pd.DataFrame:
        return join_rows(self.runs)

    @cached_property
    def curves(self) -> pd.DataFrame:
        return join_curves(self.runs)

    @cached_property
    def config(self) -> dict[str, Any]:
        return self.run.read_config()

    @cached_property
    def provenance(self) -> dict[str, Any]:
        return self.run.read_provenance()

    @cached_property
    def commits(self) -> list[str]:
        """The commits that the rows come from; in older folders the run names it."""
        named = [str(run.read_provenance().get("git_commit")) for run in self.runs]
        own = [commits(run.read_rows(), one) for run, one in zip(self.runs, named, strict=True)]
        return sorted({commit for one in own for commit in one})

    @cached_property
    def status(self) -> dict[str, Any]:
        own = self.run.read_status()
        return own if self.others is None else self._joined(own, self.others)

    def _joined(self, own: Mapping[str, Any], others: Sequence[Record]) -> dict[str, Any]:
        """The worst state, the sums, the latest time and the command of all shards."""
        every = [own, *(other.status for other in others)]
        states = {one["state"] for one in every} | ({"running"} if self.missing else set())
        default = f"python -m experiments experiment={self.run.experiment} "
        command = str(own.get("command") or default)
        return {
            **own,
            "state": next(state for state in WORST_FIRST if state in states),
            **{name: sum(int(one.get(name, 0)) for one in every) for name in COUNTS},
            "seconds": sum(float(one.get("seconds", 0.0)) for one in every),
            "updated": max(str(one.get("updated", "")) for one in every),
            "halved": [stack for one in every for stack in one.get("halved", [])],
            "command": shards.sweep_command(command, range(self.config["shards"])),
        }

    @cached_property
    def missing(self) -> list[int]:
        """The shards that have no run."""
        if self.others is None:
            return []
        return shards.missing([self.config, *(other.config for other in self.others)])

    @property
    def state(self) -> str:
        """finished, failed, unfinished or unknown."""
        state = str(self.status.get("state", "unknown"))
        return "unfinished" if state in UNFINISHED else state

    @property
    def incomplete(self) -> bool:
        """Whether cells have no row."""
        done, cells = (int(self.status.get(name, 0)) for name in ("done", "cells"))
        return self.state == "unfinished" or done < cells

    @cached_property
    def changed(self) -> list[str]:
        """The overrides that make its results others than those of the configs, as given."""
        return changes(str(self.status.get("command", "")))

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
        """The sort key of runs: the latest is the last."""
        return str(self.status.get("updated", "")), self.run.run_id


def joined(records: Iterable[Record]) -> list[Record]:
    """The shards of one grid as one record, of each shard the latest run; others unchanged."""
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
    """The run that the report shows of an experiment at that scale.

    Finished runs come first, then those with the settings of configs/, then the latest: a trial
    with other settings replaces no verdict. Without a finished one, it is one that has any rows;
    the report says that it is unfinished.
    """
    own = of_scale(records, name, scale)
    finished = [r for r in own if r.state == "finished"]
    return max(
        finished or [r for r in own if len(r.rows)],
        key=lambda r: (not r.changed, r.order),
        default=None,
    )


def of_scale(records: Iterable[Record], name: str, scale: str | None) -> list[Record]:
    """The runs of an experiment at that scale, or at any."""
    return [r for r in records if r.run.experiment == name and scale in (None, r.scale)]
