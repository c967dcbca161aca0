"""Who holds the lock of a run, and whether that process lives, as far as this one can tell."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from experiments.suite.store.reading import is_count, is_number, parse_json, read_file

BEAT_SECONDS = 20.0
STALE_SECONDS = 180.0
CLOCKS_APART_SECONDS = 300.0
"""How far the clocks of two machines may be apart where one only looks (`Holder.alive`)."""


@dataclass(frozen=True)
class Holder:
    """The process that holds a lock.

    Attributes:
        host: the name of its machine.
        pid: its number there.
        born: its start, which tells it from a later process of the same number; "" if unknown.
        since: when it took the lock, UTC.
        heartbeat: when it last wrote that it lives, in seconds since 1970 by its clock.
        boot: the id of its machine's start, the same for all containers there; "" if unknown.
        namespace: in which its number counts; "" if unknown.
        number: of the lock; each holder of a run has a larger one than the holder before it.
        beats: how many heartbeats it has written.
    """

    host: str
    pid: int
    born: str
    since: str
    heartbeat: float
    boot: str = ""
    namespace: str = ""
    number: int = 0
    beats: int = 0

    @property
    def identity(self) -> tuple[object, ...]:
        """Equal for two readings of one holder's lock."""
        return (
            *(self.host, self.pid, self.born, self.since),
            *(self.boot, self.namespace, self.number),
        )

    def state(self) -> Literal["alive", "dead", "unknown"]:
        """By the process table, where the holder's number counts here; else unknown.

        A machine and its containers have one host name and one start, and several namespaces of
        process numbers; two machines may have one host name.
        """
        if self.boot and (self.boot, self.namespace) != (boot(), namespace()):
            return "unknown"
        if self.host != socket.gethostname() and not self.boot:
            return "unknown"
        return "alive" if _runs(self.pid) and self.born in ("", born(self.pid)) else "dead"

    def alive(self, now: float) -> bool:
        """Whether the holder seems to live; for one that only looks, and takes nothing over."""
        state = self.state()
        if state == "unknown":  # abs: a clock may have jumped back
            return abs(now - self.heartbeat) < STALE_SECONDS + CLOCKS_APART_SECONDS
        return state == "alive"

    @property
    def named(self) -> str:
        return f"process {self.pid} on {self.host} since {self.since}"


KINDS: dict[str, Any] = {
    **dict.fromkeys(("host", "born", "since", "boot", "namespace"), lambda v: isinstance(v, str)),
    **dict.fromkeys(("number", "beats"), is_count),
    "pid": lambda value: isinstance(value, int) and not isinstance(value, bool) and value > 0,
    "heartbeat": is_number,
}


def read(path: Path) -> Holder | None:
    """The holder that a lock file names; None where no such file can be read."""
    try:
        holder = Holder(**parse_json(read_file(path)))
    except (OSError, ValueError, TypeError):
        return None
    return holder if all(fits(getattr(holder, name)) for name, fits in KINDS.items()) else None


def boot() -> str:
    """The id of this machine's start; "" where the system has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def namespace() -> str:
    """The namespace of process numbers that this process is in; "" where the system has none."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def born(pid: int) -> str:
    """When a process started, in the kernel's ticks; "" where there is no /proc."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] == "Z" else fields[19]


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):  # no process has such a number
        return False
    except PermissionError:
        return True
    return True
