"""A stack that goes through a step group by group computes what one that goes at once does."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from mine.critics import buffers
from mine.critics.buffers import activation_bytes, cell_groups, even_parts, runs
from mine.critics.mlp import MLP
from mine.critics.modules import Modules
from mine.data.pairs import Shifts


class Pair(nn.Module):
    """A network of a user's own."""

    def __init__(self, dx, dy):
        super().__init__()
        self.net = nn.Linear(dx + dy, 1)

    def forward(self, x, y):
        return self.net(torch.cat([x, y], -1)).squeeze(-1)


@torch.no_grad()
@pytest.mark.parametrize("activation", ["elu", "relu", "silu"])
@pytest.mark.parametrize("hidden", [(8,), (16, 8), (8, 16, 8)])
@pytest.mark.parametrize("d", [1, 30], ids=["pairs", "halves"])
def test_a_stack_that_goes_group_by_group_has_the_bits_of_one_that_goes_at_once(
    monkeypatch, activation, hidden, d, generators
):
    """Also where the numbers of a group fill no register. (The matrix products of the processor's
    library round widths such as 5 by where in memory they stand.)"""
    x, y = torch.randn(2, 7, 9, d, generator=generators(1)[0])
    found = []
    for groups in (1, 3):
        monkeypatch.setattr(
            buffers, "GROUP_BYTES", -(-7 // groups) * activation_bytes(hidden, 3 * 9)
        )
        critic = MLP(hidden, activation).stack(d, d, generators(7), "cpu")
        t = [v.clone() for v in critic.values(x, y, Shifts(2))]
        assert len(critic._buffers[9, 11, 2, True].groups) == groups
        critic.backward(*(v / 9 for v in t))
        found.append([*t, critic.grad.clone()])
    for at_once, by_groups in zip(*found, strict=True):
        assert torch.equal(at_once, by_groups)


@torch.no_grad()
@pytest.mark.parametrize("config", [MLP((8, 16, 8)), MLP((16, 8), "silu"), Modules(Pair)], ids=str)
def test_what_is_not_kept_changes_no_value_and_has_no_gradient(monkeypatch, config, generators):
    """Without gradients the groups share one memory, and give the values of separate memories."""
    monkeypatch.setattr(buffers, "GROUP_BYTES", 3 * activation_bytes((8, 16, 8), 27))
    x, y = torch.randn(2, 7, 9, 1, generator=generators(1)[0])
    critic = config.stack(1, 1, generators(7), "cpu")
    kept = [v.clone() for v in critic.values(x, y, Shifts(2))]
    for one, other in zip(kept, critic.values(x, y, Shifts(2), keep=False), strict=True):
        assert torch.equal(one, other)
    with pytest.raises(RuntimeError, match="values of a batch first"):
        critic.backward(*kept)


@torch.no_grad()
@pytest.mark.parametrize("d", [1, 30], ids=["pairs", "halves"])
@pytest.mark.parametrize(
    "left_out", [{0}, {6}, {1, 3, 5}, {0, 1, 2, 4, 5}, set(range(7)), set()], ids=str
)
def test_cells_that_are_left_out_change_no_bit_of_the_others(monkeypatch, d, left_out, generators):
    """And are there again, when they are asked for again."""
    monkeypatch.setattr(buffers, "GROUP_BYTES", 3 * activation_bytes((16, 8), 3 * 9))
    x, y = torch.randn(2, 7, 9, d, generator=generators(1)[0])
    critic = MLP((16, 8)).stack(d, d, generators(7), "cpu")

    def step():
        t = [v.clone() for v in critic.values(x, y, Shifts(2))]
        critic.backward(*(v / 9 for v in t))
        return [*t, *(g.clone() for g in critic.grads)]

    whole = step()
    critic.grad.zero_()
    critic.leave_out([k in left_out for k in range(7)])
    asked = [k for k in range(7) if k not in left_out]
    for part, of_all in zip(step(), whole, strict=True):
        assert torch.equal(part[asked], of_all[asked])
    computed = {k for group in critic._buffers[9, 11, 2, True].groups for k in cells_of(group)}
    assert set(asked) <= computed and len(computed) <= 2 * len(asked)
    critic.leave_out([False] * 7)
    for part, of_all in zip(step(), whole, strict=True):
        assert torch.equal(part, of_all)


def cells_of(group):
    """The cells whose T a group writes."""
    first = group.t_row.storage_offset() // group.t_row.shape[2]
    return range(first, first + len(group.t_row))


@given(st.lists(st.booleans(), min_size=1, max_size=30))
def test_runs_hold_all_wanted_cells_and_no_cell_alone(wanted):
    found = runs(wanted)
    held = [k for run in found for k in range(len(wanted))[run]]
    assert {k for k, want in enumerate(wanted) if want} <= set(held)
    assert all(run.stop - run.start >= min(2, len(wanted)) for run in found)
    assert len(held) <= 2 * sum(wanted)


@given(k=st.integers(1, 50), cell=st.integers(1, 50), budget=st.integers(1, 500))
def test_groups_of_cells_stay_within_their_budget(k, cell, budget):
    groups = cell_groups(k, cell, budget)
    assert [i for group in groups for i in range(k)[group]] == list(range(k))
    largest = max(group.stop - group.start for group in groups)
    assert largest == 1 or largest * cell <= budget or largest <= 3  # no cell alone among several


@pytest.mark.cuda
@torch.no_grad()
def test_held_out_rows_on_cuda_go_group_by_group_within_one_memory(monkeypatch, generators):
    monkeypatch.setattr(buffers, "CUDA_GROUP_BYTES", 3 * activation_bytes((8, 16, 8), 27))
    x, y = torch.randn(2, 7, 9, 1, generator=generators(1)[0]).cuda()
    critic = MLP((8, 16, 8)).stack(1, 1, generators(7), "cuda")
    kept = [v.clone() for v in critic.values(x, y, Shifts(2))]
    for one, other in zip(kept, critic.values(x, y, Shifts(2), keep=False), strict=True):
        torch.testing.assert_close(one, other)
    assert len(critic._buffers[9, 11, 2, True].groups) == 1
    assert len(critic._buffers[9, 11, 2, False].groups) == 3


@given(n=st.integers(1, 50), count=st.integers(1, 60))
def test_even_parts_are_alike_and_none_is_one_of_several(n, count):
    parts = even_parts(n, count)
    sizes = [part.stop - part.start for part in parts]
    assert [i for part in parts for i in range(n)[part]] == list(range(n))
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) >= min(n, 2)
    assert len(parts) == max(1, min(count, n // 2))


@pytest.mark.cuda
@torch.no_grad()
def test_cells_that_are_left_out_on_cuda_move_no_memory_that_a_captured_step_reads(generators):
    x, y = torch.randn(2, 4, 9, 1, generator=generators(1)[0]).cuda()
    critic = MLP((8, 16)).stack(1, 1, generators(4), "cuda")
    critic.values(x, y, Shifts(2))
    groups = critic._buffers[9, 11, 2, True].groups
    critic.leave_out([True, False, False, True])
    assert critic._buffers[9, 11, 2, True].groups is groups
