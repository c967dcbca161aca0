"""What the machine can do: its peak in float32 matrix products on all cores."""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch

SIZES = 1024, 2048, 4096


def matmul_peak(seconds: float, threads: int, sizes: Sequence[int] = SIZES) -> float:
    """Flops a second of the fastest product of square matrices; sizes share the time equally."""
    torch.set_num_threads(threads)
    return max(_best(n, seconds / len(sizes)) for n in sizes)


def _best(n: int, seconds: float) -> float:
    a, b, out = torch.rand(n, n), torch.rand(n, n), torch.empty(n, n)
    best, end = 0.0, time.perf_counter() + seconds
    while best == 0.0 or time.perf_counter() < end:
        started = time.perf_counter()
        torch.mm(a, b, out=out)
        best = max(best, 2 * n**3 / (time.perf_counter() - started))
    return best
