"""Devices and threads: what torch is set to while a stack is trained."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def resolve_device(device: str) -> torch.device:
    """The device of this name; "auto" is CUDA where there is one, else the CPU.

    Raises:
        ValueError: there is no such device.
    """
    name = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    try:
        found = torch.device(name)
    except RuntimeError:
        raise ValueError(f"device must be auto, cpu or cuda, got {device!r}") from None
    if found.type not in ("cpu", "cuda"):
        raise ValueError(f"device must be auto, cpu or cuda, got {device!r}")
    if found.type == "cuda" and (found.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"device {device!r} is not there: torch finds {torch.cuda.device_count()} of CUDA; "
            "use device=auto or device=cpu"
        )
    return found


def can_fork(device: torch.device) -> bool:
    """Whether stacks on this device can have a process each.

    A daemon, such as a worker of `multiprocessing.Pool`, may have no children.
    """
    is_daemon = multiprocessing.current_process().daemon
    return device.type == "cpu" and sys.platform.startswith("linux") and not is_daemon


def workers_for(stacks: int, device: torch.device, asked: int | None = None) -> int:
    """How many stacks run at the same time: one on CUDA, and where processes cannot be forked."""
    if not can_fork(device):
        return 1
    return max(1, min(asked or torch.get_num_threads(), stacks))


@contextmanager
def working_on(device: torch.device) -> Iterator[None]:
    """Makes this CUDA device the current one for a while, so that graphs and streams are its own.

    On a CPU it sets torch to one thread, and rounds numbers below 1e-38 to 0. Such numbers are the
    weights exp(T - c) of unlikely marginal pairs, and a processor takes a hundred times as long
    for each.
    """
    if device.type == "cuda":
        with torch.cuda.device(device):
            yield
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_flush_denormal(False)
