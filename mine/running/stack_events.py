"""One stack as events. A stack that raises is halved until the job to blame is alone."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator, Sequence
from typing import cast

import torch

from mine.memory import is_lack, lack
from mine.running.begin import train_stack
from mine.running.direct import direct_estimate
from mine.running.events import Advance, Began, Done, Event, Failure, Halved, Outcome
from mine.running.jobs import AnyJob, Job
from mine.running.run_options import RunOptions, Stopped

log = logging.getLogger(__name__)


def run_stack(
    jobs: Sequence[AnyJob], indices: tuple[int, ...], device: torch.device, options: RunOptions
) -> Iterator[Event]:
    """Runs the jobs of these indices as one stack. Where one raises, the others end without it."""
    yield Began(indices)
    try:
        outcomes = yield from _outcomes([jobs[i] for i in indices], indices, device, options)
    except Stopped:
        raise
    except Exception as error:
        reason = lack(error) if is_lack(error) else f"{type(error).__name__}: {error}"
        if len(indices) == 1:
            log.error("a job raised", exc_info=error)
    else:
        for i, outcome in zip(indices, outcomes, strict=True):
            yield Done(i, outcome)
        return
    # Out here nothing holds the error, whose traceback holds all tensors of the stack.
    if len(indices) == 1:
        yield Done(indices[0], Failure(reason))
        return
    yield Halved(indices, reason)
    if device.type == "cuda":
        torch.cuda.empty_cache()
    for half in halves(indices):
        yield from run_stack(jobs, half, device, options)


def halves(stack: tuple[int, ...]) -> list[tuple[int, ...]]:
    half = len(stack) // 2
    return [stack[:half], stack[half:]]


def _outcomes(
    jobs: Sequence[AnyJob], indices: tuple[int, ...], device: torch.device, options: RunOptions
) -> Generator[Event, None, Sequence[Outcome | Failure]]:
    """The outcomes of a stack; it goes on from a kept state, and keeps its own from time to time.

    Raises:
        Stopped: the options asked for it, and the state was saved.
    """
    if isinstance(first := jobs[0], Job) and (direct := first.method.direct):
        return [direct_estimate(job, direct, device) for job in cast(Sequence[Job], jobs)]
    keeper = options.keeper
    training = train_stack(jobs, device, keeper.load(indices) if keeper else ())
    while True:
        try:
            moment = next(training)
        except StopIteration as end:
            outcomes: Sequence[Outcome | Failure] = end.value
            return outcomes
        yield Advance(indices, moment.steps, moment.values)
        stopping = options.stopping()
        if keeper and not moment.last and (stopping or keeper.due(indices)):
            keeper.save(indices, moment.state())
        if stopping and not moment.last:
            raise Stopped
