"""A lock on a run: only one process at a time works on it, and one that lost it writes no more.

``lock.json`` in the run's folder names the process that holds the lock (see `holder`). Where its
number counts on this machine, the process table tells whether it lives. Elsewhere (another
machine, another container, before the machine's restart) its heartbeat does: it is watched, and
where it does not change for `STALE_SECONDS` the lock is taken over. No two clocks are compared.

A holder that only slept must not write once another has taken its lock. So every lock has a
number, larger than that of the lock before it, and every write is made inside `Fence.writing`:
under the guard that a takeover needs too, and only while the lock on disk is one's own.
"""

from __future__ import annotations

import os
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from experiments.suite.store import holder
from experiments.suite.store.files import OutputError, write_atomic
from experiments.suite.store.holder import Holder, read
from experiments.suite.store.serialising import json_bytes

LOOK_SECONDS = 0.5
"""Between two looks at a heartbeat that is watched."""
GUARD_SECONDS = 30.0
"""How long one waits for the guard, which others have for the time of a write."""


class LockedError(OSError):
    """Another process works on the run: one line says which, where and since when."""


class LostLockError(LockedError):
    """Another process took the lock over: one line says which. Nothing more was written."""


@dataclass
class Fence:
    """What lets a holder write, and nobody else.

    Attributes:
        path: the lock file.
        mine: the lock as this process took it.
        lost: whether another process was seen to have taken it over.
    """

    path: Path
    mine: Holder
    lost: bool = False
    _inside: threading.local = field(default_factory=threading.local)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Inside this `with` block the lock is one's own, and cannot be taken over.

        Raises:
            LostLockError: another process has taken it over.
            OutputError: the folder cannot be written.
        """
        if getattr(self._inside, "depth", 0):
            yield
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)  # someone may have removed it
        with guarded(self.path) as number:
            self._check(number)
            self._inside.depth = 1
            try:
                yield
            finally:
                self._inside.depth = 0

    def _check(self, number: int) -> None:
        found = read(self.path)
        if found is not None and found.identity == self.mine.identity:
            return
        if found is None and number in (0, self.mine.number):  # the file or folder was removed
            take(self.path, self.mine)
            return
        self.lost = True
        raise self.error(found)

    def error(self, found: Holder | None = None) -> LostLockError:
        """What to say where the lock is lost."""
        found = found or read(self.path)
        by = f"taken over by {found.named}" if found else "taken over, and given up since"
        return LostLockError(
            f"expected to hold {self.path.parent}, got it {by} while this process gave no sign "
            "of life: this one stops, and has written nothing since; the run is whole"
        )

    def beat(self, seconds: float, beats: int) -> None:
        """Write that this process lives, as `seconds` since 1970."""
        with suppress(OSError), self.writing():
            write_atomic(
                self.path, json_bytes(asdict(self.mine) | {"heartbeat": seconds, "beats": beats})
            )


@contextmanager
def held(
    path: Path, now: Callable[[], float], notice: Callable[[str], None] = lambda line: None
) -> Iterator[Fence]:
    """Hold the lock at `path` inside the `with` block, and keep its heartbeat going.

    Args:
        path: the lock file.
        now: gives the time in seconds since 1970.
        notice: is told, in a line, that a holder is watched.

    Raises:
        LockedError: another process holds it.
        OutputError: the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fence = _free(path, now) or _after_watching(path, now, notice)
    stop = threading.Event()
    beat = threading.Thread(target=_beat, args=(fence, now, stop), daemon=True)
    beat.start()
    try:
        yield fence
    finally:
        stop.set()
        beat.join()
        if path.parent.exists():
            with suppress(OSError), guarded(path):
                if (found := read(path)) and found.identity == fence.mine.identity:
                    path.unlink()


def take(path: Path, mine: Holder) -> None:
    """Write the lock, and its number where it stays when the lock is gone. Under the guard."""
    with _guard(path).open("r+b") as guard:  # over the old digits, so that a kill leaves a number
        os.pwrite(guard.fileno(), b"%017d" % mine.number, 0)
    write_atomic(path, json_bytes(asdict(mine)))


def _free(path: Path, now: Callable[[], float], dead: Holder | None = None) -> Fence | None:
    """Take the lock where nobody holds it, or who does is dead; None where that is not known.

    Raises:
        LockedError: another process holds it.
    """
    with guarded(path) as number:
        other = read(path)
        if other is not None and other != dead:
            state = other.state()
            if state == "unknown":
                return None
            if state == "alive":
                raise _locked(path, other)
        mine = _me(now(), 1 + max(number, other.number if other else 0))
        take(path, mine)
        return Fence(path, mine)


def _after_watching(path: Path, now: Callable[[], float], notice: Callable[[str], None]) -> Fence:
    """Take the lock where its holder gives no sign of life for `STALE_SECONDS`.

    Looks are counted, and no clock is read: while this process sleeps, none is made.

    Raises:
        LockedError: its holder lives.
    """
    seen, pause = read(path), threading.Event()
    if seen is not None:
        notice(
            f"{path.parent} is held by {seen.named}, which cannot be seen from here: watching for "
            f"{holder.STALE_SECONDS:g} s whether it lives"
        )
    for _ in range(max(1, round(holder.STALE_SECONDS / LOOK_SECONDS))):
        pause.wait(LOOK_SECONDS)
        found = read(path)
        if found is None:
            break
        if seen is not None and found != seen:
            raise _locked(path, found)
        seen = found
    fence = _free(path, now, seen)
    if fence is None:  # yet another holder, in the last moment
        raise _locked(path, read(path) or seen or _me(now(), 0))
    return fence


def _me(started: float, number: int) -> Holder:
    since = datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds")
    pid = os.getpid()
    return Holder(
        *(socket.gethostname(), pid, holder.born(pid), since, started),
        *(holder.boot(), holder.namespace(), number),
    )


def _locked(path: Path, other: Holder) -> LockedError:
    return LockedError(
        f"expected a run that no one works on, got {path.parent} held by {other.named}: "
        "wait for it, or stop it"
    )


def _beat(fence: Fence, now: Callable[[], float], stop: threading.Event) -> None:
    beats = 0
    while not stop.wait(holder.BEAT_SECONDS) and not fence.lost:
        beats += 1
        fence.beat(now(), beats)


def _guard(path: Path) -> Path:
    return path.with_name(f".{path.name}.guard")


@contextmanager
def guarded(path: Path) -> Iterator[int]:
    """Nobody else reads or writes the lock inside this `with` block; the number of the last lock.

    Raises:
        LockedError: another process has the guard for longer than any write takes.
        OutputError: the guard is no regular file.
    """
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        descriptor = os.open(_guard(path), flags, 0o666)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise OutputError(
            f"expected a guard of the lock at {_guard(path)}, got {error.strerror!r}: "
            "move it away, and run the command again"
        ) from error
    with open(descriptor, "r+b") as guard:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OutputError(
                f"expected a guard of the lock at {_guard(path)}, got something that is no "
                "regular file: move it away, and run the command again"
            )
        unlock = _flock(descriptor, path)
        try:
            text = guard.read(32).decode("ascii", "replace")
            yield int(text) if text.isdecimal() and len(text) < 18 else 0
        finally:
            unlock()  # a forked process may hold a copy of the descriptor


def _flock(descriptor: int, path: Path) -> Callable[[], None]:
    """Lock a file, and return what unlocks it.

    Where the system has no such locks (Windows, some network file systems) two runs that start at
    one instant may both go on, until the first write of one of them finds the other's lock.
    """
    try:
        import fcntl
    except ImportError:
        return lambda: None
    pause = threading.Event()
    for _ in range(round(GUARD_SECONDS / 0.02)):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lambda: fcntl.flock(descriptor, fcntl.LOCK_UN)
        except BlockingIOError:
            pause.wait(0.02)
        except OSError:
            return lambda: None
    other = read(path)
    raise (
        _locked(path, other)
        if other
        else LockedError(
            f"expected a run that no one works on, got {path.parent} in the midst of another "
            "process's write: wait for it, or stop it"
        )
    )
