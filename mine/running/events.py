"""What a run reports while it works. Every job ends with one `Done`."""

from __future__ import annotations

from dataclasses import dataclass

from mine.running.estimates import Estimate


@dataclass(frozen=True)
class Failure:
    """Stands in place of an estimate where a job raised.

    Attributes:
        reason: the error's type and message.
    """

    reason: str


@dataclass(frozen=True)
class Began:
    """A stack begins.

    Attributes:
        jobs: the indices of its jobs.
    """

    jobs: tuple[int, ...]


@dataclass(frozen=True)
class Advance:
    """A stack has done a block of steps.

    Attributes:
        jobs: the indices of its jobs.
        steps: network-steps of each job since its last event.
        values: each job's training value so far, in nats.
    """

    jobs: tuple[int, ...]
    steps: int
    values: tuple[float, ...]


@dataclass(frozen=True)
class Halved:
    """A stack raised or its process died; its two halves begin anew.

    Attributes:
        jobs: the indices of its jobs.
        reason: why.
    """

    jobs: tuple[int, ...]
    reason: str


@dataclass(frozen=True)
class Done:
    """A job has ended.

    Attributes:
        job: its index.
        outcome: its estimate, or why there is none.
    """

    job: int
    outcome: Estimate | Failure


Event = Began | Advance | Halved | Done
