"""Processes: one that dies or hangs loses its own stack alone, and none is left behind."""

import dataclasses
import multiprocessing
import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from jobs_example import Raises, job, outcomes

from mine.running.estimates import Estimate
from mine.running.events import Began, Failure
from mine.running.run import run
from mine.running.run_options import RunOptions, Stopped
from mine.training.settings import Training


def test_stopping_early_leaves_no_process_behind():
    many = [job(seed=s, training=Training(steps=10_000, batch_size=16)) for s in range(4)]
    events = run(many, "cpu", workers=2, stacks=[(0, 1), (2, 3)])
    next(events)
    assert len(multiprocessing.active_children()) == 2
    events.close()
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


def test_a_worker_at_its_limit_of_cpu_seconds_tells_the_caller():
    """The system signals the process that has used them, and the caller saves the states."""
    heard, seen = [], []
    before = signal.signal(signal.SIGXCPU, lambda number, _: heard.append(number))
    many = [job(seed=s, training=Training(steps=10_000, batch_size=16)) for s in range(4)]
    options = RunOptions(stopping=lambda: bool(heard))
    events = run(many, "cpu", 2, [(0, 1), (2, 3)], options)
    try:
        while sum(isinstance(event, Began) for event in seen) < 2:
            seen.append(next(events))
        os.kill(multiprocessing.active_children()[0].pid, signal.SIGXCPU)
        with pytest.raises(Stopped):
            seen.extend(events)
    finally:
        signal.signal(signal.SIGXCPU, before)
    assert heard and multiprocessing.active_children() == []


def test_workers_asked_to_stop_save_and_end():
    many = [job(seed=s, training=Training(steps=10_000, batch_size=16)) for s in range(4)]
    seen = []
    options = RunOptions(stopping=lambda: len(seen) > 3)
    with pytest.raises(Stopped):
        seen.extend(run(many, "cpu", 2, [(0, 1), (2, 3)], options))
    assert multiprocessing.active_children() == []


@dataclasses.dataclass(frozen=True)
class Hangs(Raises):
    def sample(self, n, generator):
        time.sleep(600)


def test_a_job_that_hangs_is_given_up_alone():
    jobs = [job(), job(Hangs(), key="x"), job(seed=1)]
    options = RunOptions(time_limit=3.0, clock=time.monotonic)
    found = outcomes(jobs, workers=1, stacks=[(0, 1, 2)], options=options)
    assert "time limit of 3 s" in found[1].reason
    assert all(isinstance(found[i], Estimate) for i in (0, 2))


ORPHANS = """
import os, signal, sys
from mine.critics.mlp import MLP
from mine.data.sources import Fresh
from mine.method.names import METHODS
from mine.running.events import Advance
from mine.running.jobs import Job
from mine.running.run import run
from mine.tasks import CorrelatedGaussian
from mine.training.settings import Training
import multiprocessing

long = Training(steps=10**6, batch_size=16)
source, mine, small = Fresh(CorrelatedGaussian(1, 0.5)), METHODS["mine"], MLP((8,))
jobs = [Job(source, mine, seed=s, training=long, critic=small) for s in range(6)]
seen = set()
for event in run(jobs, "cpu", 3, [(0, 1), (2, 3), (4, 5)]):
    if isinstance(event, Advance):
        seen.add(event.jobs)
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
