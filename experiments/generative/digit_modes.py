r"""Modes of stacked digits: three digits in the channels of one image make 1,000 modes.

A classifier says which digit each channel shows; the three digits, as hundreds, tens and ones,
are the image's mode (Metz et al., "Unrolled GANs", 2017, https://arxiv.org/abs/1611.02163).
Captured modes, by one image each as in all papers, and their KL from equal shares are those of
`experiments.generative.mode_counts`: log 1000 = 6.91 nats for a single mode, and .019 for 26,000
images of equally frequent modes.

A classifier must choose, of noise as well. An image is **sure** where each of its three digits has
a probability above .9. All measures are taken of all images and of the sure ones.

Shapes: N images of 3 channels.
"""

from __future__ import annotations

import torch
from torch import Tensor

from experiments.generative.mode_counts import captured, counts_of, reverse_kl

DIGITS, CHANNELS = 10, 3
MODES = DIGITS**CHANNELS
SURE = 0.9
"""The probability above which a classifier is sure of a digit."""


def modes_of(probabilities: Tensor) -> tuple[Tensor, Tensor]:
    """The modes (N,) of 0 ... 999, and whether they are sure (N,).

    Args:
        probabilities: of the digits in each channel, (N, 3, 10).
    """
    most, digits = probabilities.max(-1)
    places = DIGITS ** torch.arange(CHANNELS - 1, -1, -1, device=digits.device)
    return (digits * places).sum(-1), (most > SURE).all(-1)


def scores(modes: Tensor, sure: Tensor) -> dict[str, float]:
    """The measures of images by their modes (N,) and whether these are sure (N,).

    `modes` and `kl` of all images, `sure_modes` and `sure_kl` of the sure ones, whose share is
    `sure`.
    """
    found = {"sure": float(sure.double().mean())}
    for name, of in (("", modes), ("sure_", modes[sure])):
        counts = counts_of(of.cpu().numpy(), MODES)
        found |= {f"{name}modes": captured(counts, len(of), 0.0), f"{name}kl": reverse_kl(counts)}
    return found
