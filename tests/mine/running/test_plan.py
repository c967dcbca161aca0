"""Plans: which jobs share a stack, and how many."""

import dataclasses

from hypothesis import given
from hypothesis import strategies as st
from jobs_example import TRAINING, job

from mine.critics.mlp import MLP
from mine.running.plan import plan
from mine.running.stack_sizes import CUDA_HELD_OUT_BYTES, held_out_bytes
from mine.tasks import CorrelatedGaussian, NoiseChannel
from mine.training.settings import Training


def test_jobs_of_one_shape_share_a_stack():
    jobs = [
        job(), job(seed=1), job(NoiseChannel("sin", 0.3)), job(CorrelatedGaussian(2, 0.1)),
        job(method="dv"), job(method="ksg", n=50), job(method="ksg", n=50),
        job(training=dataclasses.replace(TRAINING, learning_rate=1e-4)),
        job(training=dataclasses.replace(TRAINING, steps=21)),
    ]  # fmt: skip
    assert plan(jobs, workers=1) == [(0, 1, 2, 7), (3,), (4,), (5,), (6,), (8,)]


@given(n=st.integers(1, 60), workers=st.integers(1, 9))
def test_every_job_is_in_one_stack_and_stacks_are_even(n, workers):
    jobs = [job(seed=s, critic=MLP((512, 512)), training=Training()) for s in range(n)]
    stacks = plan(jobs, workers=workers)
    sizes = [len(s) for s in stacks]
    assert [i for s in stacks for i in s] == list(range(n))
    assert max(sizes) <= max(jobs[0].stack_size(), 3)
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) >= min(n, 2)
    assert len(stacks) % workers == 0 or len(stacks) == max(1, n // 2)


def test_a_stack_on_cuda_is_larger_than_one_on_a_processor():
    assert job().stack_size("cuda") > 10 * job().stack_size("cpu")


def test_a_stack_on_cuda_has_room_for_its_held_out_rows():
    few, many = job(n_test=100), job(n_test=10**6)
    assert many.stack_size("cpu") == few.stack_size("cpu")
    assert many.stack_size("cuda") < few.stack_size("cuda")
    values = 4 * 10**6 * many.partners
    assert many.stack_size("cuda") * values < CUDA_HELD_OUT_BYTES
    assert held_out_bytes(many.critic, many.source.sizes, 10**6, many.partners) > values
