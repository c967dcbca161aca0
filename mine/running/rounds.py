"""The rounds of a job: each is one candidate, with one share of the training rows.

For a method that chooses between candidates, or that asks what more rows are worth, one job means
several trainings. For any other method it is one round, of one training a fold.
"""

from __future__ import annotations

from dataclasses import replace

from mine.critics.mlp import MLP
from mine.critics.residual import Residual
from mine.data.own_rows import OwnRows
from mine.method.method import Candidate
from mine.running.jobs import Job, fitting


def rounds_of(job: Job) -> list[list[Job]]:
    """The trainings of a job, in order: for each round one job a fold.

    The first candidate comes first, with each share of the training rows, then the second one.
    """
    if job.source.split is None:
        return [[job]]
    return [
        [_part(job, candidate, share, fold) for fold in range(job.folds)]
        for candidate in job.candidates or (None,)
        for share in job.shares
    ]


def _part(job: Job, candidate: Candidate | None, share: float, fold: int) -> Job:
    """One fold of one round. Batches shrink where a share of the rows asks for smaller ones."""
    way = trained_as(job, candidate) if candidate else job
    source, training = way.source, way.training
    if not isinstance(source, OwnRows):
        return way
    split = replace(source.split, share=source.split.share * share, fold=fold)
    if share < 1.0:
        training = fitting(training, split.training_rows(source.sizes[0]))
    return replace(
        way,
        source=replace(source, split=split),
        training=training,
        keeps_influences=job.keeps_influences or len(job.shares) > 1,
    )


def trained_as(job: Job, candidate: Candidate) -> Job:
    """The job by one candidate. Units that the user asked for go before the candidate's."""
    source, critic = job.source, job.critic
    if isinstance(source, OwnRows):
        source = replace(source, preprocess=source.preprocess or candidate.preprocess)
    if candidate.residual and isinstance(critic, MLP):
        critic = Residual(critic)
    return replace(job, method=candidate.method, source=source, critic=critic)
