"""All memory that a step of a stacked perceptron writes into, allocated once for a batch shape.

On a CPU the cells of a stack go through a step in groups, one group after the other, each small
enough to stay in the cache. For example, with hidden layers of 100 and 100 and 300 rows a cell's
step writes 4 * 300 * (200 + 100) = 360 kB (`activation_bytes`). 3 MB (`GROUP_BYTES`) hold 8 cells,
so that a stack of 20 cells makes 3 groups of 6 or 7 (`even_parts`).

On CUDA all cells of a training step go at once. Held-out rows are many more than a batch's, so
there the cells go in groups too, which share one memory of at most `CUDA_GROUP_BYTES`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

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

    def __init__(self, network: Network, batch: int, rows_y: int, m: int, keep: bool) -> None:
        k, rows, device = network.k, (1 + m) * batch, network.device
        pairs = None
        if network.narrow:
            width = network.dx + network.dy + 1
            pairs = torch.ones(k, rows, _aligned(width, device), device=device)[..., :width]
            blocks = pairs.unflatten(1, (1 + m, batch))
            self.pairs_x = blocks[..., : network.dx]
            self.pairs_y = blocks[..., network.dx : -1].unbind(1)
        self.t_row = torch.empty(k, 1, rows, device=device)
        self.gt = torch.empty(k, rows, 1, device=device)
        self.t_joint, self.t_marginal = self.t_row.squeeze(1).tensor_split((batch,), 1)
        self.gt_joint, self.gt_marginal = self.gt.squeeze(2).tensor_split((batch,), 1)
        groups = _groups(network, rows, keep)
        size = max(g.stop - g.start for g in groups)
        memory = [zeros(size * rows * max(network.hidden), device) for _ in range(2)]
        halves: list[Tensor] = []
        if not network.narrow:
            halves = [
                torch.empty(size, n, network.hidden[0], device=device) for n in (batch, rows_y)
            ]
        shared = None if keep else Activations(network, size * rows)
        outputs = Outputs(pairs, self.t_row, self.gt)
        self.groups = [
            Group(network, outputs, cells, (1 + m, batch), shared, memory, halves)
            for cells in groups
        ]


def _groups(network: Network, rows: int, keep: bool) -> list[slice]:
    """The cells of each group; off the CPU all cells of a training step are one group."""
    on_cpu = network.device.type == "cpu"
    if keep and not on_cpu:
        return [slice(0, network.k)]
    budget = GROUP_BYTES if on_cpu else CUDA_GROUP_BYTES
    return cell_groups(network.k, activation_bytes(network.hidden, rows), budget)


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
