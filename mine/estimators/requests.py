"""Requests for estimates: all of a call are answered by one run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import cast

from mine.data.file_order import order_doubts, repeat_doubts
from mine.data.noiseless import noiseless
from mine.data.own_rows import OwnRows
from mine.estimators.label_limit import least_entropy, limited
from mine.estimators.outlook import say_outlook
from mine.estimators.settled import infinite, settled
from mine.running.estimates import Estimate
from mine.running.events import Done, Failure
from mine.running.jobs import Job
from mine.running.run import run

MOST_LOOKS = 30  # requests of one call: in a table of more pairs a second look would take longest


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


def estimates_of(requests: Sequence[Request], device: str, said: bool = False) -> list[Estimate]:
    """The estimates of all requests, from one run: jobs of one shape are trained as one stack.

    Args:
        requests: what is asked for.
        device: as for `run`.
        said: whether it was said how long they take.

    Raises:
        RuntimeError: one of the jobs raised.
        ValueError: memory can never hold one of them.
        MemoryError: what is free now cannot.
    """
    if not said:
        say_outlook([job for one in requests for job in [one.job] * (1 + one.null)], 1, device)
    reasons = [_without_noise(request.job) for request in requests]
    asked = [
        request.jobs()[bool(reason) :] for request, reason in zip(requests, reasons, strict=True)
    ]
    outcomes = iter(_outcomes([job for jobs in asked for job in jobs], device))
    return [
        _answer(request, reason, outcomes, len(requests) <= MOST_LOOKS)
        for request, reason in zip(requests, reasons, strict=True)
    ]


def copies_of(jobs: Sequence[Job], copies: range, device: str) -> list[tuple[float, ...]]:
    """The values of some of the permuted copies of each job, in nats; the first copy is 0."""
    asked = [_of_copy(job, copy + 1) for job in jobs for copy in copies]
    values = [e.nats for e in _outcomes(asked, device)]
    each = len(copies)
    return [tuple(values[i : i + each]) for i in range(0, len(values), each)]


def _without_noise(job: Job) -> str:
    """What is determined without noise in the rows, in words; "" where nothing is."""
    source = cast(OwnRows, job.source)
    if any(source.discrete):
        return ""
    x, y = source.table.all_rows(job.seed, job.key)
    return noiseless(x.numpy(), y.numpy(), source.layouts)


def _of_copy(job: Job, copy: int) -> Job:
    source = replace(cast(OwnRows, job.source), copy=copy)
    return replace(job, source=source, keeps_critic=False, keeps_influences=False)


def _outcomes(jobs: Sequence[Job], device: str) -> list[Estimate]:
    found = {event.job: event.outcome for event in run(jobs, device) if isinstance(event, Done)}
    for outcome in found.values():
        if isinstance(outcome, Failure):
            raise RuntimeError(f"an estimation failed: {outcome.reason}")
    return [cast(Estimate, found[i]) for i in range(len(jobs))]


def _answer(request: Request, reason: str, outcomes: Iterator[Estimate], looks: bool) -> Estimate:
    """The next estimates, as one: the job's own, with the values of its copies."""
    job, source = request.job, cast(OwnRows, request.job.source)
    real = infinite(job, reason) if reason else next(outcomes)
    null = tuple(next(outcomes).nats for _ in range(request.null))
    if real.critic is not None and real.critic.config is None:
        # A user's module does not travel between processes.
        real = replace(real, critic=replace(real.critic, config=job.critic))
    x, y = source.table.all_rows(job.seed, job.key)
    # Of rows that hang together, where nobody said so.
    doubts = () if source.split.dependence else (order_doubts(x, y), repeat_doubts(x, y))
    found = replace(real, null=null, warnings=(*filter(None, doubts), *real.warnings))
    if reason:
        return found
    label = least_entropy(x, y, source.discrete)
    return settled(limited(found, label), job, x.numpy(), y.numpy(), source.layouts, looks)
