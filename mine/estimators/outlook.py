"""How long a call will take, said before it begins where it takes long.

It is said to the logger `mine.outlook`, at the level of INFO; the command prints it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from mine.memory import GB, of_this_process
from mine.running.devices import resolve_device, workers_for
from mine.running.jobs import Job
from mine.running.needs import check_fits, seconds_of

LONG = 20.0  # seconds, from which on they are said
JOB_SECONDS = 1.5e-3  # of looking at the rows of two columns, and a share for each row
ROW_SECONDS = 5e-7
PAIR_SECONDS = 5e-4  # the same of a pair of a table: what tells of one column is shared
PAIR_ROW_SECONDS = 5e-8
JOB_BYTES = 3000  # of a job and its estimate, beside the rows
log = logging.getLogger("mine.outlook")


def say_outlook(jobs: Sequence[Job], each: int, device: str, shared: bool = False) -> None:
    """Says how long it takes to estimate as many of each of these jobs, where that is long.

    Args:
        jobs: one of a kind.
        each: how many there are of each kind.
        device: as for `run`.
        shared: whether they are pairs of one table's columns, which share work.

    Raises:
        ValueError: memory can never hold one of them.
        MemoryError: what is free now cannot hold one, or so many.
    """
    where, count = resolve_device(device), len(jobs) * each
    check_fits(jobs, where)
    needed, free = count * JOB_BYTES, of_this_process().free
    if needed > free:
        raise MemoryError(
            f"expected {needed / GB:.3g} GB of free memory for {count:,} estimates, got "
            f"{free / GB:.3g} GB: take fewer columns, or a target"
        )
    trained = sum(map(seconds_of, jobs)) * each / workers_for(count, where)
    once, a_row = (PAIR_SECONDS, PAIR_ROW_SECONDS) if shared else (JOB_SECONDS, ROW_SECONDS)
    looked = each * sum(once + a_row * sum(job.source.sizes) for job in jobs)
    if trained + looked > LONG and where.type == "cpu":
        several = f"{count:,} estimates take" if count > 1 else "the estimate takes"
        log.info("%s %s; Ctrl-C stops", several, in_words(trained + looked))


def in_words(seconds: float) -> str:
    """As rough as it is known: 'about 40 seconds', 'about 3 hours'."""
    units = (86_400, "days"), (3_600, "hours"), (60, "minutes"), (1, "seconds")
    size, unit = next((one for one in units if seconds >= 2 * one[0]), units[-1])
    return f"about {float(f'{seconds / size:.1g}'):,.0f} {unit}"
