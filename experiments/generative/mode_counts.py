r"""How many modes of a mixture a set of samples has, and how evenly.

A generator's samples are counted by the mode that each belongs to; samples that belong to none are
in no count. Of such counts, over M modes of equal probability:

    captured    modes with at least a share of n / M samples, their fair part of all n samples
    reverse KL  sum_m p_m log(M p_m), p_m = counts_m / sum counts: from what was captured to the
                uniform mixture, in nats (Srivastava et al., VEEGAN, 2017,
                https://arxiv.org/abs/1705.07761; Lin et al., PacGAN, 2018,
                https://arxiv.org/abs/1712.04086)

Papers count a mode as captured by one sample (`share` 0). So does noise: it reaches nearly all
modes, and among the few of its samples that hit a mode the KL is small. A share asks for samples.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]

SHARE = 0.2
"""The share of its fair part of the samples with which a mode counts as captured."""


def counts_of(modes: NDArray[np.integer], total: int) -> Counts:
    """Samples of each mode, (M,).

    Args:
        modes: the mode of each sample that belongs to one, (n',), from 0 to M - 1.
        total: M.
    """
    return np.bincount(modes, minlength=total).astype(np.int64)


def captured(counts: Counts, n: int, share: float = SHARE) -> int:
    """How many modes are captured.

    Args:
        counts: samples of each mode, (M,).
        n: all samples, those of no mode too.
        share: of n / M that a mode needs; 0: one sample is enough.
    """
    return int((counts >= max(1.0, share * n / len(counts))).sum())


def reverse_kl(counts: Counts) -> float:
    """From the counted samples' modes to the uniform mixture, in nats.

    Without a sample it is log M, which is its greatest value: all samples in one mode. With few
    samples it is too large, by about (M - 1) / (2 n) for n samples of a uniform mixture.
    """
    total = int(counts.sum())
    if not total:
        return math.log(len(counts))
    p = counts[counts > 0] / total
    return float((p * np.log(p * len(counts))).sum())
