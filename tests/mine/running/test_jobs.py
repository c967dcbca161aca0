"""Jobs: what their samples are derived from, and what cannot be a job."""

import pytest
import torch
from jobs_example import job

from mine.critics.mlp import MLP
from mine.critics.residual import Residual
from mine.tasks import CorrelatedGaussian


def test_methods_of_one_key_and_seed_see_the_same_samples():
    task = CorrelatedGaussian(1, 0.5)
    a, b = (job(task, method=m, key="same") for m in ("mine", "dv"))
    for purpose in ("test", "batches"):
        x, y = (j.source.task.sample(5, j.generator(purpose)) for j in (a, b))
        assert torch.equal(x[0], y[0])


def test_a_start_needs_rows_that_it_is_fitted_to():
    with pytest.raises(ValueError, match="got a stream of fresh samples: give n"):
        job(critic=Residual(MLP((8,))))
    assert job(critic=Residual(MLP((8,))), n=100)


def test_ksg_needs_a_data_set():
    with pytest.raises(ValueError, match="needs a fixed data set of more than k rows"):
        job(method="ksg")
