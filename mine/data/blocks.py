"""A block of steps of batches, for all cells of a stack.

On a CPU each cell draws its own block. On CUDA every operation of every cell would take a launch,
about 8 microseconds. There each cell's generator fills a part of one memory with noise, which is
one launch a cell. The noise of all cells becomes samples, or orders of rows, at once.

A cell's numbers depend on its source and generator alone, so that on both ways they do not depend
on its neighbours.

Shapes: S steps of a block, K cells, B rows, m marginal samples per joint one.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Protocol, TypeGuard

import torch
from torch import Tensor

from mine.data.batches import Batches, DataSet, Samples, Stream, epochs_of

ORDERED = 1 << 26  # random numbers that are sorted at once, to put rows into random order


class OfNoise(Samples, Protocol):
    """A task that makes its samples from noise, row by row.

    Attributes:
        noise_columns: how many numbers of U(0, 1) and of N(0, 1) a row takes.
    """

    @property
    def noise_columns(self) -> tuple[int, int]: ...
    def from_noise(self, uniform: Tensor, normal: Tensor) -> tuple[Tensor, Tensor]:
        """Samples x (n, dx) and y (n, dy) from noise (n, columns) of both kinds."""
        ...


def draw_block(
    sources: Sequence[Batches],
    generators: Sequence[torch.Generator],
    steps: int,
    batch: int,
    kind: str,
    m: int,
) -> list[Tensor]:
    """The next S batches of every cell, each from its own source and generator.

    On CUDA the same takes fewer launches, and other random numbers: `draw_by_few_launches`.

    Returns:
        x (S, K, B, dx) and y (S, K, rows, dy); for a shuffle its permutations and their
        inverses (S, K, m, B) too.
    """
    if generators[0].device.type == "cuda":
        return draw_by_few_launches(sources, generators, steps, batch, kind, m)
    xs, ys, indices = [], [], []
    for source, g in zip(sources, generators, strict=True):
        x, y = source.draw(steps, batch, g)
        if kind == "independent":
            _, extra = source.draw(steps * m, batch, g)
            y = torch.cat([y, extra.view(steps, m * batch, -1)], 1)
        if kind == "shuffle":
            noise = torch.rand(steps, m, batch, generator=g, device=g.device)
            indices.append(noise.argsort(-1).to(x.device))
        xs.append(x)
        ys.append(y)
    batches = [torch.stack(xs, 1), torch.stack(ys, 1)]
    if indices:
        index = torch.stack(indices, 1)
        batches += [index, index.argsort(-1)]
    return batches


# ------------------------------------------------------------------- few launches


def draw_by_few_launches(
    sources: Sequence[Batches],
    generators: Sequence[torch.Generator],
    steps: int,
    batch: int,
    kind: str,
    m: int,
) -> list[Tensor]:
    """What `draw_block` gives, in distribution: the numbers are used in other ways."""
    x, y = _joint(sources, generators, steps, batch)
    if kind == "independent":
        _, extra = _joint(sources, generators, steps * m, batch)
        y = torch.cat([y, extra.unflatten(1, (steps, m)).flatten(2, 3)], 2)
    batches = [x.transpose(0, 1), y.transpose(0, 1)]
    if kind == "shuffle":
        index = _orders(_uniform(generators, (steps, m, batch))).to(x.device).transpose(0, 1)
        batches += [index, index.argsort(-1)]
    return batches


def _joint(
    sources: Sequence[Batches], generators: Sequence[torch.Generator], n: int, batch: int
) -> tuple[Tensor, Tensor]:
    """n batches of joint pairs of every cell: (K, n, B, dx) and (K, n, B, dy)."""
    groups: dict[Hashable, list[int]] = {}
    for k, source in enumerate(sources):
        groups.setdefault(_group(source, k), []).append(k)
    found = [
        _of_group([sources[k] for k in cells], [generators[k] for k in cells], n, batch)
        for cells in groups.values()
    ]
    if len(found) == 1:
        return found[0]
    order = torch.tensor([k for cells in groups.values() for k in cells]).argsort()
    order = order.to(found[0][0].device)
    x, y = (torch.cat(of).index_select(0, order) for of in zip(*found, strict=True))
    return x, y


def _group(source: Batches, k: int) -> Hashable:
    """Equal for sources whose batches are drawn at once."""
    if isinstance(source, Stream) and _is_of_noise(source.task):
        return source
    if isinstance(source, DataSet):
        return len(source.x), source.x.dtype, source.y.dtype
    return k


def _is_of_noise(task: object) -> TypeGuard[OfNoise]:
    """Not by `isinstance`: a task made of another one has the members where that one has them."""
    return hasattr(task, "noise_columns")


def _of_group(
    sources: Sequence[Batches], generators: Sequence[torch.Generator], n: int, batch: int
) -> tuple[Tensor, Tensor]:
    first = sources[0]
    if isinstance(first, Stream) and _is_of_noise(first.task):
        return _from_noise(first.task, generators, n, batch)
    if isinstance(first, DataSet):
        return _rows([s for s in sources if isinstance(s, DataSet)], generators, n, batch)
    x, y = first.draw(n, batch, generators[0])
    return x.unsqueeze(0), y.unsqueeze(0)


def _from_noise(
    task: OfNoise, generators: Sequence[torch.Generator], n: int, batch: int
) -> tuple[Tensor, Tensor]:
    """Samples of one task for several cells."""
    uniform, normal = task.noise_columns
    noise = _uniform(generators, (n * batch, uniform)), _normal(generators, (n * batch, normal))
    x, y = task.from_noise(*(v.flatten(0, 1) for v in noise))
    shape = len(generators), n, batch
    return x.unflatten(0, shape), y.unflatten(0, shape)


def _rows(
    sources: Sequence[DataSet], generators: Sequence[torch.Generator], n: int, batch: int
) -> tuple[Tensor, Tensor]:
    """Batches of data sets of equally many rows; see `mine.data.batches.batch_rows`."""
    rows = len(sources[0].x)
    per_epoch, epochs = epochs_of(rows, n, batch)
    at_once = max(1, ORDERED // (epochs * rows))
    index = torch.cat(
        [
            _orders(_uniform(generators[i : i + at_once], (epochs, rows)))[
                ..., : per_epoch * batch
            ].flatten(1)[:, : n * batch]
            for i in range(0, len(generators), at_once)
        ]
    )
    return _taken([s.x for s in sources], index, n), _taken([s.y for s in sources], index, n)


def _taken(tables: Sequence[Tensor], index: Tensor, n: int) -> Tensor:
    """The rows of each cell's table that its index (n B,) names: (K, n, B, d)."""
    first = tables[0]
    found = first.new_empty(len(tables), index.shape[1], first.shape[1])
    of_cells = index.to(first.device).unbind(0)
    for table, chosen, place in zip(tables, of_cells, found.unbind(0), strict=True):
        torch.index_select(table, 0, chosen, out=place)
    return found.unflatten(1, (n, -1))


def _uniform(generators: Sequence[torch.Generator], shape: tuple[int, ...]) -> Tensor:
    """U(0, 1) of this shape for each cell, with a leading axis."""
    found = torch.empty(len(generators), *shape, device=generators[0].device)
    if found.numel():
        for place, generator in zip(found.unbind(0), generators, strict=True):
            place.uniform_(generator=generator)
    return found


def _normal(generators: Sequence[torch.Generator], shape: tuple[int, ...]) -> Tensor:
    """N(0, 1) of this shape for each cell, with a leading axis."""
    found = torch.empty(len(generators), *shape, device=generators[0].device)
    if found.numel():
        for place, generator in zip(found.unbind(0), generators, strict=True):
            place.normal_(generator=generator)
    return found


def _orders(noise: Tensor) -> Tensor:
    """Random orders from U(0, 1), along the last axis. Equal numbers stay in their order, so that
    no order depends on what else is sorted."""
    return noise.argsort(stable=True, dim=-1)
