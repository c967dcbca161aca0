"""The page on more and more columns, beside printed runs: docs/dimension.md, by `make dimension`.

python -m experiments.suite.report.dimension_page --outputs outputs --docs docs
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from experiments.suite.claims.intervals import bootstrap_interval, pooled_mean
from experiments.suite.claims.wording import between, counted
from experiments.suite.figures.labels import label
from experiments.suite.figures.palette import order
from experiments.suite.report.accuracy_page import grid
from experiments.suite.report.comparison_page import Source, concatenated, origin, write_page
from experiments.suite.report.texts import listed
from experiments.suite.task_tables import tables

if TYPE_CHECKING:
    import pandas as pd

dimension: Any = import_module("experiments.dimension")

ALL_COLUMNS = 8, 16, 32, 64, 128
"""Those of the source's table."""
READINGS = """\
What the source's table does not say is read in the plainest way, and so the laws may differ from
theirs:

- *wrapped normal*: the map is not known here. Both readings leave the truth unchanged. *Half-cube*
  applies x |x|^(1/2) to each column. It keeps the ranks, so that a normal copula is right by
  construction. *Flow* is a random smooth bijection that mixes all columns of a side
  (`mine.tasks.Flow`, seeds 1 and 2), and is the harder one. The claim below needs both.
- *spiral*: as in [Beyond Normal](https://arxiv.org/abs/2306.11078), of speed 2 / d radians, which
  turns columns 1 and 2 of X and columns 2 and 3 of Y. All others stay as they are, so that with
  many columns the law is nearly normal.
- *mixture of five*: equal parts, each with one shift in all columns of both sides (−.2, −.1, 0,
  .3, .4) and one correlation of all pairs (−.3, .5, .2, .4, .9). This gives their truth at d = 64.
- *Student-t*: one degree of freedom, shared by all columns; its dispersion is the normal law's
  covariance."""


def page(sources: Sequence[Source]) -> str:
    """The whole page."""
    found = dimension.table(concatenated(sources))
    parts = [
        "# More and more columns",
        introduction(found, sources),
        READINGS,
        "![Error against the number of columns](figures/dimension.png)",
        f"## At d = {dimension.PRINTED_COLUMNS}, beside printed runs",
        (
            "Estimates in nats, with the error in brackets. Of `auto` the mean over "
            f"{counted(seeds_at_printed(found), 'seed')}, with the 95 % interval of the mean "
            "error (a bootstrap over seeds). The other columns are single runs as stored with the "
            "source's code, not run here. **They are scored on all rows, the training rows "
            "included**, which flatters a network that overfits; `auto` is scored on rows that "
            "did not train it."
        ),
        printed(found),
        "## Errors by columns",
        (
            "Mean of estimate − truth in nats. A star: each of these estimates came with a "
            f"warning, which says that it may be wrong. {seed_counts(found)}"
        ),
        by_columns(found),
        "## Beyond ln n",
        beyond(found),
        "## Off without a warning",
        silent(found),
        "## Claims",
        claims(found),
    ]
    own = set(found.loc[found["method"] == dimension.OWN, "d"])
    if missing := [d for d in ALL_COLUMNS if d not in own]:
        without = [m for m in ("mine", "ksg", "gaussian_copula") if m not in set(found["method"])]
        others = f"; of the other methods {listed([*map(label, without)])}" if without else ""
        parts.append(
            f"Not run for this page: `auto` at d = {listed([*map(str, missing)])}{others}. "
            "`make dimension SCALE=paper` has all of d = 8 to 128, with three seeds each."
        )
    return "\n\n".join(parts) + "\n"


def introduction(rows: pd.DataFrame, sources: Sequence[Source]) -> str:
    n, d = int(rows["n"].max()), rows["d"]
    further = ""
    if d.max() < max(ALL_COLUMNS):
        further = (
            f" (the source goes on to {max(ALL_COLUMNS)}, where it is 21.5 nats, and 23.6 for "
            "Student's law)"
        )
    return (
        "Made by `make dimension`: do not edit. The settings are those of a table of "
        "[VCE](https://arxiv.org/abs/2510.20968) (Chen et al., NeurIPS 2025): "
        f"{n:,} rows, d / 2 columns a side, each with a partner of correlation .7, d from "
        f"{d.min()} to {d.max()}. The truth grows to {nats(rows['truth'].max())} nats{further}. "
        f"Beyond ln n = {math.log(n):.1f} no lower bound can be certified. Nothing was tuned on "
        "these rows, and every method has one setting for all of them. One law is no blind test: "
        "`auto` got its start from a mixture of normals because an earlier run of this page was "
        f"silently wrong on the mixture ([accuracy](accuracy.md)). {origin(sources)}."
    )


def seeds_at_printed(rows: pd.DataFrame) -> int:
    own = at_printed(rows)
    return int(own["seed"].nunique())


def at_printed(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of auto at the printed number of columns."""
    return rows[(rows["method"] == dimension.OWN) & (rows["d"] == dimension.PRINTED_COLUMNS)]


def seed_counts(rows: pd.DataFrame) -> str:
    """'Seeds: auto at d = 64: 3; all others: 1.'"""
    counts = rows.groupby(["method", "d"])["seed"].nunique()
    least = int(counts.min())
    more = [f"{label(of)} at d = {d}: {n}" for (of, d), n in counts.items() if n > least]
    return f"Seeds: {'; '.join([*more, f'all others: {least}' if more else f'{least} each'])}."


def nats(value: float, sign: bool = False) -> str:
    """'10.77', '−300', '+0.12'; 'lost' where it is not finite."""
    if not math.isfinite(value):
        return "lost"
    text = f"{value:{'+' if sign else ''}.{2 if abs(value) < 100 else 0}f}"
    return text.replace("-", "−")


def with_error(value: float, truth: float) -> str:
    return f"{nats(value)} ({nats(value - truth, sign=True)})"


def printed(rows: pd.DataFrame) -> str:
    """A line a law: auto's mean estimate and error, and the printed runs."""
    own = at_printed(rows)

    def line(law: str, group: pd.DataFrame) -> Iterator[str]:
        truth, errors = float(group["truth"].iloc[0]), group["error"].to_numpy(float)
        yield from (dimension.NAMES[law], nats(truth))
        mean = float(errors.mean())
        interval = bootstrap_interval([errors], pooled_mean) if len(errors) > 1 else None
        yield with_error(truth + mean, truth) + (
            f" {between(interval, signed=True)}" if interval and math.isfinite(mean) else ""
        )
        yield from (with_error(v, truth) for v in dimension.PRINTED[dimension.theirs(law)])

    return grid(
        ["law", "truth", "auto", *dimension.ESTIMATORS],
        (
            list(line(law, own[own["law"] == law]))
            for law in dimension.NAMES
            if law in set(own["law"])
        ),
    )


def by_columns(rows: pd.DataFrame) -> str:
    """A line a law and d, a column a method: its mean error, with a star where all warned."""
    methods = order(set(rows["method"]))
    groups = dict(list(rows.groupby(["law", "d", "method"])))
    truths = rows.groupby(["law", "d"])["truth"].first()

    def text(law: str, d: int, method: str) -> str:
        if (group := groups.get((law, d, method))) is None:
            return "–"
        star = " \\*" if bool(group["said"].all()) else ""
        return nats(float(group["error"].mean()), sign=True) + star

    return grid(
        ["law", "d", "truth", *map(label, methods)],
        (
            [dimension.NAMES[law], d, nats(truths[law, d]), *(text(law, d, m) for m in methods)]
            for law in dimension.NAMES
            for d in sorted({int(d) for of, d in truths.index if of == law})
        ),
    )


def beyond(rows: pd.DataFrame) -> str:
    """How many estimates of auto beyond ln n warned, and by which kinds of warning."""
    far = dimension.beyond(rows)
    if not len(far):
        return "No cell of `auto` has a truth or an estimate above ln n."
    texts = [f"; {text}" for text in far["warnings"]]
    said = [kind for kind in KINDS if any(f"; {kind}" in text for text in texts)]
    by = f" Among the warnings: {listed([f'`{kind}`' for kind in said])}." if said else ""
    return (
        f"{int(far['said'].sum())} of {counted(len(far), 'cell')} of `auto` whose truth or "
        f"estimate is above ln n came with a warning.{by} See [the warnings](warnings.md)."
    )


def silent(rows: pd.DataFrame) -> str:
    """The laws and d at which auto was off and did not warn."""
    own = rows[(rows["method"] == dimension.OWN) & rows["off"] & ~rows["said"]]
    if not len(own):
        return f"None: no silent estimate of `auto` was off by more than {tables.WHAT_IS_OFF}."
    lines = [
        f"- {dimension.NAMES[law]}, d = {d}: {counted(len(group), 'cell')}, mean error "
        f"{nats(float(group['error'].mean()), sign=True)} nats, mean standard error "
        f"{nats(float(group['stderr'].mean()))}"
        for (law, d), group in own.groupby(["law", "d"])
    ]
    return (
        f"**Here `auto` is wrong and does not say so** (off by more than {tables.WHAT_IS_OFF}):"
        "\n\n" + "\n".join(lines)
    )


KINDS = ("near log n", "still learning", "not converged", "gap", "heavy tails", "few rows")
"""Kinds of warning that the page names."""


def claims(rows: pd.DataFrame) -> str:
    """A line a claim: its statement, its rule, its verdict and what was measured."""
    import pandas as pd

    judged = [one(rows, pd.DataFrame()) for one in dimension.claims]
    return "\n".join(
        f"- {one.statement} Rule, written down before the run: {one.tolerance}. "
        f"**{one.verdict.capitalize()}**: {one.measured}."
        for one in judged
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """0; 2 where there is no run to take the rows from."""
    return write_page(dimension, page, arguments)


if __name__ == "__main__":
    sys.exit(main())
