"""The moving average of MINE's gradient."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from mine.method.donsker_varadhan import MINE
from mine.method.moving_average import ema_init, ema_update


def test_the_moving_average_keeps_no_graph():
    t_joint, t_marginal = torch.randn(2, 5), torch.randn(2, 5, requires_grad=True)
    state = MINE.init(2, torch.device("cpu"))
    for _ in range(3):
        _, state = MINE.surrogate(t_joint, t_marginal, state, torch.full((2,), 0.01))
    assert not any(s.requires_grad for s in state)


@given(st.lists(st.floats(-300, 300), min_size=1, max_size=40), st.floats(1e-4, 1.0))
def test_the_moving_average_stays_between_what_it_has_seen(log_means, rate):
    state = ema_init((1,))
    state = tuple(s.double() for s in state)
    for log_mean in log_means:
        log_average, state = ema_update(
            state,
            torch.tensor([log_mean], dtype=torch.float64),
            torch.tensor([rate], dtype=torch.float64),
        )
    assert min(log_means) - 1e-6 <= log_average.item() <= max(log_means) + 1e-6


def test_cells_of_a_stack_have_averages_of_their_own():
    rates, means = torch.tensor([0.01, 0.5]), torch.tensor([[1.0, -3.0], [4.0, 2.0]])
    stacked = ema_init((2,))
    for mean in means:
        together, stacked = ema_update(stacked, mean, rates)
    for k in range(2):
        alone = ema_init((1,))
        for mean in means:
            single, alone = ema_update(alone, mean[k : k + 1], rates[k : k + 1])
        assert single.item() == together[k].item()
