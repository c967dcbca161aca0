"""Arms by name, with numbers as parameters."""

import pytest
import torch

from mine.training.arms import Arms, per_cell


def plain():
    return 0.0, 0


def mine(beta: float = 1.0, clip: int = 1):
    return beta, clip


ARMS = Arms(plain, mine)


@pytest.mark.parametrize(
    ("spelling", "arm"),
    [
        ("plain", (0.0, 0)),
        ("mine", (1.0, 1)),
        ("mine(beta=0.3)", (0.3, 1)),
        (" mine( clip=0, beta=2 )", (2.0, 0)),
    ],
)
def test_an_arm_is_its_functions_value(spelling, arm):
    assert ARMS.resolve(spelling) == arm


@pytest.mark.parametrize(
    ("spelling", "message"),
    [
        ("gan", r"expected an arm among \['plain', 'mine'\], got 'gan'"),
        ("mine(gamma=1)", r"expected parameters among \['beta', 'clip'\], got 'gamma'"),
        ("mine(beta=x)", "expected a number for beta, got 'x'"),
    ],
)
def test_an_arm_that_is_not_there_says_what_to_take(spelling, message):
    with pytest.raises(ValueError, match=message):
        ARMS.resolve(spelling)


def test_numbers_become_one_tensor_with_an_entry_a_cell():
    assert torch.equal(per_cell([0, 0.5], "cpu"), torch.tensor([0.0, 0.5]))
