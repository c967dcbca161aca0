"""Stacks side by side: planning, failures that stay with their job, the same numbers always."""

import dataclasses
import itertools
import multiprocessing
import os
import signal
import subprocess
import sys
import time
import weakref
from types import SimpleNamespace
from typing import ClassVar

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mine.critics.mlp import MLP
from mine.running.estimates import Estimate
from mine.running.jobs import Job, network_steps, plan, stack_size
from mine.running.workers import (
    Advance,
    Began,
    Care,
    Done,
    Failure,
    Halved,
    Stopped,
    forecast,
    makespan,
    resolve_device,
    run,
)
from mine.tasks import CorrelatedGaussian, NoiseChannel
from mine.training.settings import Training

TRAINING = Training(steps=20, batch_size=16)
SMALL = MLP((8,))


@dataclasses.dataclass(frozen=True)
class Raises:
    """A task of a user's that raises, after so many samples."""

    after: int = 0
    dim_x: int = 1
    dim_y: int = 1
    mi: float = 0.0

    def sample(self, n, generator):
        raise OSError("no such data")


def job(task=None, **changes):
    task = task or CorrelatedGaussian(1, 0.5)
    options = {"training": TRAINING, "critic": SMALL, "n_test": 100, "key": repr(task)}
    return Job(task, **{**options, **changes})


def outcomes(jobs, **options):
    found = {n.job: n.outcome for n in run(jobs, "cpu", **options) if isinstance(n, Done)}
    return [found[i] for i in range(len(jobs))]


def test_jobs_of_one_shape_share_a_stack():
    jobs = [
        job(), job(seed=1), job(NoiseChannel("sin", 0.3)), job(CorrelatedGaussian(2, 0.1)),
        job(method="dv"), job(method="ksg", n=50), job(method="ksg", n=50),
        job(training=dataclasses.replace(TRAINING, learning_rate=1e-4)),
        job(training=dataclasses.replace(TRAINING, steps=21)),
    ]  # fmt: skip
    assert plan(jobs, workers=1) == [(0, 1, 2, 7), (3,), (4,), (5,), (6,), (8,)]


@given(n=st.integers(1, 60), workers=st.integers(1, 9))
def test_every_job_is_in_one_stack_and_stacks_are_even(n, workers):
    jobs = [job(seed=s, critic=MLP((512, 512)), training=Training()) for s in range(n)]
    stacks = plan(jobs, workers=workers)
    sizes = [len(s) for s in stacks]
    assert [i for s in stacks for i in s] == list(range(n))
    assert max(sizes) <= max(stack_size(jobs[0]), 3)
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) >= min(n, 2)
    assert len(stacks) % workers == 0 or len(stacks) == max(1, n // 2)


def test_a_stack_on_cuda_is_larger_than_one_on_a_processor():
    assert stack_size(job(), "cuda") > 10 * stack_size(job(), "cpu")


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
    for news in run(jobs, "cpu", 1, [(0, 1)]):
        if isinstance(news, Halved):
            assert Watched.drawn and all(x() is None for x in Watched.drawn)


def test_a_job_that_raises_fails_alone():
    healthy = [job(seed=s) for s in range(4)]
    jobs = [*healthy[:2], job(Raises(), key="x"), *healthy[2:]]
    found = outcomes(jobs)
    assert found[2] == Failure("OSError: no such data")
    for outcome, wanted in zip(found[:2] + found[3:], outcomes(healthy), strict=True):
        assert outcome.nats == pytest.approx(wanted.nats, abs=1e-5)


def test_news_begin_advance_and_end():
    news = list(run([job(), job(seed=1)], "cpu"))
    assert isinstance(news[0], Began)
    assert sum(n.steps * len(n.jobs) for n in news if isinstance(n, Advance)) == network_steps(
        [job(), job()]
    )
    assert [n.job for n in news[-2:]] == [0, 1]


def test_a_fixed_set_from_a_task_is_tested_on_fresh_samples():
    (e,) = outcomes([job(n=64)])
    assert isinstance(e, Estimate)
    assert (e.n_train, e.n_test) == (64, 100)


def test_methods_of_one_key_and_seed_see_the_same_samples():
    task = CorrelatedGaussian(1, 0.5)
    a, b = (job(task, method=m, key="same") for m in ("mine", "dv"))
    for purpose in ("test", "batches"):
        x, y = (j.data.sample(5, j.generator(purpose)) for j in (a, b))
        assert torch.equal(x[0], y[0])


def test_stopping_early_leaves_no_process_behind():
    many = [job(seed=s, training=Training(steps=10_000, batch_size=16)) for s in range(4)]
    news = run(many, "cpu", workers=2, stacks=[(0, 1), (2, 3)])
    next(news)
    assert len(multiprocessing.active_children()) == 2
    news.close()
    assert multiprocessing.active_children() == []


@dataclasses.dataclass(frozen=True)
class Dies(Raises):
    """A task that takes its whole process with it, as one that runs out of memory does."""

    def sample(self, n, generator):
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_that_is_killed_loses_its_own_stack_alone():
    jobs = [job(), job(Dies(), key="x"), job(seed=1), job(seed=2)]
    found = outcomes(jobs, workers=2, stacks=[(0,), (1,), (2,), (3,)])
    assert isinstance(found[1], Failure)
    assert "exit code -9" in found[1].reason
    assert [found[i] for i in (0, 2, 3)] == outcomes(
        [jobs[i] for i in (0, 2, 3)], workers=1, stacks=[(0,), (1,), (2,)]
    )


def test_threads_are_given_back():
    before = torch.get_num_threads()
    outcomes([job(seed=s) for s in range(3)], workers=2, stacks=[(0,), (1,), (2,)])
    assert torch.get_num_threads() == before


def test_a_forecast_is_of_all_steps_and_neither_of_the_set_up_nor_of_what_comes_after(monkeypatch):
    now = [0.0]

    def train(jobs, _):
        now[0] += 5.0
        now[0] += 2.0 * jobs[0].training.steps
        yield SimpleNamespace(last=True)
        raise AssertionError("what comes after may take as long as the run: bias's probes do")

    monkeypatch.setattr("mine.running.workers.train_stack", train)
    assert forecast([job()], [(0,)], lambda: now[0], "cpu") == [2.0 * TRAINING.steps]


def test_a_forecast_grows_with_the_steps():
    ticks = iter(range(10**6))
    short = forecast([job()], [(0,)], lambda: next(ticks) * 1.0, "cpu")
    assert len(short) == 1 and short[0] >= 0

    def clock():  # every call of the clock costs a second, every step nothing
        return float(next(ticks))

    assert forecast([job(method="ksg", n=2000)], [(0,)], clock, "cpu") == pytest.approx([5.0])


def test_a_forecast_of_many_kinds_tries_some_and_takes_the_others_to_cost_as_much():
    calls = []

    def clock():  # every call costs a second: a job tried takes one, scaled by 5 to all its rows
        calls.append(None)
        return float(len(calls))

    jobs = [job(method="ksg", n=2000 + i) for i in range(50)]
    seconds = forecast(jobs, [(i,) for i in range(50)], clock, "cpu")
    assert sum(seconds) == pytest.approx(250.0, rel=0.01)
    assert len(calls) < 70  # one a kind, and two for each that was tried


def test_a_forecast_is_in_the_order_of_its_stacks():
    ticks = itertools.count()
    jobs = [job(method="ksg", n=1000), job(method="gaussian", n=2000), job(method="ksg", n=1000)]
    found = forecast(jobs, [(2,), (1,), (0,)], lambda: float(next(ticks)), "cpu")
    again = forecast(jobs, [(0,), (1,), (2,)], lambda: float(next(ticks)), "cpu")
    assert found == again[::-1] and found[0] == found[2]


@given(st.lists(st.floats(0, 1e3), min_size=1, max_size=20), st.integers(1, 5))
def test_stacks_side_by_side_take_at_least_their_share_and_at_most_one_more(seconds, workers):
    """Graham's bounds of 1966, for any order."""
    share, longest = sum(seconds) / workers, max(seconds)
    found = makespan(seconds, workers)
    assert max(share, longest) <= found * (1 + 1e-9)
    assert found <= (share + (1 - 1 / workers) * longest) * (1 + 1e-9)


def test_the_longest_first_leave_nobody_idle_at_the_end():
    assert makespan([1, 1, 2], workers=2) == 3
    assert makespan([2, 1, 1], workers=2) == 2


def test_ksg_needs_a_data_set():
    with pytest.raises(ValueError, match="needs a fixed data set of more than k rows"):
        job(method="ksg")


@pytest.mark.parametrize(("name", "message"), [("tpu", "auto, cpu or cuda"), ("mps", "auto, cpu")])
def test_a_device_that_is_not_there_is_refused(name, message):
    with pytest.raises(ValueError, match=message):
        resolve_device(name)


@pytest.mark.skipif(torch.cuda.is_available(), reason="asks for a device that is here")
def test_cuda_is_refused_where_there_is_none():
    with pytest.raises(ValueError, match="is not there"):
        resolve_device("cuda")
    assert resolve_device("auto").type == "cpu"


# ------------------------------------------------------------------------ care


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


LONG = Training(steps=120, batch_size=3000, validate_every=20, patience=20)


def own_data(**changes):
    x, y = CorrelatedGaussian(1, 0.7).sample(6000, torch.Generator().manual_seed(0))
    return job((x, y), key="own", **{"training": LONG, **changes})


@pytest.mark.parametrize("make", [lambda: job(training=LONG), own_data], ids=["stream", "own"])
def test_a_stopped_run_taken_up_again_gives_the_same_bits(make):
    jobs = [make(), dataclasses.replace(make(), seed=1)]
    whole, keeper, lives = outcomes(jobs, workers=1), Kept(), 0
    for patience in (0, 1, 0, 100):
        asked = iter([False] * patience)
        care = Care(keeper, stopping=lambda asked=asked: next(asked, True))
        try:
            found = outcomes(jobs, workers=1, care=care)
            break
        except Stopped:
            lives += 1
    assert lives == 3
    assert found == whole


def test_a_state_of_another_stack_is_passed_over(caplog):
    keeper, other = Kept(every=1), Kept(every=1)
    jobs = [job(training=LONG)] * 2
    whole = outcomes(jobs, care=Care(keeper))
    outcomes([job(training=dataclasses.replace(LONG, batch_size=2000))], care=Care(other))
    keeper.states += other.states[:1] + [{}]
    assert outcomes(jobs, care=Care(keeper)) == whole
    assert caplog.text.count("cannot be used") == 2


def test_workers_asked_to_stop_save_and_end():
    many = [job(seed=s, training=Training(steps=10_000, batch_size=16)) for s in range(4)]
    seen = []
    care = Care(stopping=lambda: len(seen) > 3)
    with pytest.raises(Stopped):
        seen.extend(run(many, "cpu", 2, [(0, 1), (2, 3)], care))
    assert multiprocessing.active_children() == []


@dataclasses.dataclass(frozen=True)
class Hangs(Raises):
    def sample(self, n, generator):
        time.sleep(600)


def test_a_job_that_hangs_is_given_up_alone():
    jobs = [job(), job(Hangs(), key="x"), job(seed=1)]
    care = Care(time_limit=3.0, clock=time.monotonic)
    found = outcomes(jobs, workers=1, stacks=[(0, 1, 2)], care=care)
    assert "time limit of 3 s" in found[1].reason
    assert all(isinstance(found[i], Estimate) for i in (0, 2))


def test_a_stack_that_is_halved_says_so_and_why():
    jobs = [job(), job(Raises(), key="x"), job(seed=1), job(seed=2)]
    news = list(run(jobs, "cpu", 1, [(0, 1, 2, 3)]))
    halved = [n for n in news if isinstance(n, Halved)]
    assert [n.jobs for n in halved] == [(0, 1, 2, 3), (0, 1)]
    assert all("no such data" in n.reason for n in halved)


@dataclasses.dataclass(frozen=True)
class NotFinite(Raises):
    def sample(self, n, generator):
        return torch.full((n, 1), torch.nan), torch.zeros(n, 1)


def test_a_task_that_gives_nan_fails():
    (found,) = outcomes([job(NotFinite())])
    assert "expected finite samples" in found.reason


ORPHANS = """
import os, signal, sys
from mine.critics.mlp import MLP
from mine.running.jobs import Job
from mine.running.workers import Advance, run
from mine.tasks import CorrelatedGaussian
from mine.training.settings import Training
import multiprocessing

long = Training(steps=10**6, batch_size=16)
jobs = [Job(CorrelatedGaussian(1, 0.5), seed=s, training=long, critic=MLP((8,))) for s in range(6)]
seen = set()
for news in run(jobs, "cpu", 3, [(0, 1), (2, 3), (4, 5)]):
    if isinstance(news, Advance):
        seen.add(news.jobs)
    if len(seen) == 3:
        print(*(child.pid for child in multiprocessing.active_children()), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_that_is_killed_leaves_none_of_its_workers_behind():
    done = subprocess.run([sys.executable, "-c", ORPHANS], stdout=subprocess.PIPE, text=True)
    assert done.returncode == -signal.SIGKILL
    workers = [int(pid) for pid in done.stdout.split()]
    assert len(workers) == 3
    give_up = time.monotonic() + 60
    while any(os.path.exists(f"/proc/{pid}") for pid in workers):
        assert time.monotonic() < give_up
        time.sleep(0.05)
