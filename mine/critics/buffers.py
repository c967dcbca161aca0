"""All memory that a step of a stacked perceptron writes into, allocated once for a batch shape.

Only the activations are allocated anew, where other cells are wanted (`Buffers.regroup`).

On a CPU the cells of a stack go through a step in groups, one group after the other, each small
enough to stay in the cache. For example, with hidden layers of 100 and 100 and 300 rows a cell's
step writes 4 * 300 * (200 + 100) = 360 kB (`activation_bytes`). 3 MB (`GROUP_BYTES`) hold 8 cells,
so that a stack of 20 cells makes 3 groups of 6 or 7 (`even_parts`).

On CUDA all cells of a training step go at once. Held-out rows are many more than a batch's, so
there the cells go in groups too, which share one memory of at most `CUDA_GROUP_BYTES`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise

import torch
from torch import Tensor

from mine.critics.flat import zeros
from mine.critics.groups import Group, Outputs
from mine.critics.layers import Activations, Network

GROUP_BYTES = 3_000_000  # of activations of the cells that go through a step together on a CPU
CUDA_GROUP_BYTES = 2 << 30  # the same on CUDA, where no gradient is wanted


class Buffers:
    """What a step of one batch shape writes.

    Attributes:
        pairs_x: where x goes in the pairs, (K, 1 + m, B, dx); narrow networks only.
        pairs_y: where each block of y goes, 1 + m times (K, B, dy); narrow networks only.
        t_row: T on all pairs, (K, 1, (1 + m) B); t_joint (K, B) and t_marginal (K, m B) are parts.
        gt: the gradient of T, (K, (1 + m) B, 1); gt_joint and gt_marginal are parts.
        groups: the cells that go through a step together.
    """

    def __init__(
        self, network: Network, wanted: Sequence[bool], sizes: tuple[int, int, int], keep: bool
    ) -> None:
        """Allocates all but the activations.

        Args:
            network: the whole stack.
            wanted: which of its cells are computed.
            sizes: B rows of x, rows of y, and m marginal pairs for each row of x.
            keep: whether a gradient is wanted.
        """
        self._network, self._sizes, self._keep = network, sizes, keep
        (batch, _, m), k, device = sizes, network.k, network.device
        rows = (1 + m) * batch
        pairs = None
        if network.narrow:
            width = network.dx + network.dy + 1
            pairs = torch.ones(k, rows, _aligned(width, device), device=device)[..., :width]
            blocks = pairs.unflatten(1, (1 + m, batch))
            self.pairs_x = blocks[..., : network.dx]
            self.pairs_y = blocks[..., network.dx : -1].unbind(1)
        self.t_row = torch.zeros(k, 1, rows, device=device)  # a cell may never be wanted
        self.gt = torch.empty(k, rows, 1, device=device)
        self.t_joint, self.t_marginal = self.t_row.squeeze(1).tensor_split((batch,), 1)
        self.gt_joint, self.gt_marginal = self.gt.squeeze(2).tensor_split((batch,), 1)
        self._outputs = Outputs(pairs, self.t_row, self.gt)
        self.regroup(wanted)

    def regroup(self, wanted: Sequence[bool]) -> None:
        """Makes the groups anew, of these cells."""
        self.groups: list[Group] = []  # their memory is free before the new ones take theirs
        network, (batch, rows_y, m) = self._network, self._sizes
        rows, device = (1 + m) * batch, network.device
        parts = _parts(network, rows, self._keep, wanted)
        size = max((of.stop - of.start for of in parts), default=0)
        memory = [zeros(size * rows * max(network.hidden), device) for _ in range(2)]
        halves: list[Tensor] = []
        if not network.narrow:
            halves = [
                torch.empty(size, n, network.hidden[0], device=device) for n in (batch, rows_y)
            ]
        shared = None if self._keep else Activations(network, size * rows)
        self.groups = [
            Group(network, self._outputs, cells, (1 + m, batch), shared, memory, halves)
            for cells in parts
        ]


def _parts(network: Network, rows: int, keep: bool, wanted: Sequence[bool]) -> list[slice]:
    """The cells of each group; off the CPU all cells of a training step are one group."""
    on_cpu = network.device.type == "cpu"
    if keep and not on_cpu:
        return [slice(0, network.k)]
    budget = GROUP_BYTES if on_cpu else CUDA_GROUP_BYTES
    cell_bytes = activation_bytes(network.hidden, rows)
    return [
        slice(run.start + part.start, run.start + part.stop)
        for run in runs(wanted)
        for part in cell_groups(run.stop - run.start, cell_bytes, budget)
    ]


def runs(wanted: Sequence[bool]) -> list[slice]:
    """Neighbouring cells that are wanted. One alone takes an unwanted neighbour with it: see
    `even_parts`."""
    found, k = [], len(wanted)
    for want, of_run in groupby(range(k), wanted.__getitem__):
        places = list(of_run)
        if want:
            start, stop = places[0], places[-1] + 1
            if stop - start == 1 < k:
                start, stop = (start - 1, stop) if start else (start, stop + 1)
            found.append(slice(start, stop))
    return found


def _aligned(width: int, device: torch.device) -> int:
    """Numbers from one row to the next: on CUDA, products like rows that begin at 16 bytes."""
    return width if device.type == "cpu" else -(-width // 4) * 4


def cell_groups(k: int, cell_bytes: int, budget: int) -> list[slice]:
    """Divides k cells into groups whose activations stay within a budget, or are one cell's."""
    most = max(1, budget // cell_bytes)
    return even_parts(k, -(-k // most)) if most > 1 else [slice(i, i + 1) for i in range(k)]


def even_parts(n: int, count: int) -> list[slice]:
    """Divides n cells into about `count` parts, whose sizes differ by at most one.

    No part has one cell alone, unless n is 1. A product of single matrices is rounded differently
    from a batched product, and a cell's numbers must not depend on the other cells in its part.
    """
    count = max(1, min(count, n // 2))
    return [slice(a, b) for a, b in pairwise([n * j // count for j in range(count + 1)])]


def activation_bytes(hidden: Sequence[int], rows: int) -> int:
    """What one cell's step writes into: all layers' activations and one layer's gradient."""
    return 4 * rows * (sum(hidden) + max(hidden))
