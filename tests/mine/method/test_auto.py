"""The method that chooses: its candidates, the fitted start, and taking it up again."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from torch import nn

import mine
from mine.critics.elliptical import fit_ratio
from mine.critics.mlp import MLP
from mine.critics.residual import Residual
from mine.critics.starts import COPULA, NOTHING, VARIATES
from mine.data.pairs import Shifts, partners
from mine.estimators.own_job import own_job, task_job
from mine.estimators.rows import as_pair
from mine.method.held_out import Influence
from mine.method.method import UNSEEN
from mine.method.names import METHODS
from mine.running.begin import train_stack
from mine.running.estimates import Estimate
from mine.running.events import Done
from mine.running.extrapolation import MOST_ADDED, RATES, extrapolated
from mine.running.rounds import trained_as
from mine.running.run import run
from mine.running.run_options import RunOptions
from mine.tasks import CorrelatedGaussian, Flow, MultivariateNormal, PairMixture, Spiral, Warped

QUICK = {"steps": 60, "hidden": (8,), "batch_size": 50, "validate_every": 20}


def data(seed=0, n=400, dim=2, rho=0.7):
    task = CorrelatedGaussian(dim, rho)
    return task.sample(n, torch.Generator().manual_seed(seed))


# -------------------------------------------------------------- the fitted start


def test_the_fitted_log_ratio_of_normals_is_the_true_one():
    task = CorrelatedGaussian(3, 0.6)
    x, y = task.sample(200_000, torch.Generator().manual_seed(1))
    critic = Residual(MLP((8,))).stack(3, 3, [torch.Generator()], "cpu")
    critic.fit([(x, y)])
    joint, marginal = critic.values(x[None, :500], y[None, :500], Shifts(2))
    assert torch.allclose(joint[0], task.log_ratio(x[:500], y[:500]), atol=0.05, rtol=0.05)
    met = partners(Shifts(2), y[None, :500], 500)[0]
    wanted = torch.cat([task.log_ratio(x[:500], rows) for rows in met])
    assert torch.allclose(marginal[0], wanted, atol=0.05, rtol=0.05)


@pytest.mark.parametrize("n", [640, 5000])
def test_correlations_that_chance_alone_could_make_count_as_none(n):
    """25 + 25 columns, two pairs of them correlated by .8 and .6: sample values are far larger."""
    rng = np.random.default_rng(n)
    x, y = rng.normal(size=(n, 25)), rng.normal(size=(n, 25))
    y[:, 0] = 0.8 * x[:, 0] + 0.6 * y[:, 0]
    y[:, 1] = 0.6 * x[:, 1] + 0.8 * y[:, 1]
    rho = fit_ratio(x, y).rho
    assert rho[:2] == pytest.approx([0.8, 0.6], abs=4 / n**0.5)
    assert not rho[2:].any()


def test_columns_that_copy_others_change_no_fitted_ratio():
    x, y = (v.double().numpy() for v in data(n=3000))
    twice = np.concatenate([x, x[:, :1]], 1)
    assert fit_ratio(twice, y).rho == pytest.approx(fit_ratio(x, y).rho, abs=0.01)


def test_the_network_starts_at_nothing_and_learns_what_is_left():
    config = Residual(MLP((8,)))
    critic = config.stack(1, 1, [torch.Generator()], "cpu")
    x, y = data(dim=1)
    assert not critic.values(x[None], y[None], Shifts(1))[0].any()  # before the fit
    critic.backward(torch.ones(1, len(x)), torch.zeros(1, len(x)))
    assert critic.grad.any()
    assert set(critic.buffers) == {"of_x", "of_y", "rho", "tail"}


# --------------------------------------------------------------------- choosing


def trained_alone(candidate, x, y, share=1.0) -> Estimate:
    """One candidate of the test below, with a share of the training rows."""
    job = trained_as(own_job(*as_pair(x.numpy(), y.numpy()), "auto", 0, **QUICK), candidate)
    split = dataclasses.replace(job.source.split, share=share)
    job = dataclasses.replace(job, source=dataclasses.replace(job.source, split=split))
    (outcome,) = (n.outcome for n in run([job], "cpu") if isinstance(n, Done))
    return outcome


def saved_and_loaded(e, x, y, folder):
    """Its critic after a way through a file; it gives the same bits."""
    e.critic.save(folder / "critic")
    again = mine.load(folder / "critic")
    assert np.array_equal(again.pointwise(x, y), e.critic.pointwise(x, y))
    return again


def refuses_a_perfect_correlation(critic, folder):
    """Which is never fitted, so that somebody wrote it."""
    critic.members[0].buffers["rho"][:] = 1.0
    critic.save(folder / "hostile")
    with pytest.raises(ValueError, match="expected a critic's file"):
        mine.load(folder / "hostile")


def test_auto_is_the_candidate_whose_validation_value_is_the_highest():
    x, y = data(1)
    found = mine.estimate(x, y, **QUICK)
    # Normal rows have no mixture and no bent sides: such candidates have no start of their own.
    own = (NOTHING, COPULA, VARIATES)
    candidates = [c for c in METHODS["auto"].candidates if c.start in own]
    best = max(candidates, key=lambda c: trained_alone(c, x, y).validation_nats)
    whole, half = (trained_alone(best, x, y, share) for share in (1.0, 0.5))
    assert (found.chosen, found.method, found.n_test) == (str(best), "auto", 400)
    assert found.validation_nats == whole.validation_nats
    assert found.rise == pytest.approx(whole.nats - half.nats, abs=1e-6)
    assert found.nats == pytest.approx(whole.nats + found.rise, abs=1e-6)


# -------------------------------------------------------------- what rows are worth


def estimates_of(nats, half, stderr=0.02):
    """Two estimates on the same 900 test rows, whose errors are alike."""
    rows = torch.randn(1, 900, generator=torch.Generator().manual_seed(0))
    influence = Influence(rows / rows.norm() * stderr * 900, torch.zeros(1, 1, 900)).arrays(0)
    bare = Estimate(nats, stderr, nats, "js", 540, 900, 100, influences=(influence,))
    return bare, dataclasses.replace(bare, nats=half)


@pytest.mark.parametrize("rate", [0.5, 1.0])
def test_what_a_critic_lacks_is_found_where_it_falls_by_a_power_of_the_rows(rate):
    truth, lacks = 1.0, 0.04
    whole, half = estimates_of(truth - lacks, truth - lacks * 2.0**rate, stderr=0.0)
    e = extrapolated(whole, half)
    assert e.rise == pytest.approx(lacks * (2.0**rate - 1.0))
    of_rises = math.sqrt(e.stderr**2 - (UNSEEN * e.nats) ** 2)
    assert of_rises == pytest.approx(RATES * e.rise)
    assert truth - e.nats == pytest.approx(0.0 if rate == 1.0 else of_rises)


def test_a_rise_that_breaks_down_is_not_added_whole():
    of_many = extrapolated(*estimates_of(3.0, 2.0), columns=20)
    assert (of_many.nats, of_many.rise) == (3.0 + MOST_ADDED, 1.0)
    of_two = extrapolated(*estimates_of(3.0, 2.0), columns=2)
    assert (of_two.nats, of_two.rise) == (4.0, 1.0)
    assert min(of_many.stderr, of_two.stderr) > 1.0


def test_the_error_of_what_does_not_rise_is_that_of_the_test_rows():
    whole, half = estimates_of(1.0, 1.0)
    e = extrapolated(whole, half)
    assert (e.nats, e.rise) == (1.0, 0.0)
    assert e.stderr == pytest.approx(math.hypot(0.02, UNSEEN), rel=1e-5)
    assert not e.warnings


@pytest.mark.parametrize(("half", "says"), [(0.7, True), (0.94, False), (1.3, False)])
def test_a_value_that_still_rises_with_the_rows_says_so(half, says):
    e = extrapolated(*estimates_of(1.0, half))
    assert any(w.startswith("still learning: ") for w in e.warnings) == says


def test_a_half_that_diverged_leaves_the_whole_as_it_is():
    whole, half = estimates_of(1.0, math.nan)
    assert extrapolated(whole, half) == whole
    assert extrapolated(whole) == whole


# --------------------------------------------------------------------- further


def test_a_module_of_ones_own_starts_where_it_starts():
    class Bilinear(nn.Module):
        def __init__(self, dx, dy):
            super().__init__()
            self.w = nn.Parameter(torch.randn(dx, dy) * 0.1)

        def forward(self, x, y):
            return ((x @ self.w) * y).sum(-1)

    e = mine.estimate(*data(), critic=Bilinear, steps=40, batch_size=50)
    assert e.chosen == "js on auto units"


def test_units_that_are_asked_for_are_taken_by_every_candidate():
    e = mine.estimate(*data(), preprocess="rank", **QUICK)
    assert e.critic is not None and e.critic.members[0].x.kinds == ("rank", "rank")


def test_many_in_one_stack_are_what_they_are_alone():
    pairs = [data(seed) for seed in range(3)]
    together = mine.estimate_many(pairs, seeds=range(3), **QUICK)
    for seed, (pair, e) in enumerate(zip(pairs, together, strict=True)):
        alone = mine.estimate(*pair, seed=seed, **QUICK)
        assert e.nats == pytest.approx(alone.nats, abs=1e-4)
        assert e.chosen == alone.chosen


@pytest.mark.parametrize(("buffer", "value"), [("rho", 2.0), ("tail", -1.0), ("tail", 2.0)])
def test_a_critic_that_started_from_a_copula_is_saved_and_loaded(tmp_path, buffer, value):
    x, y = data(1)
    e = mine.estimate(x, y, preprocess="copula", **QUICK)
    assert "from a fitted copula" in e.chosen
    again = saved_and_loaded(e, x, y, tmp_path)
    for member in again.members:
        member.buffers[buffer][:] = value  # not what `Residual` could have fitted
    again.save(tmp_path / "hostile")
    with pytest.raises(ValueError, match="expected a critic's file"):
        mine.load(tmp_path / "hostile")


def test_a_spiral_is_seen_through_its_variates_and_the_critic_saved_and_loaded(tmp_path):
    base = MultivariateNormal(dim_x=3, dim_y=3, pairs=[0.8, 0.7])
    task = Warped(base, Spiral(speed=0.3, plane=[0, 1]), Spiral(speed=0.3, plane=[1, 2]))
    x, y = (v.numpy() for v in task.sample(1500, torch.Generator().manual_seed(4)))
    e = mine.estimate(x, y, **QUICK)
    assert e.chosen == "js on auto units, from fitted variates"
    assert 0.5 * task.mi < e.nats < task.mi + 2 * e.stderr
    again = saved_and_loaded(e, x, y, tmp_path)
    refuses_a_perfect_correlation(again, tmp_path)


def test_regimes_are_seen_through_a_mixture_and_the_critic_saved_and_loaded(tmp_path):
    task = PairMixture(dim=4, shifts=(0.0, 0.3), rhos=(0.9, -0.6))
    x, y = (v.numpy() for v in task.sample(2000, torch.Generator().manual_seed(4)))
    e = mine.estimate(x, y, **QUICK)
    assert e.chosen == "js on copula units, from a fitted mixture of normals"
    assert abs(e.nats - task.mi) < 2 * e.stderr < 0.4 * task.mi
    again = saved_and_loaded(e, x, y, tmp_path)
    refuses_a_perfect_correlation(again, tmp_path)


def test_bent_sides_are_made_normal_and_the_critic_saved_and_loaded(tmp_path):
    task = Warped(MultivariateNormal(3, 3, pairs=[0.8, 0.6]), Flow(seed=21), Flow(seed=22))
    x, y = (v.numpy() for v in task.sample(3000, torch.Generator().manual_seed(4)))
    e = mine.estimate(x, y, **QUICK)
    assert e.chosen == "js on copula units, from a fitted copula of sides made normal"
    assert abs(e.nats - task.mi) < 2 * e.stderr < 0.4 * task.mi
    saved_and_loaded(e, x, y, tmp_path)


def test_half_of_the_rows_that_find_no_start_are_no_rise():
    """What was found by all rows alone is not added a second time; it is in doubt."""
    whole = Estimate(0.4, 0.02, 0.4, "auto", 600, 1000, 100, validation_nats=0.4)
    half = dataclasses.replace(whole, nats=0.0, stderr=0.0, n_train=300, untrained=True)
    e = extrapolated(whole, half)
    assert e.nats == 0.4
    assert e.stderr > 0.4
    assert [w.partition(":")[0] for w in e.warnings] == ["still learning"]
    nothing = dataclasses.replace(whole, nats=-0.02)
    assert not extrapolated(nothing, half).warnings


def test_rows_of_a_task_are_dealt_as_own_data_are():
    task = CorrelatedGaussian(1, 0.7)
    job = task_job(task, 300, METHODS["auto"], seed=3, key="k", most_steps=20)
    (outcome,) = (n.outcome for n in run([job], "cpu") if isinstance(n, Done))
    assert (outcome.n_test, outcome.n_train, outcome.steps <= 20) == (300, 180, True)
    # Five folds of all candidates with all rows, and of the chosen one with half of them.
    assert job.network_steps == 20 * 5 * (len(METHODS["auto"].candidates) + 1)


@pytest.mark.parametrize("after", [1, 4, 6, 8])  # of three rounds of three blocks
def test_a_stack_of_candidates_is_taken_up_again_to_the_same_bits(after):
    job = own_job(*as_pair(*(v.numpy() for v in data())), "auto", 0, **QUICK)
    device = torch.device("cpu")

    def outcome(training) -> Estimate:
        while True:
            try:
                next(training)
            except StopIteration as end:
                return dataclasses.replace(end.value[0], critic=None)

    whole = outcome(train_stack([job], device))
    training = train_stack([job], device)
    for _ in range(after):
        moment = next(training)
    state = moment.state()
    assert outcome(train_stack([job], device, [state])) == whole


def test_a_run_that_keeps_states_names_them_by_all_steps_so_far():
    job = own_job(*as_pair(*(v.numpy() for v in data())), "auto", 0, **QUICK)
    steps = []

    class Kept:
        def load(self, stack):
            return iter(())

        def due(self, stack):
            return True

        def save(self, stack, state):
            steps.append(int(state["step"]))

    list(run([job], "cpu", options=RunOptions(Kept())))
    assert steps == sorted(set(steps)) and len(steps) > 3
