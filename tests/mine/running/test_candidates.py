"""A stack that was stopped goes on from its state, to the same bits."""

import dataclasses

import pytest
import torch
from jobs_example import job, outcomes, rows_job

from mine.running.run_options import RunOptions, Stopped
from mine.tasks import CorrelatedGaussian
from mine.training.settings import Training

LONG = Training(steps=120, batch_size=3000, validate_every=20, patience=20)


class Kept:
    """A keeper in memory, for stacks that are trained in this process."""

    def __init__(self, every=3):
        self.every, self.asked, self.states = every, 0, []

    def load(self, stack):
        return reversed(self.states)

    def due(self, stack):
        self.asked += 1
        return self.asked % self.every == 0

    def save(self, stack, state):
        self.states.append(state)


def own_data(**changes):
    x, y = CorrelatedGaussian(1, 0.7).sample(6000, torch.Generator().manual_seed(0))
    return rows_job(x, y, **{"training": LONG, **changes})


@pytest.mark.parametrize("make", [lambda: job(training=LONG), own_data], ids=["stream", "own"])
def test_a_stopped_run_taken_up_again_gives_the_same_bits(make):
    jobs = [make(), dataclasses.replace(make(), seed=1)]
    whole, keeper, lives = outcomes(jobs, workers=1), Kept(), 0
    for patience in (0, 1, 0, 100):
        asked = iter([False] * patience)
        options = RunOptions(keeper, stopping=lambda asked=asked: next(asked, True))
        try:
            found = outcomes(jobs, workers=1, options=options)
            break
        except Stopped:
            lives += 1
    assert lives == 3
    assert found == whole


def test_a_state_of_another_stack_is_passed_over(caplog):
    keeper, other = Kept(every=1), Kept(every=1)
    jobs = [job(training=LONG)] * 2
    whole = outcomes(jobs, options=RunOptions(keeper))
    outcomes([job(training=dataclasses.replace(LONG, batch_size=2000))], options=RunOptions(other))
    keeper.states += other.states[:1] + [{}]
    assert outcomes(jobs, options=RunOptions(keeper)) == whole
    assert caplog.text.count("cannot be used") == 2
