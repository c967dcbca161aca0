r"""Adaptive gradient clipping (Sec. 5.1 of Belghazi et al. 2018):

    g_a = min(|g_u|, |g_m|) g_m / |g_m|

where g_u is the adversarial gradient and g_m that of the mutual information, both over all
parameters of the generator. Mutual information has no upper bound, so its gradient could overwhelm
the other one: what is added is at most as long as g_u, and points where g_m does. It is applied to
gradients, after the backward passes.
"""

from __future__ import annotations

import torch
from torch import Tensor


def adaptive_clip(g_u: Tensor, g_m: Tensor) -> Tensor:
    """g_m, at most as long as g_u, of each cell.

    Where g_m is 0 or anything of it is not finite, it is 0. Where g_u is not finite, nor is this.

    Args:
        g_u: (K, P), all parameters of each cell.
        g_m: (K, P).

    Returns:
        (K, P).
    """
    of_u, of_m = norms(g_u), norms(g_m)
    usable = torch.isfinite(of_m) & (of_m > 0)
    scale = torch.minimum(of_u, of_m) / torch.where(usable, of_m, 1.0)
    return torch.where(usable, scale * g_m, 0.0)


def norms(g: Tensor) -> Tensor:
    """The Euclidean norm of each row, (K, 1); it is finite where the row is."""
    largest = g.abs().amax(1, keepdim=True)
    unit = torch.where(largest > 0, largest, 1.0)
    return largest * (g / unit).norm(dim=1, keepdim=True)
