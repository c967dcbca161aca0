"""Jobs of one stack that choose different candidates, and what is trained for each."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from mine.estimators.own_job import own_job
from mine.estimators.rows import as_pair
from mine.method.names import METHODS
from mine.running.begin import begin
from mine.running.candidates import Candidates
from mine.running.estimates import Estimate
from mine.running.jobs import Job

SMALL = {"steps": 60, "hidden": (16,), "batch_size": 50, "learning_rate": 0.02, "folds": 2}
CPU = torch.device("cpu")
CANDIDATES = METHODS["auto"].candidates
PLAIN = next(i for i, c in enumerate(CANDIDATES) if not c.start)


def job(seed: int) -> Job:
    rng = np.random.default_rng(seed)
    x, noise = rng.normal(size=(2, 400))
    return own_job(*as_pair(x, 0.9 * x + 0.4 * noise), "auto", seed, key="k", **SMALL)


@pytest.fixture(autouse=True)
def _choices(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job of an even seed chooses the first candidate, whatever its validation rows say, and
    one of an odd seed the one that starts from nothing."""
    monkeypatch.setattr(Candidates, "_pick", lambda self, i: PLAIN * (self.jobs[i].seed % 2))


def trained(jobs: list[Job]) -> tuple[list[Estimate], Candidates]:
    training = begin(jobs, CPU)
    assert isinstance(training, Candidates)
    for _ in training.train():
        pass
    plain = [dataclasses.replace(e, critic=None) for e in training.outcomes()]
    return plain, training


def test_each_job_is_trained_with_half_of_the_rows_by_the_candidate_that_it_chose() -> None:
    found, training = trained([job(1), job(2), job(3)])
    ways = [(of.candidate, of.share, of.members) for of in training.rounds]
    everyone = (0, 1, 2)
    of_all = [(way, 0, everyone) for way in range(len(CANDIDATES))]
    assert ways == [*of_all, (0, 1, (1,)), (PLAIN, 1, (0, 2))]
    assert [e.chosen.endswith("fitted copula") for e in found] == [False, True, False]
    assert all(e.rise is not None for e in found)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_job_in_a_stack_of_other_choices_is_as_it_is_alone(seed: int) -> None:
    (alone,), _ = trained([job(seed)])
    together, _ = trained([job(1), job(2)])
    beside = together[seed - 1]
    assert beside.chosen == alone.chosen
    assert beside.nats == pytest.approx(alone.nats, abs=1e-5)
    assert beside.stderr == pytest.approx(alone.stderr, abs=1e-5)


@pytest.mark.parametrize("blocks", [1, 3, 5, 7])
def test_a_stack_of_other_choices_goes_on_from_any_of_its_rounds(blocks: int) -> None:
    jobs = [job(1), job(2)]
    whole, _ = trained(jobs)
    begun = begin(jobs, CPU).train()
    state = [next(begun) for _ in range(blocks)][-1].state()
    resumed = begin(jobs, CPU)
    resumed.take_up(state)
    for _ in resumed.train():
        pass
    assert [dataclasses.replace(e, critic=None) for e in resumed.outcomes()] == whole


def test_the_steps_of_a_stack_are_those_of_its_trainings() -> None:
    jobs = [job(1), job(2)]
    steps = sum(moment.steps for moment in begin(jobs, CPU).train()) * len(jobs)
    assert 0 < steps <= sum(one.network_steps for one in jobs)
