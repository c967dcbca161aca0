"""Runs: the same bits always, failures that stay with their job, and events."""

import dataclasses
import itertools
import weakref
from typing import ClassVar

import pytest
import torch
from jobs_example import Raises, Unhashable, job, outcomes

from mine.running.estimates import Estimate
from mine.running.events import Advance, Began, Failure, Halved
from mine.running.run import run
from mine.tasks import CorrelatedGaussian


def test_workers_and_stacks_do_not_change_a_bit():
    jobs = [job(seed=s) for s in range(6)]
    together = outcomes(jobs, stacks=[tuple(range(6))])
    halves = outcomes(jobs, stacks=[(0, 1, 2), (3, 4, 5)], workers=2)
    assert together == halves


@pytest.mark.parametrize("method", ["mine", "mine_f"])
@pytest.mark.parametrize("dim", [1, 3])
def test_neither_does_the_number_of_neighbours(dim, method):
    """More cells than a register holds, fewer, and some of both."""
    task = CorrelatedGaussian(dim, 0.5)
    jobs = [job(task, method=method, seed=s) for s in range(19)]
    sizes = ([19], [2] * 8 + [3], [7, 12], [8, 11], [16, 3])
    found = []
    for parts in sizes:
        ends = list(itertools.accumulate(parts))
        stacks = [tuple(range(end - n, end)) for end, n in zip(ends, parts, strict=True)]
        found.append(outcomes(jobs, stacks=stacks, workers=1))
    assert all(one == found[0] for one in found)


@pytest.mark.parametrize("n", [0, 100])
def test_a_task_need_have_no_hash(n):
    (found,) = outcomes([job(Unhashable([1.0]), n=n)])
    assert isinstance(found, Estimate) and found.steps == 20


class Watched(CorrelatedGaussian):
    """Keeps track of the samples that are still in memory."""

    drawn: ClassVar[list] = []

    def sample(self, n, generator):
        x, y = super().sample(n, generator)
        self.drawn.append(weakref.ref(x))
        return x, y


def test_a_stack_that_failed_has_left_memory_before_its_halves_begin():
    """Else a stack that ran out of memory would leave its halves none."""
    jobs = [job(Watched(1, 0.5)), job(Raises(), key="x")]
    for event in run(jobs, "cpu", 1, [(0, 1)]):
        if isinstance(event, Halved):
            assert Watched.drawn and all(x() is None for x in Watched.drawn)


def test_a_job_that_raises_fails_alone():
    healthy = [job(seed=s) for s in range(4)]
    jobs = [*healthy[:2], job(Raises(), key="x"), *healthy[2:]]
    found = outcomes(jobs)
    assert found[2] == Failure("OSError: no such data")
    for outcome, wanted in zip(found[:2] + found[3:], outcomes(healthy), strict=True):
        assert outcome.nats == pytest.approx(wanted.nats, abs=1e-5)


def test_events_begin_advance_and_end():
    events = list(run([job(), job(seed=1)], "cpu"))
    assert isinstance(events[0], Began)
    assert (
        sum(n.steps * len(n.jobs) for n in events if isinstance(n, Advance))
        == 2 * job().network_steps
    )
    assert [n.job for n in events[-2:]] == [0, 1]


def test_a_fixed_set_from_a_task_is_tested_on_fresh_samples():
    (e,) = outcomes([job(n=64)])
    assert isinstance(e, Estimate)
    assert (e.n_train, e.n_test) == (64, 100)


def test_a_stack_that_is_halved_says_so_and_why():
    jobs = [job(), job(Raises(), key="x"), job(seed=1), job(seed=2)]
    events = list(run(jobs, "cpu", 1, [(0, 1, 2, 3)]))
    halved = [n for n in events if isinstance(n, Halved)]
    assert [n.jobs for n in halved] == [(0, 1, 2, 3), (0, 1)]
    assert all("no such data" in n.reason for n in halved)


@dataclasses.dataclass(frozen=True)
class NotFinite(Raises):
    def sample(self, n, generator):
        return torch.full((n, 1), torch.nan), torch.zeros(n, 1)


def test_a_task_that_gives_nan_fails():
    (found,) = outcomes([job(NotFinite())])
    assert "expected finite samples" in found.reason
