"""A stack of jobs from its beginning to its outcomes, whatever kind of jobs they are.

A stack can be left after any block of steps and taken up again in another process, to the same
bits: its state is plain arrays.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterable, Sequence
from typing import cast

import torch

from mine.running.application_run import ApplicationRun
from mine.running.applications import ApplicationJob
from mine.running.candidates import Candidates
from mine.running.events import Failure, Outcome
from mine.running.jobs import AnyJob, Job
from mine.running.stack_training import Moment, StackTraining, State

log = logging.getLogger(__name__)


def begin(jobs: Sequence[AnyJob], device: torch.device) -> StackTraining:
    """A stack of jobs of one shape, before its first step."""
    if isinstance(jobs[0], ApplicationJob):
        return ApplicationRun(cast(Sequence[ApplicationJob], jobs), device)
    return Candidates(cast(Sequence[Job], jobs), device)


def train_stack(
    jobs: Sequence[AnyJob], device: torch.device, kept: Iterable[State] = ()
) -> Generator[Moment, None, Sequence[Outcome | Failure]]:
    """Trains jobs of one shape as one stack; returns their outcomes.

    Args:
        jobs: of one shape, see `mine.running.plan`.
        device: where.
        kept: states of this stack, the best first. It goes on from the first one that fits, to the
            same bits as if it had never stopped.
    """
    for state in kept:
        training = begin(jobs, device)
        try:
            training.take_up(state)
        except ValueError as error:
            log.warning("a stack's state cannot be used: %s", error)
        else:
            break
    else:
        training = begin(jobs, device)
    yield from training.train()
    return training.outcomes()
