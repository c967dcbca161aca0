"""Stacks that the tests of training share."""

import pytest
import torch

from mine.critics.mlp import MLP
from mine.data.batches import Stream
from mine.data.generators import generator
from mine.method.donsker_varadhan import MINE, donsker_varadhan
from mine.tasks import CorrelatedGaussian
from mine.training.loop import train
from mine.training.settings import Training
from mine.training.stack import Stack

TASK = CorrelatedGaussian(2, 0.7)
SHORT = Training(steps=50, batch_size=32, learning_rate=3e-3)


@pytest.fixture(name="stack_of")
def _stack_of():
    """(seeds, training, objective, task, rates, device) -> a stack of one cell a seed."""
    return make_stack


def make_stack(seeds, training=SHORT, objective=MINE, task=TASK, rates=None, device="cpu"):
    k = len(seeds)
    return Stack(
        critic=MLP((16, 16)).stack(
            task.dim_x, task.dim_y, [generator(s, "start") for s in seeds], device
        ),
        sources=[Stream(task)] * k,
        generators=[generator(s, "batches", device=device) for s in seeds],
        objective=objective,
        bound=donsker_varadhan,
        training=training,
        learning_rate=torch.tensor(rates or [training.learning_rate] * k, device=device),
        ema_rate=torch.full((k,), training.ema_rate, device=device),
    )


@pytest.fixture(name="trained")
def _trained():
    """The same arguments -> the critic after its training, and the last progress."""
    return train_stack


def train_stack(*args, **kwargs):
    stack = make_stack(*args, **kwargs)
    *_, last = train(stack)
    return stack.critic, last
