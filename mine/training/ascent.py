r"""One step of gradient ascent of K critics, and their bound as a term of another model's loss.

An `Ascent` is what steps a critic's parameters: nothing else in the project does. The training
loop (`mine.training.loop`) owns one and feeds it batches. A generator, an encoder or any other
model beside the critics is trained with one as follows, where z are the model's outputs:

    for each step of the model:
        ascent.ascend(z.detach(), y, pairing)        once or more: the critics follow the model
        loss = task_loss + beta * ascent.bound(z, y, pairing).sum()
        loss.backward()                              reaches the model, not the critics

The two have different gradients. `ascend` follows the objective: MINE's is corrected by a moving
average (Eq. 12 of Belghazi et al. 2018, https://arxiv.org/abs/1801.04062). `bound` is the plain
value that is reported, for MINE the bound of Donsker and Varadhan, and its gradient goes through
the samples (their Sec. 5).

Minimising a lower bound has no floor: the model lowers it without lowering I where the critics
fall behind. Ascend several times for each step of the model.

Shapes: K cells, B joint pairs, m B marginal pairs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from mine.critics.protocol import Critic
from mine.data.pairs import Pairing
from mine.method.bound import Bound
from mine.method.objective import Objective, State
from mine.training.clipping import clip_each
from mine.training.optimizers import Optimizer, make_optimizer
from mine.training.settings import Training
from mine.training.state import fits


@dataclass
class Ascent:
    """K critics and all that their steps read and write, made by `make_ascent`.

    Attributes:
        critic: K stacked critics.
        objective: what is ascended.
        reported: the value of `bound`, a function of critic values.
        objective_state: the moving averages.
        optimizer: steps theta.
        highest: the highest learning rate of each group of cells, (groups,).
        rates: the learning rate of each group at the next step, (groups,); read anew at each.
        ema_rate: (K,).
        max_grad_norm: clips each cell's gradient to this norm; 0 for no clipping.
    """

    critic: Critic
    objective: Objective
    reported: Bound
    objective_state: State
    optimizer: Optimizer
    highest: Tensor
    rates: Tensor
    ema_rate: Tensor
    max_grad_norm: float

    @torch.no_grad()
    def ascend(self, x: Tensor, y: Tensor, pairing: Pairing) -> tuple[Tensor, Tensor]:
        """One step of the optimizer, of every cell. The samples are taken as constants.

        The host does not wait for the device, and no memory for parameters is made.

        Args:
            x: (K, B, dx).
            y: (K, rows, dy); the first B rows are joint with x.
            pairing: which y the marginal pairs take, m of them for each x.

        Returns:
            T before the step on joint pairs (K, B) and on marginal pairs (K, m B), views of a
            buffer that the next call overwrites.
        """
        values = self.critic.values(x.detach(), y.detach(), pairing)
        *gradients, state = self.objective.descent(*values, self.objective_state, self.ema_rate)
        for old, new in zip(self.objective_state, state, strict=True):
            old.copy_(new)
        self.critic.backward(*gradients)
        if self.max_grad_norm > 0:
            clip_each(self.critic, self.max_grad_norm)
        self.optimizer.step()
        return values

    @torch.enable_grad()
    def bound(self, x: Tensor, y: Tensor, pairing: Pairing) -> Tensor:
        """The reported bound of each cell in nats, (K,), differentiable in x and y.

        The parameters are constants of its graph, which has to be gone through before they are
        stepped again. There is a graph even where the caller has disabled gradients.

        Args:
            x: (K, B, dx).
            y: (K, rows, dy); the first B rows are joint with x.
            pairing: which y the marginal pairs take, m of them for each x.

        Raises:
            TypeError: this kind of critic has no differentiable value.
        """
        return self.reported(*self.critic.differentiable(x, y, pairing))

    def set_rates(self, rates: Tensor) -> None:
        """Sets the learning rates from the next step on.

        Args:
            rates: of each group of cells, (groups,); ``highest`` times a factor, as a rule.
        """
        self.rates.copy_(rates)

    def named(self) -> dict[str, Tensor]:
        """The tensors that later steps depend on; no copies. The learning rates are the
        caller's."""
        return {
            "theta": self.critic.theta,
            **{f"objective.{i}": v for i, v in enumerate(self.objective_state)},
            **{f"optimizer.{name}": v for name, v in self.optimizer.moments.items()},
        }

    def state(self) -> dict[str, Tensor]:
        """A copy of the tensors of `named`: see `restore`."""
        return {name: v.clone() for name, v in self.named().items()}

    @torch.no_grad()
    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Goes on from what `state` returned for equal critics, to the same bits.

        Raises:
            ValueError: it is not the state of such critics.
        """
        named = self.named()
        fits(named, state)
        for name, tensor in named.items():
            tensor.copy_(state[name])


@torch.no_grad()
def make_ascent(
    critic: Critic,
    objective: Objective,
    reported: Bound,
    training: Training,
    learning_rate: Tensor,
    ema_rate: Tensor,
) -> Ascent:
    """The ascent of K new critics, each group of cells at its highest learning rate.

    Args:
        critic: K stacked critics.
        objective: what is ascended.
        reported: the value of `Ascent.bound`, a function of critic values.
        training: names the optimizer, its betas and the clipping; the next two replace its own
            rates.
        learning_rate: (K,); the cells of one rate are a group.
        ema_rate: (K,).
    """
    device = critic.theta.device
    highest, group_of = learning_rate.to(device).unique(return_inverse=True)
    rates = highest.clone()
    return Ascent(
        critic=critic,
        objective=objective,
        reported=reported,
        objective_state=objective.init(critic.k, device),
        optimizer=make_optimizer(training.optimizer, critic, rates, group_of, training.betas),
        highest=highest,
        rates=rates,
        ema_rate=ema_rate.to(device),
        max_grad_norm=training.max_grad_norm,
    )
