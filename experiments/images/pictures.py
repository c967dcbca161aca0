"""Images as text in a row, and as a sheet in a figure."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Levels = NDArray[np.uint8]


def to_text(images: NDArray[np.floating]) -> str:
    """Grey levels in [0, 1], of any shape, as "8x3x8x8:" and their 8 bits in base64."""
    levels = np.rint(255 * np.clip(images, 0.0, 1.0)).astype(np.uint8)
    return "x".join(map(str, levels.shape)) + ":" + base64.b64encode(levels.tobytes()).decode()


def of_text(text: str) -> Levels:
    """The levels, 0 ... 255, of such a text."""
    shape, _, data = text.partition(":")
    levels = np.frombuffer(base64.b64decode(data), dtype=np.uint8)
    return levels.reshape([int(n) for n in shape.split("x")])


def sheet(images: Levels, columns: int, gap: int = 1) -> NDArray[np.float64]:
    """Images in rows of so many, with gaps between them, as matplotlib shows them: (h, w, 4).

    The gaps are transparent, so that they have the page's colour.

    Args:
        images: (N, side, side), or (N, 3, side, side) whose channels become red, green and blue.
        columns: images in a row.
        gap: pixels.
    """
    colours = images if images.ndim == 4 else np.repeat(images[:, None], 3, 1)
    n, _, side, _ = colours.shape
    rows = -(-n // columns)
    found = np.zeros((rows * (side + gap) - gap, columns * (side + gap) - gap, 4))
    for i, image in enumerate(colours):
        top, left = (place * (side + gap) for place in divmod(i, columns))
        found[top : top + side, left : left + side, :3] = np.moveaxis(image, 0, -1) / 255
        found[top : top + side, left : left + side, 3] = 1.0
    return found


def show(ax: Axes, images: Levels, columns: int) -> Axes:
    """Draws a sheet of images; the axes have neither ticks nor a frame."""
    ax.imshow(sheet(images, columns), interpolation="nearest")
    ax.set_axis_off()
    return ax
