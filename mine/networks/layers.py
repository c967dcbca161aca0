r"""The layers of a network: frozen dataclasses that describe one cell's layer.

A worked example, a generator of 2-D points from 10 numbers, and a part of a DCGAN's (Radford,
Metz and Chintala, 2016, https://arxiv.org/abs/1511.06434):

    points = [Linear(64, bias=False), BatchNorm(), Activation("leaky_relu"), Linear(2)]
    images = [Linear(64 * 7 * 7, bias=False), Reshape((64, 7, 7)), BatchNorm(), Activation("relu"),
              TransposedConv(1, kernel=4, stride=2, padding=1), Activation("tanh")]

Shapes: a layer maps (K, B, *shape) to (K, B, *shape'). A shape is (features,), or (channels, rows,
columns) where the layers are convolutions. `Linear` takes any shape, flat.

A stack of two cells or more gives each cell the same bits, whatever its neighbours, where batch
and widths are multiples of 16. Otherwise torch's kernels may round the last numbers of a tensor
differently: cells then agree within about 1e-6 after a step.

Each `build` gets one cell's shape and gives a `Built`: the shape that comes out, the parameters of
one cell with their initial values, buffers, and the function.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import torch
from torch import Generator, Tensor
from torch.nn import functional

Shape = tuple[int, ...]
Initial = Callable[[Generator], Tensor]
"""Draws the initial values of one cell's parameter."""


@dataclass(frozen=True)
class Pass:
    """How a forward pass is done.

    Attributes:
        training: whether batch norm takes the batch's own moments and updates its running ones,
            and whether dropout drops.
        noise: the cells' generators, K of them; None where no noise is wanted. Input noise and
            dropout draw from them, in training and where `noisy` is true.
        noisy: whether input noise is added where `training` is false.
    """

    training: bool
    noise: Sequence[Generator] | None = None
    noisy: bool = False


Convolve = Callable[..., Tensor]
"""One of torch's convolutions."""
Forward = Callable[[Tensor, Sequence[Tensor], Sequence[Tensor], Pass], Tensor]
"""(x (K, B, *shape), parameters, buffers, pass) -> (K, B, *shape')."""


@dataclass(frozen=True)
class Built:
    """A layer for inputs of one shape.

    Attributes:
        shape: what comes out of it, without K and B.
        initial: its parameters: shapes, and what draws one cell's initial values.
        buffers: the initial values of one cell's buffers.
        forward: the function of all cells.
    """

    shape: Shape
    forward: Forward
    initial: Sequence[Initial] = ()
    buffers: Sequence[Tensor] = ()


class Layer(Protocol):
    """One layer of a network."""

    def build(self, shape: Shape) -> Built: ...


# ------------------------------------------------------------------ with parameters


@dataclass(frozen=True)
class Linear:
    """x W + b, initialised as torch's: uniform within 1 / sqrt(inputs).

    Attributes:
        width: features that come out.
        std: where above 0, weights are N(0, std^2) and biases 0, as in DCGAN (.02).
        bias: whether it has b. Before a `BatchNorm` it should have none: its gradient would be
            rounding errors, which Adam makes steps of full length of.
    """

    width: int
    std: float = 0.0
    bias: bool = True

    def build(self, shape: Shape) -> Built:
        inputs = math.prod(shape)
        initial = _initial(self, (inputs, self.width), (1, self.width), inputs)
        return Built((self.width,), _linear, initial)


def _linear(x: Tensor, p: Sequence[Tensor], _: Sequence[Tensor], __: Pass) -> Tensor:
    weight, *bias = p
    rows = x.flatten(2)
    return torch.baddbmm(bias[0], rows, weight) if bias else torch.bmm(rows, weight)


@dataclass(frozen=True)
class Conv:
    """A convolution of (channels, rows, columns).

    Attributes:
        channels: that come out.
        kernel: rows and columns of the kernel.
        stride: of the kernel.
        padding: rows and columns of zeros at each border.
        std: as for `Linear`.
        bias: as for `Linear`.
    """

    channels: int
    kernel: int = 4
    stride: int = 2
    padding: int = 1
    std: float = 0.0
    bias: bool = True

    def build(self, shape: Shape) -> Built:
        inputs, *sides = image_shape(shape, self)
        fan_in = inputs * self.kernel**2
        out = [(s + 2 * self.padding - self.kernel) // self.stride + 1 for s in sides]
        weight = (self.channels, inputs, self.kernel, self.kernel)

        def forward(x: Tensor, p: Sequence[Tensor], _: Sequence[Tensor], __: Pass) -> Tensor:
            return _convolved(functional.conv2d, x, p, self.stride, self.padding)

        initial = _initial(self, weight, (self.channels,), fan_in)
        return Built((self.channels, *out), forward, initial)


@dataclass(frozen=True)
class TransposedConv:
    """The transpose of a convolution, which enlarges images; the fields are `Conv`'s."""

    channels: int
    kernel: int = 4
    stride: int = 2
    padding: int = 1
    std: float = 0.0
    bias: bool = True

    def build(self, shape: Shape) -> Built:
        inputs, *sides = image_shape(shape, self)
        fan_in = self.channels * self.kernel**2  # torch's: that of the convolution
        out = [(s - 1) * self.stride - 2 * self.padding + self.kernel for s in sides]
        weight = (inputs, self.channels, self.kernel, self.kernel)

        def forward(x: Tensor, p: Sequence[Tensor], _: Sequence[Tensor], __: Pass) -> Tensor:
            return _convolved(functional.conv_transpose2d, x, p, self.stride, self.padding)

        initial = _initial(self, weight, (self.channels,), fan_in)
        return Built((self.channels, *out), forward, initial)


@dataclass(frozen=True)
class BatchNorm:
    """Batch norm with each cell's own statistics (Ioffe and Szegedy, 2015).

    In training it takes the moments of the batch, a channel's over its rows and columns too, and
    updates running averages, which evaluation takes (the variance with B - 1, as torch's).

    Attributes:
        momentum: the newest batch's weight in the running averages.
        eps: added to the variance.
    """

    momentum: float = 0.1
    eps: float = 1e-5

    def build(self, shape: Shape) -> Built:
        n = shape[0]

        def forward(x: Tensor, p: Sequence[Tensor], b: Sequence[Tensor], how: Pass) -> Tensor:
            found = functional.batch_norm(
                grouped(x), b[0].flatten(), b[1].flatten(), p[0].flatten(), p[1].flatten(),
                how.training, self.momentum, self.eps,
            )  # fmt: skip
            return ungrouped(found, len(x))

        ones, zeros = (lambda _: torch.ones(n)), (lambda _: torch.zeros(n))
        return Built(shape, forward, [ones, zeros], [torch.zeros(n), torch.ones(n)])


# --------------------------------------------------------------- without parameters

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "elu": functional.elu,
    "leaky_relu": lambda x: functional.leaky_relu(x, 0.2),
    "relu": functional.relu,
    "sigmoid": torch.sigmoid,
    "softplus": functional.softplus,
    "tanh": torch.tanh,
}


@dataclass(frozen=True)
class Activation:
    """One of `ACTIVATIONS`; the slope of "leaky_relu" is .2, as in DCGAN."""

    name: str

    def __post_init__(self) -> None:
        if self.name not in ACTIVATIONS:
            raise ValueError(f"activation must be one of {sorted(ACTIVATIONS)}, got {self.name!r}")

    def build(self, shape: Shape) -> Built:
        function = ACTIVATIONS[self.name]
        return Built(shape, lambda x, _, __, ___: function(x))


@dataclass(frozen=True)
class Dropout:
    """In training each number is 0 with this probability, and the others are scaled up."""

    probability: float = 0.5

    def __post_init__(self) -> None:
        if not 0.0 <= self.probability < 1.0:
            raise ValueError(f"a dropout's probability must be in [0, 1), got {self.probability}")

    def build(self, shape: Shape) -> Built:
        kept = 1.0 - self.probability

        def forward(x: Tensor, _: Sequence[Tensor], __: Sequence[Tensor], how: Pass) -> Tensor:
            if not how.training or self.probability == 0.0:
                return x
            return x * (draws(torch.rand, x, how.noise) < kept).to(x.dtype).div_(kept)

        return Built(shape, forward)


@dataclass(frozen=True)
class Noise:
    """Adds N(0, std^2), in training and where a pass is `noisy`."""

    std: float

    def build(self, shape: Shape) -> Built:
        def forward(x: Tensor, _: Sequence[Tensor], __: Sequence[Tensor], how: Pass) -> Tensor:
            if not (how.training or how.noisy) or self.std == 0.0:
                return x
            return torch.add(x, draws(torch.randn, x, how.noise), alpha=self.std)

        return Built(shape, forward)


@dataclass(frozen=True)
class Reshape:
    """Gives each row another shape of as many numbers, such as (64, 7, 7)."""

    to: Shape

    def build(self, shape: Shape) -> Built:
        if math.prod(self.to) != math.prod(shape):
            raise ValueError(
                f"expected a shape of {math.prod(shape)} numbers, got {self.to}: name another"
            )
        return Built(tuple(self.to), lambda x, _, __, ___: x.reshape(*x.shape[:2], *self.to))


# ------------------------------------------------------------------------- helpers


def draws(
    draw: Callable[..., Tensor], like: Tensor, generators: Sequence[Generator] | None
) -> Tensor:
    """Random numbers of the shape of `like`, each cell's from its own generator."""
    if generators is None or len(generators) != len(like):
        raise ValueError(
            f"a layer draws random numbers for {len(like)} cells, got "
            f"{'no generators' if generators is None else f'{len(generators)} generators'}: "
            "give one generator a cell"
        )
    shape = like.shape[1:]
    return torch.stack([draw(shape, generator=g, device=like.device) for g in generators])


def image_shape(shape: Shape, layer: object) -> Shape:
    if len(shape) != 3:
        raise ValueError(
            f"{type(layer).__name__} needs (channels, rows, columns), got {shape}: put a Reshape "
            "before it"
        )
    return shape


def grouped(x: Tensor) -> Tensor:
    """(K, B, C, ...) -> (B, K C, ...): no copy, if a convolution made x."""
    return x.transpose(0, 1).flatten(1, 2)


def ungrouped(x: Tensor, k: int) -> Tensor:
    """The inverse of `grouped`."""
    return x.unflatten(1, (k, -1)).transpose(0, 1)


def _convolved(
    convolve: Convolve, x: Tensor, p: Sequence[Tensor], stride: int, padding: int
) -> Tensor:
    """The convolutions of all cells.

    On a CPU both ways are equally fast, and one by one a cell's bits do not depend on the others.
    """
    way = in_groups if x.is_cuda else one_by_one
    return way(partial(convolve, stride=stride, padding=padding), x, p)


def one_by_one(convolve: Convolve, x: Tensor, p: Sequence[Tensor]) -> Tensor:
    cells = zip(x.unbind(0), *(one.unbind(0) for one in p), strict=True)
    return torch.stack([convolve(*of) for of in cells])


def in_groups(convolve: Convolve, x: Tensor, p: Sequence[Tensor]) -> Tensor:
    """All cells as one convolution of K groups."""
    weight, *bias = p
    flat = [b.flatten() for b in bias]
    return ungrouped(convolve(grouped(x), weight.flatten(0, 1), *flat, groups=len(x)), len(x))


def _initial(
    layer: Linear | Conv | TransposedConv, weights: Shape, biases: Shape, fan_in: int
) -> list[Initial]:
    """The weights of a layer, and its biases where it has some."""
    found = [_weights(weights, fan_in, layer.std)]
    return [*found, _biases(biases, fan_in, layer.std)] if layer.bias else found


def _weights(shape: Shape, fan_in: int, std: float) -> Initial:
    if std > 0.0:
        return lambda g: torch.randn(shape, generator=g) * std
    return lambda g: (torch.rand(shape, generator=g) * 2 - 1) / math.sqrt(fan_in)


def _biases(shape: Shape, fan_in: int, std: float) -> Initial:
    return (lambda _: torch.zeros(shape)) if std > 0.0 else _weights(shape, fan_in, 0.0)
