"""`python -m benchmarks.dependence`: how often intervals and p-values err on dependent rows.

Cases whose mutual information is known are drawn again and again and estimated with `groups=` or
`order="time"`; in one column without either. A row is written after each draw, so that a run that
was stopped goes on where it was. The table says for each case and method

    no answer   draws that were refused, since too few blocks or groups are independent
    above       95 % intervals that lie above the truth, of the others (nominal 2.5 %)
    below       95 % intervals that lie below it
    p <= .05    draws of truth 0 whose p-value, from 19 copies, is at most .05 (nominal 5 %)
    plain       above, where nothing was said of the dependence
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.page import table as markdown
from benchmarks.resuming import measured_rows, options

OUT = Path("outputs/dependence/rows.csv")
FIRST_SEED = 1100
FIELDS = ("case", "method", "seed", "truth", "nats", "low", "high", "p", "reason", "seconds")
SMALL: dict[str, Any] = {"hidden": (32,), "steps": 300, "batch_size": 128, "folds": 5}
"""How `mine` and `auto` are trained here."""
TRAINED = ("mine", "auto")
KSG_ROWS = 5000  # it computes all distances; copies are made of tables of a fifth of this


@dataclass(frozen=True)
class Case:
    """A distribution of rows that hang together.

    Attributes:
        name: as the table calls it.
        truth: I(X; Y) of a row, in nats.
        draw: a numpy generator -> x, y and the arguments that say how rows hang together.
        rows: how many.
    """

    name: str
    truth: float
    draw: Callable[[Any, int], tuple[Any, Any, dict[str, Any]]]
    rows: int


def autoregressive(phi: float, rows: int, rng: Any, columns: int = 1, rho: float = 0.0) -> Any:
    """A stationary series (random walks at phi 1) whose columns have the correlation rho."""
    import numpy as np
    from scipy.signal import lfilter

    before = 0 if phi == 1 else 5000
    covariance = np.full((columns, columns), rho) + (1 - rho) * np.eye(columns)
    shocks = rng.multivariate_normal(np.zeros(columns), covariance, rows + before)
    return lfilter([1.0], [1.0, -phi], shocks, axis=0)[before:]


def series(phi: float, rho: float = 0.0) -> Callable[[Any, int], Any]:
    """Two series with one coefficient; rows have the correlation rho."""

    def draw(rng: Any, rows: int) -> Any:
        v = autoregressive(phi, rows, rng, 2, rho)
        return v[:, 0], v[:, 1], {"order": "time"}

    return draw


def patients(rng: Any, rows: int) -> Any:
    """Fifty visits of each, whose five measures are near their own; a label of the patient."""
    import numpy as np

    who = np.repeat(np.arange(rows // 50), 50)
    own, label = rng.normal(size=(rows // 50, 5)), rng.integers(0, 2, rows // 50)
    x = own[who] + 0.3 * rng.normal(size=(rows, 5))
    return x, np.where(label[who] == 1, "ill", "well"), {"groups": who}


def bootstrapped(rng: Any, rows: int) -> Any:
    """Blocks of ten of so many independent rows, drawn with replacement: a block is a group."""
    import numpy as np

    x, y = rng.normal(size=(2, rows))
    block = np.repeat(rng.integers(0, rows // 10, rows // 10), 10)
    taken = 10 * block + np.tile(np.arange(10), rows // 10)
    return x[taken], y[taken], {"groups": block}


CASES = (
    Case("independent rows", 0.0, series(0.0), 2000),
    Case("AR(1), .5", 0.0, series(0.5), 2000),
    Case("AR(1), .9", 0.0, series(0.9), 2000),
    Case("AR(1), .99", 0.0, series(0.99), 2000),
    Case("AR(1), .99, 10,000 rows", 0.0, series(0.99), 10_000),
    Case("random walks", 0.0, series(1.0), 2000),
    Case("grouped labels", 0.0, patients, 2000),
    Case("block bootstrap", 0.0, bootstrapped, 1000),
    Case("coupled AR(1), .9", -0.5 * math.log(1 - 0.6**2), series(0.9, 0.6), 5000),
)
METHODS = ("gaussian", "ksg", "mine", "auto")


def main(arguments: Sequence[str] | None = None) -> int:
    chosen = options("benchmarks.dependence", __doc__, OUT, METHODS, 100, arguments)
    asked = _asked(chosen.methods.split(","), chosen.draws)
    rows = measured_rows(chosen.out, FIELDS, asked, measured, chosen.minutes, chosen.cases)
    print(table(rows))
    return 0


def _asked(methods: Sequence[str], draws: int) -> Iterator[tuple[Case, str, int]]:
    """Every tenth of the draws of all cases in turn, so that a run cut short has some of each."""
    for first in range(0, draws, 10):
        for case in CASES:
            for method in (*methods, *(["plain gaussian"] * ("gaussian" in methods))):
                if method == "ksg" and case.rows > KSG_ROWS:
                    continue
                for seed in range(first, min(draws, first + 10)):
                    yield case, method, FIRST_SEED + seed


def measured(case: Case, method: str, seed: int) -> dict[str, str]:
    """One draw by one method, as texts."""
    import numpy as np

    import mine

    x, y, hangs = case.draw(np.random.default_rng(seed), case.rows)
    name, is_plain = method.removeprefix("plain "), method.startswith("plain ")
    few = case.truth == 0 and (name == "gaussian" or (name == "ksg" and case.rows <= KSG_ROWS / 5))
    options = {"null": 19 if few else 0, **(SMALL if name in TRAINED else {})}
    begun = time.perf_counter()
    row = dict.fromkeys(FIELDS, "") | {"case": case.name, "method": method, "seed": str(seed)}
    try:
        e = mine.estimate(x, y, name, seed, "cpu", **options, **({} if is_plain else hangs))
    except ValueError as error:
        row["reason"] = str(error).partition(":")[0]
    else:
        low, high = e.interval(0.95)
        row |= {"nats": f"{e.nats:.6g}", "low": f"{low:.6g}", "high": f"{high:.6g}"}
        row["p"] = "" if e.p_value is None else f"{e.p_value:.3g}"
    return row | {
        "truth": f"{case.truth:.6g}",
        "seconds": f"{time.perf_counter() - begun:.3f}",
    }


def table(rows: Sequence[dict[str, str]]) -> str:
    """Markdown: a line for each case and method."""
    heads = ("case", "method", "draws", "no answer", "mean", "above", "below", "p <= .05", "plain")
    lines = []
    for case in CASES:
        plain = _lines(rows, case, "plain gaussian")
        for method in METHODS:
            if of := _lines(rows, case, method):
                found = _shares(of)
                same = _shares(plain)["above"] if method == "gaussian" and plain else ""
                lines.append([case.name, method, *found.values(), same])
    return markdown(heads, lines)


def _lines(rows: Sequence[dict[str, str]], case: Case, method: str) -> list[dict[str, str]]:
    return [row for row in rows if (row["case"], row["method"]) == (case.name, method)]


def _shares(rows: Sequence[dict[str, str]]) -> dict[str, str]:
    answered = [row for row in rows if not row["reason"]]
    tested = [row for row in answered if row["p"]]

    def share(found: Sequence[Any], of: Sequence[Any]) -> str:
        return f"{len(found)} of {len(of)}" if of else ""

    mean = sum(float(row["nats"]) for row in answered) / max(1, len(answered))
    return {
        "draws": str(len(rows)),
        "no answer": str(len(rows) - len(answered)),
        "mean": f"{mean:.3f}" if answered else "",
        "above": share([r for r in answered if float(r["low"]) > float(r["truth"])], answered),
        "below": share([r for r in answered if float(r["high"]) < float(r["truth"])], answered),
        "p": share([r for r in tested if float(r["p"]) <= 0.05], tested),
    }


if __name__ == "__main__":
    raise SystemExit(main())
