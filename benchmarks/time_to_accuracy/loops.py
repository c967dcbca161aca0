"""The contenders: each trains networks and yields, after every so many steps, its critics.

All that happens between two yields is training. What is done with a critic at a yield, such as a
look at its held-out error, is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks import baselines
from benchmarks.cases import SMALL, Shape
from benchmarks.time_to_accuracy.settings import FIRST_SEED, Setting
from mine.critics.modules import stack_modules
from mine.critics.protocol import Critic
from mine.data.batches import Batches, DataSet, Stream, block_steps
from mine.data.generators import generator
from mine.data.sources import Pairs
from mine.data.split import Split
from mine.method.names import METHODS
from mine.method.objective import Objective
from mine.training.loop import train
from mine.training.stack import Stack

STACKED, CAREFUL, NOTEBOOK = "stacked", "careful", "notebook"
LONGER = 2
"""The notebook's loop takes so many times the steps: its batches are smaller."""
ACTIVATIONS: Mapping[str, type[nn.Module]] = {"elu": nn.ELU, "relu": nn.ReLU}

Looks = Iterator[tuple[int, Critic]]
"""(steps done by each network, the critics)."""


@dataclass(frozen=True)
class Data:
    """What one seed trains on, and what it is tested on.

    Attributes:
        batches: what training draws from.
        validation: rows to choose a critic by; None for fresh samples.
        test: fresh samples of the task, which are of no part in the training.
    """

    batches: Batches
    validation: Pairs | None
    test: Pairs


def data_of(setting: Setting, seed: int) -> Data:
    """The same for every contender. Own rows are split as `mine.estimate` does."""
    task = setting.task
    test = task.sample(setting.n_test, generator(seed, "test", setting.name))
    if not setting.rows:
        return Data(Stream(task), None, test)
    x, y = own_rows(setting, seed)
    training, validation, _ = Split().deal(setting.rows, generator(seed, "split", setting.name))
    return Data(DataSet(x[training], y[training]), (x[validation], y[validation]), test)


def own_rows(setting: Setting, seed: int) -> Pairs:
    """All that there are, to train on and to choose by."""
    found: Pairs = setting.task.sample(setting.rows, generator(seed, "rows", setting.name))
    return found


class Contender(Protocol):
    """A way to train; it yields after every `Setting.every` steps of each network."""

    def __call__(self, setting: Setting, seeds: list[int], data: list[Data]) -> Looks: ...


# ------------------------------------------------------------------- one stack


def stacked(setting: Setting, seeds: list[int], data: list[Data]) -> Looks:
    """This suite's core: the seeds are one stack."""
    method, task, training = METHODS.resolve("mine"), setting.task, setting.training
    starts = [generator(seed, "start") for seed in seeds]
    critic = setting.critic.stack(task.dim_x, task.dim_y, starts, "cpu")
    stack = Stack(
        critic,
        [one.batches for one in data],
        [generator(seed, "train", setting.name) for seed in seeds],
        cast(Objective, method.objective),
        method.bound,
        training,
        torch.full((len(seeds),), training.learning_rate),
        torch.full((len(seeds),), training.ema_rate),
    )
    for progress in train(stack, setting.every):
        if progress.step % setting.every == 0 or progress.step == training.steps:
            yield progress.step, critic


# ------------------------------------------------------------- one by one


class Network(nn.Module):
    """A perceptron on the concatenated pair as a function of x and y."""

    def __init__(self, layers: nn.Sequential) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        found: Tensor = self.layers(torch.cat([x, y], -1))
        return found.squeeze(-1)


def network(setting: Setting) -> nn.Sequential:
    """The setting's critic in plain torch, with torch's initial parameters."""
    activation = ACTIVATIONS[setting.critic.activation]
    width, layers = setting.task.dim_x + setting.task.dim_y, []
    for hidden in setting.critic.hidden:
        layers += [nn.Linear(width, hidden), activation(inplace=True)]
        width = hidden
    return nn.Sequential(*layers, nn.Linear(width, 1))


def careful(setting: Setting, seeds: list[int], data: list[Data]) -> Looks:
    """One network in plain torch with the setting's training: see `baselines.careful`."""
    (seed,), (one,) = seeds, data
    t, task, numbers = setting.training, setting.task, generator(seed, "train", setting.name)
    torch.manual_seed(seed)
    net, ema = network(setting), torch.zeros(())
    optimizer = torch.optim.Adam(net.parameters(), lr=t.learning_rate, fused=True)
    block = block_steps(t.batch_size, task.dim_x + task.dim_y)
    step = 0
    while step < t.steps:
        n = min(block, t.steps - step, setting.every - step % setting.every)
        x, y = (v.flatten(0, 1) for v in one.batches.draw(n, t.batch_size, numbers))
        for rows in baselines.pairs(x, y, n, t.marginal_samples):
            optimizer.param_groups[0]["lr"] = t.learning_rate * t.rate(step)
            step += 1
            optimizer.zero_grad(set_to_none=True)
            loss, _ = baselines.careful_loss(net(rows), t.batch_size, ema, step, t.ema_rate)
            loss.backward()
            optimizer.step()
        if step % setting.every == 0 or step == t.steps:
            yield step, stack_modules([Network(net)])


def notebook(setting: Setting, seeds: list[int], data: list[Data]) -> Looks:
    """One network with the settings of most public notebooks: see `baselines.notebook`.

    Two layers of 100, batches of 100 with one marginal sample, Adam at .001 with no schedule. Own
    rows are chosen by numpy; fresh samples are drawn for each batch, which is kinder than a fixed
    set of few.
    """
    (seed,), (one,) = seeds, data
    shape = Shape(SMALL.hidden, min(SMALL.batch, setting.training.batch_size), setting.task.dim_x)
    numbers = generator(seed, "train", setting.name)
    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002  as they do it
    net, ema = baselines.network(shape), torch.ones(())
    optimizer = torch.optim.Adam(net.parameters(), lr=baselines.LEARNING_RATE)
    steps = LONGER * setting.training.steps
    for step in range(1, steps + 1):
        joint, marginal = _notebook_batch(one.batches, shape.batch, numbers)
        loss, value, ema = baselines.notebook_loss(net, joint, marginal, ema)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        value.item()
        if step % (LONGER * setting.every) == 0 or step == steps:
            yield step, stack_modules([Network(net)])


def _notebook_batch(
    source: Batches, batch: int, numbers: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Pairs for the joint and for the marginal pass, (batch, 2d) each."""
    if not isinstance(source, DataSet):
        x, y = source.draw(3, batch, numbers)
        return torch.cat([x[0], y[0]], 1), torch.cat([x[1], y[2]], 1)
    x, y = source.x.numpy(), source.y.numpy()
    joint, others, marginal = (baselines.choose(len(x), batch) for _ in range(3))
    return (
        torch.FloatTensor(np.concatenate([x[joint], y[joint]], 1)),
        torch.FloatTensor(np.concatenate([x[others], y[marginal]], 1)),
    )


CONTENDERS: Mapping[str, Contender] = {
    STACKED: stacked,
    CAREFUL: careful,
    NOTEBOOK: notebook,
}


def seeds_of(setting: Setting, contender: str) -> list[list[int]]:
    """The seeds of each training: one stack of all, or each alone."""
    if contender == STACKED:
        return [[FIRST_SEED + i for i in range(setting.networks)]]
    return [[FIRST_SEED + i] for i in range(setting.single)]
