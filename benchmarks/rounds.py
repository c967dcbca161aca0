"""Interleaved rounds: A B C, A B C, ..., so that a slow machine slows all contenders equally."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from benchmarks.contenders import Contender
from benchmarks.peak import SIZES, matmul_peak

FEW = 8  # steps of the shorter of two runs; the difference of the two is the time of the steps
PILOT = 24  # further steps of a first run, which tells how many steps fill the time
LEAST = 16  # further steps of a measurement


@dataclass(frozen=True)
class Sample:
    """One measurement: microseconds per network-step, and the cores that were busy on average."""

    us: float
    cores: float


@dataclass
class Measured:
    """What was measured; the lists have one entry for each round.

    Attributes:
        samples: each contender's measurements.
        peaks: the matrix products' peak, flops a second.
        steps: how many steps a measurement of each contender takes.
    """

    samples: dict[Contender, list[Sample]]
    peaks: list[float] = field(default_factory=list)
    steps: dict[Contender, int] = field(default_factory=dict)


def measure(
    contenders: Sequence[Contender],
    threads: int,
    seconds: float,
    rounds: int,
    done: Callable[[str], None] = lambda what: None,
    sizes: Sequence[int] = SIZES,
) -> Measured:
    """Measures every contender once in each round.

    Args:
        contenders: who is measured.
        threads: for the matrix products.
        seconds: what one measurement takes, about.
        rounds: how many rounds.
        done: called with the name of each measurement after it, and of each trial before them.
        sizes: of the matrices.
    """
    found = Measured({c: [] for c in contenders})
    for c in contenders:
        found.steps[c] = _steps(c, seconds)
        done(f"trial: {c}")
    for r in range(1, rounds + 1):
        found.peaks.append(matmul_peak(seconds, threads, sizes))
        done(f"round {r}: matrix products")
        for c in contenders:
            found.samples[c].append(_sample(c, found.steps[c]))
            done(f"round {r}: {c}")
    return found


def _steps(c: Contender, seconds: float) -> int:
    """How many steps take about this long."""
    c.train(FEW)  # what a process does only once is done here
    sample = _sample(c, PILOT)
    return max(LEAST, round(seconds / (sample.us * 1e-6 * c.k)))


def _sample(c: Contender, steps: int) -> Sample:
    """A long run minus a short one: what both do once (making networks, evaluating) drops out."""
    short, long = _clocked(c, FEW), _clocked(c, FEW + steps)
    wall, cpu = long[0] - short[0], long[1] - short[1]
    if wall <= 0.0:  # the short run was delayed
        wall, cpu = long
    return Sample(1e6 * wall / (steps * c.k), cpu / wall)


def _clocked(c: Contender, steps: int) -> tuple[float, float]:
    """Seconds by the clock, and seconds of all cores together."""
    wall, cpu = time.perf_counter(), cpu_seconds()
    c.train(steps)
    return time.perf_counter() - wall, cpu_seconds() - cpu


def cpu_seconds() -> float:
    """Of this process and the children it has waited for; `os.times` counts in ticks of 10 ms."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)
