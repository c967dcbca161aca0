"""Permuted copies of many pairs, of which those that hope for nothing get no more.

Besag and Clifford, "Sequential Monte Carlo p-values", Biometrika 78 (1991),
https://doi.org/10.1093/biomet/78.2.301: copies are made until `HOPELESS` of them reach the pair's
value, or all that were asked for are made. With l copies until then the p-value HOPELESS / l keeps
every level, and so does the larger one of `Estimate`, (1 + HOPELESS) / (1 + l).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mine.estimators.requests import Request, copies_of, estimates_of
from mine.running.estimates import Estimate
from mine.running.jobs import Job

FIRST = 10  # copies of every pair; each later round has as many as there were before
HOPELESS = 5  # copies that reach the value: the pair is no candidate for any usual level


def estimates_with_copies(jobs: Sequence[Job], null: int, device: str) -> list[Estimate]:
    """The estimates of all jobs, each with up to so many permuted copies.

    Args:
        jobs: one a pair.
        null: the most copies of a pair.
        device: as for `run`.
    """
    made = min(null, FIRST)
    found = estimates_of([Request(job, made) for job in jobs], device, said=True)
    while made < null and (going := [i for i, e in enumerate(found) if not _is_hopeless(e)]):
        more = range(made, min(null, 2 * made))
        copies = copies_of([jobs[i] for i in going], more, device)
        for i, values in zip(going, copies, strict=True):
            found[i] = replace(found[i], null=(*found[i].null, *values))
        made = more.stop
    return [_stopped(e) if null > FIRST else e for e in found]


def _reached(e: Estimate) -> list[int]:
    """The places of the copies that reach the value."""
    return [i for i, value in enumerate(e.null) if not value < e.nats]


def _is_hopeless(e: Estimate) -> bool:
    return len(_reached(e)) >= HOPELESS


def _stopped(e: Estimate) -> Estimate:
    """The estimate with its copies up to the one that made it hopeless."""
    if not _is_hopeless(e):
        return e
    return replace(e, null=e.null[: _reached(e)[HOPELESS - 1] + 1])
