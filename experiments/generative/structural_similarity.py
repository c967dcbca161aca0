r"""MS-SSIM of small images, at as many scales as they have.

SSIM compares two images x, y in windows, by means m, variances v and covariance c:

    luminance l = (2 m_x m_y + A) / (m_x^2 + m_y^2 + A),   A = (.01 L)^2
    contrast and structure s = (2 c + B) / (v_x + v_y + B),   B = (.03 L)^2

with L = 1, the range of the grey levels. MS-SSIM halves the images again and again by averages of
2 x 2 pixels, and multiplies the means over windows

    l_M^(w_M)  s_1^(w_1) ... s_M^(w_M)

(Wang, Simoncelli and Bovik, "Multiscale structural similarity for image quality assessment",
2003, https://doi.org/10.1109/ACSSC.2003.1292216). There M = 5, with the weights of `WEIGHTS` and
Gaussian windows of 11 x 11 and sigma 1.5, which needs images of 176 x 176. Here

- M is the number of halvings after which the side is still at least 4, plus 1, at most 5: two
  scales of 8 x 8, three of 28 x 28. The weights of the first M are scaled to a sum of 1;
- a window is as wide as the largest odd number up to 11 that fits;
- a mean s below 0 counts as 0.

So values compare between models on images of one size, and not with those of large images, nor
with ones that others print for MNIST without saying their scales.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
WIDTH, SIGMA = 11, 1.5
LEAST_SIDE = 4
A, B = 0.01**2, 0.03**2


def ms_ssim(x: Tensor, y: Tensor) -> Tensor:
    """The similarity of each pair of square images, (N,); 1 where they are equal.

    Args:
        x: grey levels in [0, 1], (N, side, side); the side is at least 4.
        y: as x.
    """
    if x.shape != y.shape or x.dim() != 3 or x.shape[1] != x.shape[2] or x.shape[1] < LEAST_SIDE:
        raise ValueError(
            f"expected two stacks of square images, (N, side, side) with a side of at least "
            f"{LEAST_SIDE}, got {tuple(x.shape)} and {tuple(y.shape)}: pair them up"
        )
    scales = scales_of(x.shape[-1])
    weights = [weight / sum(WEIGHTS[:scales]) for weight in WEIGHTS[:scales]]
    x, y, found = x[:, None], y[:, None], torch.ones(len(x), dtype=x.dtype, device=x.device)
    for scale, weight in enumerate(weights):
        if scale:
            x, y = functional.avg_pool2d(x, 2), functional.avg_pool2d(y, 2)
        luminance, structure = similarity(x, y)
        found = found * structure.clamp_min(0.0) ** weight
    return found * luminance**weight


def scales_of(side: int) -> int:
    """How many scales images of this side have."""
    scales = 1
    while scales < len(WEIGHTS) and side // 2 >= LEAST_SIDE:
        side, scales = side // 2, scales + 1
    return scales


def similarity(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Luminance, and contrast and structure, of images (N, 1, side, side): (N,) each."""
    kernel = window(x)

    def local(image: Tensor) -> Tensor:
        return functional.conv2d(functional.conv2d(image, kernel), kernel.transpose(-1, -2))

    m_x, m_y = local(x), local(y)
    v_x, v_y, c = (
        local(one) - mean
        for one, mean in ((x * x, m_x * m_x), (y * y, m_y * m_y), (x * y, m_x * m_y))
    )
    luminance = (2 * m_x * m_y + A) / (m_x.square() + m_y.square() + A)
    structure = (2 * c + B) / (v_x + v_y + B)
    return luminance.mean((1, 2, 3)), structure.mean((1, 2, 3))


def window(like: Tensor) -> Tensor:
    """Gaussian weights in a row, (1, 1, 1, width), of the largest odd width that fits."""
    width = min(WIDTH, like.shape[-1] - 1 + like.shape[-1] % 2)
    places = torch.arange(width, dtype=like.dtype, device=like.device) - width // 2
    weights = torch.exp(-0.5 * (places / SIGMA).square())
    return (weights / weights.sum()).view(1, 1, 1, -1)
