"""Part 1, and the ceilings that throughput is compared with: what this machine can do."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import scipy
import torch

from benchmarks.cuda.tasks import Numbers, Setting, Task

GRAPH_KERNELS = 200  # in the graph that tells what a kernel costs there


def tasks(setting: Setting) -> list[Task]:
    return [Task("machine", describe)]


def describe(setting: Setting) -> Numbers:
    """The device, its memory, and the versions of what the results depend on."""
    found = {
        "device": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0,
        "commit": commit(),
    }
    if not setting.on_cuda:
        return found
    card = torch.cuda.get_device_properties(setting.device)
    return {
        **found,
        "device": card.name,
        "memory_gib": round(card.total_memory / 2**30, 1),
        "multiprocessors": card.multi_processor_count,
        "capability": f"{card.major}.{card.minor}",
        "cuda": torch.version.cuda,
        "matmul_precision": torch.get_float32_matmul_precision(),
    }


def commit() -> str | None:
    """Of the working tree this file is in, with "+" where it was changed; None if unknown."""

    def git(*words: str) -> str:
        command = ["git", "-C", str(Path(__file__).parent), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None


# -------------------------------------------------------------------- ceilings


def bandwidth(setting: Setting) -> Numbers:
    """Bytes a second that a copy within the device's memory reads and writes."""
    n = setting.scale.copy_mib * 2**18
    source, target = (torch.zeros(n, device=setting.device) for _ in range(2))
    seconds = best_of(lambda: target.copy_(source), setting)
    return {"bytes_per_s": 8 * n / seconds}


def launches(setting: Setting) -> Numbers:
    """Seconds of a graph of one kernel that does next to nothing, of one kernel more in a graph,
    and of one kernel launched by itself."""
    one = torch.zeros(1, device=setting.device)

    def kernels(count: int) -> Callable[[], object]:
        def work() -> None:
            for _ in range(count):
                one.add_(1.0)

        return captured(work) if setting.on_cuda else work

    alone = best_of(lambda: one.add_(1.0), setting, 200)
    short = best_of(kernels(1), setting, 200)
    long = best_of(kernels(GRAPH_KERNELS), setting, 20)
    return {
        "launch_s": alone,
        "graph_s": short,
        "graph_kernel_s": max(long - short, 0.0) / (GRAPH_KERNELS - 1),
    }


def matrix_peak(precision: str) -> Callable[[Setting], Numbers]:
    """A task: flops a second of the best large product of square matrices."""

    def measure(setting: Setting) -> Numbers:
        with matmul_precision(precision):
            return {"flops_per_s": max(_product(n, setting) for n in setting.scale.matrices)}

    return measure


def _product(n: int, setting: Setting) -> float:
    a, b = (torch.rand(n, n, device=setting.device) for _ in range(2))
    out = torch.empty_like(a)
    return 2 * n**3 / best_of(lambda: torch.mm(a, b, out=out), setting)


@contextmanager
def matmul_precision(name: str) -> Iterator[None]:
    """Products of float32 matrices in "fp32" or "tf32" for a while."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if name == "tf32" else "highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def captured(work: Callable[[], object]) -> Callable[[], object]:
    """The replay of a CUDA graph of this work."""
    aside = torch.cuda.Stream()
    with torch.cuda.stream(aside):
        work()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    return graph.replay


def best_of(work: Callable[[], object], setting: Setting, calls: int = 10) -> float:
    """Seconds of one call: of the best of a few rounds of several calls in a row."""
    rounds: Sequence[int] = range(3 if setting.scale.name == "tiny" else 8)
    found = []
    for _ in rounds:
        setting.wait()
        began = time.perf_counter()
        for _ in range(calls):
            work()
        setting.wait()
        found.append((time.perf_counter() - began) / calls)
    return min(found)
