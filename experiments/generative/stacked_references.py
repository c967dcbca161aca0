"""Null lines of stacked digits: real images, and images of uniform noise, scored as samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from experiments.generative.digit_classifier import tensors
from experiments.generative.digit_modes import CHANNELS
from experiments.generative.stacked_images import (
    CHUNK,
    check_counts,
    check_labelled,
    score_measures,
    scored,
    stacks,
)
from experiments.images.data import ImageData
from mine.running.applications import ApplicationJob, Measured, Records
from mine.training.arms import Arms


@dataclass(frozen=True)
class Kind:
    """Whether the images are real."""

    real: bool


def digits() -> Kind:
    """Real images: three digits of the training part each."""
    return Kind(real=True)


def uniform() -> Kind:
    """Images whose grey levels are uniform noise."""
    return Kind(real=False)


KINDS = Arms(digits, uniform)


@dataclass(frozen=True)
class StackedReference:
    """Images that no model made; the fields are the config's keys.

    Attributes:
        data: the digits; `data.labelled` must be true.
        classifier_steps: of the classifier that scores them.
    """

    data: ImageData
    classifier_steps: int = 1500

    def __post_init__(self) -> None:
        check_counts(self, "classifier_steps")
        check_labelled(self.data)

    @property
    def dim(self) -> int:
        return CHANNELS * self.data.side**2

    def check(self, job: ApplicationJob) -> None:
        KINDS.resolve(job.arm)

    def activations(self, job: ApplicationJob) -> int:
        return CHUNK * self.dim

    def moments(self, steps: int) -> Sequence[int]:
        return ()

    def start(self, jobs: Sequence[ApplicationJob], device: torch.device) -> References:
        return References(self, jobs, device)

    def measured(self, job: ApplicationJob, records: Records) -> Measured:
        return Measured(score_measures(records[job.training.steps]), n_train=0)


class References:
    """K sets of images. A step does nothing."""

    block = 16
    generators: Sequence[Generator] = ()

    def __init__(
        self, of: StackedReference, jobs: Sequence[ApplicationJob], device: torch.device
    ) -> None:
        self.of, self.jobs, self.device = of, jobs, device

    def draw(self, steps: int) -> Sequence[Tensor]:
        return ()

    def step(self, batch: Sequence[Tensor], step: int) -> Tensor:
        return torch.zeros(1, len(self.jobs), device=self.device)

    def finite(self) -> Tensor:
        return torch.ones(len(self.jobs), dtype=torch.bool, device=self.device)

    def named(self) -> Mapping[str, Tensor]:
        return {}

    def record(self, last: bool) -> Mapping[str, Tensor]:
        images = [self._images(job) for job in self.jobs]
        return scored(images, self.jobs, self.of.data, self.of.classifier_steps)

    def _images(self, job: ApplicationJob) -> Tensor:
        """(n_test, 3, side, side) in [0, 1]."""
        of, draws = self.of, job.generator("look", self.device)
        if KINDS.resolve(job.arm).real:
            levels, _ = tensors(of.data.train(), of.data.white, self.device)
            return stacks(levels, job.n_test, draws)
        shape = (job.n_test, CHANNELS, of.data.side, of.data.side)
        return torch.rand(shape, generator=draws, device=self.device)
