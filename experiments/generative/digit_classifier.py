"""A classifier of digits, trained here: it names the modes of samples, and says what they show.

Two convolutions of 3 x 3 and a hidden layer of 128, with dropout; in training each batch is
shifted by up to a pixel each way, and has noise. Without the noise the classifier is sure of many
images of uniform noise, and could not tell a sample from them. Its accuracy on the test part of
the data, which trained nothing, stands in the rows of what it scored.

Every seed of an experiment trains its own, so that an interval over seeds includes what depends on
the classifier.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Generator, Tensor
from torch.nn import functional

from experiments.images.data import ImageData, Labelled
from mine.data.generators import generator
from mine.networks.layers import Activation, Conv, Dropout, Layer, Linear, Reshape
from mine.networks.stacked import Network, stacked
from mine.training.descent import make_descent

BATCH, RATE = 64, 2e-3
NOISE, SHIFT = 0.1, 1
CHUNK = 4096
"""Images that are classified at once."""


@dataclass(frozen=True)
class DigitClassifier:
    """A trained classifier.

    Attributes:
        network: one cell.
        side: of the images.
        accuracy: the share of right answers on the test part of the data.
    """

    network: Network
    side: int
    accuracy: float

    @torch.no_grad()
    def probabilities(self, images: Tensor) -> Tensor:
        """Of each digit, (N, 10), of images (N, side, side) of grey levels in [0, 1]."""
        logits = [self.network(part.flatten(1)[None])[0] for part in images.split(CHUNK)]
        return torch.cat(logits).softmax(-1)


@lru_cache(maxsize=32)
def digit_classifier(data: ImageData, seed: int, steps: int, device: str) -> DigitClassifier:
    """The classifier of this seed, trained on the training part of the data."""
    start, draws = generator(seed, "classifier"), generator(seed, "classifier", "", device)
    network = stacked(layers(data.side), (data.side**2,), [start], device)
    descent = make_descent(network, RATE)
    images, labels = tensors(data.train(), data.white, device)
    for step in range(steps):
        descent.set_factor(0.5 * (1 + math.cos(math.pi * step / steps)))
        rows = torch.randint(len(images), (BATCH,), generator=draws, device=device)
        with torch.enable_grad():
            logits = network(disturbed(images[rows], draws).flatten(1)[None], True, [draws])
            loss = functional.cross_entropy(logits[0], labels[rows])
        descent.step(network.gradients(loss))
    images, labels = tensors(data.test(), data.white, device)
    found = DigitClassifier(network, data.side, math.nan)
    right = found.probabilities(images).argmax(-1) == labels
    return DigitClassifier(network, data.side, float(right.double().mean()))


def layers(side: int) -> list[Layer]:
    """The layers for images of this side."""
    relu = Activation("relu")
    return [
        *(Reshape((1, side, side)), Conv(32, 3, 1, 1), relu, Conv(64, 3, 2, 1), relu),
        *(Dropout(0.2), Linear(128), relu, Dropout(0.2), Linear(10)),
    ]


def tensors(part: Labelled, white: int, device: torch.device | str) -> tuple[Tensor, Tensor]:
    """Grey levels in [0, 1], (n, side, side), and labels, (n,)."""
    images = torch.from_numpy(part.images).to(device).float() / white
    return images, torch.from_numpy(part.labels).to(device).long()


def disturbed(images: Tensor, draws: Generator) -> Tensor:
    """The images shifted by up to a pixel each way, all by the same, and with noise."""
    down, right = torch.randint(
        2 * SHIFT + 1, (2,), generator=draws, device=images.device
    ).tolist()
    side = images.shape[-1]
    wide = functional.pad(images, (SHIFT,) * 4)
    moved = wide[:, down : down + side, right : right + side]
    noise = torch.randn(moved.shape, generator=draws, device=images.device)
    return moved + NOISE * noise
