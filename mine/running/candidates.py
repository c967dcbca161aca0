"""A stack of estimations from its rows to its estimates: all rounds, one after the other."""

from __future__ import annotations

import math
import statistics
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TypeVar

import numpy as np
import torch

from mine.data.sources import Dealt
from mine.method.method import UNSEEN
from mine.running.estimates import Estimate
from mine.running.extrapolation import extrapolated
from mine.running.jobs import Job
from mine.running.pooling import pooled
from mine.running.rounds import rounds_of
from mine.running.stack_run import StackRun
from mine.running.stack_training import Moment, State

T = TypeVar("T")


@dataclass(frozen=True)
class Round:
    """Trainings of one candidate, with one share of the training rows.

    Attributes:
        candidate: its place; 0 where there are none.
        share: the place of the share.
        members: the places of the jobs.
    """

    candidate: int
    share: int
    members: tuple[int, ...]


class Candidates:
    """The rounds of a stack of jobs. Each is a `StackRun` whose cells are the folds of its jobs.

    First each candidate is trained with all of the training rows, for all jobs; then, for each
    job, with its other shares, the one that validation rows choose.

    Attributes:
        rounds: those that are known: the later ones are when the first ones have ended.
        ended: the last state of each round that has ended.
        found: the estimates of each round that has ended, one a job.
        current: the round in training.
    """

    def __init__(self, jobs: Sequence[Job], device: torch.device) -> None:
        self.jobs, self.device = jobs, device
        self.parts = [rounds_of(job) for job in jobs]
        self.folds, self.shares = jobs[0].folds, len(jobs[0].shares)
        self.ways = len(self.parts[0]) // self.shares
        everyone = tuple(range(len(jobs)))
        self.rounds = [Round(way, 0, everyone) for way in range(self.ways)]
        self.ended: list[State] = []
        self.found: list[dict[int, Estimate]] = []
        self.values = [math.nan] * len(jobs)
        self.current = self._begun(self.rounds[0], {})

    def _begun(self, of: Round, dealt: Mapping[Hashable, Dealt]) -> StackRun:
        place = of.candidate * self.shares + of.share
        parts = [self.parts[i][place] for i in of.members]
        is_choice = self.ways > 1 and of.share == 0
        return StackRun(list(chain.from_iterable(parts)), self.device, dealt, is_choice)

    def train(self) -> Iterator[Moment]:
        while True:
            place = len(self.found)
            is_last = place == len(self.rounds) - 1 and (self.shares == 1 or place >= self.ways)
            # No variable holds the last moment, which holds the round: its memory is free before
            # the next round begins.
            if not self.current.nothing_to_train:
                yield from (self._of_jobs(moment, is_last) for moment in self.current.train())
            if is_last:
                self._end()
                return
            self._next(self.current.state())

    def _of_jobs(self, moment: Moment, is_last: bool) -> Moment:
        """A moment of the current round, as one of all jobs: their folds together."""
        members = self.rounds[len(self.found)].members
        for i, of_job in zip(members, self._by_job(moment.values), strict=True):
            self.values[i] = statistics.fmean(of_job)
        return replace(
            moment,
            steps=moment.steps * self.folds * len(members) // len(self.jobs),
            values=tuple(self.values),
            last=moment.last and is_last,
            state=self.state,
        )

    def _end(self) -> None:
        """Keeps what the current round found, and says what comes after the first ones."""
        members = self.rounds[len(self.found)].members
        pools = map(pooled, self._by_job(self.current.estimates()))
        self.found.append(dict(zip(members, pools, strict=True)))
        if len(self.found) == self.ways:
            self.rounds += self._of_the_chosen()

    def _of_the_chosen(self) -> list[Round]:
        """The other shares of each candidate, for the jobs that chose it."""
        picked = [self._pick(i) for i in range(len(self.jobs))]
        members = [
            tuple(i for i, way in enumerate(picked) if way == of) for of in range(self.ways)
        ]
        return [
            Round(way, share, members[way])
            for way in range(self.ways)
            for share in range(1, self.shares)
            if members[way]
        ]

    def _pick(self, i: int) -> int:
        """The candidate of a job with the highest validation value; of equal ones the first.

        One that found no start of its own is not chosen: its value would be no finding.
        """
        candidates = self.jobs[i].candidates

        def worth(way: int) -> float:
            found = self.found[way][i]
            has_start = bool(candidates) and bool(candidates[way].start)
            return -math.inf if has_start and found.untrained else _validation(found)

        return max(range(self.ways), key=worth)

    def _next(self, state: State) -> None:
        """Ends the current round and begins the next one."""
        self.ended.append(state)
        self._end()
        dealt = self.current.dealt
        del self.current  # its memory goes to the next round
        self.current = self._begun(self.rounds[len(self.found)], dealt)

    def _by_job(self, of_cells: Sequence[T]) -> list[Sequence[T]]:
        """The values of a round's cells, the folds of each job together."""
        return [of_cells[i : i + self.folds] for i in range(0, len(of_cells), self.folds)]

    def outcomes(self) -> list[Estimate]:
        """One a job, when all rounds have ended."""
        return [self._outcome(i, job) for i, job in enumerate(self.jobs)]

    def _outcome(self, i: int, job: Job) -> Estimate:
        """The chosen candidate's value, extrapolated from its shares."""
        way = self._pick(i)
        whole, *others = (
            found[i]
            for of, found in zip(self.rounds, self.found, strict=True)
            if of.candidate == way and i in of.members
        )
        hangs = job.source.split is not None and job.source.split.dependence is not None
        columns = sum(job.source.sizes[1:])
        unseen = job.candidates[way].unseen if job.candidates else UNSEEN
        e = extrapolated(whole, others[0] if others else None, hangs, unseen, columns)
        if not job.keeps_influences:
            e = replace(e, influences=())
        if not job.candidates:
            return e
        return replace(e, method=job.method.name, chosen=str(job.candidates[way]))

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
        if not 0 < count <= self.ways * self.shares:
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


def _validation(e: Estimate) -> float:
    value = e.validation_nats
    return value if value is not None and math.isfinite(value) else -math.inf
