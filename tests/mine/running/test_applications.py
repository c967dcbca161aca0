"""Applications: stacks of arms and seeds, their pairs, their divergence, and their states."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from jobs_example import job, outcomes
from toy_gan import Ring, RingGan, gan, mine, ring_job

from mine.critics.mlp import MLP
from mine.networks.critic import Networks
from mine.networks.layers import Activation, Linear, Noise
from mine.running.begin import begin, train_stack
from mine.running.events import Applied, Failure
from mine.running.forecast import forecast
from mine.running.plan import plan
from mine.running.statistics_networks import held_out_bound
from mine.training.settings import Training

ARMS = ("gan", "mine", "mine(clip=0)", "penalty")
CPU = torch.device("cpu")


@pytest.fixture(name="one_thread", autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def jobs(arms=ARMS, seeds=(0, 1), **changes):
    return [ring_job(arm, seed, **changes) for arm in arms for seed in seeds]


def trained(of):
    """The run at its end, and its outcomes."""
    run = begin(of, CPU)
    for _ in run.train():
        pass
    return run, run.outcomes()


def theta(run, k):
    """All parameters of cell k: of generator, discriminator and statistics network."""
    parts = (run.model.gan.generator.network, run.model.gan.discriminator.network)
    views = [view for part in (*parts, run.model.gan.ascent.critic) for view in part.views]
    return torch.cat([view[k].flatten() for view in views])


def numbers(outcome: Applied):
    """All that comes of a cell, but its arm."""
    return replace(outcome.estimate, method=""), str(outcome.measures)


def test_arms_and_seeds_of_one_application_are_one_stack_beside_estimations():
    of = [*jobs(), job(), ring_job("gan", 0, Ring(radius=1.0))]
    assert plan(of, workers=1) == [tuple(range(8)), (8,), (9,)]


def test_a_stack_of_k_is_k_single_runs():
    """Within 1e-5; a single cell takes other kernels."""
    of = jobs()
    whole, found = trained(of)
    for k, one in enumerate(of):
        single, (outcome,) = trained([one])
        torch.testing.assert_close(theta(whole, k), theta(single, 0), rtol=0, atol=1e-5)
        assert outcome.estimate.nats == pytest.approx(found[k].estimate.nats, abs=1e-5)
        assert outcome.estimate.method == one.arm


@pytest.mark.parametrize("part", [(0, 5), (6, 3), (1, 2, 4), (7, 6, 2, 0)])
def test_a_cells_bits_do_not_depend_on_its_neighbours(part):
    of = jobs()
    whole, found = trained(of)
    fewer, outcome = trained([of[k] for k in part])
    for i, k in enumerate(part):
        assert torch.equal(theta(whole, k), theta(fewer, i))
        assert numbers(outcome[i]) == numbers(found[k])


def test_the_number_of_workers_changes_no_bit():
    of = jobs()
    assert [len(plan(of, workers=workers)) for workers in (1, 2)] == [1, 2]
    one, two = (outcomes(of, workers=workers) for workers in (1, 2))
    assert [numbers(outcome) for outcome in one] == [numbers(outcome) for outcome in two]


def test_arms_begin_alike_and_see_equal_data_and_noise():
    one, other = (begin([ring_job(arm, 3), ring_job(arm, 4)], CPU) for arm in ("gan", "mine"))
    for k in range(2):
        assert torch.equal(theta(one, k), theta(other, k))
    for drawn, again in zip(one.model.draw(3), other.model.draw(3), strict=True):
        assert torch.equal(drawn, again)
        assert not torch.equal(drawn[:, 0], drawn[:, 1])


def test_beta_0_is_the_gan_to_the_bit():
    run, (plain, weightless, moved) = trained(jobs(("gan", "mine(beta=0)", "mine"), (5,)))
    assert numbers(plain) == numbers(weightless) != numbers(moved)
    assert torch.equal(theta(run, 0), theta(run, 1))


def test_what_comes_of_a_cell_has_its_measures_and_its_estimate():
    (found,) = outcomes([ring_job("mine", 1)])
    assert found.estimate.method == "mine" and found.estimate.diverged_at == -1
    assert (found.estimate.n_train, found.estimate.n_test) == (20 * 16, 200)
    assert found.estimate.stderr > 0 and math.isnan(found.truth)
    assert [step for step, _ in found.estimate.curve] == [4, 8, 10, 14, 18, 20]
    assert list(found.measures["radius"]) == ["0", "10", "20"]
    assert found.measures["points"].shape == (3, 2)


def poisoned(monkeypatch, k, at):
    """Cell k's batch has a number that is not finite from this step on."""
    original = RingGan.step

    def step(model, batch, now):
        real, z = batch
        if now >= at and len(real) > k:
            real = real.clone()
            real[k, 0, 0] = math.inf
        return original(model, [real, z], now)

    monkeypatch.setattr(RingGan, "step", step)


def test_a_cell_that_diverges_is_an_outcome_and_leaves_its_neighbours_bits(monkeypatch):
    of = jobs()
    healthy, found = trained(of)
    poisoned(monkeypatch, 2, 7)
    run, after = trained(of)
    assert [one.estimate.diverged_at for one in after] == [-1, -1, 7, -1, -1, -1, -1, -1]
    assert math.isnan(after[2].estimate.nats) and after[2].measures == {}
    assert "lower the learning rates" in after[2].estimate.warnings[0]
    for k in set(range(8)) - {2}:
        assert torch.equal(theta(healthy, k), theta(run, k))
        assert numbers(after[k]) == numbers(found[k])


def test_parameters_that_are_not_finite_after_the_last_step_are_found():
    run = begin([ring_job("gan", 0), ring_job("gan", 1)], CPU)
    original = run.model.finite
    run.model.finite = lambda: original() & torch.tensor([run.step < 18, True])
    for _ in run.train():
        pass
    assert run.diverged_at.tolist() == [19, -1]


NOISY = Networks((Noise(0.3), Linear(8), Activation("elu"), Noise(0.5)))


@pytest.mark.parametrize("critic", [MLP((8,)), NOISY])
def test_a_run_goes_on_from_a_state_to_the_same_bits(critic):
    of = jobs(critic=critic)
    whole, wanted = trained(of)
    training = train_stack(of, CPU)
    states = [next(training).state() for _ in range(4)]
    for state in (states[0], states[3]):
        run = begin(of, CPU)
        run.take_up(state)
        for _ in run.train():
            pass
        assert [numbers(one) for one in run.outcomes()] == [numbers(one) for one in wanted]
        assert all(torch.equal(theta(whole, k), theta(run, k)) for k in range(len(of)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("model.generator.theta"), "got another's"),
        (lambda state: state.update(step=np.array(99)), "a step of 1 to 20, got 99"),
        (lambda state: state.pop("record.0.samples"), r"records of the steps \[0\], got \[\]"),
        (lambda state: state.pop("curve.values"), "the curve of a stack like this one"),
        (lambda state: state.update({"generator.0": state["generator.0"] * 0}), "generators"),
    ],
)
def test_the_state_of_another_stack_is_refused(change, message):
    state = dict(next(train_stack(jobs(), CPU)).state())
    change(state)
    with pytest.raises(ValueError, match=message):
        begin(jobs(), CPU).take_up(state)


def test_a_broken_state_begins_anew(caplog):
    state = {"step": next(train_stack(jobs(), CPU)).state()["step"]}
    training = train_stack(jobs(), CPU, [state])
    assert next(training).steps == 4
    assert "cannot be used" in caplog.text


def test_a_cell_that_cannot_be_measured_fails_alone_and_nothing_is_trained_again(monkeypatch):
    original, begun = Ring.measured, []
    start = Ring.start

    def counted(ring, *args):
        begun.append(ring)
        return start(ring, *args)

    monkeypatch.setattr(Ring, "start", counted)

    def measured(ring, of, records):
        if of.arm == "mine" and of.seed == 1:
            raise RuntimeError("no such measure")
        return original(ring, of, records)

    monkeypatch.setattr(Ring, "measured", measured)
    found = outcomes(jobs())
    assert found[3] == Failure("RuntimeError: no such measure") and len(begun) == 1
    assert all(isinstance(one, Applied) for i, one in enumerate(found) if i != 3)


def test_a_forecast_tries_an_application_too():
    ticks = iter(range(10**6))
    found = forecast(jobs(), [tuple(range(8))], lambda: next(ticks) * 1.0, "cpu")
    assert len(found) == 1 and found[0] >= 0


def test_a_batch_is_paired_as_the_training_says():
    assert ring_job(training=Training(steps=4, batch_size=16, marginal_samples=3)).pairing.m == 3
    with pytest.raises(ValueError, match="by cyclic shifts, got marginal='shuffle'"):
        ring_job(training=Training(steps=4, batch_size=16, marginal="shuffle"))


def test_an_arm_that_is_not_there_is_refused_before_anything_runs():
    with pytest.raises(ValueError, match="expected an arm among"):
        ring_job("wgan")


def test_the_held_out_bound_of_independent_columns_is_not_above_0():
    run = begin(jobs(training=Training(steps=4, batch_size=16)), CPU)
    x, y = torch.randn(2, 8, 400, 2, generator=torch.Generator().manual_seed(0))
    values, errors = held_out_bound(run.model.gan.ascent, x, y, 5)
    assert values.shape == errors.shape == (8,)
    assert ((values < 3 * errors) & (values > -0.2)).all() and (errors > 0).all()


def test_the_arms_of_the_example_are_what_they_say():
    assert gan().beta == 0.0 and mine(0.3, 0).beta == 0.3 and not mine(0.3, 0).clip
