"""The application: arms of one stack, their data and their measures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import Tensor

from experiments.generative.bottleneck import ARMS, CLASSES, ImageBottleneck
from experiments.generative.cell_noise import CellDropout, CellNoise
from experiments.images.data import ImageData
from mine.critics.mlp import MLP
from mine.networks.layers import Pass
from mine.running.application_run import ApplicationRun
from mine.running.applications import ApplicationJob
from mine.running.events import Applied
from mine.training.settings import Training

CPU = torch.device("cpu")
MODEL = ImageBottleneck(
    ImageData("digits", 8, labelled=True), n_train=96, n_validation=64, hidden=(16, 16), code=16,
    samples=2, n_exact=100, ascents=2,
)  # fmt: skip
ALL = (
    "baseline", "dropout", "vib(beta=0.1)", "mine_gaussian(beta=0)", "mine_gaussian(beta=0.5)",
    "mine_propagated(beta=0.5)", "mine_additive(beta=0)", "mine_additive(beta=0.5)",
)  # fmt: skip


def job(
    arm: str, seed: int = 0, model: ImageBottleneck = MODEL, **training: float
) -> ApplicationJob:
    options = {"steps": 24, "batch_size": 32, "marginal_samples": 1, **training}
    return ApplicationJob(
        model, arm, seed, "key", Training(**options), MLP((16, 16)), n_test=120, partners=2
    )  # type: ignore[arg-type]


def trained(jobs: Sequence[ApplicationJob]) -> list[Applied]:
    run = ApplicationRun(jobs, CPU)
    for _ in run.train():
        pass
    return run.outcomes()


@cache
def outcomes() -> dict[str, Applied]:
    return dict(zip(ALL, trained([job(arm) for arm in ALL]), strict=True))


def test_a_stack_of_all_arms_is_the_same_arms_in_smaller_stacks_bit_by_bit() -> None:
    for some in (ALL[2:5], ALL[5:7], (ALL[0], ALL[7])):
        for arm, alone in zip(some, trained([job(arm) for arm in some]), strict=True):
            assert alone == outcomes()[arm], arm


def test_a_seed_is_not_moved_by_the_seeds_beside_it() -> None:
    many = trained([job("vib(beta=0.1)", seed) for seed in (3, 0, 5)])
    few = trained([job("vib(beta=0.1)", seed) for seed in (0, 7)])
    assert many[1] == few[0] and many[0] != many[1]


def test_a_training_goes_on_from_its_state_to_the_same_bits() -> None:
    jobs = [job(arm) for arm in ALL]
    begun, later = ApplicationRun(jobs, CPU), ApplicationRun(jobs, CPU)
    moment = next(begun.train())
    assert 0 < begun.step < 24
    later.take_up(moment.state())
    for _ in later.train():
        pass
    assert later.outcomes() == list(outcomes().values())


def test_training_lowers_the_errors() -> None:
    fast = replace(MODEL, rate=0.01)
    for one in trained(
        [job(arm, model=fast, steps=200) for arm in ("baseline", "vib(beta=0.01)")]
    ):
        assert one.measures["train_error"] < 0.1
        assert one.measures["test_error"] < 0.3 and one.measures["test_nats"] < math.log(CLASSES)


def test_the_exact_value_is_there_for_codes_with_a_density_alone() -> None:
    for arm, one in outcomes().items():
        known = math.isfinite(one.measures["exact"])
        assert known == ("vib" in arm or "gaussian" in arm), arm
        if known:
            assert one.measures["exact"] <= one.measures["exact_upper"]
            assert one.measures["exact"] <= math.log(100) + 1e-9
        assert math.isfinite(one.estimate.nats) and one.estimate.n_test == 100
        assert one.estimate.n_train == 96


def test_vib_ends_with_less_information_the_larger_its_beta() -> None:
    betas = (0.001, 0.1, 1.0)
    found = trained([job(f"vib(beta={beta})", steps=200, learning_rate=1e-3) for beta in betas])
    exact = [one.measures["exact"] for one in found]
    assert exact[0] > exact[1] > exact[2] and exact[2] < 0.5


def test_images_that_choose_beta_and_test_images_train_nothing() -> None:
    run = ApplicationRun([job("baseline", seed) for seed in range(5)], CPU)
    seen = run.model._seen  # type: ignore[attr-defined]
    assert seen.shape == (5, 96) and all(len(set(row.tolist())) == 96 for row in seen)
    assert int(seen.max()) < MODEL.data.n_train - MODEL.n_validation
    assert not torch.equal(seen[0].sort().values, seen[1].sort().values)


def test_a_look_changes_nothing() -> None:
    run = ApplicationRun([job(arm) for arm in ALL[:3]], CPU)
    before = {name: value.clone() for name, value in run.model.named().items()}
    states = [g.get_state() for g in run.model.generators]
    one, two = run.model.record(True), run.model.record(True)
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert all(torch.equal(value, before[name]) for name, value in run.model.named().items())
    assert all(
        torch.equal(g.get_state(), state)
        for g, state in zip(run.model.generators, states, strict=True)
    )


def test_the_rates_fall_by_the_decay_every_two_epochs() -> None:
    one = job("baseline", model=replace(MODEL, decay=0.5), schedule="constant")  # type: ignore[arg-type]
    factors = [one.application.factor(one, step) for step in range(13)]  # type: ignore[attr-defined]
    assert factors == [1.0] * 6 + [0.5] * 6 + [0.25]  # an epoch is 96 / 32 steps


# ---------------------------------------------------------------- layers of a cell


def passed(layer: CellNoise | CellDropout, x: Tensor, training: bool, noisy: bool) -> Tensor:
    noise = [torch.Generator().manual_seed(k) for k in range(len(x))]
    return layer.build((x.shape[-1],)).forward(x, [], [], Pass(training, noise, noisy))


def test_each_cell_has_its_own_noise_in_training_and_where_a_pass_is_noisy() -> None:
    x = torch.zeros(3, 400, 50)
    layer = CellNoise((0.0, 0.5, 2.0))
    for how in ((True, False), (False, True)):
        found = passed(layer, x, *how)
        assert found.std((1, 2)).tolist() == pytest.approx([0.0, 0.5, 2.0], rel=0.02)
    assert torch.equal(passed(layer, x, False, False), x)


def test_each_cell_drops_its_own_share_and_keeps_the_mean() -> None:
    x = torch.ones(3, 400, 50)
    layer = CellDropout((0.0, 0.5, 0.2))
    found = passed(layer, x, True, False)
    assert (found == 0).float().mean((1, 2)).tolist() == pytest.approx([0.0, 0.5, 0.2], abs=0.01)
    assert found.mean((1, 2)).tolist() == pytest.approx([1.0, 1.0, 1.0], abs=0.02)
    assert torch.equal(passed(layer, x, False, True), x)


def test_a_cell_without_noise_draws_nothing() -> None:
    x = torch.zeros(2, 4, 5)
    noise = [torch.Generator().manual_seed(k) for k in range(2)]
    states = [g.get_state() for g in noise]
    CellNoise((0.0, 1.0)).build((5,)).forward(x, [], [], Pass(True, noise))
    assert torch.equal(noise[0].get_state(), states[0])
    assert not torch.equal(noise[1].get_state(), states[1])


def test_a_layer_of_other_cells_is_refused() -> None:
    with pytest.raises(ValueError, match="a layer of 2 cells needs as many cells and generators"):
        passed(CellNoise((1.0, 1.0)), torch.zeros(3, 4, 5), True, False)


# ------------------------------------------------------------------------ bad input


@pytest.mark.parametrize("name", ["vib", "mine_gaussian", "mine_propagated", "mine_additive"])
def test_a_beta_below_0_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"beta must be a number >= 0, got -0.1: give one"):
        job(f"{name}(beta=-0.1)")


def test_an_arm_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="expected an arm among .*'baseline'.*got 'mine'"):
        job("mine")


def test_a_batch_larger_than_the_training_images_is_refused() -> None:
    with pytest.raises(ValueError, match="train.batch_size must be at most model.n_train=96"):
        job("baseline", batch_size=97)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("n_train", 1180, "at most the 1198 training images of digits together, got 1244"),
        ("n_validation", 0, "model.n_validation must be a whole number >= 1, got 0"),
        ("hidden", (), "model.hidden must be widths"),
        ("hidden", (0,), "model.hidden must be widths"),
        ("dropout", 1.0, r"model.dropout must be in \[0, 1\)"),
        ("noise", -0.1, "model.noise at least 0"),
    ],
)
def test_a_model_that_cannot_be_is_refused(field: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(MODEL, **{field: value})  # type: ignore[arg-type]


def test_the_arms_are_what_their_names_say() -> None:
    assert ARMS.resolve("vib(beta=0.1)").rate == 0.1 and ARMS.resolve("vib(beta=0.1)").beta == 0.0
    additive, propagated = (
        ARMS.resolve(f"mine_{n}(beta=0.1)") for n in ("additive", "propagated")
    )
    assert additive.image_noise and not additive.hidden_noise and not additive.gaussian
    assert propagated.image_noise and propagated.hidden_noise and not propagated.gaussian
