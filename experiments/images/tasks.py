r"""Images and their first rows: samples whose mutual information nobody knows.

X is an image. Y_t is the same image, black below its first t rows, so that Y_t has the shape of X
and the information of t rows. Song and Ermon, "Understanding the Limitations of Variational Mutual
Information Estimators", ICLR 2020, https://arxiv.org/abs/1910.06222, make three self-consistency
tests of it:

    I(X; Y_t) does not fall as t grows                      view "one"
    I([X, X]; [Y_t, Y_{t-k}]) = I(X; Y_t)                   view "same": data processing
    I([X1, X2]; [Y1_t, Y2_t]) = 2 I(X; Y_t)                 view "two": independent images

Beware: Y_t is a function of X, so I(X; Y_t) = H(Y_t). That is infinite for images of real numbers.
For grey levels it is an entropy that no sample of a few thousand images can tell: no lower bound
from n samples can be certified beyond ln n. An estimate goes on growing with the training and the
network. Its size means nothing here; ratios at equal training, and their order, do.

The images are split into training, validation and test by the seed alone, so that the two sides of
a ratio see the same images. There are few images and training sees each many times, so the critic
is the best one on the validation images, and its value is taken on the test images. No image comes
twice in a batch or in the test, so a marginal pair is never a joint one. (With images drawn with
replacement one in N pairs would be, and all values would end at ln N.)
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Generator, Tensor

from mine.data.batches import batch_rows
from mine.data.generators import generator
from mine.data.sources import Dealt

VIEWS = ("one", "same", "two")
SPLIT = 0.6, 0.2  # training and validation shares; the rest is for the test
MOST_VALIDATION = 1000  # images that each look at the validation takes


class ImageSet(Protocol):
    """A set of square images of grey levels."""

    @property
    def side(self) -> int:
        """Rows, and columns, of an image."""

    @property
    def white(self) -> int:
        """The highest level."""

    def images(self) -> Any:
        """A numpy array of levels, uint8, (n, side, side)."""


@dataclass(frozen=True)
class TopRows:
    """Images with their first rows; the fields are the config's keys.

    Attributes:
        data: the images.
        rows: t, how many rows of an image Y has; 0 makes it constant.
        view: "one", (X; Y_t); "same", ([X, X]; [Y_t, Y_{t-drop}]); or "two", two images.
        drop: rows that the second part of Y has fewer, for "same".
    """

    data: ImageSet
    rows: int
    view: str = "one"
    drop: int = 0

    def __post_init__(self) -> None:
        if self.view not in VIEWS:
            raise ValueError(f"view must be one of {list(VIEWS)}, got {self.view!r}")
        if type(self.rows) is not int or not 0 <= self.rows <= self.data.side:
            raise ValueError(
                f"rows must be a whole number from 0 to the image's {self.data.side}, got "
                f"{self.rows!r}"
            )
        most = self.rows if self.view == "same" else 0
        if type(self.drop) is not int or not 0 <= self.drop <= most:
            raise ValueError(
                f"drop must be a whole number from 0 to {most} for view {self.view!r} of "
                f"{self.rows} rows, got {self.drop!r}"
            )

    @property
    def dim_x(self) -> int:
        return self.data.side**2 * (1 if self.view == "one" else 2)

    @property
    def dim_y(self) -> int:
        return self.dim_x

    @property
    def sizes(self) -> tuple[int, int, int]:
        """(0, dim_x, dim_y): no method may take all images as rows, as no row stands alone."""
        return 0, self.dim_x, self.dim_y

    @property
    def task(self) -> TopRows:
        return self

    @property
    def split(self) -> None:
        """The images are dealt by `SPLIT`, once, and without folds."""

    @property
    def shape(self) -> Hashable:
        return "images", self.sizes

    def deal(self, seed: int, key: str, n_test: int, device: torch.device) -> Dealt:
        """See `mine.data.sources.Source`. All tasks of one seed see the same split."""
        levels = torch.from_numpy(self.data.images()).flatten(1)
        n = len(levels)
        cuts = math.floor(n * SPLIT[0]), math.floor(n * (SPLIT[0] + SPLIT[1]))
        order = torch.randperm(n, generator=generator(seed, "split"))
        train, validation, test = (levels[part].to(device) for part in order.tensor_split(cuts))
        mixing = generator(seed, "order", key, device)
        return Dealt(
            batches=ImageBatches(self, train),
            seen=self._all(train[: len(test)], mixing),
            validation=self._all(validation[:MOST_VALIDATION], mixing),
            test=self._all(test[:n_test], mixing),
            n_train=len(train),
        )

    def all_rows(self, seed: int, key: str) -> tuple[Tensor, Tensor]:
        raise ValueError(
            "a set of images deals itself to networks: take a method that trains one, such as mine"
        )

    def _all(self, levels: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        """Each image once, in random order; as a second image once more, in another."""
        return self.pairs(
            *(
                levels[torch.randperm(len(levels), generator=generator, device=generator.device)]
                for _ in range(2)
            )
        )

    def pairs(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """x and y, (n, dim_x) and (n, dim_y) in [0, 1], of levels (n, side * side)."""
        one, two = (levels.float() / self.data.white for levels in (first, second))
        if self.view == "one":
            return one, self.top(one, self.rows)
        if self.view == "same":
            tops = self.top(one, self.rows), self.top(one, self.rows - self.drop)
            return torch.cat([one, one], -1), torch.cat(tops, -1)
        return torch.cat([one, two], -1), self.top(torch.cat([one, two], -1), self.rows)

    def top(self, images: Tensor, rows: int) -> Tensor:
        """The images (n, m * side * side) with zeros below their first rows."""
        found = images.unflatten(-1, (-1, self.data.side, self.data.side)).clone()
        found[..., rows:, :] = 0.0
        return found.flatten(-3)


@dataclass(frozen=True)
class ImageBatches:
    """Batches of training images: `mine.data.batches.Batches`. Levels (N, side * side)."""

    task: TopRows
    levels: Tensor

    @property
    def dim_x(self) -> int:
        return self.task.dim_x

    @property
    def dim_y(self) -> int:
        return self.task.dim_y

    def draw(self, n: int, batch: int, generator: Generator) -> tuple[Tensor, Tensor]:
        count = 2 if self.task.view == "two" else 1
        drawn: Sequence[Tensor] = [
            self.levels[batch_rows(len(self.levels), n, batch, generator)] for _ in range(count)
        ]
        x, y = self.task.pairs(drawn[0], drawn[-1])
        return x.view(n, batch, -1), y.view(n, batch, -1)
