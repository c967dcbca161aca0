"""What computes sums and products, on which a number's last digits depend."""

from __future__ import annotations

import re
from functools import cache


@cache
def arithmetic() -> str:
    """'torch 2.13.0, AVX512, mkl 2024.2': torch, the CPU's instructions, and the BLAS."""
    import torch

    built = torch.__config__.show()
    blas = re.search(r"BLAS_INFO=(\w+)", built)
    version = re.search(r"Math Kernel Library Version ([\w.]+)", built)
    named = [blas.group(1) if blas else "unknown BLAS", *(version.groups() if version else ())]
    release = torch.__version__.partition("+")[0]
    return f"torch {release}, {torch.backends.cpu.get_cpu_capability()}, {' '.join(named)}"
