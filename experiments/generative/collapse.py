r"""A GAN on a mixture in the plane, whose modes it may miss (Sec. 5.1 of the paper).

The generator maps [eps, c], normal noise and code, to points; the statistics network bounds
I(G([eps, c]); c). Every batch of data is fresh: the paper has 100,000 points, which at its batches
of 100 and 5,000 steps is each point five times.

What is measured, on noise that every moment and every arm shares, and that trained nothing:

    modes, touched, quality, kl     of `experiments.generative.shapes.Quality`, at the end
    path        the same four at each moment: {step: [modes, touched, quality, kl]}
    points      some samples at some moments: {step: [[x, y], ...]}
    ksg         I(G; c) by KSG, nats; ksg_stderr
    nats        of the row: I(G; c) by T, a lower bound where T was trained on other noise
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from experiments.generative.arms import ARMS
from experiments.generative.shapes import Shape, check_count, quality_of
from mine.method.ksg import ksg
from mine.networks.layers import Activation, BatchNorm, Layer, Linear
from mine.networks.stacked import stacked
from mine.running.applications import ApplicationJob, Measured, Records
from mine.running.statistics_networks import held_out_bound, noise_of, statistics_networks
from mine.training.arms import per_cell
from mine.training.descent import make_descent
from mine.training.gan import Gan, InformationTerm

NEIGHBOURS = 3
DIGITS = 2
"""Decimals of the points that a row keeps."""


@dataclass(frozen=True)
class Collapse:
    """A GAN on a mixture; the fields are the config's keys.

    Attributes:
        kind: of the mixture; this and the next four are those of `Shape`.
        modes: how many.
        size: of the mixture.
        sigma: of a mode.
        turns: of a spiral.
        noise: columns of eps.
        codes: columns of c.
        generator: widths of the generator's hidden layers.
        discriminator: widths of the discriminator's.
        activation: of the hidden layers of both.
        batch_norm: whether the generator has it.
        rate: the learning rate of the generator; T's is the training's.
        discriminator_rate: that of the discriminator.
        samples: the samples that measures take.
        looks: moments of measures, equally far apart.
        pictures: shares of the steps after which a row keeps points.
        kept: how many points.
    """

    kind: str = "ring"
    modes: int = 8
    size: float = 2.0
    sigma: float = 0.05
    turns: float = 2.0
    noise: int = 8
    codes: int = 2
    generator: Sequence[int] = (64, 64)
    discriminator: Sequence[int] = (64, 64)
    activation: str = "leaky_relu"
    batch_norm: bool = False
    rate: float = 1e-3
    discriminator_rate: float = 1e-3
    samples: int = 2500
    looks: int = 10
    pictures: Sequence[float] = (0.1, 0.4, 1.0)
    kept: int = 400

    def __post_init__(self) -> None:
        for name in ("generator", "discriminator", "pictures"):  # lists in a config
            object.__setattr__(self, name, tuple(getattr(self, name)))
        check_count(self.samples, self.target)
        for name in ("noise", "codes", "looks", "kept"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise ValueError(f"{name} must be a whole number above 0, got {value!r}")
        for width in (*self.generator, *self.discriminator):
            if type(width) is not int or width < 1:
                raise ValueError(f"widths must be whole numbers above 0, got {width!r}")
        for name in ("rate", "discriminator_rate"):
            value = getattr(self, name)
            if not (isinstance(value, int | float) and 0 < value < math.inf):
                raise ValueError(f"{name} must be a finite number above 0, got {value!r}")
        if not all(0 < share <= 1 for share in self.pictures):
            raise ValueError(f"pictures must be shares in (0, 1], got {list(self.pictures)}")

    @property
    def target(self) -> Shape:
        return Shape(self.kind, self.modes, self.size, self.sigma, self.turns)

    @property
    def dim(self) -> int:
        return 2

    def check(self, job: ApplicationJob) -> None:
        ARMS.resolve(job.arm)

    def activations(self, job: ApplicationJob) -> int:
        """A pass of G, five of D, and four of T on joint or marginal pairs."""
        widths = sum(self.generator) + 5 * sum(self.discriminator)
        return 2 * job.training.batch_size * (widths + 4 * sum(self.discriminator))

    def moments(self, steps: int) -> Sequence[int]:
        return sorted({*self._looks(steps), *self._pictures(steps)})

    def _looks(self, steps: int) -> list[int]:
        return [round(steps * i / self.looks) for i in range(1, self.looks + 1)]

    def _pictures(self, steps: int) -> list[int]:
        return [max(1, round(steps * share)) for share in self.pictures]

    def hidden(self, widths: Sequence[int], batch_norm: bool) -> list[Layer]:
        """Hidden layers of a perceptron."""
        layers: list[Layer] = []
        for width in widths:
            norm = [BatchNorm()] if batch_norm else []
            layers += [Linear(width, bias=not batch_norm), *norm, Activation(self.activation)]
        return layers

    def start(self, jobs: Sequence[ApplicationJob], device: torch.device) -> CollapseModel:
        return CollapseModel(self, jobs, device)

    def measured(self, job: ApplicationJob, records: Records) -> Measured:
        samples = {step: of["samples"].double().numpy() for step, of in records.items()}
        found = {step: quality_of(points, self.target) for step, points in samples.items()}
        last = records[max(records)]
        ends = found[max(found)]
        pictures = set(self._pictures(job.training.steps))
        measures: dict[str, Any] = {
            **vars(ends),
            **_nearest_neighbours(samples[max(samples)], last["codes"].double().numpy()),
            "path": {str(step): np.round(astuple(one), 4) for step, one in found.items()},
            "points": {
                str(step): points[: self.kept].round(DIGITS)
                for step, points in samples.items()
                if step in pictures
            },
        }
        return Measured(
            measures, nats=float(last["nats"]), stderr=float(last["stderr"]), n_test=self.samples
        )


def _nearest_neighbours(samples: np.ndarray, codes: np.ndarray) -> dict[str, float]:
    """I(G; c) by KSG in nats; nan where the samples do not vary."""
    try:
        found = ksg(samples, codes, NEIGHBOURS, workers=1)
    except ValueError:
        return {"ksg": math.nan, "ksg_stderr": math.nan}
    return {"ksg": found.nats, "ksg_stderr": found.stderr}


class CollapseModel:
    """K of these GANs in training: `mine.running.applications.Model`."""

    block = 16

    def __init__(
        self, application: Collapse, jobs: Sequence[ApplicationJob], device: torch.device
    ) -> None:
        self.of, self.jobs, self.device = application, jobs, device
        self.anchors = torch.tensor(application.target.anchors, dtype=torch.float32, device=device)
        self.streams = [job.generator("data", device) for job in jobs]
        arms = [ARMS.resolve(job.arm) for job in jobs]
        term = InformationTerm(
            beta=per_cell((arm.beta for arm in arms), device),
            clip=per_cell((arm.clip for arm in arms), device).bool(),
        )
        self.gan = Gan(
            generator=self._descent("generator", application.rate),
            discriminator=self._descent("discriminator", application.discriminator_rate),
            ascent=statistics_networks(jobs, 2, application.codes, device),
            term=term,
            penalty=per_cell((arm.penalty for arm in arms), device),
            codes=application.codes,
            pairing=jobs[0].pairing,
        )
        self.generators = [*self.streams, *noise_of(self.gan.ascent)]
        self.finite, self.named = self.gan.finite, self.gan.named

    def _descent(self, part: str, rate: float) -> Any:
        of = self.of
        if part == "generator":
            layers, inputs = of.hidden(of.generator, of.batch_norm), of.noise + of.codes
            layers += [Linear(2)]
        else:
            layers, inputs = [*of.hidden(of.discriminator, False), Linear(1)], 2
        starts = [job.generator(part) for job in self.jobs]
        network = stacked(layers, (inputs,), starts, self.device)
        return make_descent(network, rate, self.jobs[0].training.betas)

    def draw(self, steps: int) -> Sequence[Tensor]:
        batch = self.jobs[0].training.batch_size
        drawn = [self._drawn((steps, batch), g) for g in self.streams]
        return [torch.stack(of, 1) for of in zip(*drawn, strict=True)]

    def _drawn(self, shape: tuple[int, int], g: Generator) -> tuple[Tensor, Tensor]:
        """One cell's data and z: (steps, B, 2) and (steps, B, noise + codes)."""
        chosen = torch.randint(len(self.anchors), shape, generator=g, device=self.device)
        around = torch.randn(*shape, 2, generator=g, device=self.device)
        return self.anchors[chosen] + self.of.target.sigma * around, self._noise(shape, g)

    def _noise(self, shape: tuple[int, ...], g: Generator) -> Tensor:
        width = self.of.noise + self.of.codes
        return torch.randn(*shape, width, generator=g, device=self.device)

    def step(self, batch: Sequence[Tensor], step: int) -> Tensor:
        self.gan.set_factor(self.jobs[0].training.rate(step))
        return self.gan.step(*batch)

    def record(self, last: bool) -> Mapping[str, Tensor]:
        looks = [job.generator("look", self.device) for job in self.jobs]
        z = torch.stack([self._noise((self.of.samples,), g) for g in looks])
        samples, codes = self.gan.generator.network(z), z[..., -self.of.codes :]
        if not last:
            return {"samples": samples}
        nats, stderr = held_out_bound(self.gan.ascent, samples, codes, self.jobs[0].partners)
        return {"samples": samples, "codes": codes, "nats": nats, "stderr": stderr}
