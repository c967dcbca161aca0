r"""Adversarial inference on images of digits, with and without a mutual information (Sec. 5.2).

An encoder maps an image x to z = m(x) + sigma eps, a generator maps z to an image, and the two
kinds of pairs are told apart by a discriminator: `mine.training.adversarial_inference`. Arms:

    ali      nothing else
    mine     I_T(x; z) of the encoder is maximised, too
    alice    the squared error of the reconstruction is minimised, too

sigma is .3. The prior of z is N(0, I), and the game is won where z has it: where each column's
variance, that of m(x) and sigma^2, is 1. With sigma = 1 nothing is left for m(x), so that
I(x; z) = 0 and no image could be reconstructed. A column of a normal z with sigma .3 carries up to
log(1 / .3) = 1.2 nats.

All networks have the training's learning rate and betas. They are dense, or the encoder and the
generator are DCGAN's where `convolutional`; the discriminator of pairs is dense.

What is measured of reconstructions G(E(x)) with the encoder's noise, on (the first `n_test` of)
the data's test part:

    error        squared, of grey levels in [0, 1], summed over the pixels; mean over images
    correct      how often a classifier reads x's label from the reconstruction
    similarity   MS-SSIM at reduced scales (`structural_similarity`); mean over images

beside the same of the mean training image, which knows nothing of x, and the classifier's own
accuracy on x.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from experiments.generative.digit_classifier import DigitClassifier, digit_classifier, tensors
from experiments.generative.image_networks import (
    STD,
    hidden_units,
    image_features,
    image_generator,
)
from experiments.generative.stacked_images import check_batch, check_counts, check_labelled
from experiments.generative.structural_similarity import ms_ssim
from experiments.images.data import ImageData
from experiments.images.pictures import to_text
from mine.networks.layers import Activation, Layer, Linear, Noise
from mine.networks.stacked import stacked
from mine.running.applications import ApplicationJob, Measured, Records
from mine.running.statistics_networks import held_out_bound, statistics_networks
from mine.training.adversarial_inference import AdversarialInference
from mine.training.arms import Arms, per_cell
from mine.training.descent import Descent, make_descent
from mine.training.gan import InformationTerm

PICTURES = 10
"""Test images, and their reconstructions, that a row keeps for the figure."""
NUMBERS = ("error", "correct", "similarity")


@dataclass(frozen=True)
class Arm:
    """What is added to the game.

    Attributes:
        beta: the weight of I(x; z).
        clip: whether its gradient is clipped adaptively.
        reconstruction: the weight of the squared error, of grey levels in [-1, 1].
    """

    beta: float = 0.0
    clip: bool = True
    reconstruction: float = 0.0


def ali() -> Arm:
    """Nothing."""
    return Arm()


def mine(beta: float = 1.0, clip: int = 1) -> Arm:
    """A mutual information."""
    if beta < 0:
        raise ValueError(f"beta must be a number >= 0, got {beta:g}: give one, such as 1")
    return Arm(beta, bool(clip))


def alice(weight: float = 0.25) -> Arm:
    """The error of reconstructions; .25 in [-1, 1] is 1 in [0, 1]."""
    if weight < 0:
        raise ValueError(f"weight must be a number >= 0, got {weight:g}: give one, such as 0.25")
    return Arm(reconstruction=weight)


ARMS = Arms(ali, mine, alice)


@dataclass(frozen=True)
class DigitInference:
    """Adversarial inference on digits; the fields are the config's keys.

    Attributes:
        data: the digits; `data.labelled` must be true.
        code: columns of z.
        sigma: of the encoder's noise, in (0, 1).
        width: units of each of two hidden layers; DCGAN's channels next to the images.
        convolutional: whether encoder and generator are DCGAN's; sides that 4 divides.
        classifier_steps: of the classifier that reads the reconstructions.
    """

    data: ImageData
    code: int = 16
    sigma: float = 0.3
    width: int = 256
    convolutional: bool = False
    classifier_steps: int = 1500

    def __post_init__(self) -> None:
        check_counts(self, "code", "width", "classifier_steps")
        check_labelled(self.data)
        if not 0.0 < self.sigma < 1.0:
            raise ValueError(
                f"sigma must be above 0, where I(x; z) is infinite, and below 1, where it is 0, "
                f"got {self.sigma!r}: give one, such as 0.3"
            )

    @property
    def dim(self) -> int:
        return self.data.side**2

    @property
    def architecture(self) -> tuple[int, int, int, bool]:
        """The arguments of `image_generator` and `image_features`."""
        return 1, self.data.side, self.width, self.convolutional

    def check(self, job: ApplicationJob) -> None:
        ARMS.resolve(job.arm)
        check_batch(job, self.data)

    def activations(self, job: ApplicationJob) -> int:
        """Of the hidden layers of four networks, forward and backward."""
        units = 2 * hidden_units(*self.architecture[1:]) + 4 * self.width
        return 2 * job.training.batch_size * (units + 2 * self.dim)

    def moments(self, steps: int) -> Sequence[int]:
        return ()

    def start(self, jobs: Sequence[ApplicationJob], device: torch.device) -> Inference:
        return Inference(self, jobs, device)

    def measured(self, job: ApplicationJob, records: Records) -> Measured:
        last = records[job.training.steps]
        names = [f"{of}{name}" for of in ("", "mean_") for name in NUMBERS]
        numbers = {name: float(last[name]) for name in (*names, "accuracy")}
        pictures = {name: to_text(last[name].numpy()) for name in ("originals", "pictures")}
        return Measured(
            numbers | pictures,
            nats=float(last["nats"]),
            stderr=float(last["stderr"]),
            n_test=int(last["n_test"]),
            n_train=self.data.n_train,
        )

    def layers(self) -> dict[str, tuple[list[Layer], int]]:
        """Of each network, with the columns that go in."""
        std, slope = STD if self.convolutional else 0.0, Activation("leaky_relu")
        features = image_features(*self.architecture, norm=True)
        hidden = 2 * (Linear(self.width if not self.convolutional else 512), slope)
        return {
            "encoder": ([*features, Linear(self.code, std), Noise(self.sigma)], self.dim),
            "generator": (image_generator(*self.architecture), self.code),
            "discriminator": ([*hidden, Linear(1)], self.dim + self.code),
        }


class Inference:
    """K of these games in training."""

    block = 16

    def __init__(
        self, of: DigitInference, jobs: Sequence[ApplicationJob], device: torch.device
    ) -> None:
        self.of, self.jobs, self.device = of, jobs, device
        self.images, _ = tensors(of.data.train(), of.data.white, device)
        self.draws = [job.generator("data", device) for job in jobs]
        noise = [job.generator("noise", device) for job in jobs]
        self.generators = [*self.draws, *noise]
        arms = [ARMS.resolve(job.arm) for job in jobs]
        parts = {name: self._descent(name, *found) for name, found in of.layers().items()}
        self.game = AdversarialInference(
            parts["encoder"],
            parts["generator"],
            parts["discriminator"],
            statistics_networks(jobs, of.dim, of.code, device),
            InformationTerm(
                beta=per_cell((arm.beta for arm in arms), device),
                clip=per_cell((arm.clip for arm in arms), device).bool(),
            ),
            reconstruction=per_cell((arm.reconstruction for arm in arms), device),
            noise=noise,
            pairing=jobs[0].pairing,
        )
        self.finite, self.named = self.game.finite, self.game.named

    def _descent(self, name: str, layers: Sequence[Layer], inputs: int) -> Descent:
        training = self.jobs[0].training
        starts = [job.generator(name) for job in self.jobs]
        network = stacked(layers, (inputs,), starts, self.device)
        return make_descent(network, training.learning_rate, training.betas, training.optimizer)

    def draw(self, steps: int) -> Sequence[Tensor]:
        drawn = [self._drawn(steps, g) for g in self.draws]
        return [torch.stack(of, 1) for of in zip(*drawn, strict=True)]

    def _drawn(self, steps: int, g: Generator) -> tuple[Tensor, Tensor]:
        """One cell's images and z of the prior: (S, B, dx) in [-1, 1] and (S, B, dz)."""
        shape = steps, self.jobs[0].training.batch_size
        rows = torch.randint(len(self.images), shape, generator=g, device=self.device)
        z = torch.randn(*shape, self.of.code, generator=g, device=self.device)
        return 2 * self.images[rows].flatten(2) - 1, z

    def step(self, batch: Sequence[Tensor], step: int) -> Tensor:
        self.game.set_factor(self.jobs[0].training.rate(step))
        return self.game.step(*batch)

    def record(self, last: bool) -> Mapping[str, Tensor]:
        of, game = self.of, self.game
        n_test = self.jobs[0].n_test
        images, labels = (
            part[:n_test] for part in tensors(of.data.test(), of.data.white, self.device)
        )
        x = (2 * images.flatten(1) - 1).expand(len(self.jobs), -1, -1)
        look = [job.generator("look", self.device) for job in self.jobs]
        z = game.encoder.network(x, noise=look, noisy=True)
        again = ((game.generator.network(z) + 1) / 2).unflatten(-1, images.shape[1:])
        nats, stderr = held_out_bound(game.ascent, x, z, self.jobs[0].partners)
        mean = self.images.mean(0).expand_as(images)
        found = []
        for job, made in zip(self.jobs, again, strict=True):
            judge = digit_classifier(of.data, job.seed, of.classifier_steps, str(self.device))
            own, null = (compared(images, labels, to, judge) for to in (made, mean))
            found.append(
                {**own, **{f"mean_{name}": value for name, value in null.items()}}
                | {
                    "accuracy": torch.tensor(judge.accuracy, dtype=torch.float64),
                    "n_test": torch.tensor(len(images)),
                    "originals": images[:PICTURES],
                    "pictures": made[:PICTURES],
                }
            )
        records = {name: torch.stack([one[name] for one in found]) for name in found[0]}
        return {**records, "nats": nats, "stderr": stderr}


def compared(
    images: Tensor, labels: Tensor, made: Tensor, judge: DigitClassifier
) -> dict[str, Tensor]:
    """Means over images (N, side, side) of reconstructions like them, both in [0, 1]."""
    right = judge.probabilities(made).argmax(-1) == labels
    return {
        "error": (made - images).square().sum((1, 2)).mean(),
        "correct": right.double().mean(),
        "similarity": ms_ssim(images, made).mean(),
    }
