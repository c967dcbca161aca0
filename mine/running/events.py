"""What a run reports while it works. Every job ends with one `Done`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mine.running.estimates import Estimate


@dataclass(frozen=True)
class Applied:
    """What came of a job whose model was trained beside a statistics network.

    Attributes:
        estimate: of the mutual information that the application is about; nan where it has none.
        truth: its true value, in nats; nan where it is unknown.
        measures: further measures by name: numbers, texts and (nested) lists of them.
    """

    estimate: Estimate
    truth: float
    measures: Mapping[str, Any] = field(compare=False, repr=False)


@dataclass(frozen=True)
class Failure:
    """Stands in place of an estimate where a job raised.

    Attributes:
        reason: the error's type and message.
    """

    reason: str


Outcome = Estimate | Applied


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
        outcome: its estimate, or what came of an application, or why there is none.
    """

    job: int
    outcome: Outcome | Failure


Event = Began | Advance | Halved | Done
