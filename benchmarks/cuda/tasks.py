"""Tasks, parts and their time: what is done, how it ends, and when there is no time for it.

A part is a list of tasks with a share of the script's time. A task gives numbers. One that raises
is recorded with its traceback and ends nothing. Before each task the time is looked at: a task
that does not fit into what its part has left is left out, and its record says so.
"""

from __future__ import annotations

import gc
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from benchmarks.cuda.scales import Scale

Numbers = dict[str, Any]
OK, FAILED, SKIPPED, LEFT_OUT = "ok", "failed", "skipped", "left out"
NO_DEVICE = "needs a CUDA device"


class CheckFailed(Exception):
    """A check's numbers are not what they must be."""

    def __init__(self, reason: str, numbers: Numbers) -> None:
        super().__init__(reason)
        self.numbers = numbers


def judged(right: bool, reason: str, **numbers: object) -> Numbers:
    """The numbers, where they are right.

    Raises:
        CheckFailed: they are not.
    """
    if not right:
        raise CheckFailed(reason, dict(numbers))
    return dict(numbers)


class Skipped(Exception):
    """A task that this device or scale has no use for; the reason is its message."""


@dataclass(frozen=True)
class Setting:
    """What a task is given.

    Attributes:
        device: where it works.
        scale: how large its work is.
        deadline: of its part, in seconds of `time.perf_counter`.
    """

    device: torch.device
    scale: Scale
    deadline: float

    @property
    def on_cuda(self) -> bool:
        return self.device.type == "cuda"

    def left(self) -> float:
        """Seconds that the part has left."""
        return self.deadline - time.perf_counter()

    def wait(self) -> None:
        """Until the device has done all that was asked of it."""
        if self.on_cuda:
            import torch

            torch.cuda.synchronize(self.device)


@dataclass(frozen=True)
class Task:
    """One entry of a part.

    Attributes:
        name: of its record.
        work: gives its numbers; may raise `CheckFailed` and `Skipped`.
        least: seconds that it takes at least, on a card.
    """

    name: str
    work: Callable[[Setting], Numbers]
    least: float = 0.0


@dataclass(frozen=True)
class Part:
    """Tasks with a share of the script's time; what a part leaves over goes to the next ones."""

    name: str
    share: float
    tasks: Callable[[Setting], Sequence[Task]]


@dataclass
class Result:
    """What became of a part so far."""

    name: str
    budget: float
    seconds: float = 0.0
    records: list[Numbers] = field(default_factory=list)


def run_parts(
    parts: Sequence[Part], minutes: float, device: torch.device, scale: Scale, started: float
) -> Iterator[list[Result]]:
    """Does the parts, in order; yields all results so far after every task.

    Args:
        parts: what to do; their shares are of ``minutes``, whatever they add up to.
        minutes: for all of them.
        device: where.
        scale: how much.
        started: when the script began, in seconds of `time.perf_counter`.
    """
    total, spent, results = sum(part.share for part in parts), 0.0, []
    first = time.perf_counter()  # imports may have taken longer than the share of a small part
    left = max(0.0, started + 60.0 * minutes - first)
    for part in parts:
        spent += part.share / total
        began = time.perf_counter()
        setting = Setting(device, scale, first + left * spent)
        results.append(Result(part.name, budget=setting.left()))
        for record in _records(part, setting):
            results[-1].records.append(record)
            results[-1].seconds = time.perf_counter() - began
            yield results


def _records(part: Part, setting: Setting) -> Iterator[Numbers]:
    try:
        tasks: Iterable[Task] = part.tasks(setting)
    except Exception as error:
        yield {"name": part.name, "state": FAILED, **_reason(error)}
        return
    for task in tasks:
        yield record(task, setting)


def record(task: Task, setting: Setting) -> Numbers:
    """A task's numbers, with its state, its seconds and, on CUDA, its peak memory in MiB."""
    least = task.least if setting.on_cuda else 0.0
    if setting.left() < least or setting.left() <= 0:
        why = f"{max(setting.left(), 0):.0f} s of its part's time were left"
        return {"name": task.name, "state": LEFT_OUT, "reason": why}
    _clear(setting)
    began = time.perf_counter()
    found = _outcome(task, setting)
    seconds = time.perf_counter() - began
    return {"name": task.name, "seconds": round(seconds, 3), **found, **_peak(setting)}


def _outcome(task: Task, setting: Setting) -> Numbers:
    try:
        numbers = task.work(setting)
        setting.wait()
    except Skipped as reason:
        return {"state": SKIPPED, "reason": str(reason)}
    except CheckFailed as error:
        return {"state": FAILED, "reason": str(error), **error.numbers}
    except Exception as error:
        return {"state": FAILED, **_reason(error)}
    return {"state": OK, **numbers}


def _reason(error: Exception) -> Numbers:
    first = str(error).strip().partition("\n")[0]
    reason = f"{type(error).__name__}: {first}"
    return {"reason": reason, "traceback": "".join(traceback.format_exception(error))}


def _clear(setting: Setting) -> None:
    """Gives back the memory of the tasks before, so that the peak is this task's."""
    if setting.on_cuda:
        import torch

        gc.collect()
        try:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(setting.device)
        except RuntimeError:  # a broken device; the task itself will say so
            return


def _peak(setting: Setting) -> Numbers:
    if not setting.on_cuda:
        return {}
    import torch

    return {"peak_mib": round(torch.cuda.max_memory_allocated(setting.device) / 2**20, 1)}


def as_mapping(results: Sequence[Result]) -> Mapping[str, Any]:
    """Of all parts, for the JSON file."""
    return {
        r.name: {"budget_s": r.budget, "seconds": r.seconds, "records": r.records} for r in results
    }
