"""One experiment under one config: find its run or begin it, compute it, and end it.

A finished run is found. A stopped run goes on where it was, and its rows are the same to the bit.
A cell that raises becomes a row that says why.
"""

from __future__ import annotations

import logging
import signal
import time  # noqa: TID251
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.suite.grid.cells import Cell
from experiments.suite.run import sinks
from experiments.suite.run.computing import compute_missing
from experiments.suite.run.config_check import THREADS, keeps_other_code
from experiments.suite.run.exits import FAILED, OK
from experiments.suite.run.jobs import fetch, prepare
from experiments.suite.run.logs import logging_to
from experiments.suite.run.messages import complain, kept_of_other_code, say, warn
from experiments.suite.run.progress import Progress
from experiments.suite.run.signals import watch_signals
from experiments.suite.store import lock
from experiments.suite.store.code import code_hash
from experiments.suite.store.files import check_outputs
from experiments.suite.store.identity import cells_basis
from experiments.suite.store.lock import LockedError
from experiments.suite.store.runs import Run, siblings

if TYPE_CHECKING:
    from mine.running.jobs import AnyJob

log = logging.getLogger("experiments")


def run_experiment(config: Mapping[str, Any], command: str) -> int:
    """Run one experiment under one resolved config. Returns the exit status.

    Raises:
        ValueError: the config cannot be run.
        OSError: the outputs cannot be written.
        MemoryError: there is not enough. In all three cases nothing has been written.
    """
    from mine.running.devices import resolve_device
    from mine.running.needs import check_fits

    cap_threads(config.get("threads"))
    sinks.check(config.get("sinks", []))
    cells, jobs = prepare(config)
    where = resolve_device(str(config["device"]))
    check_fits(jobs, where)
    device = str(where)
    outputs = Path(str(config["outputs"]))
    check_outputs(outputs)
    fetch(jobs)
    run = Run.create(outputs, str(config["experiment"]["name"]), config)
    if not found(run, config):
        with (
            lock.held(run.folder / "lock.json", time.time, warn) as fence,
            logging_to(run.log, lambda: fence.lost),
        ):
            if not found(run, config):
                run = replace(run, fence=fence)
                return work_on(run, cells, jobs, config, device, command)
    kept = kept_of_other_code(Counter(run.read_rows()["code"]))
    say(
        f"{run.experiment} {run.run_id}: finished before, {len(cells)} cells{kept} in {run.folder}"
    )
    return OK


def found(run: Run, config: Mapping[str, Any]) -> bool:
    """Whether the run is finished, by this code or by code whose cells the config keeps."""
    if not run.finished:
        return False
    return keeps_other_code(config) or set(run.read_rows()["code"]) == {code_hash()}


def lost(run: Run) -> bool:
    """Whether another process was seen to have taken the run over."""
    return run.fence is not None and run.fence.lost


def cap_threads(threads: Any) -> None:
    """Set how many threads torch may use, and so how many stacks run at once; None for all."""
    THREADS.check(threads)
    if threads is None:
        return
    import torch

    torch.set_num_threads(threads)


def work_on(
    run: Run,
    cells: Sequence[Cell],
    jobs: Sequence[AnyJob],
    config: Mapping[str, Any],
    device: str,
    command: str,
) -> int:
    """Work on a run until it is finished or has to stop. Returns the exit status."""
    from mine.running.run_options import Stopped

    progress = Progress.resume(run, cells, config, command)

    def stopping() -> bool:
        return bool(watch) or lost(run)

    with watch_signals() as watch:
        try:
            progress.adopt(siblings(run, cells_basis(config, device)))
            status = compute_missing(progress, jobs, device, stopping)
            with run.fenced():  # a sink's own files are not fenced
                pass
            rows, names = progress.rows.values(), config["sinks"]
            if failed := sinks.write(names, run, config, rows, progress.curves):
                say(f"not copied to {', '.join(failed)}: {run.log} says why")
            if watch:  # the signal came during the last writes: a sweep must still end here
                say(f"stopped by {watch.name}: the run was at its end, and is whole")
                return watch.status
            return status
        except LockedError:  # nothing more is written
            raise
        except (Stopped, KeyboardInterrupt):
            if run.fence and lost(run):
                raise run.fence.error() from None
            watch.number = watch.number or signal.SIGINT
            progress.write("stopped")
            say(
                f"stopped by {watch.name}: {len(progress.rows)} of {len(cells)} cells are kept in "
                f"{run.folder}; the same command goes on from there"
            )
            return watch.status
        except Exception as error:
            log.exception("the run stopped")
            complain(error)
            with suppress(OSError):
                progress.write_status("failed")
            return FAILED
