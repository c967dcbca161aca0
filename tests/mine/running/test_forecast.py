"""Forecasts of what stacks cost."""

import itertools
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jobs_example import TRAINING, job

from mine.running.forecast import forecast, makespan


def test_a_forecast_is_of_all_steps_and_neither_of_the_set_up_nor_of_what_comes_after(monkeypatch):
    now = [0.0]

    def train(jobs, _):
        now[0] += 5.0
        now[0] += 2.0 * jobs[0].training.steps
        yield SimpleNamespace(last=True)
        raise AssertionError("what comes after may take as long as the run: bias's probes do")

    monkeypatch.setattr("mine.running.forecast.train_stack", train)
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
