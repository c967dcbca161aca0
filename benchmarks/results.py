"""From measurements to rows: medians over rounds of each round's ratios."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from statistics import median

from benchmarks.cases import TARGETS, Shape, Target
from benchmarks.contenders import CAREFUL, NOTEBOOK, STACKED, Contender
from benchmarks.rounds import Measured


@dataclass(frozen=True)
class Spread:
    """The median, the least and the largest of the rounds' values."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(median(values), min(values), max(values))


@dataclass(frozen=True)
class Row:
    """One contender: the columns of the CSV, where a spread X has three: X, X_min and X_max.

    Attributes:
        contender: "stacked", "careful" or "notebook".
        hidden, batch, dim, marginal_samples: the shape.
        k: networks trained at once.
        threads: torch's threads, or stacks at once.
        us: microseconds per network-step.
        vs_careful: times as fast as the careful loop, at its best number of threads.
        vs_notebook: times as fast as the notebook's loop, likewise.
        of_peak: share of the matrix products' peak.
        vs_k64: network-steps a second, relative to the stacked core at K = 64.
        gflops: 10^9 flops a second of the network-step, by `benchmarks.cases`.
        peak_gflops: 10^9 flops a second of the matrix products.
        cores: cores busy on average (fewer than the machine has where it waited, or shared them).
        memory_mib: peak memory of the whole program, MiB.
        steps: steps of a measurement.
        rounds: number of measurements.
    """

    contender: str
    hidden: int
    batch: int
    dim: int
    marginal_samples: int
    k: int
    threads: int
    us: Spread
    vs_careful: Spread
    vs_notebook: Spread
    of_peak: Spread
    vs_k64: Spread | None
    gflops: float
    peak_gflops: float
    cores: float
    memory_mib: float | None
    steps: int
    rounds: int

    @property
    def shape(self) -> Shape:
        return Shape(self.hidden, self.batch, self.dim, self.marginal_samples)


def rows(measured: Measured, memory: Mapping[Contender, float]) -> list[Row]:
    """One row for each contender, in the order of a round."""
    us = {c: [s.us for s in samples] for c, samples in measured.samples.items()}

    def best(shape: Shape, chosen: Callable[[Contender], bool]) -> list[float] | None:
        """The times of the fastest of those chosen."""
        found = [t for c, t in us.items() if c.shape == shape and chosen(c)]
        return min(found, key=median) if found else None

    def ratio(of: list[float], to: list[float]) -> Spread:
        return Spread.of([a / b for a, b in zip(of, to, strict=True)])

    result = []
    for c, own in us.items():
        careful = best(c.shape, lambda o: o.name == CAREFUL) or own
        notebook = best(c.shape, lambda o: o.name == NOTEBOOK) or own
        k64 = best(c.shape, lambda o: o.name == STACKED and o.k == 64)
        flops = c.shape.flops()
        rate = [1e6 * flops / t for t in own]
        result.append(
            Row(
                contender=c.name,
                **asdict(c.shape),
                k=c.k,
                threads=c.threads,
                us=Spread.of(own),
                vs_careful=ratio(careful, own),
                vs_notebook=ratio(notebook, own),
                of_peak=ratio(rate, measured.peaks),
                vs_k64=ratio(k64, own) if k64 and c.name == STACKED else None,
                gflops=median(rate) / 1e9,
                peak_gflops=median(measured.peaks) / 1e9,
                cores=median(s.cores for s in measured.samples[c]),
                memory_mib=memory.get(c),
                steps=measured.steps[c],
                rounds=len(own),
            )
        )
    return result


@dataclass(frozen=True)
class Verdict:
    """A target and what was measured."""

    target: Target
    measured: Spread

    @property
    def met(self) -> bool:
        return self.measured.median >= self.target.least


def verdicts(found: Sequence[Row], targets: Sequence[Target] = TARGETS) -> list[Verdict]:
    """The verdicts on the targets whose case was measured."""
    return [
        Verdict(t, spread)
        for t in targets
        for r in found
        if (r.contender, r.shape, r.k) == (STACKED, t.shape, t.k)
        and (spread := getattr(r, t.measure)) is not None
    ]


def csv_bytes(found: Sequence[Row], targets: Sequence[Target] = TARGETS) -> bytes:
    """One line for each contender, with a column for the target of each measure."""
    to_reach = {(t.shape, t.k, t.measure): t.least for t in targets}
    measures = dict.fromkeys(t.measure for t in targets)
    lines = []
    for r in found:
        line: dict[str, object] = {}
        for f in fields(r):
            line |= _cells(f.name, getattr(r, f.name), f.name in _SPREADS)
            if f.name in measures:
                least = to_reach.get((r.shape, r.k, f.name)) if r.contender == STACKED else None
                line[f"{f.name}_target"] = "" if least is None else f"{least:.4g}"
        lines.append(line)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue().encode()


_SPREADS = {f.name for f in fields(Row) if "Spread" in str(f.type)}


def _cells(name: str, value: object, spread: bool) -> dict[str, object]:
    if isinstance(value, Spread):
        return {
            name: f"{value.median:.5g}",
            f"{name}_min": f"{value.low:.5g}",
            f"{name}_max": f"{value.high:.5g}",
        }
    if spread:
        return dict.fromkeys((name, f"{name}_min", f"{name}_max"), "")
    return {name: f"{value:.5g}" if isinstance(value, float) else "" if value is None else value}
