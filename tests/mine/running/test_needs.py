"""What a job needs is told from its shape, and refused before anything is allocated."""

from dataclasses import replace

import pytest
import torch
from jobs_example import job, rows_job
from torch.utils.flop_counter import FlopCounterMode

from mine.critics.mlp import MLP
from mine.memory import Memory
from mine.running import needs
from mine.running.begin import train_stack
from mine.running.forecast import forecast
from mine.running.needs import check_fits, least_bytes, seconds_of, work_of
from mine.running.run import run
from mine.training.settings import Training

CPU = torch.device("cpu")
HUGE = job(critic=MLP((10**6, 10**6)))


def test_a_job_that_cannot_fit_is_refused_before_it_begins():
    """Was hours of a forecast, or the system's killer."""
    with pytest.raises(ValueError, match=r"fits into memory, got one of 1.6e\+04 GB .* lower"):
        next(run([job(), HUGE], "cpu"))


def test_a_job_that_does_not_fit_now_is_told_from_one_that_never_does(monkeypatch):
    monkeypatch.setattr(needs, "of_this_process", lambda: Memory(1e15, 1e6))
    check_fits([job()], CPU)
    with pytest.raises(MemoryError, match=r"expected 1.6e\+04 GB of free memory .* got 0.001 GB"):
        check_fits([HUGE], CPU)


@pytest.mark.parametrize(
    "change",
    [
        {"training": Training(batch_size=10**12)},
        {"n_test": 10**12},
        {"critic": MLP((10**12,))},
        {"n": 10**12},
        {"n": 10**12, "method": "ksg"},
    ],
)
def test_each_size_counts(change):
    assert least_bytes(job(**change)) > 10**12 > 10**6 * least_bytes(job())


def test_what_is_needed_is_allocated():
    """A training takes as much or more: what would fit is never refused."""
    wide = job(critic=MLP((1500, 1500)), training=Training(steps=2, batch_size=64))
    list(train_stack([wide], CPU))  # once for what torch keeps
    before = _peak(lambda: list(train_stack([job()], CPU)))
    found = _peak(lambda: list(train_stack([wide], CPU)))
    assert least_bytes(wide) > 40e6
    assert 0.5 < least_bytes(wide) / (found - before) <= 1.0


def _peak(act):
    """The bytes that are allocated at once while it runs, at most."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as found:
        act()
    held = most = 0
    for event in found.profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            most = max(most, held)
    return most


def test_the_work_of_a_step_is_that_of_its_products():
    one = job(critic=MLP((256, 256)), training=Training(steps=4, batch_size=64))
    with FlopCounterMode(display=False) as counted:
        list(train_stack([replace(one, n_test=20)], CPU))
    assert work_of(one).step * 4 == pytest.approx(counted.get_total_flops(), rel=0.5)


def test_more_of_anything_takes_longer():
    few, many = torch.randn(2, 200, 2), torch.randn(2, 2000, 2)
    for method in ("ksg", "gaussian", "gaussian_copula"):
        assert 0 < seconds_of(rows_job(*few, method)) < seconds_of(rows_job(*many, method))
    longer = replace(job(), training=replace(job().training, steps=10**6))
    assert seconds_of(longer) > 100 > 1 > seconds_of(job())


def test_a_kind_that_takes_long_to_try_is_not_tried():
    """The forecast of four layers of 10,000 took half an hour."""
    wide = job(critic=MLP((10_000,) * 4), training=Training(steps=1000, batch_size=256))
    ticks = iter(range(10**6))
    (seconds,) = forecast([wide], [(0,)], lambda: float(next(ticks)), "cpu")
    assert seconds == pytest.approx(seconds_of(wide)) and seconds > 3600
    assert next(ticks) < 4
