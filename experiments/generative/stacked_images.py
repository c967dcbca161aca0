"""Stacked digits: images of three digits as channels, and how samples of them are scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Generator, Tensor

from experiments.generative.digit_classifier import digit_classifier
from experiments.generative.digit_modes import CHANNELS, modes_of, scores
from experiments.images.data import ImageData
from experiments.images.mnist import DataError
from experiments.images.pictures import to_text
from mine.running.applications import ApplicationJob

PICTURES = 8
"""Images that a row keeps for the figure."""
CHUNK = 1000
"""Images that are made and classified at once."""


def stacks(digits: Tensor, n: int, draws: Generator) -> Tensor:
    """n images of three digits (N, side, side) each, drawn at random: (n, 3, side, side)."""
    rows = torch.randint(len(digits), (n, CHANNELS), generator=draws, device=digits.device)
    return digits[rows]


def scored(
    images: Sequence[Tensor],
    jobs: Sequence[ApplicationJob],
    data: ImageData,
    classifier_steps: int,
) -> Mapping[str, Tensor]:
    """Records of each job's images, by the classifier of its seed.

    Args:
        images: of each of K jobs, (n, 3, side, side) in [0, 1].
        jobs: these.
        data: the digits.
        classifier_steps: of the classifier's training.

    Returns:
        `modes` and `sure` (K, n), `accuracy` of the classifier (K,), `pictures` (K, 8, 3, side,
        side).
    """
    found = []
    for job, of in zip(jobs, images, strict=True):
        judge = digit_classifier(data, job.seed, classifier_steps, str(of.device))
        parts = [judge.probabilities(part.flatten(0, 1)) for part in of.split(CHUNK)]
        modes, sure = modes_of(torch.cat(parts).unflatten(0, (-1, CHANNELS)))
        accuracy = torch.tensor(judge.accuracy, dtype=torch.float64)
        found.append(
            {"modes": modes, "sure": sure, "accuracy": accuracy, "pictures": of[:PICTURES]}
        )
    return {name: torch.stack([one[name] for one in found]) for name in found[0]}


def score_measures(records: Mapping[str, Tensor]) -> dict[str, float | str]:
    """The measures of one cell from what `scored` recorded of it."""
    return {
        **scores(records["modes"], records["sure"]),
        "accuracy": float(records["accuracy"]),
        "pictures": to_text(records["pictures"].numpy()),
    }


def check_counts(of: object, *names: str) -> None:
    """
    Raises:
        ValueError: a field of these is no whole number of at least 1.
    """
    for name in names:
        value = getattr(of, name)
        if type(value) is not int or value < 1:
            raise ValueError(
                f"{name} must be a whole number of at least 1, got {value!r}: give one"
            )


def check_labelled(data: ImageData) -> None:
    """
    Raises:
        DataError: the data come without labels.
    """
    if not data.labelled:
        raise DataError("a classifier needs labels, got data.labelled=false: make it true")


def check_batch(job: ApplicationJob, data: ImageData) -> None:
    """
    Raises:
        ValueError: a batch is larger than the training part of the data.
    """
    if job.training.batch_size > data.n_train:
        raise ValueError(
            f"train.batch_size must be at most the {data.n_train} images of {data.name}, got "
            f"{job.training.batch_size}: give a smaller one"
        )
