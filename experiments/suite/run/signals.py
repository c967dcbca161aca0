"""Ctrl-C, SIGTERM and the signals by which Slurm announces an end: noted, and answered in time."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

NAMES = ("SIGINT", "SIGTERM", "SIGUSR1", "SIGUSR2")


@dataclass
class Noted:
    """The first signal that came, None while there was none."""

    number: int | None = None

    def __bool__(self) -> bool:
        return self.number is not None

    @property
    def name(self) -> str:
        return "" if self.number is None else signal.Signals(self.number).name

    @property
    def status(self) -> int:
        """The exit status that a shell gives for it."""
        return 128 + (self.number or 0)


@contextmanager
def noted() -> Iterator[Noted]:
    """Notes signals in place of dying by them, for a while; a second Ctrl-C interrupts at once.

    What a caller (a launcher that puts the job back into a cluster's queue) had set for a signal
    is called at the end, when all is saved.
    """
    found = Noted()
    if threading.current_thread() is not threading.main_thread():
        yield found  # Python hears signals in its main thread alone
        return

    def note(number: int, frame: FrameType | None) -> None:
        if found and number == signal.SIGINT:
            raise KeyboardInterrupt
        found.number = found.number or number

    present = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]
    before = {s: signal.getsignal(s) for s in present}
    # Who ignores a signal, such as a shell's background job Ctrl-C, goes on ignoring it. SIGTERM
    # is left to a launcher that answers it: submitit waits for the signal that comes with it.
    mine = [s for s in present if before[s] not in (signal.SIG_IGN, None)]
    if callable(before[signal.SIGTERM]):
        mine.remove(signal.SIGTERM)
    for number in mine:
        signal.signal(number, note)
    try:
        yield found
    finally:
        for number in mine:
            signal.signal(number, before[number])
    callers = before.get(signal.Signals(found.number)) if found.number else None
    if callable(callers) and callers is not signal.default_int_handler:
        callers(found.number, None)  # type: ignore[arg-type]
