"""The classifier, the null lines, and the two applications on digits: their cells and measures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from experiments.generative.digit_classifier import digit_classifier, tensors
from experiments.generative.image_inference import DigitInference
from experiments.generative.image_networks import hidden_units, image_features, image_generator
from experiments.generative.stacked_gan import StackedDigits
from experiments.generative.stacked_references import StackedReference
from experiments.images.data import ImageData
from experiments.images.mnist import DataError
from experiments.images.pictures import of_text
from mine.critics.mlp import MLP
from mine.networks.stacked import stacked
from mine.running.applications import Application, ApplicationJob
from mine.running.events import Applied, Done
from mine.running.run import run
from mine.training.settings import Training

DIGITS = ImageData("digits", 8, labelled=True)
STEPS = 600
"""Of a classifier that is good enough to tell digits from noise."""
GAN = StackedDigits(DIGITS, noise=4, codes=4, width=8, classifier_steps=STEPS)
GAME = DigitInference(DIGITS, code=4, width=8, classifier_steps=STEPS)


def job_of(of: Application, arm: str, seed: int = 0, **changes: Any) -> ApplicationJob:
    training = Training(steps=6, batch_size=16, marginal_samples=1, learning_rate=1e-3)
    options: dict[str, Any] = {
        "training": training,
        "critic": MLP((8,)),
        "key": "digits",
        "n_test": 300,
    }
    return ApplicationJob(of, arm, seed, **{**options, **changes})


def outcomes_of(jobs: list[ApplicationJob], stacks: list[tuple[int, ...]]) -> list[Applied]:
    events = [one for one in run(jobs, "cpu", stacks=stacks) if isinstance(one, Done)]
    found = {event.job: event.outcome for event in events}
    assert all(isinstance(one, Applied) for one in found.values()), found
    return [found[i] for i in range(len(jobs))]  # type: ignore[misc]


# The classifier and the null lines


def test_the_classifier_reads_digits_that_it_has_not_seen() -> None:
    judge = digit_classifier(DIGITS, 0, STEPS, "cpu")
    images, labels = tensors(DIGITS.test(), DIGITS.white, "cpu")
    probabilities = judge.probabilities(images)
    torch.testing.assert_close(probabilities.sum(-1), torch.ones(len(images)))
    right = (probabilities.argmax(-1) == labels).double().mean()
    assert judge.accuracy == pytest.approx(float(right)) and judge.accuracy > 0.9


def test_real_digits_have_nearly_all_modes_and_noise_has_none_for_sure() -> None:
    of = StackedReference(DIGITS, classifier_steps=STEPS)
    jobs = [job_of(of, arm, n_test=5000) for arm in ("digits", "uniform")]
    real, noise = (one.measures for one in outcomes_of(jobs, [(0, 1)]))
    assert real["modes"] > 950 and real["kl"] < 0.3
    assert real["sure"] > 0.5 > 0.1 > noise["sure"]
    assert noise["sure_modes"] < 0.1 * real["sure_modes"]
    assert real["accuracy"] == noise["accuracy"] > 0.9
    assert of_text(noise["pictures"]).shape == (8, 3, 8, 8)


def test_an_unlabelled_set_is_refused() -> None:
    with pytest.raises(DataError, match="a classifier needs labels"):
        StackedReference(replace(DIGITS, labelled=False))


# The networks


@pytest.mark.parametrize("convolutional", [False, True])
@pytest.mark.parametrize("side", [8, 28])
def test_a_generator_makes_what_the_features_read(side: int, convolutional: bool) -> None:
    shape = 3, side, 4, convolutional
    starts = [torch.Generator().manual_seed(seed) for seed in (0, 1)]
    made = stacked(image_generator(*shape), (5,), starts, "cpu")(torch.randn(2, 6, 5))
    assert made.shape == (2, 6, 3 * side**2) and (made.abs() <= 1).all()
    features = stacked(image_features(*shape), (3 * side**2,), starts, "cpu")(made)
    last = 8 * (side // 4) ** 2 if convolutional else 4
    assert features.flatten(2).shape == (2, 6, last)
    assert hidden_units(*shape[1:]) >= last


# The applications


@pytest.mark.parametrize(
    ("of", "arms"), [(GAN, ("gan", "mine")), (GAME, ("ali", "mine", "alice"))]
)
def test_a_stack_of_arms_and_seeds_gives_each_cell_what_it_has_alone(
    of: Application, arms: tuple[str, ...]
) -> None:
    """By plain descent: Adam makes a step of any size out of a gradient that rounding made."""
    training = Training(
        steps=6, batch_size=16, marginal_samples=1, optimizer="SGD", learning_rate=0.05
    )
    jobs = [job_of(of, arm, seed, training=training) for arm in arms for seed in (0, 1)]
    together = outcomes_of(jobs, [tuple(range(len(jobs)))])
    alone = outcomes_of(jobs, [(i,) for i in range(len(jobs))])
    for one, other in zip(together, alone, strict=True):
        assert one.estimate.nats == pytest.approx(other.estimate.nats, abs=1e-5)
        pictures = (of_text(found.measures["pictures"]).astype(int) for found in (one, other))
        np.testing.assert_allclose(*pictures, atol=1)  # a level of 255


@pytest.mark.parametrize(
    ("of", "arms"),
    [(GAN, ("gan", "mine(beta=0)", "mine")), (GAME, ("ali", "mine(beta=0)", "mine"))],
)
def test_without_a_weight_the_arm_is_the_plain_one_and_with_one_it_is_not(
    of: Application, arms: tuple[str, ...]
) -> None:
    jobs = [job_of(of, arm) for arm in arms]
    plain, none, some = (one.measures["pictures"] for one in outcomes_of(jobs, [(0, 1, 2)]))
    assert plain == none != some


def test_reconstructing_lowers_the_error_of_reconstructions() -> None:
    training = Training(steps=150, batch_size=64, marginal_samples=1, learning_rate=3e-3)
    game = replace(GAME, width=64, code=16)
    jobs = [job_of(game, arm, training=training) for arm in ("ali", "alice(weight=10)")]
    plain, explicit = (one.measures for one in outcomes_of(jobs, [(0, 1)]))
    assert explicit["error"] < 0.5 * plain["error"]
    assert explicit["error"] < explicit["mean_error"] == plain["mean_error"]
    assert explicit["similarity"] > plain["similarity"] and explicit["correct"] > 0.5
    assert plain["originals"] == explicit["originals"] != explicit["pictures"]


@pytest.mark.parametrize("sigma", [0.0, 1.0])
def test_an_encoders_noise_is_between_none_and_the_priors(sigma: float) -> None:
    with pytest.raises(ValueError, match=r"sigma must be above 0.*, got"):
        replace(GAME, sigma=sigma)


@pytest.mark.parametrize(("of", "arm"), [(GAN, "mine(beta=-1)"), (GAME, "alice(weight=-2)")])
def test_a_negative_weight_is_refused(of: Application, arm: str) -> None:
    with pytest.raises(ValueError, match=">= 0, got -"):
        job_of(of, arm)


def test_a_batch_larger_than_the_data_is_refused() -> None:
    with pytest.raises(ValueError, match="batch_size must be at most the 1198 images"):
        job_of(GAN, "gan", training=Training(steps=1, batch_size=1199))
