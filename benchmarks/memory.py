"""What a whole program with its workers takes: its peak memory, and its seconds of a core.

On Linux the proportional set sizes of the process and its descendants are added up every few
milliseconds, so that memory which several processes share counts once. Elsewhere the largest peak
among them is taken. A contender's process runs
`python -m benchmarks.memory NAME HIDDEN BATCH DIM MARGINAL_SAMPLES K THREADS`.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.contenders import Contender

STEPS = 100
EVERY = 0.03  # seconds
MIB = 1 << 20
ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Used:
    """What a program took, and what it printed.

    Attributes:
        mib: its peak memory, with its workers, in MiB.
        cpu: seconds of one core, of all its threads and workers together.
        output: its standard output.
    """

    mib: float
    cpu: float
    output: str


def peak_mib(contender: Contender) -> float:
    """Peak memory of a program that imports what it needs and trains a few steps, in MiB."""
    s, c = contender.shape, contender
    numbers = (s.hidden, s.batch, s.dim, s.marginal_samples, c.k, c.threads)
    return used_by([sys.executable, "-m", "benchmarks.memory", c.name, *map(str, numbers)]).mib


def used_by(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Used:
    """Runs a program to its end.

    Args:
        command: its words.
        environment: variables beside this process's.

    Raises:
        RuntimeError: its exit status is not 0.
    """
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=output, env={**os.environ, **(environment or {})}
        )
        peak, usage = _watch(process)
        if process.returncode:
            raise RuntimeError(f"expected exit code 0, got {process.returncode} from: {command}")
        output.seek(0)
        printed = output.read().decode()
    peak = peak or usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Used(peak / MIB, usage.ru_utime + usage.ru_stime, printed)


def _watch(process: subprocess.Popen[bytes]) -> tuple[int, resource.struct_rusage]:
    """Waits for its end: the peak in bytes, 0 where it cannot be read, and what it used."""
    peak, proc = 0, Path("/proc/self/smaps_rollup").exists()
    while proc and os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        peak = max(peak, sum(map(_bytes, _tree(process.pid))))
        time.sleep(EVERY)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return peak, usage


def _tree(pid: int) -> Iterator[int]:
    """A process and its descendants."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found = children.read_text().split()
        except OSError:  # it has just ended
            continue
        for child in found:
            yield from _tree(int(child))


def _bytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return 1024 * next((int(x.split()[1]) for x in lines if x.startswith("Pss:")), 0)


def main(arguments: Sequence[str]) -> None:
    from benchmarks.cases import Shape
    from benchmarks.contenders import Contender

    name, *numbers = arguments
    *shape, k, threads = map(int, numbers)
    Contender(name, Shape(*shape), k, threads).train(STEPS)


if __name__ == "__main__":
    main(sys.argv[1:])
