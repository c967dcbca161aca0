"""K networks of one architecture as one batched program."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import torch
from torch import Generator, Tensor

from mine.critics.flat import fill_cells, flat_views
from mine.networks.layers import Built, Layer, Pass, Shape


class Network:
    """K stacked networks; made by `stacked`.

    `make_optimizer` of mine.training.optimizers steps it as it steps a critic: it has the same
    ``theta``, ``grad`` and ``views``.

    Attributes:
        k: the number of cells.
        theta: all parameters, flat; ``views`` are its slices, each with a leading axis K.
        grad: where `write_gradient` writes the gradient, laid out like ``theta``.
        leaves: the slices as autograd's leaves; they share theta's memory.
        buffers: what the layers remember besides (batch norm's running moments), each (K, ...).
        in_shape: of one row that goes in.
        out_shape: of one row that comes out.
    """

    def __init__(
        self, layers: Sequence[Built], in_shape: Shape, k: int, device: torch.device | str
    ) -> None:
        self.k, self.in_shape, self._layers = k, in_shape, layers
        self.out_shape = layers[-1].shape if layers else in_shape
        like = torch.Generator().manual_seed(0)
        shapes = [(k, *draw(like).shape) for layer in layers for draw in layer.initial]
        self.theta, self.views = flat_views(shapes, device)
        self.grad, self.grads = flat_views(shapes, device)
        self.leaves = [view.detach().requires_grad_() for view in self.views]
        self.buffers = [
            b.to(device).expand(k, *b.shape).clone() for layer in layers for b in layer.buffers
        ]

    def __call__(
        self,
        x: Tensor,
        training: bool = False,
        noise: Sequence[Generator] | None = None,
        noisy: bool = False,
        held: bool = False,
        cells: Tensor | None = None,
    ) -> Tensor:
        """The networks on their cells' rows: (K, B, *in_shape) -> (K, B, *out_shape).

        Args:
            x: the rows.
            training: batch norm takes the batch's moments and updates its running ones; dropout
                drops.
            noise: K generators of dropout and input noise, where the network has any.
            noisy: input noise is added where `training` is false.
            held: whether no gradient flows into the parameters (it does into x).
            cells: the indices of the cells that x has rows of; None for all. The running moments
                of a part of the cells are not updated.
        """
        how = Pass(training, noise, noisy)
        of_cells = self.views if held else self.leaves, self.buffers
        parameters, buffers = (
            iter(of if cells is None else [one[cells] for one in of]) for of in of_cells
        )
        for layer in self._layers:
            p, b = _some(parameters, layer.initial), _some(buffers, layer.buffers)
            x = layer.forward(x, p, b, how)
        return x

    def gradients(self, of: Tensor, seed: Tensor | None = None, retain: bool = False) -> Tensor:
        """The gradient in each cell's parameters, (K, P).

        The sum of all cells' losses is a scalar for all: no cell's loss depends on another's
        parameters.

        Args:
            of: a scalar, or where `seed` is given a tensor of its shape.
            seed: the gradient in `of`.
            retain: whether the graph is gone through again.
        """
        found = torch.autograd.grad(of, self.leaves, seed, retain_graph=retain, allow_unused=True)
        both = zip(found, self.views, strict=True)
        return torch.cat(
            [(torch.zeros_like(v) if g is None else g).flatten(1) for g, v in both], 1
        )

    def write_gradient(self, of_cells: Tensor) -> None:
        """Writes the gradient (K, P) into ``grad``."""
        widths = [view[0].numel() for view in self.views]
        for place, found in zip(self.grads, of_cells.split(widths, 1), strict=True):
            place.copy_(found.view_as(place))

    def named(self) -> dict[str, Tensor]:
        """All that a later step depends on, by name; no copies."""
        return {"theta": self.theta, **{f"buffer.{i}": b for i, b in enumerate(self.buffers)}}

    def finite(self) -> Tensor:
        """Whether all parameters of each cell are finite, (K,)."""
        return torch.stack([torch.isfinite(v.flatten(1)).all(1) for v in self.views]).all(0)


def stacked(
    layers: Sequence[Layer],
    in_shape: Shape,
    generators: Sequence[Generator],
    device: torch.device | str = "cpu",
) -> Network:
    """One network for each generator, which draws its initial parameters.

    Args:
        layers: of one network.
        in_shape: of one row: (features,), or (channels, rows, columns).
        generators: on the CPU, so that a cell begins with the same parameters on each device.
        device: where.

    Raises:
        ValueError: the layers do not fit together.
    """
    built: list[Built] = []
    shape = tuple(in_shape)
    for layer in layers:
        built.append(layer.build(shape))
        shape = built[-1].shape
    network = Network(built, tuple(in_shape), len(generators), device)
    draws = [draw for layer in built for draw in layer.initial]
    fill_cells(network.theta, network.views, ([draw(g) for draw in draws] for g in generators))
    return network


def _some(of: Iterator[Tensor], like: Sequence[object]) -> list[Tensor]:
    return list(islice(of, len(like)))
