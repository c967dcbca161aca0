"""The arms of a comparison of generators, by name."""

from __future__ import annotations

import pytest

from experiments.generative.arms import ARMS, Arm


def test_arms_are_what_their_names_say() -> None:
    assert ARMS.resolve("gan") == Arm(beta=0.0, clip=True, penalty=0.0)
    assert ARMS.resolve("mine") == Arm(beta=1.0, clip=True)
    assert ARMS.resolve("mine(beta=0.3)") == Arm(beta=0.3, clip=True)
    assert ARMS.resolve("mine(clip=0)") == Arm(beta=1.0, clip=False)
    assert ARMS.resolve("penalty") == Arm(beta=0.0, penalty=1.0)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mine(beta=-0.1)", "beta of an arm must be a number >= 0, got -0.1"),
        ("penalty(weight=-1)", "weight of an arm must be a number >= 0, got -1"),
        ("wgan", "expected an arm among"),
    ],
)
def test_an_arm_that_cannot_be_is_refused(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ARMS.resolve(name)
