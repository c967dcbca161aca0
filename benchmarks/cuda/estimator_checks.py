"""What must hold on a device of whole tasks and estimators; `checks` lists these checks too."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch

import mine
from benchmarks.cuda.tasks import Numbers, Setting, judged
from mine.data.generators import generator
from mine.method.ksg import ksg
from mine.tasks import (
    CorrelatedGaussian,
    Folded,
    MultivariateNormal,
    NoiseChannel,
    StudentT,
    Warped,
)

ON_DEVICE = (
    CorrelatedGaussian(20, 0.5),
    NoiseChannel("cube", 0.3, 2),
    Warped(NoiseChannel("cube", 0.3, 2), map_x="cube"),
    MultivariateNormal(2, 5, (0.9, 0.4), rotation=1, mean=(1.0,) * 7, scale=(2.0,) * 7),
    StudentT(MultivariateNormal(2, 2, (0.8,)), dof=3.5),
    Folded(CorrelatedGaussian(1, -0.9), fold_x="square", fold_y="abs"),
)


@contextmanager
def one_thread() -> Iterator[None]:
    """The CPU's estimates in this process: none is forked from one that holds a device."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def task_holds(task: object) -> Callable[[Setting], Numbers]:
    """Samples stay on the generator's device, and their mean log-ratio is the truth."""

    def check(setting: Setting) -> Numbers:
        x, y = task.sample(20_000, generator(1, "task", device=setting.device))
        ratio = task.log_ratio(x, y)
        there = {v.device.type for v in (x, y, ratio)} == {setting.device.type}
        mean, error = float(ratio.double().mean()), float(ratio.double().std()) / 20_000**0.5
        truth = float(task.mi)
        return judged(
            there and abs(mean - truth) < 5 * error + 1e-6,
            f"mean log-ratio {mean:.4f} +- {error:.4f}, truth {truth:.4f}"
            if there
            else "samples or log-ratio left the device",
            mean=mean,
            error=error,
            truth=truth,
        )

    return check


def _ksg_rows(n: int, dim: int, rho: float) -> tuple[np.ndarray, np.ndarray]:
    x, noise = np.random.default_rng(0).standard_normal((2, n, dim))
    return x, rho * x + math.sqrt(1 - rho**2) * noise


KSG_DATA: Mapping[str, Callable[[int], tuple[np.ndarray, np.ndarray]]] = {
    "scalar": lambda n: _ksg_rows(n, 1, 0.9),
    "near the line": lambda n: _ksg_rows(n, 1, 0.9999),
    "20-D": lambda n: _ksg_rows(n, 20, 0.5),
    "tied": lambda n: tuple(v.round(1) for v in _ksg_rows(n, 2, 0.5)),
}


def ksg_is_the_cpus(name: str) -> Callable[[Setting], Numbers]:
    """Both count neighbours exactly, so that the estimates agree to rounding."""

    def check(setting: Setting) -> Numbers:
        x, y = KSG_DATA[name](setting.scale.rows)
        here, there = (ksg(x, y, device=device).nats for device in ("cpu", str(setting.device)))
        difference = abs(here - there)
        return judged(
            difference < 1e-9, f"{there:.6f} on the device, {here:.6f} on the CPU", nats=there,
            difference=difference,
        )  # fmt: skip

    return check


def estimate_is_near(method: str) -> Callable[[Setting], Numbers]:
    """`mine.estimate` of rows of a Gaussian, on the device and on the CPU."""

    def check(setting: Setting) -> Numbers:
        task, scale = CorrelatedGaussian(1, 0.8), setting.scale
        x, y = task.sample(min(scale.rows, 2000), generator(0, "estimate"))
        options = {} if method == "ksg" else {"steps": scale.own_steps}
        with one_thread():
            here, there = (
                mine.estimate(x, y, method, device=device, **options)
                for device in ("cpu", str(setting.device))
            )
        error = math.hypot(here.stderr, there.stderr) + 0.02
        gap, off = abs(here.nats - there.nats), abs(there.nats - task.mi)
        trained = scale.name == "full" or method == "ksg"
        return judged(
            gap < 3 * error and (off < 4 * error or not trained),
            f"{there.nats:.3f} on the device, {here.nats:.3f} on the CPU, truth {task.mi:.3f}",
            device_nats=there.nats,
            cpu_nats=here.nats,
            truth=task.mi,
            stderr=there.stderr,
        )

    return check
