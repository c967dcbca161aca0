"""Settings of a training: the learning rate over the steps, and what is refused."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mine.training.settings import Training


@given(st.integers(1, 1000), st.integers(0, 50))
def test_the_learning_rate_stays_within_its_height(steps, warmup):
    rates = [Training(steps=steps, warmup=warmup).rate(s) for s in range(steps)]
    assert all(0 <= r <= 1 for r in rates)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": -1}, "steps must be a whole number >= 1, got -1"),
        ({"steps": 1.5}, "steps must be a whole number"),
        ({"batch_size": 1}, "batch_size must be a whole number >= 2"),
        ({"learning_rate": math.nan}, "learning_rate must be a finite number > 0"),
        ({"learning_rate": 0.0}, "learning_rate must be a finite number > 0"),
        ({"learning_rate": "fast"}, "learning_rate must be a finite number > 0, got 'fast'"),
        ({"ema_rate": 1.5}, "ema_rate must be in"),
        ({"max_grad_norm": -1.0}, "max_grad_norm must be"),
        ({"schedule": "linear"}, "schedule must be one of"),
        ({"betas": (0.9,)}, r"betas must be two numbers in \[0, 1\), got \(0.9,\)"),
        ({"betas": (0.9, 1.0)}, "betas must be two numbers"),
        ({"betas": (0.9, math.nan)}, "betas must be two numbers"),
        ({"betas": "ab"}, "betas must be two numbers"),
        ({"betas": 0.5}, "betas must be two numbers"),
        ({"betas": (0.5, 0.9), "optimizer": "SGD"}, "got .0.5, 0.9. for SGD: leave them out"),
        ({"betas": [0.5, 0.9], "optimizer": "RMSprop"}, "betas are Adam's and AdamW's"),
        ({"optimizer": "Lion"}, "optimizer must be one of"),
        ({"marginal": "bootstrap"}, "marginal must be one of"),
        ({"batch_size": 2, "marginal_samples": 2}, "cyclic derangements"),
    ],
)
def test_hyperparameters_that_cannot_be_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Training(**options)


def test_betas_of_a_config_are_those_of_a_call():
    """A config gives a list; jobs of equal settings share a stack, and so must compare equal."""
    assert Training(betas=[0.5, 0.9]) == Training(betas=(0.5, 0.9)) != Training()
    assert hash(Training(betas=[0.5, 0.9])) == hash(Training(betas=(0.5, 0.9)))
    assert Training(optimizer="SGD", betas=[0.9, 0.999]) == Training(optimizer="SGD")
