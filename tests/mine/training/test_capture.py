"""A step that is captured as a CUDA graph: it trains as the eager step does, or says so."""

import dataclasses
import logging

import pytest
import torch
from torch import nn

from mine.critics.modules import stack_modules
from mine.training import capture
from mine.training.loop import train
from mine.training.settings import Training

SHORT = Training(steps=50, batch_size=32, learning_rate=3e-3)


class Waits(nn.Module):
    """A module that waits for the host, which no graph can do."""

    def __init__(self):
        super().__init__()
        self.net = nn.Linear(4, 1)

    def forward(self, x, y):
        torch.cuda.synchronize()
        return self.net(torch.cat([x, y], -1))


@pytest.mark.cuda
@pytest.mark.parametrize("marginal", ["derangement", "shuffle", "independent"])
def test_a_captured_step_trains_to_the_bits_of_an_eager_one(monkeypatch, trained, marginal):
    training = dataclasses.replace(SHORT, marginal=marginal)
    captured, last = trained([0, 1], training=training, device="cuda")
    monkeypatch.setattr(capture, "WARM_STEPS", 10**9)
    eager, other = trained([0, 1], training=training, device="cuda")
    assert torch.equal(captured.theta, eager.theta)
    assert torch.equal(last.train_value, other.train_value)


@pytest.mark.cuda
def test_what_cannot_be_captured_goes_on_without_and_says_so(stack_of, caplog):
    stack = stack_of([0], device="cuda")
    stack.critic = stack_modules([Waits()], "cuda")
    start = stack.critic.theta.clone()
    with caplog.at_level(logging.WARNING):
        *_, last = train(stack)
    assert last.step == SHORT.steps and last.diverged_at.tolist() == [-1]
    assert not torch.equal(stack.critic.theta, start)
    assert "cannot be captured as a CUDA graph" in caplog.text


@pytest.mark.cuda
def test_a_capture_that_fails_leaves_the_stream_as_it_was(stack_of):
    before = torch.cuda.current_stream()
    stack = stack_of([0], device="cuda")
    stack.critic = stack_modules([Waits()], "cuda")
    for _ in train(stack):
        assert torch.cuda.current_stream() == before
