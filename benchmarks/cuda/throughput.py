"""Part 3: network-steps a second, beside what the machine can do at most.

A training alternates between drawing the batches of a block of steps and stepping through them.
Both are timed apart, too: until the call returns (the host's part) and until the device is done.

Two limits bound a network-step with R = (1 + m) B rows, two layers of H and P parameters:

    memory      4 (10 P + 13 R H) bytes, each of which crosses the memory once where every product
                is fused with what stands around it: 7 P for Adam, P for the gradient, 2 P for the
                weights in both directions; a hidden layer is written and read by the layer above,
                its gradient is written and read twice, and it is read for its derivative and for
                the gradient of the weights above
    matrices    the flops of `benchmarks.cases.Shape`, at the rate of a large product

A third bounds the steps of the whole stack: a graph cannot be launched faster than an empty one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from benchmarks.cases import Shape
from benchmarks.cuda import library, machine
from benchmarks.cuda.library import Cells, Session
from benchmarks.cuda.tasks import Numbers, Setting, Task
from mine.tasks import CorrelatedGaussian

COMPARED = 8  # seeds of the estimates that compare TF32 with FP32


def tasks(setting: Setting) -> list[Task]:
    """The ceilings, then the cases in FP32 and in TF32, then what TF32 does to an estimate."""
    scale, ceilings = setting.scale, dict[str, float]()

    def ceiling(measure: Callable[[Setting], Numbers], prefix: str = "") -> Callable[..., Numbers]:
        def work(setting: Setting) -> Numbers:
            found = measure(setting)
            ceilings.update({prefix + name: value for name, value in found.items()})
            return found

        return work

    found = [
        Task("ceiling: copy", ceiling(machine.bandwidth)),
        Task("ceiling: launch", ceiling(machine.launches)),
        *(
            Task(f"ceiling: {name}", ceiling(machine.matrix_peak(name), f"{name}_"))
            for name in ("fp32", "tf32")
        ),
    ]
    for precision, cases in (("fp32", scale.cases), ("tf32", scale.tf32)):
        found += [
            Task(
                f"{shape} K={k} {precision}",
                partial(case, shape, k, precision, ceilings),
                least=5.0 + k / 1000,
            )
            for shape, stacked in cases.items()
            for k in stacked
        ]
    found += [
        Task(f"estimates {shape} {precision}", partial(estimates, shape, precision), least=10.0)
        for shape in scale.tf32
        for precision in ("fp32", "tf32")
    ]
    shape, (k, *_) = next(iter(scale.tf32.items()))
    found.append(Task(f"jobs to estimates {shape} K={k}", partial(end_to_end, shape, k), 15.0))
    shape, stacked = next(iter(scale.cases.items()))
    k = max(stacked)
    return [*found, Task(f"held-out {shape} K={k}", partial(held_out, shape, k), least=15.0)]


# -------------------------------------------------------------------------- a case


def case(
    shape: Shape, k: int, precision: str, ceilings: Mapping[str, float], setting: Setting
) -> Numbers:
    """One stack: the training as it is, its two halves apart, and its ratios to the ceilings."""
    with machine.matmul_precision(precision):
        began = time.perf_counter()
        session = Session(Cells(shape, range(k)), setting.device)
        setting.wait()
        set_up = time.perf_counter() - began
        seconds = min(setting.scale.seconds, max(setting.left() / 3, 0.0))
        per_step = _training(session, seconds, setting)
        drawing = _drawing(session, seconds / 2, setting)
        stepping = _stepping(session, seconds / 2, setting)
    rate = k / per_step
    return {
        "shape": str(shape),
        "k": k,
        "precision": precision,
        "network_steps_per_s": rate,
        "us_per_step": 1e6 * per_step,
        "draw": drawing,
        "step": stepping,
        "captured": session.captured,
        "set_up_s": set_up,
        **ratios(shape, precision, rate, 1 / per_step, ceilings),
    }


def ratios(
    shape: Shape, precision: str, rate: float, steps: float, ceilings: Mapping[str, float]
) -> Numbers:
    """Shares of the ceilings that were measured, of so many network-steps and steps a second."""
    limits = {
        "of_memory": ("bytes_per_s", rate * least_bytes(shape)),
        "of_matrices": (f"{precision}_flops_per_s", rate * shape.flops()),
    }
    found = {name: used / ceilings[key] for name, (key, used) in limits.items() if key in ceilings}
    if "graph_s" in ceilings:
        found["of_launches"] = steps * ceilings["graph_s"]
    return found


def least_bytes(shape: Shape) -> int:
    """That a network-step of two hidden layers moves through memory, see the module."""
    h, rows = shape.hidden, (1 + shape.marginal_samples) * shape.batch
    parameters = (2 * shape.dim + 1) * h + h * h + h + h + 1
    return 4 * (10 * parameters + 13 * rows * h)


def _training(session: Session, seconds: float, setting: Setting) -> float:
    """Seconds a step, once warm."""
    blocks = session.train()
    first = next(step for step in blocks if step >= library.WARM_STEPS)
    setting.wait()
    began = time.perf_counter()
    last = next(step for step in blocks if time.perf_counter() - began >= seconds)
    setting.wait()
    return (time.perf_counter() - began) / (last - first)


def _drawing(session: Session, seconds: float, setting: Setting) -> Numbers:
    return _timed(lambda: len(session.draw()[0]), seconds, setting)


def _stepping(session: Session, seconds: float, setting: Setting) -> Numbers:
    batches = session.draw()
    return _timed(lambda: session.step_through(batches), seconds, setting)


def _timed(work: Callable[[], int], seconds: float, setting: Setting) -> Numbers:
    """Microseconds a step, of work that says how many steps it was: all, and the host's part."""
    setting.wait()
    began, host, steps = time.perf_counter(), 0.0, 0
    while not steps or time.perf_counter() - began < seconds:
        called = time.perf_counter()
        steps += work()
        host += time.perf_counter() - called
        setting.wait()
    whole = time.perf_counter() - began
    return {"us_per_step": 1e6 * whole / steps, "host_us_per_step": 1e6 * host / steps}


# ---------------------------------------------------------------- whole estimates


def estimates(shape: Shape, precision: str, setting: Setting) -> Numbers:
    """Estimates of one setting at the library's learning rate, beside the truth."""
    cells = Cells(
        shape,
        range(COMPARED),
        steps=setting.scale.estimate_steps,
        training={"learning_rate": 2e-3, "marginal_samples": 2},
    )
    jobs = library.gaussian_jobs(cells, n_test=setting.scale.panel.n_test)
    with machine.matmul_precision(precision):
        ran = library.run_jobs(jobs, setting.device, time.perf_counter() + setting.left())
    truth = CorrelatedGaussian(shape.dim, cells.rho).mi
    nats = np.array(ran.nats)
    return {
        "precision": precision,
        "truth": truth,
        "mean": float(nats.mean()),
        "error": float(nats.mean() - truth),
        "sd": float(nats.std(ddof=1)),
        "nats": ran.nats,
        "stopped": ran.stopped,
    }


def held_out(shape: Shape, k: int, setting: Setting) -> Numbers:
    """A whole stack on test rows: its peak memory is beside its seconds."""
    session = Session(Cells(shape, range(k)), setting.device)
    setting.wait()
    began = time.perf_counter()
    values = session.held_out(1000)
    return {
        "k": k,
        "rows": 1000,
        "run_s": time.perf_counter() - began,
        "finite": bool(values.isfinite().all()),
    }


def end_to_end(shape: Shape, k: int, setting: Setting) -> Numbers:
    """Jobs in, estimates out: with the set-up of every job, the tests and the curves."""
    steps = setting.scale.estimate_steps // 2
    jobs = library.gaussian_jobs(Cells(shape, range(k), steps=steps), n_test=10_000)
    began = time.perf_counter()
    ran = library.run_jobs(jobs, setting.device, began + setting.left())
    seconds = time.perf_counter() - began
    done = sum(ran.steps)
    return {
        "k": k,
        "steps": steps,
        "network_steps_per_s": done / seconds,
        "stopped": ran.stopped,
        "reasons": ran.reasons,
    }
