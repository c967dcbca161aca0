"""Requests for estimates: all of a call are answered by one run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import cast

from mine.data.file_order import order_doubts, repeat_doubts
from mine.data.own_rows import OwnRows
from mine.estimators.label_limit import least_entropy, limited
from mine.method.entropy import LabelEntropy
from mine.running.estimates import Estimate
from mine.running.events import Done, Failure
from mine.running.jobs import Job
from mine.running.run import run


@dataclass(frozen=True)
class Request:
    """One estimate that is asked for: one job, and as many again as there are permuted copies.

    Attributes:
        job: of a user's rows.
        null: permuted copies.
    """

    job: Job
    null: int = 0

    def __post_init__(self) -> None:
        if type(self.null) is not int or self.null < 0:
            raise ValueError(
                f"null must be a whole number >= 0, got {self.null!r}: 0 for no p-value, or 20"
            )

    def jobs(self) -> list[Job]:
        """The job itself, then one for each copy."""
        return [self.job, *(_of_copy(self.job, copy + 1) for copy in range(self.null))]


def estimates_of(requests: Sequence[Request], device: str) -> list[Estimate]:
    """The estimates of all requests, from one run: jobs of one shape are trained as one stack.

    Raises:
        RuntimeError: one of the jobs raised.
    """
    asked = [request.jobs() for request in requests]
    outcomes = iter(_outcomes([job for jobs in asked for job in jobs], device))
    return [_answer(request, outcomes) for request in requests]


def _of_copy(job: Job, copy: int) -> Job:
    source = replace(cast(OwnRows, job.source), copy=copy)
    return replace(job, source=source, keeps_critic=False, keeps_influences=False)


def _outcomes(jobs: Sequence[Job], device: str) -> list[Estimate]:
    found = {event.job: event.outcome for event in run(jobs, device) if isinstance(event, Done)}
    for outcome in found.values():
        if isinstance(outcome, Failure):
            raise RuntimeError(f"an estimation failed: {outcome.reason}")
    return [cast(Estimate, found[i]) for i in range(len(jobs))]


def _answer(request: Request, outcomes: Iterator[Estimate]) -> Estimate:
    """The next estimates, as one: the job's own, with the values of its copies."""
    real, *copies = (next(outcomes) for _ in range(1 + request.null))
    if real.critic is not None and real.critic.config is None:
        # A user's module does not travel between processes.
        real = replace(real, critic=replace(real.critic, config=request.job.critic))
    warnings = (*_doubts(request.job), *real.warnings)
    found = replace(real, null=tuple(e.nats for e in copies), warnings=warnings)
    return limited(found, _label(request.job))


def _label(job: Job) -> LabelEntropy | None:
    source = cast(OwnRows, job.source)
    x, y = source.table.all_rows(job.seed, job.key)
    return least_entropy(x, y, source.discrete)


def _doubts(job: Job) -> tuple[str, ...]:
    """Warnings of rows that hang together, where nobody said so."""
    source = cast(OwnRows, job.source)
    if source.split.dependence is not None:
        return ()
    x, y = source.table.all_rows(job.seed, job.key)
    return tuple(filter(None, (order_doubts(x, y), repeat_doubts(x, y))))
