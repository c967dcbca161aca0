"""Computing the missing cells of a run: plan the stacks, run them, write their rows, finish."""

from __future__ import annotations

import logging
import math
import time  # noqa: TID251
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from experiments.suite.claims.wording import counted, duration
from experiments.suite.run.arithmetic import arithmetic
from experiments.suite.run.config_check import keeps_other_code
from experiments.suite.run.exits import FAILED, OK
from experiments.suite.run.messages import kept_of_other_code, say, warn
from experiments.suite.run.progress import Progress
from experiments.suite.run.provenance import collect_provenance
from experiments.suite.store.checkpoints import Checkpoints
from experiments.suite.store.code import by_code, code_hash
from experiments.suite.store.errors import raised

if TYPE_CHECKING:
    from tqdm import tqdm

    from experiments.suite.store.runs import Run
    from mine.running.events import Advance, Done, Failure, Outcome
    from mine.running.jobs import AnyJob
    from mine.running.run_options import RunOptions

    Ended = tuple[int, Outcome | Failure, float]
    """A job, its outcome, and its seconds."""

log = logging.getLogger("experiments")

STATUS_SECONDS = 10.0  # between two writes of a running run's status
Stack = tuple[int, ...]
"""The indices of the jobs that are trained as one stack."""


def compute_missing(
    progress: Progress, jobs: Sequence[AnyJob], device: str, stopping: Callable[[], bool]
) -> int:
    """Compute the cells that have no row yet, to the end of the run. Returns the exit status.

    Raises:
        Stopped: `stopping` asked for it.
    """
    import torch

    from mine.running.run_options import RunOptions

    keeper = Checkpoints(
        progress.run.folder / "checkpoints",
        [cell.key for cell in progress.cells],
        float(progress.config["checkpoint_seconds"]),
        time.monotonic,
        code_hash(),
        keeps_other_code(progress.config),
        progress.run.fenced,
    )
    keeper.drop_other_code()
    stacks = stacks_of(progress.missing, jobs, device, keeper)
    progress.steps = sum(jobs[i].network_steps for stack in stacks for i in stack)
    seed = int(progress.config["experiment"].get("first_seed", 0))
    progress.provenance = collect_provenance(
        device=device, seed=seed, threads=torch.get_num_threads(), arithmetic=arithmetic()
    )
    progress.run.write_provenance(progress.provenance)
    stacks, cost = longest_first(jobs, stacks, device)
    announce(progress, len(stacks), cost, device)
    progress.write("running")
    limit = progress.config["time_limit"]
    options = RunOptions(
        keeper, stopping, math.inf if limit is None else float(limit), time.monotonic
    )
    Computation(jobs, stacks, progress, device, keeper).run(options)
    keeper.clear()
    return finish(progress)


def stacks_of(
    missing: Sequence[int], jobs: Sequence[AnyJob], device: str, keeper: Checkpoints
) -> list[Stack]:
    """The stacks of the missing cells: first those that an earlier process made, then new ones."""
    from mine.running.plan import plan

    stacks = keeper.stacks(missing)
    new = sorted(set(missing).difference(*stacks))
    stacks += [tuple(new[i] for i in stack) for stack in plan([jobs[i] for i in new], device)]
    keeper.deal(stacks)
    return stacks


def longest_first(
    jobs: Sequence[AnyJob], stacks: Sequence[Stack], device: str
) -> tuple[list[Stack], str]:
    """The stacks by falling forecast, and the forecast of the whole in words.

    With the longest first, no core is idle for long at the end. Where the forecast fails, the
    order stays.
    """
    try:
        ordered, seconds = by_forecast(jobs, stacks, device)
    except Exception as error:  # the row of the cell that raised will say why
        return list(stacks), f"for an unknown time ({type(error).__name__} while trying it)"
    return ordered, f"about {duration(seconds, 'whole')}"


def by_forecast(
    jobs: Sequence[AnyJob], stacks: Sequence[Stack], device: str, limit: float | None = None
) -> tuple[list[Stack], float]:
    """The stacks by falling forecast, and about how many seconds they take side by side.

    Raises what a job raises that is tried.

    Args:
        jobs: all jobs.
        stacks: of these jobs.
        device: as for `mine.running.run`.
        limit: seconds after which no further kind of stack is tried; None for the usual ones.
    """
    from mine.running.devices import resolve_device, workers_for
    from mine.running.forecast import forecast, makespan

    limits = {} if limit is None else {"limit": limit}
    found = zip(forecast(jobs, stacks, time.perf_counter, device, **limits), stacks, strict=True)
    ordered = sorted(found, key=lambda one: one[0], reverse=True)
    workers = workers_for(len(stacks), resolve_device(device))
    whole = makespan((seconds for seconds, _ in ordered), workers)
    return [stack for _, stack in ordered], whole


def announce(progress: Progress, stacks: int, cost: str, device: str) -> None:
    """Say what the run will do and cost, and which panels have their own critic."""
    for role, panel in progress.config["experiment"]["panels"].items():
        if panel.get("critic"):
            own = ", ".join(f"{key}={value}" for key, value in panel["critic"].items())
            say(f"panel {role} has a critic of its own: {own} (experiment.panels.{role}.critic)")
    if progress.set_aside:
        say(
            f"{progress.run.experiment} {progress.run.run_id}: other code made cells "
            f"({by_code(progress.set_aside)}; this is {code_hash()}): they are computed again "
            "(keep=other_code keeps them)"
        )
    kept = f", {len(progress.rows)} kept from before" if progress.rows else ""
    kept += kept_of_other_code(progress.other_code)
    say(
        f"{progress.run.experiment} {progress.run.run_id}: "
        f"{counted(len(progress.cells), 'cell')}{kept}, {counted(stacks, 'stack')}, "
        f"{progress.steps:,} network-steps on {device}, {cost}"
    )


class Computation:
    """Runs stacks, and writes the rows of a stack when all of its cells have ended.

    Rows of a part of a stack are never written: a resumed run would then train the rest in a
    smaller stack, and the last digits of its cells could differ.
    """

    def __init__(
        self,
        jobs: Sequence[AnyJob],
        stacks: Sequence[Stack],
        progress: Progress,
        device: str,
        keeper: Checkpoints,
    ) -> None:
        self.jobs, self.stacks, self.progress = jobs, stacks, progress
        self.device, self.keeper = device, keeper
        self.stack_of = {i: stack for stack in stacks for i in stack}
        self.ended: dict[Stack, list[Ended]] = {stack: [] for stack in stacks}
        self.codes = {stack: keeper.code_of(stack) for stack in stacks}
        self.began: dict[int, tuple[float, int]] = {}
        self.errors: dict[int, float] = {}

    def run(self, options: RunOptions) -> None:
        """Run the stacks to their end, with a progress bar.

        Raises:
            Stopped: a signal came.
        """
        from tqdm import tqdm

        from mine.running.events import Advance, Began, Halved
        from mine.running.run import run

        with tqdm(
            desc=self.progress.run.experiment, total=self.progress.steps, unit="step",
            unit_scale=True, disable=None, smoothing=0.05,
        ) as bar:  # fmt: skip
            for event in run(self.jobs, self.device, stacks=self.stacks, options=options):
                if isinstance(event, Began):
                    self.began |= dict.fromkeys(event.jobs, (time.monotonic(), len(event.jobs)))
                elif isinstance(event, Advance):
                    self._advance(event, bar)
                elif isinstance(event, Halved):
                    log.info("a stack of %d cells was halved: %s", len(event.jobs), event.reason)
                    halved = {"cells": len(event.jobs), "reason": event.reason[:500]}
                    self.progress.halved.append(halved)
                else:
                    self._end(event)

    def _advance(self, event: Advance, bar: tqdm) -> None:
        self.progress.steps_done += event.steps * len(event.jobs)
        bar.update(event.steps * len(event.jobs))
        for i, value in zip(event.jobs, event.values, strict=True):
            self.errors[i] = abs(value - self.jobs[i].truth)
        bar.set_postfix_str(mean_error(self.errors))
        if time.monotonic() - self.progress.written > STATUS_SECONDS:
            self.progress.write_status("running")

    def _end(self, event: Done) -> None:
        start, neighbours = self.began[event.job]
        seconds = (time.monotonic() - start) / neighbours
        stack = self.stack_of[event.job]
        self.ended[stack].append((event.job, event.outcome, seconds))
        if len(self.ended[stack]) == len(stack):
            for i, outcome, spent in self.ended.pop(stack):
                code = self.codes[stack]
                self.progress.add(i, self.jobs[i], outcome, spent, self.device, code)
            self.progress.write("running")
            self.keeper.discard(stack)


def mean_error(errors: Mapping[int, float]) -> str:
    """The mean error of the training values so far, for the progress bar; "" where unknown."""
    finite = [e for e in errors.values() if math.isfinite(e)]
    return f"mean error {sum(finite) / len(finite):.3f} nats" if finite else ""


def finish(progress: Progress) -> int:
    """Draw the figures, write the run for the last time, and return the exit status."""
    drawn = draw(progress.run) if progress.config["figures"] else True
    counts = progress.counts()
    progress.write("failed" if counts["failed"] else "finished")
    for reason, cells in failures(progress.rows.values()).items():
        warn(f"{cells} failed: {reason}")
    say(
        f"{progress.run.experiment} {progress.run.run_id}: {counts['ok']} ok, "
        f"{counts['diverged']} diverged, {counts['failed']} failed"
        f"{kept_of_other_code(progress.other_code)}, in "
        f"{duration(time.monotonic() - progress.clock, 'whole')}: {progress.run.folder}"
    )
    return FAILED if counts["failed"] or not drawn else OK


def draw(run: Run) -> bool:
    """Draws the run's figures. Whether that worked: the rows do not depend on it."""
    from experiments.suite.figures.drawing import draw_run

    with run.fenced():
        try:
            draw_run(run)
        except OSError:
            raise
        except Exception as error:
            log.exception("drawing the figures")
            warn(f"no figures: {raised(error)}: the rows are kept: mend it, then `make report`")
            return False
    return True


def failures(rows: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """Reason -> how many cells failed for it."""
    return Counter(row["reason"] for row in rows if row["status"] == "failed")
