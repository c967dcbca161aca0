"""A whole application, small: a GAN on a ring of points, beside a statistics network."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mine.critics.mlp import MLP
from mine.networks.layers import Activation, BatchNorm, Linear
from mine.networks.stacked import stacked
from mine.running.applications import ApplicationJob, Measured, Records
from mine.running.statistics_networks import held_out_bound, noise_of, statistics_networks
from mine.training.arms import Arms, per_cell
from mine.training.descent import make_descent
from mine.training.gan import Gan, InformationTerm
from mine.training.settings import Training

NOISE, CODES, LOOKED_AT = 4, 2, 200


@dataclass(frozen=True)
class Arm:
    beta: float = 0.0
    clip: bool = False
    penalty: float = 0.0


def gan() -> Arm:
    return Arm()


def mine(beta: float = 1.0, clip: int = 1) -> Arm:
    return Arm(beta, bool(clip))


def penalty(weight: float = 1.0) -> Arm:
    return Arm(penalty=weight)


ARMS = Arms(gan, mine, penalty)


@dataclass(frozen=True)
class Ring:
    """Points on a ring; the fields are the config's keys."""

    width: int = 16
    radius: float = 2.0
    rate: float = 1e-3

    @property
    def dim(self) -> int:
        return 2

    def check(self, job: ApplicationJob) -> None:
        ARMS.resolve(job.arm)

    def activations(self, job: ApplicationJob) -> int:
        return 10 * self.width * job.training.batch_size

    def moments(self, steps: int) -> Sequence[int]:
        return 0, steps // 2

    def start(self, jobs: Sequence[ApplicationJob], device: torch.device) -> RingGan:
        return RingGan(self, jobs, device)

    def measured(self, job: ApplicationJob, records: Records) -> Measured:
        last = records[max(records)]
        radii = {
            str(step): float(of["samples"].norm(dim=-1).mean()) for step, of in records.items()
        }
        return Measured(
            measures={"radius": radii, "points": last["samples"][:3].numpy().round(3)},
            nats=float(last["nats"]),
            stderr=float(last["stderr"]),
            n_test=LOOKED_AT,
        )


class RingGan:
    """K of these GANs in training."""

    block = 4

    def __init__(self, ring: Ring, jobs: Sequence[ApplicationJob], device: torch.device) -> None:
        self.ring, self.jobs, self.device = ring, jobs, device
        arms = [ARMS.resolve(job.arm) for job in jobs]
        self.streams = [job.generator("data", device) for job in jobs]
        hidden = [Linear(ring.width), Activation("leaky_relu")]
        parts = {
            "generator": (
                [Linear(ring.width, bias=False), BatchNorm(), Activation("relu"), Linear(2)],
                NOISE + CODES,
            ),
            "discriminator": ([*hidden, Linear(1)], 2),
        }
        descents = {
            name: make_descent(
                stacked(layers, (inputs,), [job.generator(name) for job in jobs], device),
                ring.rate,
                betas=(0.5, 0.999),
            )
            for name, (layers, inputs) in parts.items()
        }
        self.gan = Gan(
            **descents,
            ascent=statistics_networks(jobs, 2, CODES, device),
            term=InformationTerm(
                beta=per_cell((arm.beta for arm in arms), device),
                clip=per_cell((arm.clip for arm in arms), device).bool(),
            ),
            penalty=per_cell((arm.penalty for arm in arms), device),
            codes=CODES,
            pairing=jobs[0].pairing,
        )
        self.generators = [*self.streams, *noise_of(self.gan.ascent)]
        self.finite, self.named = self.gan.finite, self.gan.named

    def draw(self, steps: int) -> Sequence[Tensor]:
        batch = self.jobs[0].training.batch_size
        drawn = [self._drawn(steps, batch, g) for g in self.streams]
        return [torch.stack(of, 1) for of in zip(*drawn, strict=True)]

    def _drawn(self, steps: int, batch: int, g: torch.Generator) -> tuple[Tensor, Tensor]:
        """One cell's data and z: (steps, B, 2) and (steps, B, 6)."""
        angle = 2 * math.pi * torch.rand(steps, batch, generator=g, device=g.device)
        z = torch.randn(steps, batch, NOISE + CODES, generator=g, device=g.device)
        return self.ring.radius * torch.stack([angle.cos(), angle.sin()], -1), z

    def step(self, batch: Sequence[Tensor], step: int) -> Tensor:
        self.gan.set_factor(self.jobs[0].training.rate(step))
        return self.gan.step(*batch)

    def record(self, last: bool) -> Mapping[str, Tensor]:
        z = torch.stack(
            [
                torch.randn(
                    LOOKED_AT, NOISE + CODES, generator=job.generator("look", self.device),
                    device=self.device,
                )
                for job in self.jobs
            ]
        )  # fmt: skip
        samples = self.gan.generator.network(z)
        if not last:
            return {"samples": samples}
        nats, stderr = held_out_bound(self.gan.ascent, samples, z[..., -CODES:], 5)
        return {"samples": samples, "nats": nats, "stderr": stderr}


def ring_job(
    arm: str = "mine", seed: int = 0, ring: Ring | None = None, **changes
) -> ApplicationJob:
    options = {"training": Training(steps=20, batch_size=16), "critic": MLP((8,)), "key": "ring"}
    return ApplicationJob(ring or Ring(), arm, seed, **{**options, **changes})
