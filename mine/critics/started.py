"""Critics whose networks start from something that is fitted to the training rows first.

Training changes the network alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from mine.critics.mlp import MLP
from mine.critics.protocol import Critic
from mine.data.pairs import Pairing
from mine.data.sources import Pairs


@dataclass(frozen=True)
class Started:
    """The critic's config; its one field is the network's."""

    network: MLP = field(default_factory=MLP)

    def stack(
        self, dx: int, dy: int, generators: Sequence[torch.Generator], device: torch.device | str
    ) -> StackedStarted:
        """One critic for each generator; see `MLP.stack`."""
        raise NotImplementedError

    def inputs(self, dx: int, dy: int) -> tuple[int, int]:
        """The columns that the network gets."""
        return dx, dy


class StackedStarted:
    """K critics with a start: see `Started` and `Critic`.

    Attributes:
        k: how many.
        theta: the networks' parameters, flat.
        grad: their gradient, laid out like ``theta``.
        views: slices of ``theta``, each with a leading axis K.
        buffers: what was fitted, by name, with a leading axis K.
    """

    k: int
    theta: Tensor
    grad: Tensor
    views: list[Tensor]
    buffers: dict[str, Tensor]

    @property
    def blank(self) -> Tensor:
        """(K,), whether a cell's T says nothing of x and y at the start."""
        return torch.zeros(self.k, dtype=torch.bool, device=self.theta.device)

    @property
    def plain(self) -> Tensor:
        """(K,), whether a cell's start is no more than that of other critics."""
        return self.blank

    def fit(self, rows: Sequence[Pairs]) -> None:
        """Fits each cell's start to its training rows."""
        raise NotImplementedError

    @property
    def of_mapped(self) -> Critic:
        """The critics of rows that `mapped` has mapped; their parameters are the same memory."""
        return self

    def mapped(self, k: int, rows: Pairs) -> Pairs:
        """Rows of cell k as `of_mapped` takes them."""
        return rows

    def values(
        self, x: Tensor, y: Tensor, pairing: Pairing, keep: bool = True
    ) -> tuple[Tensor, Tensor]:
        raise NotImplementedError

    def differentiable(self, x: Tensor, y: Tensor, pairing: Pairing) -> tuple[Tensor, Tensor]:
        raise TypeError(
            "expected a critic that learns alone beside another model, got one that starts from a "
            "log-ratio fitted to fixed rows: take its network, mine.MLP"
        )

    def backward(self, g_joint: Tensor, g_marginal: Tensor) -> None:
        raise NotImplementedError

    def leave_out(self, cells: Sequence[bool]) -> None:
        raise NotImplementedError
