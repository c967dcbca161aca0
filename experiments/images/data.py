"""Data sets of images: digits, which come with scikit-learn, and MNIST, which npm fetches.

Each set has images, and labels with a training and a test part of its own:

- MNIST: its 60,000 training and 10,000 test images;
- digits: the first 1,198 of scikit-learn's 1,797 images for training and the last 599 for the
  test. They stand in the order of their writers, so the test is on other people's hands, as
  MNIST's is. A random split would be easier: it tests on writers that the network has seen.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from experiments.images import mnist
from experiments.images.mnist import DataError, Levels

DIGITS_TRAIN = 1198
"""Two thirds of the 1,797 digits."""


@dataclass(frozen=True)
class Labelled:
    """Images with their labels: grey levels (n, side, side), and 0 ... 9, (n,)."""

    images: Levels
    labels: Levels


@dataclass(frozen=True)
class ImageData:
    """A data set of square images; the fields are the config's keys.

    Attributes:
        name: "digits", 1,797 of 8 x 8 with 17 levels; or "mnist", 60,000 of 28 x 28 with 256.
        side: the rows, and the columns, of an image. The critic's config takes it from here.
        cache: the folder of fetched files.
        labelled: whether labels and the test part are fetched, too.
    """

    name: str
    side: int
    cache: str = "outputs/cache"
    labelled: bool = False

    def __post_init__(self) -> None:
        if self.name not in SETS:
            raise DataError(f"data.name must be one of {list(SETS)}, got {self.name!r}: take one")
        if self.side != SETS[self.name].side:
            raise DataError(
                f"data.side must be {SETS[self.name].side} for {self.name}, got {self.side!r}: "
                f"use data={self.name}"
            )
        if type(self.labelled) is not bool:
            raise DataError(f"data.labelled must be true or false, got {self.labelled!r}")

    @property
    def white(self) -> int:
        """The highest grey level."""
        return SETS[self.name].white

    @property
    def n_train(self) -> int:
        """How many images `train` has; known before they are fetched."""
        return SETS[self.name].n_train

    def fetch(self) -> None:
        """Fetch the images, unless they are on this machine already.

        Raises:
            DataError: they cannot be fetched.
        """
        SETS[self.name].fetch(Path(self.cache), self.labelled)

    def images(self) -> Levels:
        """The grey levels, (n, side, side): all digits, or MNIST's training images."""
        return SETS[self.name].images(Path(self.cache))

    def train(self) -> Labelled:
        """The training part with its labels; it needs `labelled`."""
        return SETS[self.name].labelled(Path(self.cache))[0]

    def test(self) -> Labelled:
        """The test part with its labels; it needs `labelled`."""
        return SETS[self.name].labelled(Path(self.cache))[1]


@dataclass(frozen=True)
class _Set:
    side: int
    white: int
    n_train: int
    fetch: Callable[[Path, bool], None]
    images: Callable[[Path], Levels]
    labelled: Callable[[Path], tuple[Labelled, Labelled]]


# Digits


def fetch_digits(cache: Path, labelled: bool) -> None:
    if importlib.util.find_spec("sklearn") is None:
        raise DataError(
            "data=digits needs scikit-learn, got no module sklearn: "
            "install it with `pip install scikit-learn`"
        )


def digits(cache: Path) -> Levels:
    return all_digits().images


def labelled_digits(cache: Path) -> tuple[Labelled, Labelled]:
    found, cut = all_digits(), DIGITS_TRAIN
    return (
        Labelled(found.images[:cut], found.labels[:cut]),
        Labelled(found.images[cut:], found.labels[cut:]),
    )


@lru_cache(maxsize=1)
def all_digits() -> Labelled:
    from sklearn.datasets import load_digits  # type: ignore[import-untyped]

    found: Any = load_digits()
    images, labels = (np.asarray(one, dtype=np.uint8) for one in (found.images, found.target))
    return Labelled(images, labels)


# MNIST


def fetch_mnist(cache: Path, labelled: bool) -> None:
    mnist.fetch(list(mnist.FILES) if labelled else ["train_images"], cache)


def mnist_images(cache: Path) -> Levels:
    return mnist.read("train_images", cache)


def labelled_mnist(cache: Path) -> tuple[Labelled, Labelled]:
    train, test = (
        Labelled(mnist.read(f"{part}_images", cache), mnist.read(f"{part}_labels", cache))
        for part in ("train", "test")
    )
    return train, test


SETS = {
    "digits": _Set(8, 16, DIGITS_TRAIN, fetch_digits, digits, labelled_digits),
    "mnist": _Set(28, 255, 60_000, fetch_mnist, mnist_images, labelled_mnist),
}
