"""Part 2: what must hold on a device. Each check is a line; one that fails says what it found."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from benchmarks.cases import Shape
from benchmarks.cuda import library, reference
from benchmarks.cuda.estimator_checks import (
    KSG_DATA,
    ON_DEVICE,
    estimate_is_near,
    ksg_is_the_cpus,
    task_holds,
)
from benchmarks.cuda.library import Cells, Session
from benchmarks.cuda.tasks import NO_DEVICE, Numbers, Setting, Skipped, Task, judged
from mine.critics.mlp import MLP
from mine.data.generators import generator
from mine.data.pairs import Independent, Pairing, Permutations, Shifts
from mine.method.names import METHODS
from mine.tasks import CorrelatedGaussian

SHAPE = Shape(16, 32, 2, marginal_samples=2)
STEPS = 50
OPTIMIZERS = "Adam", "AdamW", "RMSprop", "SGD"
MARGINALS = "derangement", "shuffle", "independent"
TRAINED = [name for name, method in METHODS.items() if method.objective and not method.candidates]


def tasks(setting: Setting) -> list[Task]:
    """The checks, what everything else rests on first."""
    found: dict[str, Callable[[Setting], Numbers]] = {
        **{
            f"critic = float64: {activation}, {kind}, {width}": critic_is_reference(
                activation, pairing, dims
            )
            for activation in reference.ACTIVATIONS
            for kind, pairing in PAIRINGS.items()
            for width, dims in {"narrow": (2, 3), "wide": (30, 20)}.items()
        },
        "objectives' gradients = float64": objectives_are_reference,
        "training = the CPU's": training_is_the_cpus,
        "a stack of K = K single runs": stack_is_single_runs,
        "a diverging cell leaves its neighbours": divergence_is_alone,
        "the same training twice: the same bits": twice_the_same_bits,
        "Adam and AdamW = the CPU's": adam_is_the_cpus,
        **{f"a cell's batches are its own: {name}": batches_are_own(name) for name in MARGINALS},
        "no wait inside a step": no_wait_in_a_step,
        **{f"capture: {name}": captured(cells) for name, cells in CAPTURED.items()},
        "no warning in training": no_warning,
        "resumed = at once, to the bit": resumed_is_whole,
        "held-out values = the CPU's": held_out_is_the_cpus,
        **{f"samples and log-ratio: {task!r:.60}": task_holds(task) for task in ON_DEVICE},
        **{f"ksg = the CPU's: {name}": ksg_is_the_cpus(name) for name in KSG_DATA},
        **{f"estimate({method})": estimate_is_near(method) for method in ("mine", "auto", "ksg")},
    }
    return [Task(name, work) for name, work in found.items()]


def only_on_cuda(setting: Setting) -> None:
    if not setting.on_cuda:
        raise Skipped(NO_DEVICE)


# ------------------------------------------------------------ values, gradients


def _rows(k: int, batch: int, dim: int, seed: int) -> Tensor:
    return torch.randn(k, batch, dim, generator=generator(seed, "rows"))


PAIRINGS: Mapping[str, Callable[[int, int], Pairing]] = {
    "derangement": lambda k, batch: Shifts(2),
    "shuffle": lambda k, batch: Permutations.of(
        torch.rand(k, 2, batch, generator=generator(3, "order")).argsort(-1)
    ),
    "independent": lambda k, batch: Independent(2),
}


def _moved(pairing: Pairing, device: torch.device) -> Pairing:
    if isinstance(pairing, Permutations):
        return Permutations(pairing.index.to(device), pairing.inverse.to(device))
    return pairing


def critic_is_reference(
    activation: str, pairing_of: Callable[[int, int], Pairing], dims: tuple[int, int]
) -> Callable[[Setting], Numbers]:
    """Values and gradients of three stacked critics, beside plain autograd in float64."""

    def check(setting: Setting) -> Numbers:
        k, batch, (dx, dy) = 3, 64, dims
        pairing = pairing_of(k, batch)
        extra = pairing.m if isinstance(pairing, Independent) else 0
        x, y = _rows(k, batch, dx, 0), _rows(k, batch * (1 + extra), dy, 1)
        starts = [generator(s, "start") for s in range(k)]
        critic = MLP((40, 24), activation).stack(dx, dy, starts, setting.device)
        of_values = _rows(1, k, batch, 2)[0], _rows(1, k, pairing.m * batch, 3)[0]
        values = critic.values(
            x.to(setting.device), y.to(setting.device), _moved(pairing, setting.device)
        )
        found = [v.clone() for v in values]
        critic.backward(*(g.to(setting.device) for g in of_values))
        views = [v.detach().cpu().double().requires_grad_() for v in critic.views]
        wanted = reference.perceptron(views, x.double(), y.double(), pairing, activation)
        of_views = reference.gradients(
            views,
            wanted,
            tuple(g.double() for g in of_values),
        )
        value_error = max(map(reference.relative_error, found, wanted))
        gradient_error = max(map(reference.relative_error, critic.grads, of_views))
        return judged(
            value_error < 1e-5 and gradient_error < 1e-5,
            f"relative errors {value_error:.1e} of values, {gradient_error:.1e} of gradients",
            value_error=value_error,
            gradient_error=gradient_error,
        )

    return check


def objectives_are_reference(setting: Setting) -> Numbers:
    """Each objective's gradient at its second step: float32 there, float64 here."""
    t_joint, t_marginal = _rows(1, 3, 64, 4)[0], _rows(1, 3, 128, 5)[0]
    errors = {}
    for name in TRAINED:
        found, wanted = (
            _second_descent(name, t_joint.to(device, dtype), t_marginal.to(device, dtype))
            for device, dtype in (
                (setting.device, torch.float32),
                (torch.device("cpu"), torch.float64),
            )
        )
        errors[name] = max(map(reference.relative_error, found, wanted))
    worst = max(errors, key=lambda name: errors[name])
    return judged(errors[worst] < 1e-5, f"{worst}: relative error {errors[worst]:.1e}", **errors)


def _second_descent(name: str, t_joint: Tensor, t_marginal: Tensor) -> tuple[Tensor, Tensor]:
    objective = METHODS[name].objective
    assert objective is not None
    state = tuple(s.to(t_joint.dtype) for s in objective.init(len(t_joint), t_joint.device))
    rate = torch.full_like(t_joint[:, 0], 0.02)
    _, _, state = objective.descent(t_joint + 0.3, t_marginal - 0.3, state, rate)
    g_joint, g_marginal, _ = objective.descent(t_joint, t_marginal, state, rate)
    return g_joint, g_marginal


# -------------------------------------------------------------------- training


def _cells(*seeds: int, **fields: object) -> Cells:
    return Cells(SHAPE, seeds, **{"steps": STEPS, "rho": 0.7, **fields})


def training_is_the_cpus(setting: Setting) -> Numbers:
    """Held-out values after a training, beside the CPU's: other samples, the same distribution."""
    options = {"batch_size": 128, "learning_rate": 3e-3}
    cells = _cells(*range(8), steps=400, training=options)
    here, there = (
        Session(cells, device).to_the_end().held_out(2000)
        for device in (torch.device("cpu"), setting.device)
    )
    means = float(here.mean()), float(there.mean())
    truth = CorrelatedGaussian(SHAPE.dim, 0.7).mi
    error = math.hypot(float(here.std()), float(there.std())) / math.sqrt(len(here))
    gap = abs(means[0] - means[1])
    return judged(
        gap < 4 * error + 0.01 and abs(means[1] - truth) < 0.15 * truth,
        f"{means[1]:.3f} nats on the device, {means[0]:.3f} on the CPU, truth {truth:.3f}",
        cpu_nats=means[0],
        device_nats=means[1],
        truth=truth,
        error_of_the_difference=error,
    )


def stack_is_single_runs(setting: Setting) -> Numbers:
    """By SGD the parameters agree, since Adam makes a whole step of a gradient's rounding."""
    numbers: Numbers = {}
    plain = {"optimizer": "SGD", "learning_rate": 0.1}
    together = Session(_cells(0, 1, 2, training=plain), setting.device).to_the_end()
    alone = [Session(_cells(s, training=plain), setting.device).to_the_end() for s in range(3)]
    numbers["parameters"] = max(
        float((a[i] - b[0]).abs().max())
        for i, one in enumerate(alone)
        for a, b in zip(together.views, one.views, strict=True)
    )
    for method in ("mine", "mine_f", "dv"):
        values = Session(_cells(0, 1, 2, method=method), setting.device).to_the_end().held_out()
        single = [
            Session(_cells(s, method=method), setting.device).to_the_end().held_out()
            for s in range(3)
        ]
        numbers[f"value_{method}"] = float((values - torch.cat(single)).abs().max())
    worst = max(numbers, key=lambda name: numbers[name])
    return judged(numbers[worst] < 1e-4, f"{worst} differ by {numbers[worst]:.1e}", **numbers)


def divergence_is_alone(setting: Setting) -> Numbers:
    """A learning rate of nan among three. Bits are the aim, rounding is what must hold."""
    calm, wild = (1e-3, 1e-3, 1e-3), (1e-3, math.nan, 1e-3)
    before, after = (
        Session(_cells(0, 1, 2, rates=rates), setting.device).to_the_end()
        for rates in (calm, wild)
    )
    pairs = list(zip(before.views, after.views, strict=True))
    difference = max(float((a[[0, 2]] - b[[0, 2]]).abs().max()) for a, b in pairs)
    return judged(
        before.diverged_at == [-1, -1, -1]
        and after.diverged_at == [-1, 1, -1]
        and difference < 1e-4,
        f"diverged at {after.diverged_at}, neighbours moved by {difference:.1e}",
        diverged_at=after.diverged_at,
        difference=difference,
        same_bits=difference == 0.0,
    )


def twice_the_same_bits(setting: Setting) -> Numbers:
    first, second = (Session(_cells(0, 1), setting.device).to_the_end() for _ in range(2))
    difference = float((first.theta - second.theta).abs().max())
    return judged(
        difference == 0.0, f"parameters differ by {difference:.1e}", difference=difference
    )


def adam_is_the_cpus(setting: Setting) -> Numbers:
    """Five steps from equal gradients, at one learning rate and at several."""
    errors: Numbers = {}
    for name in ("Adam", "AdamW"):
        for rates in ((1e-3, 1e-3, 1e-3), (1e-3, 2e-3, 1e-3)):
            here, there = (
                library.stepped(name, rates, device)
                for device in (torch.device("cpu"), setting.device)
            )
            errors[f"{name} at {len(set(rates))}"] = reference.relative_error(there, here.double())
    worst = max(errors, key=lambda name: errors[name])
    return judged(errors[worst] < 1e-5, f"{worst}: relative error {errors[worst]:.1e}", **errors)


def batches_are_own(marginal: str) -> Callable[[Setting], Numbers]:
    """The batches of one cell alone and between others, of every kind of source."""

    def check(setting: Setting) -> Numbers:
        differ = [
            str(source)[:60]
            for source in library.sources(ON_DEVICE, setting.device)
            if not library.batches_are_own(source, marginal, setting.device)
        ]
        return judged(not differ, f"batches of {differ} depend on neighbours", differ=differ)

    return check


def no_wait_in_a_step(setting: Setting) -> Numbers:
    """Every optimizer and every way of pairing, eager steps and replayed ones."""
    only_on_cuda(setting)
    waited = {}
    for optimizer in OPTIMIZERS:
        for marginal in MARGINALS:
            options = {"optimizer": optimizer, "marginal": marginal, "max_grad_norm": 1.0}
            session = Session(_cells(0, 1, training=options), setting.device)
            session.forbid_waiting()
            try:
                session.to_the_end()
            except RuntimeError as error:
                waited[f"{optimizer}, {marginal}"] = str(error)
    reason = "; ".join(f"{name}: {why}" for name, why in waited.items())
    return judged(not waited, reason, waited=waited)


CAPTURED: Mapping[str, Cells] = {
    **{name: _cells(0, 1, 2, training={"optimizer": name}) for name in OPTIMIZERS},
    **{name: _cells(0, 1, 2, training={"marginal": name}) for name in MARGINALS},
    "clipped": _cells(0, 1, 2, training={"max_grad_norm": 0.5}),
    "two learning rates": _cells(0, 1, 2, rates=(1e-3, 2e-3, 1e-3)),
    "silu": _cells(0, 1, 2, critic=MLP((16, 16), "silu")),
    "wide": Cells(Shape(16, 32, 30, 2), (0, 1, 2), STEPS),
    "own rows": _cells(0, 1, 2, rows=500),
    "a user's module": _cells(0, 1, 2, critic=library.users_module(16)),
    **{name: _cells(0, 1, 2, method=name) for name in ("mine_f", "js", "infonce", "tuba")},
    "club": _cells(0, 1, 2, method="club", critic=METHODS["club"].critic(MLP((16, 16)))),
}


def captured(cells: Cells) -> Callable[[Setting], Numbers]:
    """The step is captured as a graph, and trains to what it trains to without."""

    def check(setting: Setting) -> Numbers:
        only_on_cuda(setting)
        eager = Session(cells, setting.device)
        eager.forbid_capture()
        eager.to_the_end()
        graph = Session(cells, setting.device).to_the_end()
        difference = float((eager.theta - graph.theta).abs().max())
        return judged(
            graph.captured and difference < 1e-4,
            f"parameters differ by {difference:.1e}" if graph.captured else "not captured",
            captured=graph.captured,
            difference=difference,
        )

    return check


def no_warning(setting: Setting) -> Numbers:
    """Users see each of them, and tests make errors of them."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for optimizer in OPTIMIZERS:
            options = {"optimizer": optimizer}
            Session(_cells(0, 1, training=options), setting.device).to_the_end()
    said = sorted({f"{w.category.__name__}: {w.message}" for w in caught})
    return judged(not said, said[0] if said else "", warnings=said)


def resumed_is_whole(setting: Setting) -> Numbers:
    cells = _cells(0, 1, steps=300)
    differ = {
        name: (at_once, again)
        for name, (at_once, again) in library.resumed(
            library.gaussian_jobs(cells, n_test=500), setting.device
        ).items()
        if at_once != again
    }
    largest = max((abs(a - b) for a, b in differ.values()), default=0.0)
    names = ", ".join(differ)
    return judged(not differ, f"{names} differ by at most {largest:.1e}", differ=differ)


def held_out_is_the_cpus(setting: Setting) -> Numbers:
    """The same untrained critics on the same rows."""
    here, there = (
        Session(_cells(0, 1, 2), device).held_out(1200)
        for device in (torch.device("cpu"), setting.device)
    )
    difference = float((here - there).abs().max())
    return judged(difference < 1e-5, f"differ by {difference:.1e}", difference=difference)
