"""Forecasts of what stacks cost."""

import itertools
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from jobs_example import TRAINING, job, rows_job

from mine.running.forecast import forecast, makespan
from mine.training.settings import Training


def test_a_forecast_is_of_the_set_up_of_all_steps_and_of_all_test_rows(monkeypatch):
    """Among them are probes of a critic, which may take longer than its training."""
    now, first = [0.0], [100.0]

    def train(jobs, _):
        now[0] += first.pop() if first else 0.0
        now[0] += 5.0 + 2.0 * jobs[0].training.steps
        yield SimpleNamespace(last=True)
        now[0] += 0.5 * jobs[0].n_test

    monkeypatch.setattr("mine.running.forecast.train_stack", train)
    whole = 5.0 + 2.0 * TRAINING.steps + 0.5 * 10_000
    assert forecast([job(n_test=10_000)], [(0,)], lambda: now[0], "cpu") == [pytest.approx(whole)]
    assert forecast([job(n_test=1)], [(0,)], lambda: now[0], "cpu") == [pytest.approx(45.5)]


def test_what_is_done_once_in_a_process_is_in_no_forecast(monkeypatch):
    now, first = [0.0], [60.0]

    def direct(*_):
        now[0] += first.pop() if first else 1.0

    jobs = [job(method="gaussian_copula", n=2000)]
    method = replace(jobs[0].method, direct=direct)
    found = forecast([replace(jobs[0], method=method)], [(0,)], lambda: now[0], "cpu")
    assert found == [pytest.approx(5.0)]


def test_where_training_may_stop_early_fewer_steps_are_likely():
    x = torch.randn(600, 1, generator=torch.Generator().manual_seed(0))
    training = Training(steps=10**5, batch_size=30, learning_rate=0.005, patience=4)
    own = rows_job(x, x, training=training)  # 360 training rows: 50 epochs are 600 steps
    assert own.likely_steps == pytest.approx(600 + 4 * training.validate_every)
    assert replace(own, training=replace(training, steps=300)).likely_steps == 300
    assert job(training=training).likely_steps == 10**5


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


def test_methods_that_differ_in_parameters_alone_count_as_one_where_time_is_short():
    ticks = itertools.count()
    names = [f"smile(tau={tau})" for tau in range(1, 20)]
    jobs = [job(method=name) for name in names]
    stacks = [(i,) for i in range(len(jobs))]
    found = forecast(jobs, stacks, lambda: float(next(ticks)), "cpu", limit=0.0)
    assert found == [found[0]] * len(jobs) and next(ticks) < 4 * len(jobs)


def test_what_is_not_tried_has_the_fixed_cost_of_its_method_whatever_its_steps(monkeypatch):
    """A probe after one step costs as much as after thousands."""
    now = [0.0]

    def train(jobs, _):
        now[0] += 100.0 + 0.5 * jobs[0].training.steps
        yield SimpleNamespace(last=True)

    monkeypatch.setattr("mine.running.forecast.train_stack", train)
    jobs = [job(training=replace(TRAINING, steps=steps)) for steps in (1, 1000)]
    found = forecast(jobs, [(0,), (1,)], lambda: now[0], "cpu", limit=0.0)
    assert found == [pytest.approx(100.5), pytest.approx(600.0)]
