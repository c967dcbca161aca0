"""Critics of sides that are mapped first, where the maps are fitted to rows (nats):

    T(x, y) = log-ratio of a copula (g(x), h(y)) + network(g(x), h(y))

The maps cost more than the network. Rows that are used again and again are mapped once.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mine.critics.residual import StackedResidual
from mine.critics.started import StackedStarted
from mine.data.pairs import Pairing
from mine.data.sources import Pairs

CHUNK_ROWS = 4096  # that are mapped at once: a map may need hundreds of columns on the way


class StackedMappedSides(StackedStarted):
    """K critics of mapped sides: see `StackedStarted`."""

    def __init__(self, inner: StackedResidual) -> None:
        self.inner, self.k = inner, inner.k
        self.theta, self.grad, self.views = inner.theta, inner.grad, inner.views

    def side(self, z: Tensor, side: str, cells: slice = slice(None)) -> Tensor:
        """The rows (K, n, d) of side "x" or "y" of these cells, mapped."""
        raise NotImplementedError

    @property
    def of_mapped(self) -> StackedResidual:
        return self.inner

    def mapped(self, k: int, rows: Pairs) -> Pairs:
        x, y = (
            torch.cat([self.side(z[None], of, slice(k, k + 1))[0] for z in v.split(CHUNK_ROWS)])
            for of, v in zip("xy", rows, strict=True)
        )
        return x, y

    def values(
        self, x: Tensor, y: Tensor, pairing: Pairing, keep: bool = True
    ) -> tuple[Tensor, Tensor]:
        return self.inner.values(self.side(x, "x"), self.side(y, "y"), pairing, keep)

    def backward(self, g_joint: Tensor, g_marginal: Tensor) -> None:
        self.inner.backward(g_joint, g_marginal)

    def leave_out(self, cells: Sequence[bool]) -> None:
        self.inner.leave_out(cells)
