"""The one entry: jobs in, events out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from mine.running.devices import can_fork, resolve_device, workers_for, working_on
from mine.running.events import Event
from mine.running.jobs import AnyJob
from mine.running.needs import check_fits
from mine.running.plan import plan
from mine.running.run_options import RunOptions
from mine.running.stack_events import run_stack
from mine.running.workers import side_by_side


def run(
    jobs: Sequence[AnyJob],
    device: str = "auto",
    workers: int | None = None,
    stacks: Sequence[tuple[int, ...]] | None = None,
    options: RunOptions | None = None,
) -> Iterator[Event]:
    """Estimates every job; yields events as they come. Every job ends with one `Done`.

    Args:
        jobs: what to estimate.
        device: "auto", "cpu" or "cuda".
        workers: stacks trained at the same time on a CPU; None for as many as torch may use
            threads.
        stacks: the stacks to run, as indices of jobs; None for all that `plan` makes.
        options: how the run is looked after.

    Raises:
        Stopped: `options.stopping` asked for it.
        ValueError: memory can never hold one of the jobs.
        MemoryError: what is free now cannot.
    """
    options = options or RunOptions()
    where = resolve_device(device)
    check_fits(jobs, where)
    todo = list(plan(jobs, where, workers) if stacks is None else stacks)
    count = workers_for(len(todo), where, workers)
    forked = can_fork(where) and (count > 1 or options.time_limit < math.inf)
    if todo and forked:
        yield from side_by_side(jobs, todo, where, count, options)
        return
    for stack in todo:
        with working_on(where):
            yield from run_stack(jobs, stack, where, options)
