"""The rounds that a job may have: each is one candidate, with one share of the training rows.

For a method that chooses between candidates, or that asks what more rows are worth, one job means
several trainings: `mine.running.candidates` says which of them are done. For any other method it
is one round, of one training a fold.
"""

from __future__ import annotations

from dataclasses import replace

from mine.critics.mlp import MLP
from mine.critics.starts import started
from mine.data.own_rows import OwnRows
from mine.method.method import Candidate
from mine.running.jobs import Job, fitting


def rounds_of(job: Job) -> list[list[Job]]:
    """The trainings of a job, in order: for each round one job a fold.

    The first candidate comes first, with each share of the training rows, then the second one.
    """
    candidates, shares, folds = job.candidates, job.shares, job.folds
    if not candidates and len(shares) == folds == 1:
        return [[job]]
    if len(shares) > 1:
        job = replace(job, keeps_influences=True)  # of all rounds, for the error of the rise
    return [
        [_part(way, share, fold) for fold in range(folds)]
        for way in ([trained_as(job, one) for one in candidates] or [job])
        for share in shares
    ]


def _part(job: Job, share: float, fold: int) -> Job:
    """One fold of one round. Batches shrink where a share of the rows asks for smaller ones."""
    source, training = job.source, job.training
    if not isinstance(source, OwnRows):
        return job
    split = replace(source.split, share=source.split.share * share, fold=fold)
    if share < 1.0:
        training = fitting(training, split.training_rows(source.sizes[0]))
    return replace(job, source=replace(source, split=split), training=training)


def trained_as(job: Job, candidate: Candidate) -> Job:
    """The job by one candidate. Units that the user asked for go before the candidate's."""
    source, critic = job.source, job.critic
    if isinstance(source, OwnRows):
        source = replace(source, preprocess=source.preprocess or candidate.preprocess)
    if isinstance(critic, MLP):
        critic = started(critic, candidate.start)
    return replace(job, method=candidate.method, source=source, critic=critic)
