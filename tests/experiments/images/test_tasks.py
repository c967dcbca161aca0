"""Images: Y is X's first rows, no image is in two parts, none is its own marginal partner."""

import math
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pytest
import torch

from experiments.images.tasks import VIEWS, ImageBatches, TopRows
from mine.critics.convolutional import Convolutional
from mine.data.generators import generator
from mine.data.sources import Source, of_task
from mine.method.names import METHODS
from mine.running.events import Done
from mine.running.jobs import Job
from mine.running.plan import plan
from mine.running.run import run
from mine.training.settings import Training


@dataclass(frozen=True)
class Numbered:
    """n images of 4 x 4 with 0 ... n - 1 in every pixel."""

    n: int = 100
    side: int = 4
    white: int = 255

    def images(self):
        return np.arange(self.n, dtype=np.uint8)[:, None, None].repeat(4, 1).repeat(4, 2)


SET = Numbered()


def dealt(view="one", rows=2, n_test=1000, seed=0, key=""):
    drop = 1 if view == "same" else 0
    return TopRows(SET, rows, view, drop).deal(seed, key, n_test, torch.device("cpu"))


def which(x):
    """The numbers of the images whose first pixels are in x (n, m * 16): (n, m)."""
    return (x.unflatten(-1, (-1, 16))[..., 0] * 255).round().int()


def test_y_is_the_first_rows_of_x_and_black_below():
    levels = torch.arange(32).view(2, 16)
    for t in range(5):
        x, y = TopRows(SET, t).pairs(levels, levels)
        assert torch.equal(x, levels / 255.0)
        assert torch.equal(y[:, : 4 * t], x[:, : 4 * t])
        assert bool((y[:, 4 * t :] == 0).all())


def test_the_views_are_a_copy_with_fewer_rows_and_two_images_with_as_many():
    one, two = torch.arange(32).view(2, 16), torch.arange(32, 64).view(2, 16)
    x, y = TopRows(SET, 3, "same", 2).pairs(one, two)
    assert torch.equal(x, torch.cat([one, one], 1) / 255)
    assert torch.equal(y[:, :12], x[:, :12]) and torch.equal(y[:, 16:20], x[:, 16:20])
    assert bool((y[:, 12:16] == 0).all()) and bool((y[:, 20:] == 0).all())
    x, y = TopRows(SET, 1, "two").pairs(one, two)
    assert torch.equal(x, torch.cat([one, two], 1) / 255)
    assert torch.equal(y[:, :4], x[:, :4]) and torch.equal(y[:, 16:20], x[:, 16:20])
    assert bool((y[:, 4:16] == 0).all()) and bool((y[:, 20:] == 0).all())


@pytest.mark.parametrize("view", VIEWS)
def test_no_image_is_in_two_parts(view):
    found = dealt(view)
    x, _ = found.batches.draw(40, 20, generator(0, "batches"))
    parts = [set(which(v).flatten().tolist()) for v in (x, found.validation[0], found.test[0])]
    assert [len(part) for part in parts] == [60, 20, 20] and found.n_train == 60
    assert not any(a & b for a, b in combinations(parts, 2))
    assert set(which(found.seen[0]).flatten().tolist()) <= parts[0]


def test_the_split_is_the_seeds_whatever_the_view_and_the_key():
    tests = {
        (seed, view): set(which(dealt(view, seed=seed, key=view).test[0]).flatten().tolist())
        for seed in (0, 1)
        for view in VIEWS
    }
    for view in VIEWS:
        assert tests[0, view] == tests[0, "one"] != tests[1, view]


@pytest.mark.parametrize("view", VIEWS)
def test_no_image_comes_twice_on_one_side_of_a_batch_or_of_the_test(view):
    found = dealt(view)
    x, _ = found.batches.draw(7, 30, generator(0, "batches"))
    for batch in (*which(x), which(found.test[0])):
        for image in batch.T:
            assert len(image.unique()) == len(image)
    if view == "two":  # and the two images are drawn apart
        assert bool((which(x)[..., 0] != which(x)[..., 1]).any())


def test_fewer_test_rows_are_taken_where_fewer_are_asked_for():
    assert len(dealt(n_test=7).test[0]) == 7


def test_a_batch_of_more_than_the_training_images_is_refused():
    with pytest.raises(ValueError, match="batch_size=61 for 60 of them"):
        ImageBatches(TopRows(SET, 1), dealt().batches.levels).draw(1, 61, generator(0, "batches"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rows": 5}, "rows must be .* the image's 4, got 5"),
        ({"rows": -1}, "rows must be"),
        ({"rows": 2, "view": "three"}, "view must be one of"),
        ({"rows": 2, "drop": 1}, "drop must be .* to 0 for view 'one'"),
        ({"rows": 2, "view": "same", "drop": 3}, "drop must be .* to 2"),
    ],
)
def test_a_view_that_cannot_be_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        TopRows(SET, **options)


@pytest.mark.parametrize("method", ["ksg", "gaussian"])
def test_a_set_of_images_is_for_networks_alone(method):
    with pytest.raises(ValueError, match="of images, take a method that trains a network"):
        Job(TopRows(SET, 1), METHODS[method])
    with pytest.raises(ValueError, match="deals itself to networks"):
        TopRows(SET, 1).all_rows(0, "")


def test_a_set_of_images_is_taken_whole():
    assert of_task(TopRows(SET, 1)) == TopRows(SET, 1)
    with pytest.raises(ValueError, match="a finite set deals itself, got n=50"):
        of_task(TopRows(SET, 1), n=50)


def image_job(**changes):
    critic = Convolutional(4, (4,), (8,))
    training = Training(steps=60, batch_size=30, validate_every=20, patience=1)
    job = Job(TopRows(SET, 2), METHODS["mine"], training=training, critic=critic, n_test=500)
    return replace(job, **changes)


def estimates(jobs):
    done = {n.job: n.outcome for n in run(jobs, "cpu", workers=1) if isinstance(n, Done)}
    return [done[i] for i in range(len(jobs))]


def test_a_job_on_images_is_trained_and_tested_and_has_no_truth():
    job = image_job()
    assert isinstance(job.source, Source) and not hasattr(job.source.task, "mi")
    (e,) = estimates([job])
    assert (e.n_train, e.n_test) == (60, 20)
    assert math.isfinite(e.nats) and math.isfinite(e.train_nats)


def test_a_constant_y_has_nothing_to_tell_and_an_image_has():
    training = Training(steps=300, batch_size=30, learning_rate=1e-2)
    nothing, all_of_it = (
        image_job(source=TopRows(SET, t), training=training, key=str(t)) for t in (0, 4)
    )
    found = estimates([nothing, all_of_it])
    assert abs(found[0].nats) < 0.2 and found[1].nats > 0.5


def test_images_and_tasks_of_equal_shape_do_not_share_a_stack():
    from mine.tasks import CorrelatedGaussian

    image = image_job()
    task = replace(image, source=of_task(CorrelatedGaussian(16, 0.5)))
    assert sorted(plan([image, task, image, task], "cpu", 1)) == [(0, 2), (1, 3)]


def test_a_stack_of_larger_images_holds_fewer_critics():
    sizes = []
    for side in (4, 8, 28):
        job = image_job(
            source=TopRows(Numbered(side=side), 2), critic=Convolutional(side, (4,), (8,))
        )
        sizes.append(job.stack_size())
    assert sizes[0] > sizes[1] > sizes[2] >= 1
    halved = (9 * 2 + 2 * 4) * 14**2 + 2 * 8  # patches and two of 4 channels, twice 8 hidden
    assert job.critic.activations(28**2, 28**2) == halved
    assert sizes[2] == (12 << 20) // (4 * 30 * 3 * halved)


def test_the_best_critic_by_the_validation_images_is_kept():
    """With patience 1 the training ends at the first look that is no better."""
    training = Training(
        steps=400, batch_size=30, learning_rate=0.3, validate_every=20, patience=1,
        schedule="constant",
    )  # fmt: skip
    (e,) = estimates([image_job(training=training)])
    assert e.steps < 400 and e.steps % 20 == 0
