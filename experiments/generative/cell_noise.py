"""Layers whose strength differs from cell to cell, so that arms with and without share a stack.

A cell of strength 0 draws nothing: its other random numbers do not depend on these layers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mine.networks.layers import Built, Pass, Shape


@dataclass(frozen=True)
class CellNoise:
    """Adds N(0, std^2), in training and where a pass is `noisy`.

    Attributes:
        stds: of each cell, K of them.
    """

    stds: tuple[float, ...]

    def build(self, shape: Shape) -> Built:
        def forward(x: Tensor, _: Sequence[Tensor], __: Sequence[Tensor], how: Pass) -> Tensor:
            if not (how.training or how.noisy) or not any(self.stds):
                return x
            return x + _of_cells(torch.randn, x, how, self.stds, lambda drawn, std: std * drawn)

        return Built(shape, forward)


@dataclass(frozen=True)
class CellDropout:
    """In training each number of a cell is 0 with the cell's probability, the rest scaled up.

    Attributes:
        probabilities: of each cell, K of them in [0, 1).
    """

    probabilities: tuple[float, ...]

    def build(self, shape: Shape) -> Built:
        def forward(x: Tensor, _: Sequence[Tensor], __: Sequence[Tensor], how: Pass) -> Tensor:
            if not how.training or not any(self.probabilities):
                return x

            def change(drawn: Tensor, p: float) -> Tensor:
                return (drawn >= p).to(x.dtype) / (1.0 - p) - 1.0

            return x * (1.0 + _of_cells(torch.rand, x, how, self.probabilities, change))

        return Built(shape, forward)


def _of_cells(
    draw: Callable[..., Tensor],
    like: Tensor,
    how: Pass,
    strengths: Sequence[float],
    made: Callable[[Tensor, float], Tensor],
) -> Tensor:
    """What each cell draws from its own generator, (K, B, ...); 0 for a cell of strength 0."""
    if how.noise is None or not len(strengths) == len(like) == len(how.noise):
        raise ValueError(
            f"a layer of {len(strengths)} cells needs as many cells and generators, got "
            f"{len(like)} and {len(how.noise or ())}: give one generator a cell"
        )
    found = torch.zeros_like(like)
    for k, strength in enumerate(strengths):
        if strength > 0.0:
            drawn = draw(like.shape[1:], generator=how.noise[k], device=like.device)
            found[k] = made(drawn, strength)
    return found
