"""Early stopping: each cell's critic is the best one on its validation rows."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mine.critics.flat import per_parameter
from mine.critics.protocol import Critic
from mine.data.sources import Dealt
from mine.method.method import Method
from mine.running.held_out_rows import distance_of, on_rows
from mine.training.settings import Training


class EarlyStopping:
    """Keeps each cell's best parameters, and stops a cell after `patience` looks without progress.

    A stopped cell may be left out of the steps that its stack goes on to do: its best parameters,
    its steps and so its estimate no longer change. Without validation rows it does nothing.
    """

    def __init__(
        self,
        method: Method,
        critic: Critic,
        data: Sequence[Dealt],
        training: Training,
        partners: int,
    ) -> None:
        self.rows = [dealt.validation for dealt in data if dealt.validation is not None]
        self.active = bool(self.rows)
        self.distance = distance_of(data)
        self.method, self.critic, self.training, self.partners = method, critic, training, partners
        self.best = torch.full((critic.k,), -torch.inf, device=critic.theta.device)
        self.misses = torch.zeros(critic.k, dtype=torch.int64, device=critic.theta.device)
        self.stopped = torch.zeros_like(self.misses)
        self.theta = critic.theta.clone()

    def look(self, step: int) -> None:
        """Compares the validation values with the best ones, every `validate_every` steps."""
        if not self.active or (step % self.training.validate_every and step < self.training.steps):
            return
        held_out = on_rows(self.critic, self.rows, self.partners, self.distance)
        value = self.method.criterion(held_out.joint, held_out.flat)
        going = self.misses < self.training.patience
        better = going & (value > self.best)
        self.best.copy_(torch.where(better, value, self.best))
        missed = torch.where(going, self.misses + 1, self.misses)
        self.misses.copy_(torch.where(better, 0, missed))
        self.stopped.copy_(torch.where(going, step, self.stopped))
        of_better = per_parameter(self.critic, better)
        self.theta.copy_(torch.where(of_better, self.critic.theta, self.theta))
        self.leave_out_done()

    def leave_out_done(self) -> None:
        """Spares the critic the cells that have stopped."""
        self.critic.leave_out((self.misses >= self.training.patience).tolist())

    def all_done(self) -> bool:
        return self.active and bool((self.misses >= self.training.patience).all())

    def restore(self) -> None:
        """Gives the critic the best parameters, and all cells again."""
        if self.active:
            self.critic.theta.copy_(self.theta)
            self.critic.leave_out([False] * self.critic.k)

    def steps(self, done: int) -> list[int]:
        """Steps that each cell was trained for, of those done."""
        return self.stopped.tolist() if self.active else [done] * self.critic.k

    def untrained(self) -> list[bool]:
        """Whether each cell's best look was the first one, before any step."""
        if not self.active:
            return [False] * self.critic.k
        looks = (self.stopped / self.training.validate_every).ceil()
        return ((looks > 0) & (self.misses >= looks)).tolist()

    def values(self) -> list[float | None]:
        """Each cell's best validation value; None where there are no validation rows."""
        return self.best.tolist() if self.active else [None] * self.critic.k

    def named(self) -> dict[str, Tensor]:
        """All that it remembers, to be saved and written back into."""
        if not self.active:
            return {}
        names = ("best", "misses", "stopped", "theta")
        return {name: getattr(self, name) for name in names}
