"""One flat vector for all parameters of a stack, and slices of it with the parameters' shapes.

For K = 3 cells with a weight (2, 5) and a bias (1, 5) each, the vector has 3 (10 + 5) = 45
numbers: first the weights (3, 2, 5), then the biases (3, 1, 5). The optimizer steps the vector as
a whole; the network reads the slices.

Zeros fill the vector's memory up to 64 numbers, a multiple of `REGISTERS`. A CPU kernel works on
whole registers, and may round the numbers left over at the end differently. With the zeros, a
cell's numbers are the same bits wherever it stands in its stack.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from mine.critics.protocol import Critic, Parameters

REGISTERS = 32
"""32-bit numbers in two of a CPU's widest registers: kernels work on two registers at a time."""


def flat_views(
    shapes: Sequence[Sequence[int]], device: torch.device | str = "cpu"
) -> tuple[Tensor, list[Tensor]]:
    """One flat vector of zeros and its slices of these shapes, each contiguous; see `padded`."""
    sizes = [math.prod(shape) for shape in shapes]
    n = sum(sizes)
    flat = zeros(n, device)[:n]
    return flat, [v.view(*s) for v, s in zip(flat.split(sizes), shapes, strict=True)]


def round_up(n: int) -> int:
    """The least multiple of `REGISTERS` that is n or more."""
    return -(-n // REGISTERS) * REGISTERS


def zeros(n: int, device: torch.device | str) -> Tensor:
    """Memory for n numbers, with the zeros that fill its last registers."""
    return torch.zeros(round_up(n), device=device)


def padded(flat: Tensor) -> Tensor:
    """A vector of `flat_views` with the zeros that fill its last registers."""
    filled = flat.untyped_storage().nbytes() // flat.element_size()
    ours = flat.storage_offset() == 0 and filled - flat.numel() < REGISTERS
    return flat.as_strided((filled,), (1,)) if ours else flat


def views_of(critic: Parameters, flat: Tensor) -> list[Tensor]:
    """Slices of a vector that is laid out like theta, shaped as the critic's views."""
    pieces = flat.split([v.numel() for v in critic.views])
    return [p.view_as(v) for p, v in zip(pieces, critic.views, strict=True)]


def fill_cells(
    theta: Tensor, views: Sequence[Tensor], of_cells: Iterable[Sequence[Tensor]]
) -> None:
    """Fills theta with each cell's parameters, which come as its slices without the axis K.

    They are put together on the CPU and copied at once: on CUDA each copy would wait for
    the device.
    """
    shapes = [v.shape for v in views]
    filled, slices = (theta, views) if theta.is_cpu else flat_views(shapes)
    for k, parameters in enumerate(of_cells):
        for view, parameter in zip(slices, parameters, strict=True):
            view[k] = parameter
    if filled is not theta:
        theta.copy_(filled)


def per_parameter(critic: Critic, of_cell: Tensor) -> Tensor:
    """One value for each cell (K,), repeated for every entry of theta that belongs to the cell."""
    flat = torch.empty_like(critic.theta, dtype=of_cell.dtype)
    for view in views_of(critic, flat):
        view.copy_(of_cell.view(-1, *[1] * (view.dim() - 1)).expand_as(view))
    return flat
