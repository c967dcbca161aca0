"""Networks that make and that read images: dense, or DCGAN's.

DCGAN (Radford, Metz and Chintala, 2016, https://arxiv.org/abs/1511.06434), with two layers that
halve or double the side, which 4 must divide. Grey levels are in [-1, 1], flat.
"""

from __future__ import annotations

from mine.networks.layers import (
    Activation,
    BatchNorm,
    Conv,
    Layer,
    Linear,
    Reshape,
    TransposedConv,
)

STD = 0.02
"""Of DCGAN's initial weights."""


def image_generator(channels: int, side: int, width: int, convolutional: bool) -> list[Layer]:
    """From z to images of channels * side * side numbers.

    Args:
        channels: of an image.
        side: of an image.
        width: units of each of two hidden layers; or the channels before the last layer.
        convolutional: whether the network is DCGAN's.
    """
    flat, tanh = channels * side**2, Activation("tanh")
    if not convolutional:
        hidden = (Linear(width), BatchNorm(), Activation("leaky_relu"))
        return [*hidden, *hidden, Linear(flat), tanh]
    quarter, relu = side // 4, Activation("relu")
    shape = (2 * width, quarter, quarter)
    return [
        *(Linear(2 * width * quarter**2, STD), Reshape(shape), BatchNorm(), relu),
        *(TransposedConv(width, std=STD), BatchNorm(), relu),
        *(TransposedConv(channels, std=STD), Reshape((flat,)), tanh),
    ]


def image_features(
    channels: int, side: int, width: int, convolutional: bool, norm: bool = False
) -> list[Layer]:
    """From images to what a last linear layer reads: of a discriminator, or of an encoder.

    Args:
        channels: of an image.
        side: of an image.
        width: units of each of two hidden layers; or the channels after the first layer.
        convolutional: whether the network is DCGAN's, which has its own batch norm.
        norm: whether the hidden layers of a dense one have batch norm.
    """
    slope = Activation("leaky_relu")
    if not convolutional:
        hidden: list[Layer] = (
            [Linear(width), BatchNorm(), slope] if norm else [Linear(width), slope]
        )
        return [*hidden, *hidden]
    first = (Reshape((channels, side, side)), Conv(width, std=STD), slope)
    return [*first, Conv(2 * width, std=STD), BatchNorm(), slope]


def hidden_units(side: int, width: int, convolutional: bool) -> int:
    """How many numbers the hidden layers of such a network hold for one image."""
    return width * (side // 2) ** 2 + 2 * width * (side // 4) ** 2 if convolutional else 2 * width
