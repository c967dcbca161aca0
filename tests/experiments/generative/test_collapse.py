"""GANs on mixtures in the plane: what arms share, and what is measured of records."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from experiments.generative.collapse import Collapse
from mine.critics.mlp import MLP
from mine.running.application_run import ApplicationRun
from mine.running.applications import ApplicationJob
from mine.training.settings import Training

CPU = torch.device("cpu")
SMALL = Collapse(generator=(16, 16), discriminator=(16,), samples=300, kept=20, looks=2)
TRAINING = Training(steps=10, batch_size=16, marginal_samples=1, learning_rate=1e-3)


def job_of(arm: str, seed: int = 0, application: Collapse = SMALL) -> ApplicationJob:
    return ApplicationJob(
        application, arm, seed, "key", TRAINING, MLP((16,)), n_test=300, partners=3
    )


def trained(*arms: str, seed: int = 0) -> ApplicationRun:
    run = ApplicationRun([job_of(arm, seed) for arm in arms], CPU)
    assert run.steps == sum(moment.steps for moment in run.train())
    return run


def test_arms_of_a_seed_begin_equal_and_see_equal_data_and_noise() -> None:
    run = ApplicationRun([job_of(arm) for arm in ("gan", "mine", "penalty")], CPU)
    for name, value in run.model.named().items():
        if value.dim() and "optimizer" not in name and "theta" not in name:
            assert (value == value[:1]).all(), name
    real, z = run.model.draw(4)
    assert real.shape == (4, 3, 16, 2) and z.shape == (4, 3, 16, 10)
    assert (real == real[:, :1]).all() and (z == z[:, :1]).all()


def test_a_weight_of_zero_is_the_plain_gan_to_the_bit() -> None:
    run = trained("gan", "mine(beta=0)", "mine")
    plain, zero, term = (run.records[10]["samples"][k] for k in range(3))
    assert torch.equal(plain, zero)
    assert not torch.equal(plain, term)


def test_a_stack_of_arms_equals_the_arms_alone() -> None:
    arms = ("gan", "mine", "mine(clip=0)", "penalty")
    together = trained(*arms).records[10]["samples"]
    for k, arm in enumerate(arms):
        alone = trained(arm).records[10]["samples"][0]
        torch.testing.assert_close(together[k], alone, rtol=1e-4, atol=1e-5)


def test_the_data_are_the_mixture() -> None:
    model = ApplicationRun([job_of("gan")], CPU).model
    real, _ = model.draw(200)
    distance = torch.cdist(real.flatten(0, 2), model.anchors).amin(1)  # type: ignore[attr-defined]
    assert float(distance.square().mean()) == pytest.approx(2 * 0.05**2, rel=0.1)


def test_a_row_has_the_measures_of_the_last_moment_and_a_path() -> None:
    (outcome,) = trained("mine").outcomes()
    found: Any = outcome.measures
    assert list(found["path"]) == ["1", "4", "5", "10"]
    assert list(found["points"]) == ["1", "4", "10"]
    last = [found[name] for name in ("modes", "touched", "quality", "kl")]
    assert list(found["path"]["10"]) == pytest.approx(last, abs=1e-4)
    assert found["points"]["10"].shape == (20, 2)
    assert math.isfinite(found["ksg"]) and math.isfinite(outcome.estimate.nats)
    assert outcome.estimate.n_test == 300


def test_a_generator_of_one_point_has_one_mode_and_no_estimate_by_ksg() -> None:
    one = torch.tensor([[2.0, 0.0]]).expand(300, 2)
    last = {"samples": one, "codes": torch.randn(300, 2, generator=torch.Generator())}
    records = {10: {**last, "nats": torch.tensor(0.0), "stderr": torch.tensor(0.1)}}
    found = SMALL.measured(job_of("gan"), records).measures
    assert (found["modes"], found["quality"]) == (1, 1.0)
    assert math.isnan(found["ksg"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"samples": 7}, "at least as many samples as modes, got 7 samples and 8 modes"),
        ({"codes": 0}, "codes must be a whole number above 0, got 0"),
        ({"generator": (0,)}, "widths must be whole numbers above 0, got 0"),
        ({"rate": 0.0}, "rate must be a finite number above 0"),
        ({"pictures": (0.0,)}, r"pictures must be shares in \(0, 1\]"),
        ({"sigma": -1.0}, "sigma must be a finite number above 0"),
    ],
)
def test_settings_that_cannot_be_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Collapse(**change)
