r"""The paper's critic: a perceptron on the concatenated pair (x, y), K of them stacked.

A worked example, for K = 3 cells, B = 4 joint pairs, m = 2 marginal pairs for each of them,
dx = 2, dy = 1 and hidden layers of 8 and 5. A cell's step looks at (1 + m) B = 12 pairs.

    x, y            (3, 4, 2), (3, 4, 1)    the batch
    pairs           (3, 12, 4)              x, y and a 1 for the bias; 4 of 12 rows are joint
    z_1 = pairs W_1         (3, 12, 8)      W_1 (3, 4, 8), its last row the bias
    z_2 = act(z_1) W_2 + b_2    (3, 12, 5)  W_2 (3, 8, 5), b_2 (3, 1, 5)
    T = act(z_2) w_3 + b_3      (3, 1, 12)  w_3 (3, 5, 1), b_3 (3, 1, 1)
    values          (3, 4), (3, 8)          T on joint and on marginal pairs

The first layer is linear in x and in y. Where x and y are wide, W_x x + b and W_y y are therefore
computed once for a batch, and their sums are taken pair by pair. Where they are narrow, as here,
the pairs are multiplied as they stand: this moves less memory.

Forward and backward are written out on buffers that are allocated once (`mine.critics.buffers`,
`mine.critics.groups`): on a CPU the autograd tape spends up to a third of a small network's step
on memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from mine.critics.activations import ACTIVATIONS
from mine.critics.buffers import Buffers
from mine.critics.flat import fill_cells, flat_views
from mine.critics.layers import Network
from mine.critics.parameters import INITS, perceptron
from mine.critics.plain import perceptron_values

if TYPE_CHECKING:
    from mine.data.pairs import Pairing

NARROW = {"cpu": 28, "cuda": 48}
"""Columns of x and y together: up to this many, pairs are multiplied as they stand."""


@dataclass(frozen=True)
class MLP:
    """A perceptron on the concatenated pair; the fields are the config's keys.

    Attributes:
        hidden: widths of the hidden layers.
        activation: "elu" (as in the public code), "relu" or "silu".
        init: "fan_in", uniform within 1 / sqrt(inputs) for weights and biases (torch's default);
            or "normal", weights N(0, .02) and biases 0 (the public notes' choice, which starts
            slowly).
    """

    hidden: tuple[int, ...] = (128, 128)
    activation: str = "elu"
    init: str = "fan_in"

    def __post_init__(self) -> None:
        widths = (self.hidden,) if isinstance(self.hidden, int) else tuple(self.hidden)
        object.__setattr__(self, "hidden", widths)
        if not widths or any(type(h) is not int or h < 1 for h in widths):
            raise ValueError(
                f"hidden must be widths of one or more layers, as (128, 128), got {self.hidden}"
            )
        if self.activation not in ACTIVATIONS:
            raise ValueError(
                f"activation must be one of {sorted(ACTIVATIONS)}, got {self.activation!r}"
            )
        if self.init not in INITS:
            raise ValueError(f"init must be one of {list(INITS)}, got {self.init!r}")

    def stack(
        self, dx: int, dy: int, generators: Sequence[torch.Generator], device: torch.device | str
    ) -> StackedMLP:
        """One critic for each generator.

        The generators are on the CPU, so that a critic's initial parameters are the same on every
        device. They do not depend on the other critics in the stack.
        """
        return StackedMLP(self, dx, dy, generators, device)


class StackedMLP:
    """K perceptrons as one critic: see `MLP` and `mine.critics.protocol.Critic`.

    Parameters, in order: W (K, dx + dy + 1, H) of the first layer, with rows for x, for y and for
    the bias; W (K, H, H') and b (K, 1, H') of each further hidden layer; w (K, H, 1) and
    b (K, 1, 1) of the output.
    """

    def __init__(
        self,
        config: MLP,
        dx: int,
        dy: int,
        generators: Sequence[torch.Generator],
        device: torch.device | str,
    ) -> None:
        self.k = len(generators)
        self._activation = getattr(functional, config.activation)
        parameters = perceptron(dx, dy, config.hidden)
        shapes = [(self.k, *p.shape) for p in parameters]
        self.theta, self.views = flat_views(shapes, device)
        self.grad, self.grads = flat_views(shapes, device)
        of_cells = ([p.initial(config.init, g) for p in parameters] for g in generators)
        fill_cells(self.theta, self.views, of_cells)
        self._network = Network(
            config.hidden,
            ACTIVATIONS[config.activation],
            dx,
            dy,
            dx + dy <= NARROW.get(self.theta.device.type, 0),
            self.views,
            self.grads,
        )
        self._buffers: dict[tuple[int, int, int, bool], Buffers] = {}
        self._wanted = [True] * self.k
        self._last: tuple[Tensor, Tensor, Pairing, Buffers] | None = None

    def values(
        self, x: Tensor, y: Tensor, pairing: Pairing, keep: bool = True
    ) -> tuple[Tensor, Tensor]:
        batch = x.shape[1]
        y = pairing.extend(y)
        buf = self._buffer(batch, y.shape[1], pairing.m, keep)
        if self._network.narrow:
            buf.pairs_x.copy_(x.unsqueeze(1))
            for pairs, rows in zip(buf.pairs_y, pairing.pair(y, batch), strict=True):
                pairs.copy_(rows)
        for group in buf.groups:
            group.forward(x, y, pairing)
        self._last = (x, y, pairing, buf) if keep else None
        return buf.t_joint, buf.t_marginal

    def differentiable(self, x: Tensor, y: Tensor, pairing: Pairing) -> tuple[Tensor, Tensor]:
        parameters = [v.detach() for v in self.views]
        return perceptron_values(parameters, self._activation, x, y, pairing)

    def backward(self, g_joint: Tensor, g_marginal: Tensor) -> None:
        if self._last is None:
            raise RuntimeError("backward needs the values of a batch first, got none: call values")
        x, y, pairing, buf = self._last
        buf.gt_joint.copy_(g_joint)
        buf.gt_marginal.copy_(g_marginal)
        torch.sum(buf.gt, 1, keepdim=True, out=self.grads[-1])
        for group in buf.groups:
            group.backward(x, y, pairing)
        self._last = None  # gradients have overwritten the activations

    def leave_out(self, cells: Sequence[bool]) -> None:
        """See `Critic`. On CUDA all cells go on: a captured step reads memory that must stay."""
        wanted = [not left_out for left_out in cells]
        if self.theta.is_cpu and wanted != self._wanted:
            self._wanted = wanted
            for buf in self._buffers.values():
                buf.regroup(wanted)

    def _buffer(self, batch: int, rows_y: int, m: int, keep: bool) -> Buffers:
        key = (batch, rows_y, m, keep)
        if key not in self._buffers:
            self._buffers[key] = Buffers(self._network, self._wanted, (batch, rows_y, m), keep)
        return self._buffers[key]
