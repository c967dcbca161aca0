"""Claims: a sentence of a paper, its measure, its tolerance, and a verdict computed from rows.

    @claim("gaussian-low-mine", paper="Sec. 4.1, Fig. 1", figure="gaussian_scalar_1d",
           rule="mean error at each rho within .03 nats")
    def near_truth(rows: pd.DataFrame) -> Finding | None:
        \"""At low dimension MINE is near the true mutual information.\"""

    claims = [near_truth]

The first paragraph of the docstring is the statement, and the function measures: it gets the
experiment's table of rows and returns a `Finding` (experiments/suite/claims/checks.py). What is
the same for all claims stands here: without rows, or where the function returns None, the claim
is inconclusive and names no figure.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from types import ModuleType
from typing import TYPE_CHECKING, Any

from experiments.suite.claims.checks import Finding, Verdict
from experiments.suite.claims.intervals import Interval
from experiments.suite.claims.rows import given

if TYPE_CHECKING:
    import pandas as pd

NO_ROWS = "this run has no rows for it"


@dataclass(frozen=True)
class Claim:
    """One line of the claim table.

    Args:
        id: stable name, unique over all experiments.
        experiment: the experiment whose rows it is computed from.
        paper: where the sentence stands, or "this suite's target".
        statement: the sentence.
        measured: what was measured, with interval, seeds, and divergences.
        tolerance: the rule that was fixed beforehand.
        verdict: what the rule says of the measure.
        figure: the name of the figure that shows it.
        interval: the interval that the verdict rests on; None where there is none.
    """

    id: str
    experiment: str
    paper: str
    statement: str
    measured: str
    tolerance: str
    verdict: Verdict
    figure: str
    interval: Interval | None = None

    def undecided(self, why: str) -> Claim:
        """The claim without a verdict, where its rows cannot decide it."""
        return replace(self, verdict="inconclusive", measured=f"{why}: {self.measured}")

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values; an end of the interval that is not finite becomes None."""
        ends = self.interval and [end if math.isfinite(end) else None for end in self.interval]
        return {**asdict(self), "interval": ends}


@dataclass(frozen=True)
class Judge:
    """A claim before there are rows: calling it with an experiment's table gives the `Claim`.

    Args:
        id: the claim's id.
        experiment: the module that states it.
        paper: where the sentence stands.
        statement: the sentence.
        rule: the tolerance, fixed before the first run.
        figure: the name of its figure, or what tells the name from the table.
        missing: what is said where there is nothing to measure.
        function: measures; it gets the table, and the training curves where it asks for `curves`.
    """

    id: str
    experiment: str
    paper: str
    statement: str
    rule: str
    figure: str | Callable[[pd.DataFrame], str]
    missing: str
    function: Callable[..., Finding | None]

    def __call__(self, rows: pd.DataFrame, curves: pd.DataFrame) -> Claim:
        found = given(self.function, rows, curves) if len(rows) else None
        finding = found or Finding(self.missing, "inconclusive")
        return Claim(
            self.id,
            self.experiment,
            self.paper,
            self.statement,
            finding.measured,
            self.rule,
            finding.verdict,
            self.figure_of(rows) if found else "",
            finding.interval,
        )

    def figure_of(self, rows: pd.DataFrame) -> str:
        """The name of the claim's figure of this table."""
        return self.figure if isinstance(self.figure, str) else self.figure(rows)


def claim(
    claim_id: str,
    *,
    paper: str,
    rule: str,
    figure: str | Callable[[pd.DataFrame], str],
    statement: str = "",
    missing: str = NO_ROWS,
) -> Callable[[Callable[..., Finding | None]], Judge]:
    """Makes a function that measures a claim of the experiment in whose module it stands.

    Without `statement` the first paragraph of the function's docstring is the statement.
    """

    def judge_of(function: Callable[..., Finding | None]) -> Judge:
        experiment = function.__module__.rpartition(".")[2]
        said = statement or " ".join((function.__doc__ or "").partition("\n\n")[0].split())
        return Judge(claim_id, experiment, paper, said, rule, figure, missing, function)

    return judge_of


def judge(experiment: ModuleType, rows: pd.DataFrame, curves: pd.DataFrame) -> list[Claim]:
    """The claims of an experiment on the rows of a run and their training curves."""
    table = experiment.table(rows) if len(rows) else rows
    return [one(table, curves) for one in experiment.claims]
