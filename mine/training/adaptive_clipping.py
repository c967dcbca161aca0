r"""Adaptive gradient clipping (Sec. 5.1 of Belghazi et al. 2018):

    g_a = min(|g_u|, |g_m|) g_m / |g_m|

where g_u is the adversarial gradient and g_m that of the mutual information, both over all
parameters of the generator. Mutual information has no upper bound, so its gradient could overwhelm
the other one: what is added is at most as long as g_u, and points where g_m does. It is applied to
gradients, after the backward passes.

With g_m = beta g, where g is the gradient of I itself, this is min(beta, |g_u| / |g|) g.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def clipped_weight(g_u: Tensor, g: Tensor, beta: Tensor) -> Tensor:
    """The weight of g in g_a, of each cell: beta, or less where beta g is longer than g_u.

    Where the norm of g is 0 or not finite, it is 0. Where that of g_u is not finite, it is nan.
    (In single precision a norm is finite up to about 1e19.)

    Args:
        g_u: (K, P), all parameters of each cell.
        g: (K, P).
        beta: (K, 1), >= 0.

    Returns:
        (K, 1).
    """
    of_u, of_g = (torch.linalg.vector_norm(v, dim=1, keepdim=True) for v in (g_u, g))
    ratio = torch.where(torch.isfinite(of_u), of_u, math.nan) / of_g
    usable = torch.isfinite(of_g) & (of_g > 0)
    return torch.where(usable, torch.minimum(beta, ratio), 0.0)
