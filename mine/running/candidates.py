"""A stack of estimations from its rows to its estimates: all rounds, one after the other."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import TypeVar

import numpy as np
import torch

from mine.running.estimates import Estimate
from mine.running.extrapolation import extrapolated
from mine.running.jobs import Job
from mine.running.pooling import pooled
from mine.running.rounds import rounds_of
from mine.running.stack_run import StackRun
from mine.running.stack_training import Moment, State

T = TypeVar("T")


class Candidates:
    """The rounds of a stack of jobs. Each is a `StackRun` whose cells are the folds of all jobs.

    Attributes:
        rounds: the jobs of each round, fold by fold, job by job.
        ended: the last state of each round that has ended.
        found: the estimates of each round that has ended.
        current: the round in training.
    """

    def __init__(self, jobs: Sequence[Job], device: torch.device) -> None:
        self.jobs, self.device = jobs, device
        of_jobs = [rounds_of(job) for job in jobs]
        self.folds = len(of_jobs[0][0])
        self.rounds = [list(chain.from_iterable(of)) for of in zip(*of_jobs, strict=True)]
        self.ended: list[State] = []
        self.found: list[list[Estimate]] = []
        self.current = StackRun(self.rounds[0], device)

    def train(self) -> Iterator[Moment]:
        while True:
            is_last = len(self.found) == len(self.rounds) - 1
            # No variable holds the last moment, which holds the round: its memory is free before
            # the next round begins.
            yield from (self._of_jobs(moment, is_last) for moment in self.current.train())
            if is_last:
                self.found.append(self.current.estimates())
                return
            self._next(self.current.state())

    def _of_jobs(self, moment: Moment, is_last: bool) -> Moment:
        """A moment of the current round, as one of the jobs: their folds together."""
        return replace(
            moment,
            steps=moment.steps * self.folds,
            values=tuple(statistics.fmean(of_job) for of_job in self._by_job(moment.values)),
            last=moment.last and is_last,
            state=self.state,
        )

    def _next(self, state: State) -> None:
        """Ends the current round and begins the next one."""
        self.ended.append(state)
        self.found.append(self.current.estimates())
        del self.current  # its memory goes to the next round
        self.current = StackRun(self.rounds[len(self.found)], self.device)

    def _by_job(self, of_cells: Sequence[T]) -> list[Sequence[T]]:
        """The values of a round's cells, the folds of each job together."""
        return [of_cells[i : i + self.folds] for i in range(0, len(of_cells), self.folds)]

    def outcomes(self) -> list[Estimate]:
        """One a job, when all rounds have ended."""
        of_rounds = [[pooled(folds) for folds in self._by_job(found)] for found in self.found]
        return [chosen(job, found) for job, *found in zip(self.jobs, *of_rounds, strict=True)]

    def state(self) -> State:
        """The states of all rounds so far, and the number of steps that they have done."""
        states = [*self.ended, self.current.state()]
        found = {f"{i}.{name}": v for i, of in enumerate(states) for name, v in of.items()}
        return found | {"step": np.array(sum(int(of["loop.step"]) for of in states))}

    def take_up(self, state: State) -> None:
        """Goes on from a state that `state` gave, to the same bits.

        Raises:
            ValueError: it is no state of such a stack; this object is then of no more use.
        """
        count = len({name.partition(".")[0] for name in state} - {"step"})
        if not 0 < count <= len(self.rounds):
            raise ValueError(
                f"expected the state of a stack like this one, got one of {count} candidates: "
                "start anew"
            )
        for i in range(count):
            prefix = f"{i}."
            of = {n.removeprefix(prefix): v for n, v in state.items() if n.startswith(prefix)}
            self.current.take_up(of)
            if i < count - 1:
                self._next(of)


def chosen(job: Job, rounds: Sequence[Estimate]) -> Estimate:
    """A job's estimate from those of its rounds.

    The shares of each candidate become one value by extrapolation. Of several candidates the one
    with the highest validation value is chosen.
    """
    shares = len(job.shares)
    hangs = job.source.split is not None and job.source.split.dependence is not None
    trained = [rounds[i : i + shares] for i in range(0, len(rounds), shares)]
    ways = [extrapolated(of[0], of[1] if shares > 1 else None, hangs) for of in trained]
    if not job.keeps_influences:
        ways = [replace(e, influences=()) for e in ways]
    names = [str(candidate) for candidate in job.candidates]
    if not names:
        return ways[0]
    named = zip(names, ways, strict=True)
    return max(
        (replace(e, method=job.method.name, chosen=name) for name, e in named), key=_by_validation
    )


def _by_validation(e: Estimate) -> float:
    value = e.validation_nats
    return value if value is not None and math.isfinite(value) else -math.inf
