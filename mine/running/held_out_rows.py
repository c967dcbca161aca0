"""The critics of a stack on rows that did not train them: values, errors, influences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from mine.critics.protocol import Critic
from mine.data.autocorrelation import time_of
from mine.data.dependence import Clusters
from mine.data.sources import Dealt, Pairs
from mine.data.timed import TIMES
from mine.method.held_out import HeldOutValues, Influence, InfluenceArrays, held_out_values
from mine.method.method import Method, Probe
from mine.running.jobs import Job
from mine.training.loop import Progress

LONG = 4.0
"""Blocks. Few rows make a time twice as long by chance, and so does what a critic has of x or of y
alone, whose memory is longer than that of products and which the error counts too often."""


@dataclass(frozen=True)
class Tested:
    """One cell on its test rows.

    Attributes:
        value: in nats.
        error: its standard error.
        offset: mean T on the joint rows less the value; nan where the value is no bound.
        influences: what each test row adds to the error, where it was asked for.
        warnings: reasons to doubt the error.
    """

    value: float
    error: float
    offset: float
    influences: tuple[InfluenceArrays, ...]
    warnings: tuple[str, ...] = ()


def tested(
    jobs: Sequence[Job], method: Method, critic: Critic, data: Sequence[Dealt]
) -> list[Tested]:
    """Each cell on its test rows.

    The test rows of two folds can differ by one. Cells with as many rows are looked at together;
    the others' rows are brought to that length and their values are left out.
    """
    tests, partners = [dealt.test for dealt in data], jobs[0].partners
    found: dict[int, Tested] = {}
    for n in sorted({len(x) for x, _ in tests}):
        equal = [k for k, (x, _) in enumerate(tests) if len(x) == n]
        held_out = _on_test_rows(critic, data, n, partners)
        values, errors = method.test(held_out)
        offsets = held_out.joint.mean(-1) - values
        # At once: on CUDA each look at a single cell would wait for the device.
        numbers = list(zip(values.tolist(), errors.tolist(), offsets.tolist(), strict=True))
        influences = None
        if any(jobs[k].keeps_influences for k in equal):
            influences = _influences(method, held_out).cpu()
        short = _short_blocks(method, held_out)
        for k in equal:
            of_k = () if influences is None else (influences.arrays(k),)
            found[k] = Tested(*numbers[k], of_k, short[k] if short else ())
    return [found[k] for k in range(len(tests))]


def probed(
    jobs: Sequence[Job], probe: Probe, critic: Critic, data: Sequence[Dealt]
) -> list[Tested]:
    """Each cell's critic on its task, where what is reported is no function of held-out values."""
    generators = [job.generator("probe", critic.theta.device) for job in jobs]
    tasks = [job.source.task for job in jobs]
    rows = _stacked([dealt.test for dealt in data])
    values, errors = (of.tolist() for of in probe(critic, tasks, rows, generators))
    return [Tested(*of_cell, math.nan, ()) for of_cell in zip(values, errors, strict=True)]


def train_values(
    method: Method, critic: Critic, data: Sequence[Dealt], last: Progress, partners: int
) -> Tensor:
    """The bound on rows that were trained on: as many as the test has.

    Fresh samples are gone; then it is the running mean over the last batches.
    """
    seen = [dealt.seen for dealt in data if dealt.seen is not None]
    if len(seen) < len(data):
        return last.train_value
    n = min(len(data[0].test[0]), *(len(x) for x, _ in seen))
    rows = [(x[:n], y[:n]) for x, y in seen]
    return method.test(on_rows(critic, rows, partners, distance_of(data)))[0]


def on_rows(
    critic: Critic, rows: Sequence[Pairs], partners: int, distance: int = 0
) -> HeldOutValues:
    """Critic values on the rows of each cell, each row beside this many marginal partners, which
    are a distance away."""
    return held_out_values(critic, *_stacked(rows), partners, distance)


def distance_of(data: Sequence[Dealt]) -> int:
    """Rows so many places apart do not hang together: one number for all cells of a stack."""
    clusters = data[0].clusters
    return clusters.distance if clusters else 0


def _on_test_rows(critic: Critic, data: Sequence[Dealt], n: int, partners: int) -> HeldOutValues:
    """On n test rows of each cell, with the clusters of those that have so many."""
    rows = [_resized(dealt.test, n) for dealt in data]
    found = on_rows(critic, rows, partners, distance_of(data))
    clusters = [dealt.clusters for dealt in data if dealt.clusters]
    return replace(found, clusters=tuple(_resized_clusters(of, n) for of in clusters))


def _resized_clusters(clusters: Clusters, n: int) -> Clusters:
    index = clusters.index
    return replace(clusters, index=index[torch.arange(n) % len(index)])


def _influences(method: Method, held_out: HeldOutValues) -> Influence:
    """What the standard errors are computed from."""
    kept: list[Influence] = []

    def keep(influence: Influence) -> Tensor:
        kept.append(influence)
        return influence.stderr()

    method.test(replace(held_out, spread=keep))
    return kept[-1]


def _short_blocks(method: Method, held_out: HeldOutValues) -> list[tuple[str, ...]]:
    """Warnings for each cell whose rows' influences hang together for longer than `LONG` blocks;
    [] where the rows are no series."""
    if not (held_out.clusters and held_out.clusters[0].timed):
        return []
    rows = _influences(method, replace(held_out, clusters=())).rows.cpu().double().numpy()
    length = held_out.clusters[0].distance
    return [_too_short(time_of(v), length) for v in rows]


def _too_short(time: float, length: int) -> tuple[str, ...]:
    text = (
        f"short blocks: what the rows add to the value hangs together over {time:.0f} rows, much "
        f"longer than a block of {length}, so that the interval is too narrow: give "
        f"blocks={math.ceil(TIMES * time)}"
    )
    return (text,) * (time > LONG * length)


def _resized(rows: Pairs, n: int) -> Pairs:
    """n of the rows; the first ones are repeated where there are fewer."""
    x, y = rows
    if len(x) == n:
        return rows
    index = torch.arange(n, device=x.device) % len(x)
    return x[index], y[index]


def _stacked(rows: Sequence[Pairs]) -> Pairs:
    xs, ys = zip(*rows, strict=True)
    return torch.stack(xs), torch.stack(ys)
