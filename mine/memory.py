"""What memory a process can have, and errors of one that asked for more.

Nothing here needs torch: the process may not have had the memory to load it.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

GB = 10**9
LIBRARIES = 2 << 30
"""Bytes of addresses that the libraries alone take: below this limit (ulimit -v) some of them end
the process without a word."""
ADVICE = "lower batch_size or hidden, take fewer rows or columns, or bring more memory"


class Memory(NamedTuple):
    """Bytes: as many as there can ever be, and as many as are free; inf where nobody knows."""

    most: float
    free: float


def of_this_process() -> Memory:
    """The least of what the machine, its container and the limit of the process leave."""
    found = [_of_machine(), *_of_containers(), _of_limit()]
    return Memory(min(of.most for of in found), min(of.free for of in found))


def check_limit() -> None:
    """Refuses a limit under which the libraries cannot be loaded.

    Raises:
        MemoryError: with what to do.
    """
    limit = _limit()
    if limit < LIBRARIES:
        raise MemoryError(
            f"expected a limit of at least {LIBRARIES / GB:.1f} GB of addresses, got "
            f"{limit / GB:.1f} GB: raise it (ulimit -v)"
        )


def is_lack(error: BaseException) -> bool:
    """Whether an error says that memory ran out. Libraries say it in many ways."""
    by_name = type(error).__name__ in ("ArrowMemoryError", "OutOfMemoryError")
    return isinstance(error, MemoryError) or by_name or bool(_LACK.search(str(error)))


def lack(error: BaseException) -> str:
    """Such an error in one line, with what to do; one that says so already as it is."""
    text = " ".join(str(error).split())
    if text.startswith("expected") or _LACK_SAID in text or "CUDA" in text:
        return text
    if isinstance(error, ImportError | SystemError):
        what, remedy = "the libraries could not be loaded", "bring more, or raise ulimit -v"
    else:
        found = re.search(r"(?:allocate|size) (\d{6,})", text)
        size = f"{int(found[1]) / GB:.3g} GB at once" if found else "more"
        what, remedy = f"{size} could not be allocated", ADVICE
    return f"{_LACK_SAID}{what}: {remedy}"


_LACK_SAID = "out of memory: "


_LACK = re.compile(
    r"alloc_cpu\.cpp|can't allocate memory|[Cc]annot allocate memory|bad_alloc|out of memory|"
    r"[Uu]nable to allocate|failed to map segment|malloc of size|error return without exception"
)


def _limit() -> float:
    try:
        import resource
    except ImportError:  # not on Windows
        return math.inf
    soft = resource.getrlimit(resource.RLIMIT_AS)[0]
    return math.inf if soft == resource.RLIM_INFINITY else soft


def _of_limit() -> Memory:
    limit, used = _limit(), 0.0
    with suppress(OSError, ValueError, IndexError):
        used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    return Memory(limit, limit - used)


def _of_machine() -> Memory:
    try:
        lines = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
        found = {line[0].rstrip(":"): 1024.0 * int(line[1]) for line in lines}
        swap = found["SwapTotal"], found["SwapFree"]
        return Memory(found["MemTotal"] + swap[0], found["MemAvailable"] + swap[1])
    except (OSError, ValueError, LookupError):  # not on Linux
        return Memory(math.inf, math.inf)


def _of_containers() -> Iterator[Memory]:
    """The limit of the control group, in either version of its files.

    What is used of it is not looked at: that counts files which the system would give back.
    """
    for limit in ("memory.max", "memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):  # "max" where there is none
            most = float((_GROUPS / limit).read_text())
            yield Memory(most, most)


_GROUPS = Path("/sys/fs/cgroup")
