"""Signals that stop a run: Ctrl-C, SIGTERM, a closed terminal, a CPU limit, and those by which
Slurm announces an end.

The run does not die by the signal: it notes it, saves its state, and then stops.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGXCPU", "SIGUSR1", "SIGUSR2")


@dataclass
class SignalWatch:
    """The first signal that came; None while none has come."""

    number: int | None = None

    def __bool__(self) -> bool:
        return self.number is not None

    @property
    def name(self) -> str:
        return "" if self.number is None else signal.Signals(self.number).name

    @property
    def status(self) -> int:
        """The exit status that a shell gives for this signal."""
        return 128 + (self.number or 0)


@contextmanager
def watch_signals() -> Iterator[SignalWatch]:
    """Inside the `with` block, note signals and go on; a second Ctrl-C interrupts at once.

    The caller may have a handler for the signal, such as a launcher that puts the job back into a
    cluster's queue. It is called at the end of the block, when everything is saved.
    """
    watch = SignalWatch()
    if threading.current_thread() is not threading.main_thread():
        yield watch  # Python handles signals in its main thread only
        return

    def note(number: int, frame: FrameType | None) -> None:
        if watch and number == signal.SIGINT:
            raise KeyboardInterrupt
        watch.number = watch.number or number

    present = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]
    before = {s: signal.getsignal(s) for s in present}
    # A process that ignores a signal goes on ignoring it: a shell's background job ignores Ctrl-C.
    watched = [s for s in present if before[s] not in (signal.SIG_IGN, None)]
    # A launcher that handles SIGTERM keeps it: submitit waits for the signal sent along with it.
    if callable(before[signal.SIGTERM]):
        watched.remove(signal.SIGTERM)
    for number in watched:
        signal.signal(number, note)
    try:
        yield watch
    finally:
        for number in watched:
            signal.signal(number, before[number])
    callers = before.get(signal.Signals(watch.number)) if watch.number else None
    if callable(callers) and callers is not signal.default_int_handler:
        callers(watch.number, None)  # type: ignore[arg-type]
