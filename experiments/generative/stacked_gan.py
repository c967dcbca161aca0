r"""Stacked digits: a GAN on images whose channels are three digits, 1,000 modes (Sec. 5.1).

The data are three images drawn at random from the training part, as the channels of one. The
generator maps z = [eps, c] to such an image, and a statistics network gives I(G(z); c):
`mine.training.gan`. All networks have the training's learning rate and betas, one batch a step.
The networks are dense, or DCGAN's (Radford et al., 2016, https://arxiv.org/abs/1511.06434) where
`convolutional`.

Grey levels are in [-1, 1] for the networks, in [0, 1] elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from experiments.generative.digit_classifier import tensors
from experiments.generative.digit_modes import CHANNELS
from experiments.generative.image_networks import (
    STD,
    hidden_units,
    image_features,
    image_generator,
)
from experiments.generative.stacked_images import (
    CHUNK,
    check_batch,
    check_counts,
    check_labelled,
    score_measures,
    scored,
    stacks,
)
from experiments.images.data import ImageData
from mine.networks.layers import Layer, Linear
from mine.networks.stacked import stacked
from mine.running.applications import ApplicationJob, Measured, Records
from mine.running.statistics_networks import held_out_bound, statistics_networks
from mine.training.arms import Arms, per_cell
from mine.training.descent import Descent, make_descent
from mine.training.gan import Gan, InformationTerm

BOUND_ROWS = 2000
"""Samples that the held-out I(G; c) is measured on."""


@dataclass(frozen=True)
class Arm:
    """Attributes as in `mine.training.gan.InformationTerm`."""

    beta: float = 0.0
    clip: bool = True


def gan() -> Arm:
    """A plain GAN."""
    return Arm()


def mine(beta: float = 1.0, clip: int = 1) -> Arm:
    """A GAN whose generator maximises I(G(z); c), too."""
    if beta < 0:
        raise ValueError(f"beta must be a number >= 0, got {beta:g}: give one, such as 1")
    return Arm(beta, bool(clip))


ARMS = Arms(gan, mine)


@dataclass(frozen=True)
class StackedDigits:
    """A GAN on stacked digits; the fields are the config's keys.

    Attributes:
        data: the digits; `data.labelled` must be true.
        noise: columns of eps.
        codes: columns of c.
        width: units of each of two hidden layers; DCGAN's channels before the last layer.
        convolutional: whether generator and discriminator are DCGAN's; sides that 4 divides.
        classifier_steps: of the classifier that scores the samples.
    """

    data: ImageData
    noise: int = 32
    codes: int = 32
    width: int = 256
    convolutional: bool = False
    classifier_steps: int = 1500

    def __post_init__(self) -> None:
        check_counts(self, "noise", "codes", "width", "classifier_steps")
        check_labelled(self.data)

    @property
    def dim(self) -> int:
        return CHANNELS * self.data.side**2

    def check(self, job: ApplicationJob) -> None:
        ARMS.resolve(job.arm)
        check_batch(job, self.data)

    def activations(self, job: ApplicationJob) -> int:
        """Of two hidden layers of three networks, forward and backward."""
        units = hidden_units(*self.architecture[1:])
        return 6 * job.training.batch_size * (units + self.dim)

    def moments(self, steps: int) -> Sequence[int]:
        return ()

    def start(self, jobs: Sequence[ApplicationJob], device: torch.device) -> StackedGan:
        return StackedGan(self, jobs, device)

    def measured(self, job: ApplicationJob, records: Records) -> Measured:
        last = records[job.training.steps]
        return Measured(
            score_measures(last),
            nats=float(last["nats"]),
            stderr=float(last["stderr"]),
            n_test=min(BOUND_ROWS, job.n_test),
        )

    @property
    def architecture(self) -> tuple[int, int, int, bool]:
        """The arguments of `image_generator` and `image_features`."""
        return CHANNELS, self.data.side, self.width, self.convolutional


class StackedGan:
    """K such GANs in training."""

    block = 16

    def __init__(
        self, of: StackedDigits, jobs: Sequence[ApplicationJob], device: torch.device
    ) -> None:
        self.of, self.jobs, self.device = of, jobs, device
        self.digits, _ = tensors(of.data.train(), of.data.white, device)
        self.generators = [job.generator("data", device) for job in jobs]
        arms = [ARMS.resolve(job.arm) for job in jobs]
        judge = [*image_features(*of.architecture), Linear(1, STD if of.convolutional else 0.0)]
        self.gan = Gan(
            self._descent("generator", image_generator(*of.architecture), of.noise + of.codes),
            self._descent("discriminator", judge, of.dim),
            statistics_networks(jobs, of.dim, of.codes, device),
            InformationTerm(
                beta=per_cell((arm.beta for arm in arms), device),
                clip=per_cell((arm.clip for arm in arms), device).bool(),
            ),
            penalty=torch.zeros(len(jobs), device=device),
            pairing=jobs[0].pairing,
            codes=of.codes,
        )
        self.finite, self.named = self.gan.finite, self.gan.named

    def _descent(self, name: str, layers: Sequence[Layer], inputs: int) -> Descent:
        training = self.jobs[0].training
        network = stacked(
            layers, (inputs,), [job.generator(name) for job in self.jobs], self.device
        )
        return make_descent(network, training.learning_rate, training.betas, training.optimizer)

    def draw(self, steps: int) -> Sequence[Tensor]:
        drawn = [self._drawn(steps, g) for g in self.generators]
        return [torch.stack(of, 1) for of in zip(*drawn, strict=True)]

    def _drawn(self, steps: int, g: Generator) -> tuple[Tensor, Tensor]:
        """One cell's images and z: (S, B, dx) in [-1, 1] and (S, B, dz)."""
        batch, columns = self.jobs[0].training.batch_size, self.of.noise + self.of.codes
        images = stacks(self.digits, steps * batch, g).view(steps, batch, -1)
        z = torch.randn(steps, batch, columns, generator=g, device=self.device)
        return 2 * images - 1, z

    def step(self, batch: Sequence[Tensor], step: int) -> Tensor:
        self.gan.set_factor(self.jobs[0].training.rate(step))
        return self.gan.step(*batch)

    def record(self, last: bool) -> Mapping[str, Tensor]:
        of = self.of
        z = torch.stack(
            [
                torch.randn(
                    job.n_test, of.noise + of.codes,
                    generator=job.generator("look", self.device), device=self.device,
                )
                for job in self.jobs
            ]
        )  # fmt: skip
        samples = torch.cat([self.gan.generator.network(part) for part in z.split(CHUNK, 1)], 1)
        nats, stderr = held_out_bound(
            self.gan.ascent,
            samples[:, :BOUND_ROWS],
            z[:, :BOUND_ROWS, -of.codes :],
            self.jobs[0].partners,
        )
        images = ((samples + 1) / 2).unflatten(-1, (CHANNELS, of.data.side, of.data.side))
        records = scored(list(images), self.jobs, of.data, of.classifier_steps)
        return {**records, "nats": nats, "stderr": stderr}
