r"""I(X; Z) of an encoder whose density p(z | x) is known: a normal with independent coordinates.

With one code z_i ~ p(z | x_i) for each of n images,

    lower = mean_i log p(z_i | x_i) / (1/n     sum_j       p(z_i | x_j))
    upper = mean_i log p(z_i | x_i) / (1/(n-1) sum_{j != i} p(z_i | x_j))

In expectation lower <= I(X; Z) <= upper (Poole et al., "On Variational Bounds of Mutual
Information", 2019, Sec. 2.3, https://arxiv.org/abs/1905.06922). No network estimates anything
here: the one approximation is the mixture over n images in place of p(z).

The lower one is the information between Z and the number of the image among these n, and so it
never passes ln n, whatever the encoder. Where the codes of different images do not overlap it is
ln n, while I(X; Z) may be any number above; the upper one then grows without an end. The two are
near each other where I(X; Z) is well below ln n.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

HALF_LOG_TWO_PI = 0.5 * math.log(2.0 * math.pi)


def log_densities(codes: Tensor, means: Tensor, scales: Tensor) -> Tensor:
    """log p(z_i | x_j) of all pairs.

    Args:
        codes: z, (n, d).
        means: of p(z | x_j), (m, d).
        scales: its standard deviations, (m, d), all above 0.

    Returns:
        (n, m), in nats.
    """
    codes, means, scales = (one.double() for one in (codes, means, scales))
    constants = scales.log().sum(-1) + codes.shape[-1] * HALF_LOG_TWO_PI
    squares = [((codes[i] - means) / scales).square().sum(-1) for i in range(len(codes))]
    return -0.5 * torch.stack(squares) - constants


def code_information(codes: Tensor, means: Tensor, scales: Tensor) -> tuple[float, float]:
    """Lower and upper value of I(X; Z), in nats.

    Args:
        codes: one code z_i ~ N(means_i, scales_i^2) for each image, (n, d).
        means: (n, d).
        scales: (n, d), all above 0.

    Returns:
        The two values of this module's docstring. A value that is not finite is nan.

    Raises:
        ValueError: there are fewer than two images, or the shapes differ.
    """
    if codes.shape != means.shape or means.shape != scales.shape or len(codes) < 2:
        raise ValueError(
            "codes, means and scales must have one shape (n, d) with n of 2 or more, got "
            f"{tuple(codes.shape)}, {tuple(means.shape)} and {tuple(scales.shape)}"
        )
    n = len(codes)
    logs = log_densities(codes, means, scales)
    own = logs.diagonal()
    others = logs.masked_fill(torch.eye(n, dtype=torch.bool, device=logs.device), -math.inf)
    lower = (own - logs.logsumexp(-1)).mean() + math.log(n)
    upper = (own - others.logsumexp(-1)).mean() + math.log(n - 1)
    return finite(lower), finite(upper)


def finite(value: Tensor) -> float:
    """A value as a number, nan where it is not finite."""
    number = float(value)
    return number if math.isfinite(number) else math.nan
