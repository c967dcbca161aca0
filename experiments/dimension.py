r"""More and more columns: four laws of strong dependence, beside single runs that others print.

Chen et al., "Neural Mutual Information Estimation with Vector Copulas", NeurIPS 2025,
https://arxiv.org/abs/2510.20968 (VCE): 10,000 rows of d / 2 columns a side, each with one partner
of correlation rho = .7, for d = 8 ... 128. The truth grows to 21.5 nats, beyond ln n = 9.2, where
no lower bound can be certified.

The laws, and how what is not known of them is read here:

- wrapped: the normal law seen through injective maps of its sides. The source's map is not known
  here, so that there are two readings: `wrapped`, the half-cube x |x|^(1/2) in each column, and
  `flow`, a random smooth bijection of all columns of a side (`mine.tasks.Flow`);
- mixture: five normal laws of equal parts, each with one shift in all columns and one rho;
- student: Student's law with the normal one's dispersion and one degree of freedom;
- spiral: that of Czyz et al. 2023, with their speed 1 / (d / 2).

The printed figures are single runs at d = 64, as stored with the source's code. They are scored
on all rows, the training rows included; here no row that is scored was trained on.

Not one of the experiments that `make reproduce` runs: `make dimension` runs it and writes
docs/dimension.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.suite.claims.checks import (
    Check,
    Finding,
    Verdict,
    all_hold,
    less_than,
    mean_between,
    number_of,
)
from experiments.suite.claims.claim import claim
from experiments.suite.claims.intervals import pooled_mean
from experiments.suite.claims.wording import counted, interval_words, nats
from experiments.suite.figures.axes import even_axis, symmetric_log, text_heights, truth_level
from experiments.suite.figures.notes import seed_note, titled_figure
from experiments.suite.figures.palette import OF_OTHERS
from experiments.suite.figures.series import method_series
from experiments.suite.task_tables import tables

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from experiments.suite.grid.cells import Cell

__all__ = ["cells", "claims", "figures", "table"]

PAPER = "Chen et al. 2025"
FIGURE = "dimension"
OWN = "auto"
PRINTED_COLUMNS = 64
ESTIMATORS = "MINE", "MINDE", "MIENF", "VCE"
PRINTED: Mapping[str, tuple[float, float, float, float]] = {
    "wrapped": (4.00, 4.01, 8.82, 7.59),
    "mixture": (3.09, 7.29, 2.22, 6.48),
    "student": (2.18, 10.29, -300.0, 9.96),
    "spiral": (7.59, 10.22, 10.19, 10.03),
}
"""Law -> single runs of `ESTIMATORS` at `PRINTED_COLUMNS` in nats, as stored there."""
READINGS: Mapping[str, tuple[str, ...]] = {"wrapped": ("wrapped", "flow")}
"""A law of theirs -> the laws here that it may be; its own name where it has no entry."""
NAMES: Mapping[str, str] = {
    "wrapped": "wrapped normal, half-cube",
    "flow": "wrapped normal, flow",
    "mixture": "mixture of five",
    "student": "Student-t, dof 1",
    "spiral": "spiral",
}
NEEDED = 3
"""Of the four laws."""
LINEAR = 0.1
"""Errors in nats up to which the figure's axis is linear."""


def theirs(law: str) -> str:
    """The law of theirs that a law here is a reading of."""
    return next((of for of, laws in READINGS.items() if law in laws), law)


# Cells


def task(law: str, d: int, experiment: Mapping[str, Any]) -> dict[str, Any]:
    """One law in d / 2 columns a side.

    Raises:
        ValueError: no such law.
    """
    m = d // 2
    normal = {"_target_": "mine.tasks.CorrelatedGaussian", "dim": m, "rho": experiment["rho"]}
    if law == "wrapped":
        return warped(normal, "half_cube", "half_cube")
    if law == "flow":
        return warped(normal, *({"_target_": "mine.tasks.Flow", "seed": seed} for seed in (1, 2)))
    if law == "spiral":
        planes = [0, 1], [1, 2]
        spiral = {"_target_": "mine.tasks.Spiral", "speed": 1.0 / m}
        return warped(normal, *({**spiral, "plane": plane} for plane in planes))
    if law == "student":
        dispersion = {"_target_": "mine.tasks.MultivariateNormal", "dim_x": m, "dim_y": m}
        dispersion["pairs"] = [experiment["rho"]] * m
        return {
            "_target_": "mine.tasks.StudentT",
            "normal": dispersion,
            "dof": experiment["dof"],
        }
    if law == "mixture":
        parts = {"shifts": list(experiment["shifts"]), "rhos": list(experiment["rhos"])}
        return {"_target_": "mine.tasks.PairMixture", "dim": m, **parts}
    raise ValueError(f"expected laws among {', '.join(NAMES)}, got {law!r}: see {__name__}")


def warped(base: dict[str, Any], map_x: Any, map_y: Any) -> dict[str, Any]:
    return {"_target_": "mine.tasks.Warped", "base": base, "map_x": map_x, "map_y": map_y}


def cells(config: Mapping[str, Any]) -> list[Cell]:
    """Laws x columns x methods x seeds; a cell's name is 'spiral-64'."""
    experiment = config["experiment"]
    found = []
    for role in experiment["panels"]:
        columns = experiment["columns" if role == "dimension" else "printed"]
        tasks = {
            f"{law}-{d}": task(str(law), int(d), experiment)
            for law in experiment["laws"]
            for d in columns
        }
        named = {**config, "experiment": {**experiment, "tasks": tasks}}
        found += tables.named_cells(role, dict.fromkeys(tasks, int(experiment["n"])), named)
    return found


def table(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of `task_tables.table` with their law, and with d, the columns of both sides."""
    found = tables.table(rows)
    parts = [name.rsplit("-", 1) for name in found["name"]]
    return found.assign(law=[law for law, _ in parts], d=[int(d) for _, d in parts])


# Claims. Measures and tolerances were written down before any run.


def least_printed(law: str, truth: float) -> float:
    """The least |error| in nats printed for the law of theirs that this one is a reading of."""
    return min(abs(value - truth) for value in PRINTED[theirs(law)])


@claim(
    "dimension-printed",
    paper="this suite's target",
    figure=FIGURE,
    rule="at d = 64 the whole interval of auto's mean |error| below the least |error| printed"
    " there, on at least three of four laws; the wrapped normal counts where both readings do",
    missing="this run has no rows of auto at d = 64 for each of the four laws",
)
def below_printed(rows: pd.DataFrame) -> Finding | None:
    """At d = 64 auto is nearer to the truth than each printed run on three of four laws."""
    own = rows[(rows["method"] == OWN) & (rows["d"] == PRINTED_COLUMNS)]
    known = own[own["status"] != "failed"]
    by_law = {str(law): below(str(law), group) for law, group in known.groupby("law")}
    if any(law not in by_law for of in PRINTED for law in READINGS.get(of, (of,))):
        return None
    verdicts = [worst([by_law[law].verdict for law in READINGS.get(of, (of,))]) for of in PRINTED]
    deciding = sorted(verdicts, key=ORDER.index)[NEEDED - 1]
    words = "; ".join(by_law[law].words for law in NAMES if law in by_law)
    nearer = sum(verdict == "reproduced" for verdict in verdicts)
    seeds = counted(min(one.seeds for one in by_law.values()), "seed")
    said = f"nearer on {nearer} of {len(PRINTED)} laws, over {seeds} each: {words}"
    return Finding(said, deciding, rows=own)


ORDER: Sequence[Verdict] = ("reproduced", "inconclusive", "not reproduced")


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    return max(verdicts, key=ORDER.index)


def below(law: str, rows: pd.DataFrame) -> Check:
    """That a law's mean |error| is below the least that is printed."""
    groups = [rows["size"].to_numpy(float)]
    (value, interval), seeds = number_of(groups, pooled_mean), len(rows)
    most = least_printed(law, float(rows["truth"].iloc[0]))
    words = f"{NAMES[law]} {nats(value)}, {interval_words(interval, seeds)}, against {nats(most)}"
    return Check(law, value, interval, less_than(most), seeds, words, (interval[1] - most,))


def beyond(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of auto whose truth or estimate is above ln n."""
    edge = np.log(rows["n"])
    return rows[(rows["method"] == OWN) & ((rows["truth"] > edge) | (rows["nats"] > edge))]


SILENT = "share of silent cells {value}, {interval}"


@claim(
    "dimension-warned",
    paper="this suite's target",
    figure=FIGURE,
    rule="share of unwarned cells 0, on each task with a truth or an estimate above ln n",
    missing="this run has no rows of auto beyond ln n",
)
def warned(rows: pd.DataFrame) -> Finding | None:
    """No estimate of auto beyond ln n, or of a truth beyond it, stands without a warning."""
    far = beyond(rows)
    kept = far[far["status"] != "failed"]
    checks = [
        mean_between(str(name), np.where(group["said"], 0.0, 1.0), (0.0, 0.0), SILENT)
        for name, group in kept.groupby("name")
    ]
    counts = f"{int(kept['said'].sum())} of {len(kept)} cells beyond ln n warned"
    words = "; {inside} of {checks} {noun} without a silent one; decided by {deciding}"
    return all_hold(checks, "tasks", far, counts + words)


claims = [below_printed, warned]


# Figures


def figures(rows: pd.DataFrame) -> dict[str, Figure]:
    """Errors against d, a panel a law, with the printed ones at d = 64."""
    return {FIGURE: draw(table(rows))}


def draw(rows: pd.DataFrame) -> Figure:
    laws = [law for law in NAMES if law in set(rows["law"])]
    with titled_figure(
        10.0,
        6.4,
        title=f"More columns: {int(rows['n'].max()):,} rows, d / 2 columns a side",
        caption="Error in nats against the number of columns, for each law and method.",
        rows=rows,
        notes=[
            f"{seed_note(rows)}. In brackets below d: the truth in nats.",
            "Grey: single runs printed for VCE (2025), scored on training rows too; not run here.",
        ],
    ) as figure:
        grid = figure.subplots(2, 3).ravel()
        for ax, law in zip(grid, laws, strict=False):
            plot_law(rows[rows["law"] == law], ax, law)
        for ax in grid[len(laws) :]:
            ax.set_axis_off()
    return figure


def plot_law(rows: pd.DataFrame, ax: Axes, law: str) -> Axes:
    """Error of each method against d; grey dashes at d = 64 are the printed ones."""
    columns = sorted(int(d) for d in set(rows["d"]))
    ax.set_ylim(-30.0, 30.0)
    symmetric_log(ax, LINEAR)
    method_series(rows.drop(columns="error").assign(error=rows["nats"] - rows["truth"]), ax,
                  "d", columns, "error")  # fmt: skip
    truth_level(ax, len(columns))
    truths = rows.groupby("d")["truth"].first()
    even_axis(ax, [f"{d}\n({truths[d]:.1f})" for d in columns])
    if PRINTED_COLUMNS in columns:
        mark_printed(ax, columns.index(PRINTED_COLUMNS), law, float(truths[PRINTED_COLUMNS]))
    ax.set_title(NAMES[law], fontsize=9)
    ax.set(xlabel="columns d", ylabel="estimate less truth, nats")
    return ax


TEXT_GAP = 0.06
"""The least distance of the printed estimators' names, as a share of a panel's height."""


def mark_printed(ax: Axes, at: int, law: str, truth: float) -> None:
    """A grey dash and a name for each printed run that the axis holds."""
    low, high = ax.get_ylim()
    errors = dict(zip(ESTIMATORS, (value - truth for value in PRINTED[theirs(law)]), strict=True))
    shown = {name: one for name, one in errors.items() if low < one < high}
    for side, align, turn in ((0.3, "left", 0), (-0.3, "right", 1)):
        names = [name for name in ESTIMATORS[turn::2] if name in shown]
        heights = text_heights(ax, [shown[name] for name in names], gap=TEXT_GAP)
        for name, height in zip(names, heights, strict=True):
            ax.plot([at - 0.28, at + 0.28], [shown[name]] * 2, color=OF_OTHERS, lw=1.0, zorder=1)
            ax.text(at + side, height, name, ha=align, va="center", color=OF_OTHERS, fontsize=6,
                    transform=ax.get_xaxis_transform())  # fmt: skip
