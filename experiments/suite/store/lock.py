"""A lock on a run: only one process at a time works on it.

``lock.json`` in the run's folder names the process that holds the lock, and has the time of its
last heartbeat. On the holder's machine the process table tells whether the holder lives; on other
machines the heartbeat does. The lock of a dead holder is taken over.
"""

from __future__ import annotations

import json
import math
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from experiments.suite.store.files import write_atomic
from experiments.suite.store.serialising import json_bytes

BEAT_SECONDS = 20.0
STALE_SECONDS = 180.0


class LockedError(OSError):
    """Another process works on the run: one line says which, where and since when."""


@dataclass(frozen=True)
class Holder:
    """The process that holds a lock.

    Attributes:
        host: the name of its machine.
        pid: its number there.
        born: its start, which tells it from a later process of the same number; "" if unknown.
        since: when it took the lock, UTC.
        heartbeat: when it last wrote that it lives, in seconds since 1970.
    """

    host: str
    pid: int
    born: str
    since: str
    heartbeat: float

    def alive(self, now: float) -> bool:
        """Whether the holder still runs, as far as this machine can tell."""
        if self.host == socket.gethostname():
            return _runs(self.pid) and self.born in ("", _born(self.pid))
        return abs(now - self.heartbeat) < STALE_SECONDS  # abs: a clock may have jumped back


def read(path: Path) -> Holder | None:
    """The holder that a lock file names; None where no such file can be read."""
    try:
        found: Any = json.loads(path.read_bytes())
        holder = Holder(**found)
    except (OSError, ValueError, TypeError):
        return None
    kinds = {"host": str, "pid": int, "born": str, "since": str, "heartbeat": int | float}
    fits = all(isinstance(getattr(holder, name), kind) for name, kind in kinds.items())
    return holder if fits and holder.pid > 0 and math.isfinite(holder.heartbeat) else None


@contextmanager
def held(path: Path, now: Callable[[], float]) -> Iterator[None]:
    """Hold the lock at `path` inside the `with` block, and keep its heartbeat going.

    Args:
        path: the lock file.
        now: gives the time in seconds since 1970.

    Raises:
        LockedError: another process holds it.
        OutputError: the folder cannot be written.
    """
    started = now()
    since = datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds")
    mine = Holder(socket.gethostname(), os.getpid(), _born(os.getpid()), since, started)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time(path):
        other = read(path)
        if other is not None and other.alive(now()):
            raise LockedError(
                f"expected a run that no one works on, got {path.parent} held by process "
                f"{other.pid} on {other.host} since {other.since}: wait for it, or stop it"
            )
        write_atomic(path, json_bytes(asdict(mine)))
    stop = threading.Event()
    beat = threading.Thread(target=_beat, args=(path, mine, now, stop), daemon=True)
    beat.start()
    try:
        yield
    finally:
        stop.set()
        beat.join()
        with suppress(OSError), _one_at_a_time(path):
            if _same(read(path), mine):
                path.unlink()


def _beat(path: Path, mine: Holder, now: Callable[[], float], stop: threading.Event) -> None:
    while not stop.wait(BEAT_SECONDS):
        with suppress(OSError):
            if _same(read(path), mine):
                write_atomic(path, json_bytes(asdict(mine) | {"heartbeat": now()}))


def _same(found: Holder | None, mine: Holder) -> bool:
    return found is not None and (found.host, found.pid, found.born, found.since) == (
        mine.host,
        mine.pid,
        mine.born,
        mine.since,
    )


@contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    """No other process reads or writes the lock inside this `with` block."""
    try:
        import fcntl
    except ImportError:  # Windows has none: two runs that start at one instant may both go on
        yield
        return
    with open(path.with_name(f".{path.name}.guard"), "w") as guard:
        with suppress(OSError):  # some network file systems have no locks either
            fcntl.flock(guard, fcntl.LOCK_EX)
        yield


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):  # no process has such a number
        return False
    except PermissionError:
        return True
    return True


def _born(pid: int) -> str:
    """When a process started, in the kernel's ticks; "" where there is no /proc."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] == "Z" else fields[19]
