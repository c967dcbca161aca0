"""log E_q[e^T]: the constant that Donsker and Varadhan leave free."""

import pytest
import torch

from experiments.probes.names import METHODS
from mine.method.donsker_varadhan import DV, held_out_donsker_varadhan
from mine.method.held_out import HeldOutValues


def test_the_constant_is_what_dv_leaves_free():
    """E_p[T] is DV's value and C; a shift of T moves C by as much; a lone constant is refused."""
    joint, marginal = torch.randn(2, 50), torch.randn(2, 3, 50)
    met = torch.stack([torch.arange(50).roll(j + 1) for j in range(3)])
    values = HeldOutValues(joint, marginal, met)
    pair = METHODS["dv/constant"]
    found, error = pair.test(values)
    torch.testing.assert_close(found + held_out_donsker_varadhan(values)[0], joint.mean(-1))
    torch.testing.assert_close(found, pair.bound(joint, marginal.flatten(1)))
    shifted = HeldOutValues(joint + 2.5, marginal + 2.5, met)
    torch.testing.assert_close(pair.test(shifted)[0], found + 2.5)
    torch.testing.assert_close(pair.test(shifted)[1], error)
    assert pair.objective is DV and METHODS["remine(alpha=1)/constant"].parameters["alpha"] == 1.0
    assert "constant" not in list(METHODS)
    with pytest.raises(ValueError, match="trains nothing .* as in 'mine/constant'"):
        METHODS["constant"]
