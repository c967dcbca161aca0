"""What training asks of a critic T(x, y), and what makes one.

A critic gives its values on joint and on marginal pairs, and then the gradient of any function of
those values in its parameters. Where another model is trained through it, it gives the same
values with a graph in x and y. It is always a stack: K networks of equal shapes, where every
parameter has a leading axis K. A single network is a stack of K = 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

if TYPE_CHECKING:
    from mine.data.pairs import Pairing


class Parameters(Protocol):
    """The parameters of K stacked networks, as an optimizer needs them.

    Attributes:
        theta: all parameters, flat; ``views`` are its slices, each with a leading axis K.
        grad: their gradient, laid out like ``theta``.
    """

    theta: Tensor
    grad: Tensor
    views: list[Tensor]


class Critic(Parameters, Protocol):
    """K stacked critics; `backward` writes their gradient into ``grad``.

    Attributes:
        k: the number of stacked critics.
    """

    k: int

    def values(
        self, x: Tensor, y: Tensor, pairing: Pairing, keep: bool = True
    ) -> tuple[Tensor, Tensor]:
        """T on joint pairs and on marginal pairs.

        Args:
            x: (K, B, dx).
            y: (K, rows, dy); the first B rows are joint with x.
            pairing: which y the marginal pairs take, m of them for each x.
            keep: whether `backward` may follow. Where it may not, less memory is used.

        Returns:
            (K, B) and (K, m B), views of a buffer that the next call overwrites.
        """
        ...

    def differentiable(self, x: Tensor, y: Tensor, pairing: Pairing) -> tuple[Tensor, Tensor]:
        """`values` with an autograd graph in x and y; the parameters are constants of it.

        The graph reads the parameters where they are: call its backward before they are stepped.

        Args:
            x: (K, B, dx).
            y: (K, rows, dy); the first B rows are joint with x.
            pairing: which y the marginal pairs take, m of them for each x.

        Returns:
            (K, B) and (K, m B), of their own memory. `backward` still belongs to the last
            `values`.

        Raises:
            TypeError: this kind of critic cannot.
        """
        ...

    def backward(self, g_joint: Tensor, g_marginal: Tensor) -> None:
        """Writes the gradient of the last `values` into ``grad``.

        Args:
            g_joint: gradient with respect to T on joint pairs, (K, B).
            g_marginal: gradient with respect to T on marginal pairs, (K, m B).
        """
        ...

    def leave_out(self, cells: Sequence[bool]) -> None:
        """Says whose values and gradients nobody reads until this is called again.

        A critic may leave them as an earlier batch made them. It may compute them all the same.

        Args:
            cells: K of them, true for a cell that may be left out.
        """
        ...


class CriticConfig(Protocol):
    """What makes critics: `MLP`, or `Modules` for a user's own network."""

    def stack(
        self, dx: int, dy: int, generators: Sequence[torch.Generator], device: torch.device | str
    ) -> Critic:
        """One critic for each generator, which draws its initial parameters."""
        ...
