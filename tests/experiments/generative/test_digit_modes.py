import math

import pytest
import torch

from experiments.generative.digit_modes import MODES, modes_of, scores


def certain(*digits: int) -> torch.Tensor:
    """Probabilities of one image whose digits are certain, (1, 3, 10)."""
    return torch.nn.functional.one_hot(torch.tensor([digits]), 10).double()


def of_all(modes: torch.Tensor) -> tuple[float, float]:
    """Modes and KL of images that are all sure."""
    found = scores(modes, torch.ones(len(modes), dtype=torch.bool))
    assert (found["modes"], found["kl"]) == (found["sure_modes"], found["sure_kl"])
    return found["modes"], found["kl"]


def test_a_mode_is_its_digits_as_hundreds_tens_and_ones() -> None:
    modes, sure = modes_of(torch.cat([certain(4, 0, 7), certain(0, 0, 9)]))
    assert modes.tolist() == [407, 9] and sure.tolist() == [True, True]


def test_an_image_is_sure_only_where_all_three_digits_are() -> None:
    two_of_three = certain(1, 2, 3)
    two_of_three[0, 1] = 0.1  # all digits equal: 0 is chosen, and is not sure
    modes, sure = modes_of(two_of_three)
    assert modes.tolist() == [103] and sure.tolist() == [False]


def test_equal_shares_have_a_kl_of_0_and_one_mode_has_log_1000() -> None:
    assert of_all(torch.arange(MODES).repeat(3)) == (MODES, pytest.approx(0.0, abs=1e-12))
    assert of_all(torch.full((50,), 123)) == (1, pytest.approx(math.log(MODES)))
    assert of_all(torch.arange(500)) == (500, pytest.approx(math.log(2.0)))


def test_perfect_samples_have_the_kl_that_their_number_gives() -> None:
    n = 26_000
    drawn = torch.randint(MODES, (n,), generator=torch.Generator().manual_seed(0))
    assert of_all(drawn) == (MODES, pytest.approx((MODES - 1) / (2 * n), rel=0.15))


def test_sure_images_are_scored_apart() -> None:
    found = scores(torch.tensor([1, 2, 2, 3]), torch.tensor([False, True, True, False]))
    assert (found["modes"], found["sure"], found["sure_modes"]) == (3, 0.5, 1)
    assert found["sure_kl"] == pytest.approx(math.log(MODES))


def test_without_a_sure_image_no_mode_is_captured() -> None:
    found = scores(torch.tensor([1, 2]), torch.tensor([False, False]))
    assert (found["sure_modes"], found["sure_kl"]) == (0, pytest.approx(math.log(MODES)))
