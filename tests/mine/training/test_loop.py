"""The loop: cells keep to themselves, and a cell's failure is its own."""

import dataclasses
import math

import pytest
import torch

from mine.data.generators import generator
from mine.method.donsker_varadhan import DV, MINE, held_out_donsker_varadhan
from mine.method.f_divergence import MINE_F, f_divergence
from mine.method.held_out import held_out_values
from mine.tasks import CorrelatedGaussian
from mine.training.loop import begin, running_mean, train
from mine.training.settings import Training

TASK = CorrelatedGaussian(2, 0.7)
SHORT = Training(steps=50, batch_size=32, learning_rate=3e-3)


def values_of(critic, k):
    """The DV value of each cell on one test set."""
    x, y = (v.expand(k, -1, -1) for v in TASK.sample(500, generator(7, "test")))
    return held_out_donsker_varadhan(held_out_values(critic, x, y, 3))[0].tolist()


@pytest.mark.parametrize("objective", [MINE, MINE_F, DV], ids=["mine", "mine_f", "dv"])
def test_a_stack_of_k_equals_k_single_runs(objective, trained):
    together, last = trained([0, 1, 2], objective=objective)
    values = values_of(together, 3)
    for i in range(3):
        alone, single = trained([i], objective=objective)
        assert values_of(alone, 1)[0] == pytest.approx(values[i], abs=1e-4)
        assert single.train_value[0].item() == pytest.approx(last.train_value[i].item(), abs=1e-4)


def test_parameters_of_a_stack_are_those_of_single_runs(trained):
    """By SGD, since Adam makes a whole step of a gradient's rounding."""
    plain = dataclasses.replace(SHORT, optimizer="SGD", learning_rate=0.1)
    together, _ = trained([0, 1, 2], training=plain)
    for i in range(3):
        alone, _ = trained([i], training=plain)
        for a, b in zip(together.views, alone.views, strict=True):
            torch.testing.assert_close(a[i], b[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [2, 4])
def test_a_cells_bits_do_not_depend_on_its_neighbours(size, trained):
    three, _ = trained([0, 1, 2])
    other, _ = trained([1, *range(10, 9 + size)])
    for a, b in zip(three.views, other.views, strict=True):
        assert torch.equal(a[1], b[0])


def test_the_same_training_twice_gives_the_same_bits(trained):
    assert torch.equal(trained([0, 1])[0].theta, trained([0, 1])[0].theta)


def test_a_diverging_cell_is_marked_and_its_neighbours_do_not_change_by_a_bit(trained):
    calm = [1e-3, 1e-3, 1e-3]
    wild = [1e-3, math.nan, 1e-3]
    healthy, before = trained([0, 1, 2], rates=calm)
    struck, after = trained([0, 1, 2], rates=wild)
    assert before.diverged_at.tolist() == [-1, -1, -1]
    assert after.diverged_at.tolist() == [-1, 1, -1]
    for a, b in zip(healthy.views, struck.views, strict=True):
        assert torch.equal(a[0], b[0])
        assert torch.equal(a[2], b[2])


def test_looking_at_the_value_changes_nothing(stack_of):
    """Evaluation moves no training state: the moving average belongs to the loop."""
    watched, plain = stack_of([0, 1]), stack_of([0, 1])
    x, y = TASK.sample(64, generator(9, "test"))
    for _ in train(watched, every=7):
        held_out_values(watched.critic, x.expand(2, -1, -1), y.expand(2, -1, -1), 3)
    for _ in train(plain, every=7):
        pass
    assert torch.equal(watched.critic.theta, plain.critic.theta)


def test_training_climbs_towards_the_truth(trained):
    longer = dataclasses.replace(SHORT, steps=400, batch_size=128)
    for objective in (MINE, MINE_F, DV):
        _, last = trained([0, 1], training=longer, objective=objective)
        assert all(0.8 * TASK.mi < v < 1.2 * TASK.mi for v in last.train_value.tolist())


def test_memory_does_not_grow_with_the_steps(stack_of):
    """No graph is kept: the moving average is detached, the buffers are allocated once."""
    import gc

    def tensors():
        gc.collect()
        return sum(1 for o in gc.get_objects() if type(o) is torch.Tensor)

    stack = stack_of([0, 1], training=dataclasses.replace(SHORT, steps=300))
    counts = [tensors() for _ in train(stack, every=50)]
    assert counts[-1] <= counts[1]


def test_a_loop_that_is_let_go_leaves_its_memory_at_once(stack_of):
    """Without a garbage collection: on CUDA the next stack needs the memory."""
    import gc
    import weakref

    loop = begin(stack_of([0, 1]))
    theta = weakref.ref(loop.stack.critic.theta)
    gc.disable()
    try:
        for _ in loop.train():
            pass
        del loop
        assert theta() is None
    finally:
        gc.enable()


def test_the_running_mean_of_a_block_is_that_of_its_steps():
    values = torch.randn(9, 4, generator=generator(0, "values"))
    values[3, 1], values[5, 2] = math.nan, math.inf
    before = torch.randn(4, generator=generator(1, "values"))
    mean = before.clone()
    for value in values:
        mean.lerp_(value, 1.0 - 0.98)
    found = running_mean(before, values)
    torch.testing.assert_close(found[[0, 3]], mean[[0, 3]], rtol=1e-5, atol=1e-6)
    assert not torch.isfinite(found[[1, 2]]).any() and not torch.isfinite(mean[[1, 2]]).any()


def test_progress_ends_at_the_last_step_and_meets_every_multiple(stack_of):
    steps = [p.step for p in train(stack_of([0]), every=7)]
    assert steps[-1] == 50
    assert {7, 14, 21, 28} <= set(steps)


@pytest.mark.cuda
def test_cuda_trains_to_the_cpus_value(trained):
    _, cpu = trained([0, 1], training=dataclasses.replace(SHORT, steps=400, batch_size=128))
    _, gpu = trained(
        [0, 1], training=dataclasses.replace(SHORT, steps=400, batch_size=128), device="cuda"
    )
    torch.testing.assert_close(gpu.train_value.cpu(), cpu.train_value, rtol=0.1, atol=0.05)


def test_the_bound_of_the_curve_is_the_stacks(stack_of):
    stack = stack_of([0], objective=MINE_F)
    stack.bound = f_divergence
    *_, by_f = train(stack)
    *_, by_dv = train(stack_of([0], objective=MINE_F))
    assert by_f.train_value.item() < by_dv.train_value.item()


@pytest.mark.parametrize("optimizer", ["Adam", "RMSprop", "SGD"])
@pytest.mark.parametrize("marginal", ["derangement", "shuffle", "independent"])
@pytest.mark.parametrize("rates", [None, [1e-3, 2e-3]])
def test_a_training_taken_up_again_ends_with_the_same_bits(optimizer, marginal, rates, stack_of):
    training = dataclasses.replace(
        SHORT, steps=25, batch_size=3000, optimizer=optimizer, marginal=marginal
    )

    def loop():
        return begin(stack_of([0, 1], training=training, rates=rates))

    whole = loop()
    states = [(p, whole.state()) for p in whole.train()]
    assert len(states) > 2
    for progress, state in states[:-1]:
        again = loop()
        again.restore(state)
        first, *_, last = [*again.train()] * 2
        assert first.step > progress.step
        assert torch.equal(last.train_value, states[-1][0].train_value)
        for name, value in again.state().items():
            assert torch.equal(value, states[-1][1][name]), name


def test_a_state_of_another_stack_is_refused(stack_of):
    loop = begin(stack_of([0, 1]))
    next(loop.train())
    state = loop.state()
    for broken in (
        {k: v for k, v in state.items() if k != "mean_value"},
        {**state, "theta": state["theta"][:-1]},
        {**state, "good": state["good"].float()},
        {**state, "step": torch.tensor(10**6)},
        {**state, "step": torch.tensor(0)},
        {**state, "further": torch.zeros(1)},
    ):
        with pytest.raises(ValueError, match="start anew"):
            loop.restore(broken)
    hostile = {**state, "generator.0": torch.zeros_like(state["generator.0"])}
    with pytest.raises(ValueError, match="states of generators"):
        loop.restore(hostile)
