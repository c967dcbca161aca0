"""What is known of an estimate of a user's rows once it is there: it is void, or void of meaning.

Nothing here changes a value that training found, unless it is no value: beyond `LARGEST` nats,
or `LARGEST_BOUND` of a lower bound.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch

from mine.data.collinear import NEAR, nearly_equal, thinnest
from mine.data.columns import Layout
from mine.data.copies import copies
from mine.data.dependence import Dependence
from mine.data.diagnostics import heavy_tails, sentinels
from mine.data.noiseless import basis, continuous
from mine.data.preprocessing import Values
from mine.data.ranks import normal_scores
from mine.estimators.told_alone import told_alone
from mine.method.doubts import FEW_COLUMNS, MOST_ROWS, Doubt, of_network, of_regression, some_rows
from mine.method.ksg import HIGH_DIMENSION, ksg
from mine.method.method import LOWER
from mine.running.estimates import Estimate
from mine.running.jobs import Job

LARGEST = 1000.0
"""Nats, up or down: no training of some thousand rows finds as much unless it diverges."""
LARGEST_BOUND = 100.0
"""The same of a lower bound, which n rows cannot carry far beyond ln n."""
LEAST_ROWS_A_COLUMN = 5  # training rows: with fewer, a network has seen next to nothing
WHITENED = ("gaussian", "mixed")  # methods that make columns uncorrelated


def infinite(job: Job, reason: str) -> Estimate:
    """The outcome of rows in which a relation without noise was recognised."""
    n = job.source.sizes[0]
    warning = (
        f"infinite: {reason}, without noise, so I is infinite where they are continuous: look for "
        "a column, or what was computed from it, on both sides"
    )
    void = Estimate(math.inf, math.nan, math.nan, job.method.name, n, n, 0, (warning,))
    return replace(void, chosen=job.method.taken)


def settled(
    e: Estimate, job: Job, x: Values, y: Values, layouts: tuple[Layout, Layout], looks: bool
) -> Estimate:
    """The estimate with what its value, its error and its rows say of it.

    Args:
        e: the estimate.
        job: its job.
        x: (n, dx), all rows.
        y: (n, dy).
        layouts: what their columns are.
        looks: whether the value gets a second look by other means.
    """
    if job.method.is_direct and not math.isfinite(e.nats):
        return e  # it says so itself
    most = LARGEST_BOUND if job.method.kind == LOWER else LARGEST
    if not job.method.is_direct and _has_diverged(e, most):
        return _diverged(e, most)
    found, stderr = [*e.warnings], e.stderr
    columns = x.shape[1] + y.shape[1]
    hangs = job.source.split.dependence if job.source.split else None
    if not stderr > 0.0 or (e.untrained and _may_tell(e, x, y, hangs)):
        # No spread is no knowledge: the interval is then all that n rows can tell.
        stderr = max(math.log(e.n_test) / 2.0, stderr)  # in this order it is no nan
        found.append(
            "nothing learned: too few rows to learn anything, or a training that does not move: "
            "no evidence of independence: bring more rows, or fewer columns"
            + (", or take ksg" if columns < HIGH_DIMENSION else "")
        )
    if not job.method.is_direct and e.n_train < LEAST_ROWS_A_COLUMN * columns:
        found.append(
            f"far too few rows: {e.n_train} to train on {columns} columns, fewer than "
            f"{LEAST_ROWS_A_COLUMN} a column: choose columns by mine.pairwise with target=, on "
            "rows that you leave out of the estimate"
        )
    looks = looks and hangs is None
    independent = hangs.of_all(len(x)).count if hangs else len(x)
    seen = [some_rows(v)[:, continuous(v)] for v in (x, y)]
    thin = [thinnest(v) for v in seen]
    told = told_alone(x, y, layouts, independent, looks)
    by_pair = told.nats if told.nats > max(e.interval(0.95)[1], 0.0) else 0.0
    widths = x.shape[1], y.shape[1]
    doubt = _second_look(e, job, widths, seen, min(thin) < NEAR, by_pair) if looks else None
    if doubt is not None:
        stderr = math.hypot(stderr, doubt.nats)
        found.append(doubt.text)
    # Tails that harm show in a second look.
    assured = looks and job.method.doubted is not None and doubt is None
    if job.method.is_direct:  # before a training it is said already
        sides = [
            (name, torch.from_numpy(v), layout, (True,) * v.shape[1])
            for name, v, layout in zip("xy", (x, y), layouts, strict=True)
        ]
        tails = _by_moments(job) and not assured
        found += filter(None, [sentinels(sides), heavy_tails(sides) if tails else ""])
    if told.nats > max(replace(e, stderr=stderr).interval(0.95)[1], 0.0):
        stderr = math.hypot(stderr, told.nats - e.nats)
        found.append(
            f"one pair tells more: {told.columns} tell at least {told.nats:.2f} nats alone, "
            f"beyond what was found: {told.remedy}"
        )
    whitened = (job.method.taken or job.method.name) in WHITENED
    hidden = (nearly_equal(name, share, whitened) for name, share in zip("xy", thin, strict=True))
    found += filter(None, [copies(x, y, layouts), *hidden])
    widened = math.sqrt(stderr**2 - e.stderr**2) if stderr > e.stderr else 0.0
    return replace(e, stderr=stderr, warnings=tuple(found), widened=widened)


def _second_look(
    e: Estimate,
    job: Job,
    widths: tuple[int, int],
    seen: Sequence[Values],
    near: bool,
    by_pair: float,
) -> Doubt | None:
    """What else the rows tell against the value.

    Args:
        e: the estimate.
        job: its job.
        widths: how many columns x and y have.
        seen: those of them that are continuous, of the rows that are looked at.
        near: whether some of these nearly repeat each other.
        by_pair: what a pair of columns tells, nats.
    """
    if job.method.doubted:
        return job.method.doubted(e.nats, e.stderr, *job.source.all_rows(job.seed, job.key), job.k)
    if job.method.is_direct:
        return None
    few = sum(widths) <= FEW_COLUMNS
    there = [v.shape[1] for v in seen]
    if not (there == list(widths) if few else all(there)):
        return None
    units = [seen]
    if near:  # what tells may be the difference of two columns
        units.append([basis(v) for v in seen])
    for a, b in ([normal_scores(v) for v in of] for of in units):
        doubt = (
            of_network(e.nats, e.stderr, a, b)
            if few
            else of_regression(e.nats, e.stderr, a, b, by_pair)
        )
        if doubt:
            return doubt
    return None


def _by_moments(job: Job) -> bool:
    """Whether its columns are in units of standard deviations, which few rows decide."""
    units = getattr(job.source, "preprocess", None)
    ranked = job.method.taken or units not in (None, "none", "standardise")
    return "preprocess" in job.method.uses and not job.method.discrete_sides and not ranked


def _may_tell(e: Estimate, x: Values, y: Values, hangs: Dependence | None) -> bool:
    """Whether the rows are few, or nearest neighbours see what the critic has not learned."""
    if any(w.startswith("few rows") for w in e.warnings):
        return True
    if hangs and len(x) > MOST_ROWS:
        return False  # which of fewer rows hang together, nobody says
    a, b = (v[:MOST_ROWS] / v.std(0) for v in (x, y))
    found = ksg(a, b, workers=1, dependence=hangs)
    return found.nats - 3.0 * found.stderr > max(e.interval(0.95)[1], 0.0)


def _has_diverged(e: Estimate, most: float) -> bool:
    """Whether the value is none, or the training ran away and its start was kept."""
    ran_away = any(not abs(v) <= LARGEST for _, v in e.curve)
    return not abs(e.nats) <= most or (e.untrained and ran_away)


def _diverged(e: Estimate, most: float) -> Estimate:
    if not any(w.startswith("diverged") for w in e.warnings):
        ended = e.nats if abs(e.nats) > most else max((v for _, v in e.curve), key=abs)
        warning = (
            f"diverged: the training went to {ended:.1e} nats, which no rows can tell, and the "
            "value is void: lower learning_rate, or take method='mine'"
        )
        e = replace(e, warnings=(warning, *e.warnings))
    return replace(e, nats=math.nan, stderr=math.nan)
