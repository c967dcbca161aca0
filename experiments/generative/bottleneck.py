r"""The information bottleneck on images (Sec. 5.3): encoders, decoders, and T beside them.

    h = encoder(x),  z = mu(h) + sigma(h) eps,  q(label | z) = softmax(W z + b)

A code without noise of its own is z = mu(h). sigma = softplus(s + `sigma_shift`). The arms are
explained in experiments/bottleneck.py. The prediction of an image is the mean of q over `samples`
codes, for every arm; cross-entropies are of single codes, so that ln 10 less the cross-entropy is
a lower bound on I(Z; label).

The last `n_validation` images of the training part choose beta, and train nothing. Each seed
trains on `n_train` of the others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Generator, Tensor
from torch.nn.functional import logsigmoid, nll_loss

from experiments.generative.cell_noise import CellDropout, CellNoise
from experiments.generative.information import code_information
from experiments.images.data import ImageData, Labelled
from mine.data.batches import batch_rows
from mine.networks.layers import Activation, Layer, Linear
from mine.networks.stacked import stacked
from mine.running.applications import ApplicationJob, Measured, Records
from mine.running.statistics_networks import held_out_bound, noise_of, statistics_networks
from mine.training.arms import Arms, per_cell
from mine.training.bottleneck import Bottleneck
from mine.training.descent import make_descent
from mine.training.gan import InformationTerm

CLASSES = 10
PARTS = ("test", "validation", "train")


@dataclass(frozen=True)
class Arm:
    """What tells an arm from the baseline.

    Attributes:
        beta: the weight of T's bound.
        rate: the weight of KL(p(z|x) || N(0, 1)).
        gaussian: whether the code has noise of its own, of a learned scale.
        image_noise: whether noise is added to the image.
        hidden_noise: whether noise is added after each hidden layer.
        dropout: whether hidden units are dropped in training.
    """

    beta: float = 0.0
    rate: float = 0.0
    gaussian: bool = False
    image_noise: bool = False
    hidden_noise: bool = False
    dropout: bool = False

    def __post_init__(self) -> None:
        least = min(self.beta, self.rate)
        if not (least >= 0 and math.isfinite(self.beta + self.rate)):
            raise ValueError(f"beta must be a number >= 0, got {least:g}: give one, such as 0.01")


def baseline() -> Arm:
    return Arm()


def dropout() -> Arm:
    return Arm(dropout=True)


def vib(beta: float = 0.01) -> Arm:
    return Arm(rate=beta, gaussian=True)


def mine_gaussian(beta: float = 0.01) -> Arm:
    return Arm(beta=beta, gaussian=True)


def mine_propagated(beta: float = 0.01) -> Arm:
    return Arm(beta=beta, image_noise=True, hidden_noise=True)


def mine_additive(beta: float = 0.01) -> Arm:
    return Arm(beta=beta, image_noise=True)


ARMS = Arms(baseline, dropout, vib, mine_gaussian, mine_propagated, mine_additive)


@dataclass(frozen=True)
class ImageBottleneck:
    """Labelled images and the networks; the fields are the config's keys.

    Attributes:
        data: the images, with labels.
        n_train: images that a seed trains on.
        n_validation: images that choose beta.
        hidden: widths of the encoder's hidden layers.
        code: columns of z.
        rate: learning rate of encoder and decoder; T has that of the training config.
        decay: factor on all learning rates every two epochs.
        sigma_shift: what is added to s within softplus: where sigma begins.
        noise: standard deviation of the image's noise and of that after hidden layers.
        dropout: probability that a hidden unit is dropped.
        ascents: steps of T for each step of the others.
        clip: whether the gradient of T's bound is clipped adaptively.
        samples: codes that a prediction is the mean over.
        n_exact: the most test images that I(X; Z) is measured on, by density and by T.
    """

    data: ImageData
    n_train: int
    n_validation: int
    hidden: tuple[int, ...]
    code: int
    rate: float = 1e-3
    decay: float = 1.0
    sigma_shift: float = 0.0
    noise: float = 0.2
    dropout: float = 0.5
    ascents: int = 1
    clip: bool = False
    samples: int = 12
    n_exact: int = 2000

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden", tuple(self.hidden))
        for name in ("n_train", "n_validation", "code", "ascents", "samples", "n_exact"):
            if type(value := getattr(self, name)) is not int or value < 1:
                raise ValueError(f"model.{name} must be a whole number >= 1, got {value!r}")
        if not self.hidden or any(type(width) is not int or width < 1 for width in self.hidden):
            raise ValueError(
                f"model.hidden must be widths of one or more layers, got {self.hidden}"
            )
        held = self.n_train + self.n_validation
        if held > self.data.n_train:
            raise ValueError(
                f"model.n_train and model.n_validation must be at most the {self.data.n_train} "
                f"training images of {self.data.name} together, got {held}: lower one"
            )
        if not (0.0 <= self.dropout < 1.0 and self.noise >= 0.0):
            raise ValueError(
                "model.dropout must be in [0, 1) and model.noise at least 0, got "
                f"{self.dropout} and {self.noise}"
            )

    @property
    def dim(self) -> int:
        return self.data.side**2

    def check(self, job: ApplicationJob) -> None:
        ARMS.resolve(job.arm)
        if job.training.batch_size > self.n_train:
            raise ValueError(
                f"train.batch_size must be at most model.n_train={self.n_train}, got "
                f"{job.training.batch_size}: lower it"
            )

    def activations(self, job: ApplicationJob) -> int:
        critic = sum(getattr(job.critic, "hidden", (512, 512)))
        pairs = 1 + job.training.marginal_samples
        of_row = self.dim + 4 * sum(self.hidden) + 6 * self.code + 2 * pairs * critic
        return job.training.batch_size * of_row

    def moments(self, steps: int) -> Sequence[int]:
        return ()

    def start(self, jobs: Sequence[ApplicationJob], device: torch.device) -> ImageBottlenecks:
        return ImageBottlenecks(self, jobs, device)

    def factor(self, job: ApplicationJob, step: int) -> float:
        """On all learning rates at a step."""
        epochs = step * job.training.batch_size // self.n_train
        return float(job.training.rate(step) * self.decay ** (epochs // 2))

    def measured(self, job: ApplicationJob, records: Records) -> Measured:
        last = records[max(records)]
        exact = math.nan, math.nan
        if ARMS.resolve(job.arm).gaussian:
            exact = code_information(last["codes"], last["means"], last["scales"])
        return Measured(
            measures={
                **{f"{part}_error": float(last[f"{part}_error"]) for part in PARTS},
                **{f"{part}_nats": float(last[f"{part}_nats"]) for part in PARTS},
                "exact": exact[0],
                "exact_upper": exact[1],
            },
            nats=float(last["own"]),
            stderr=float(last["stderr"]),
            n_test=len(last["codes"]),
            n_train=self.n_train,
        )


class ImageBottlenecks:
    """K of these in training. K cells, B images of a batch, D pixels, d columns of z."""

    block = 16

    def __init__(
        self, model: ImageBottleneck, jobs: Sequence[ApplicationJob], device: torch.device
    ) -> None:
        self.model, self.jobs, self.device = model, jobs, device
        arms = [ARMS.resolve(job.arm) for job in jobs]
        training = jobs[0].training
        names = "data", "code", "noise"
        self.streams = {n: [job.generator(n, device) for job in jobs] for n in names}
        self.gaussian = per_cell((arm.gaussian for arm in arms), device).view(-1, 1, 1)
        networks = {
            name: stacked(layers, (inputs,), [job.generator(name) for job in jobs], device)
            for name, layers, inputs in (
                ("encoder", self._layers(arms), model.dim),
                ("decoder", [Linear(CLASSES)], model.code),
            )
        }
        self.bottleneck = Bottleneck(
            **{n: make_descent(of, model.rate, training.betas) for n, of in networks.items()},
            encode=lambda h: self._encode(h, self.streams["code"]),
            ascent=statistics_networks(jobs, model.dim, model.code, device),
            term=InformationTerm(
                beta=per_cell((arm.beta for arm in arms), device),
                clip=torch.full((len(jobs),), model.clip, device=device),
            ),
            rate=per_cell((arm.rate for arm in arms), device),
            noise=self.streams["noise"],
            pairing=jobs[0].pairing,
            ascents=model.ascents,
        )
        drawn = [g for of in self.streams.values() for g in of]
        self.generators = [*drawn, *noise_of(self.bottleneck.ascent)]
        self.finite, self.named = self.bottleneck.finite, self.bottleneck.named

    def _layers(self, arms: Sequence[Arm]) -> list[Layer]:
        """The encoder's layers; mu and s are the two halves of what comes out."""
        model = self.model
        image = tuple(model.noise * arm.image_noise for arm in arms)
        inner = tuple(model.noise * arm.hidden_noise for arm in arms)
        dropped = tuple(model.dropout * arm.dropout for arm in arms)
        layers: list[Layer] = [CellNoise(image)]
        for width in model.hidden:
            layers += [Linear(width), Activation("relu"), CellDropout(dropped), CellNoise(inner)]
        return [*layers, Linear(2 * model.code)]

    # ------------------------------------------------------------------- the data

    @cached_property
    def _train(self) -> tuple[Tensor, Tensor]:
        return self._part(self.model.data.train())

    def _part(self, part: Labelled) -> tuple[Tensor, Tensor]:
        """Images (n, D) in [0, 1], and labels (n,)."""
        images = torch.from_numpy(part.images).flatten(1).float() / self.model.data.white
        return images.to(self.device), torch.from_numpy(part.labels).long().to(self.device)

    @cached_property
    def _seen(self) -> Tensor:
        """The rows of the training part that each cell trains on, (K, n_train)."""
        pool = self.model.data.n_train - self.model.n_validation
        orders = [torch.randperm(pool, generator=job.generator("split")) for job in self.jobs]
        return torch.stack(orders)[:, : self.model.n_train].to(self.device)

    def draw(self, steps: int) -> Sequence[Tensor]:
        """Which of a cell's training images, (steps, K, B)."""
        batch, n = self.jobs[0].training.batch_size, self.model.n_train
        drawn = [batch_rows(n, steps, batch, g).view(steps, batch) for g in self.streams["data"]]
        return [torch.stack(drawn, 1)]

    # ----------------------------------------------------------------- its training

    def step(self, batch: Sequence[Tensor], step: int) -> Tensor:
        rows = self._seen.gather(1, batch[0])
        images, labels = self._train
        self.bottleneck.set_factor(self.model.factor(self.jobs[0], step))
        return self.bottleneck.step(images[rows], labels[rows])

    def _encode(self, h: Tensor, generators: Sequence[Generator]) -> tuple[Tensor, Tensor]:
        """z (K, B, d), and KL(p(z|x) || N(0, 1)) (K,), of what the encoder puts out."""
        means, scales = self._density(h)
        shape = means.shape[1:]
        drawn = [torch.randn(shape, generator=g, device=h.device) for g in generators]
        z = means + self.gaussian * scales * torch.stack(drawn)
        rates = 0.5 * (means.square() + scales.square() - 1.0) - scales.log()
        return z, rates.sum(-1).mean(-1)

    def _density(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """mu and sigma, (K, B, d) each."""
        means, raw = h.split(self.model.code, -1)
        return means, -logsigmoid(-raw - self.model.sigma_shift)  # softplus, to the same bits

    # ----------------------------------------------------------------- its measures

    def record(self, last: bool) -> Mapping[str, Tensor]:
        looks = [job.generator("look", self.device) for job in self.jobs]
        k, held = len(self.jobs), self.model.n_validation
        images, labels = self._train
        test, test_labels = self._part(self.model.data.test())
        n = min(self.jobs[0].n_test, len(test))
        shown = {
            "test": (test[:n].expand(k, -1, -1), test_labels[:n].expand(k, -1)),
            "validation": (images[-held:].expand(k, -1, -1), labels[-held:].expand(k, -1)),
            "train": (images[self._seen[:, :held]], labels[self._seen[:, :held]]),
        }
        found: dict[str, Tensor] = {}
        for part in PARTS:
            found |= self._errors(part, *shown[part], looks)
        return found | self._information(shown["test"][0][:, : self.model.n_exact], looks)

    def _errors(
        self, part: str, x: Tensor, labels: Tensor, looks: Sequence[Generator]
    ) -> dict[str, Tensor]:
        """Error and cross-entropy of each cell on its images (K, N, D)."""
        together = torch.zeros((*labels.shape, CLASSES), device=self.device)
        nats = torch.zeros(len(x), device=self.device)
        for _ in range(self.model.samples):
            z, *_ = self._codes(x, looks)
            logs = self.bottleneck.decoder.network(z).log_softmax(-1)
            loss = nll_loss(logs.flatten(0, 1), labels.flatten(), reduction="none")
            nats += loss.view_as(labels).mean(1) / self.model.samples
            together += logs.exp()
        wrong = (together.argmax(-1) != labels).float().mean(1)
        return {f"{part}_error": wrong, f"{part}_nats": nats}

    def _codes(self, x: Tensor, looks: Sequence[Generator]) -> tuple[Tensor, Tensor, Tensor]:
        """z, mu and sigma of images (K, N, D), with the noise that the codes have in training."""
        h = self.bottleneck.encoder.network(x, noise=looks, noisy=True)
        return self._encode(h, looks)[0], *self._density(h)

    def _information(self, x: Tensor, looks: Sequence[Generator]) -> dict[str, Tensor]:
        """T's held-out bound, and the codes that the exact value is computed from."""
        codes, means, scales = self._codes(x, looks)
        own, stderr = held_out_bound(self.bottleneck.ascent, x, codes, self.jobs[0].partners)
        found = {"own": own, "stderr": stderr}
        return found | {"codes": codes, "means": means, "scales": scales}
