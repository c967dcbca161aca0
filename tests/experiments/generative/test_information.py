"""I(X; Z) from the encoder's density: closed forms, its ceiling, and the two sides of its bias."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal

from experiments.generative.information import code_information, log_densities
from mine.data.generators import generator


def linear_gaussian(
    n: int, gains: Tensor, seed: int = 0, noise: float = 1.0
) -> tuple[Tensor, Tensor, Tensor]:
    """Codes z = gains x + noise of x ~ N(0, 1): codes, means, scales, (n, d) each."""
    drawn = generator(seed, "encoder")
    means = torch.randn(n, len(gains), generator=drawn) * gains
    scales = torch.full_like(means, noise)
    return means + scales * torch.randn(means.shape, generator=drawn), means, scales


def truth(gains: Tensor, noise: float = 1.0) -> float:
    """I(X; Z) = 1/2 sum log(1 + gain^2 / noise^2), in nats."""
    return float(0.5 * (1 + (gains / noise) ** 2).log().sum())


def test_the_densities_are_those_of_independent_normals() -> None:
    codes, means, scales = torch.randn(3, 5, 4, generator=generator(0, "x"))
    scales = scales.exp()
    expected = Normal(means.double(), scales.double()).log_prob(codes.double()[:, None]).sum(-1)
    torch.testing.assert_close(log_densities(codes, means, scales), expected)


@pytest.mark.parametrize("gains", [[0.0, 0.0], [0.5, 1.0], [1.0, 1.0, 1.0]])
def test_both_values_are_the_closed_form_of_a_linear_encoder(gains: list[float]) -> None:
    strength = torch.tensor(gains)
    values = torch.tensor(
        [code_information(*linear_gaussian(600, strength, seed)) for seed in range(8)]
    )
    spread = float(values[:, 0].std()) / math.sqrt(len(values))
    for value in values.mean(0):
        assert float(value) == pytest.approx(truth(strength), abs=4 * spread + 0.02)


def test_a_code_without_information_has_none() -> None:
    codes, means, scales = linear_gaussian(300, torch.zeros(2))
    lower, upper = code_information(codes, means, scales)
    assert lower == pytest.approx(0, abs=1e-12) and upper == pytest.approx(0, abs=1e-12)


def test_on_average_the_two_values_hold_the_truth_between_them() -> None:
    gains = torch.tensor([3.0, 3.0])
    values = torch.tensor(
        [code_information(*linear_gaussian(20, gains, seed)) for seed in range(200)]
    )
    (lower, upper), errors = values.mean(0), values.std(0) / math.sqrt(len(values))
    assert float(lower + 4 * errors[0]) < truth(gains) < float(upper - 4 * errors[1])


def test_the_lower_value_never_passes_ln_n_and_the_upper_one_does() -> None:
    gains = torch.full((4,), 100.0)
    lower, upper = code_information(*linear_gaussian(50, gains))
    assert lower == pytest.approx(math.log(50), abs=1e-6) and lower <= math.log(50) + 1e-12
    assert upper > 2 * truth(gains) > lower


def test_a_map_of_the_codes_one_to_one_changes_nothing() -> None:
    codes, means, scales = linear_gaussian(200, torch.tensor([1.0, 2.0]))
    moved = code_information(5 * codes + 1, 5 * means + 1, 5 * scales)
    assert moved == pytest.approx(code_information(codes, means, scales), abs=1e-5)


def test_codes_far_from_zero_with_little_noise_lose_no_digits() -> None:
    codes, means, scales = (one.double() for one in linear_gaussian(100, torch.tensor([1.0, 1.0])))
    moved = code_information(1e6 + codes, 1e6 + means, scales)
    assert moved == pytest.approx(code_information(codes, means, scales), abs=1e-6)


def test_where_the_densities_overflow_there_is_no_number() -> None:
    codes, means, scales = linear_gaussian(4, torch.ones(2))
    assert all(map(math.isnan, code_information(codes * math.inf, means, scales)))


@pytest.mark.parametrize("shape", [(1, 2), (3, 3)])
def test_shapes_that_do_not_fit_are_refused(shape: tuple[int, int]) -> None:
    one = torch.ones(shape)
    with pytest.raises(ValueError, match=r"must have one shape \(n, d\) with n of 2 or more"):
        code_information(one, one, torch.ones(shape[0], 2))
