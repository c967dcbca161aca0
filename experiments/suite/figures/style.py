"""Marks that all figures share: the truth line, one colour for each method, notes, and bytes.

The truth is always the black dashed line, drawn on top so that no estimate hides it. A method has
one colour and one marker everywhere (Okabe and Ito's colours, apart under the common forms of
colour blindness). What gave no estimate is drawn too: a cross for a diverged cell, a square for a
failed one, a triangle at the edge for a value outside the axis.

Figures are plain `Figure` objects without pyplot's state, and matplotlib is imported where it is
used. Equal rows give equal bytes: ids are salted, dates are left out, fonts are matplotlib's own.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.suite.claims.rows import summary
from experiments.suite.claims.wording import BITS_PER_NAT, counted

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

TRUTH, INK, SHADE, GRID = "#000000", "#222222", "#ececec", "#dddddd"
"""TRUTH and INK are used for nothing else: the report turns them light on a dark page."""
ON_COLOUR = "#262626"
"""Text on a coloured cell, which stays as it is."""
DARK_LUMINANCE = 0.0194
"""The relative luminance of ON_COLOUR."""

COLOURS = {
    "mine": "#0072b2",
    "mine_f": "#e69f00",
    "dv": "#cc79a7",
    "ksg": "#009e73",
    "infonce": "#56b4e9",
    "smile": "#d55e00",
    "nwj": "#8c6d1f",
    "js": "#7b4ea3",
    "remine": "#b22222",
    "gaussian": "#5c4033",
    "doe": "#6b8e23",
}
SETTINGS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
"""Colours of the settings that an experiment compares, in their order (Okabe and Ito's)."""
SPARE = ("#4b6a88", "#a0522d", "#c71585", "#2f4f4f", "#9a8700")
MARKERS = {"mine": "o", "mine_f": "s", "dv": "^", "ksg": "D"}
LABELS = {
    "mine": "MINE",
    "mine_f": "MINE-f",
    "dv": "plain DV",
    "ksg": "KSG",
    "infonce": "InfoNCE",
    "js": "JS",
    "smile(tau=5)": "SMILE, τ = 5",
    "remine(alpha=0.1)": "ReMINE, α = .1",
    "interpolated(alpha=0.01)": "I_α, α = .01",
    "doe": "DoE",
    "gaussian": "canonical corr.",
    "gaussian_copula": "normal copula",
    "smile": "SMILE",
    "remine": "ReMINE",
    "interpolated": "I_α",
    "tuba": "TUBA",
    "club": "CLUB",
    "dime_gan": "DIME-GAN",
    "dime_kl": "DIME-KL",
    "dime_hellinger": "DIME-Hellinger",
}
FUNCTIONS = {"identity": "x", "cube": "x³", "sin": "sin x", "double": "2x"}
FUNCTION_COLOURS = {
    "identity": "#332288",
    "cube": "#cc6677",
    "sin": "#117733",
    "double": "#999933",
}
DARK = {
    "#0072b2": "#3d9be0",
    "#332288": "#9a8cf2",
    "#117733": "#45b36b",
    "#7b4ea3": "#b48be0",
    "#b22222": "#e8696b",
    "#2f4f4f": "#8fb5b5",
    "#4b6a88": "#86a9cc",
    "#5c4033": "#b08d7d",
}
"""What stands for a colour on a dark page, where it is too dark itself."""
FUNCTION_MARKERS = {"identity": "o", "cube": "s", "sin": "^", "double": "D"}

STYLE: Any = {
    "axes.axisbelow": True,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.labelsize": 8.5,
    "axes.linewidth": 0.7,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlesize": 8.5,
    "axes.unicode_minus": True,
    "figure.dpi": 160,
    "figure.facecolor": "white",
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "hatch.linewidth": 0.5,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "pdf.fonttype": 42,
    "ps.fonttype": 42,  # by which matplotlib splits a PDF's fonts, too: whole, not in two
    "svg.fonttype": "none",
    "svg.hashsalt": "mine",
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": INK,
    "xtick.labelsize": 8,
    "ytick.color": INK,
    "ytick.labelsize": 8,
}


# Names


def palette(methods: Sequence[str]) -> dict[str, str]:
    """A colour for each method, distinct; names that are not in COLOURS share SPARE in order.

    `smile(tau=5)` has the colour of `smile` where no other of that name is beside it.
    """
    plain = [method.partition("(")[0] for method in set(methods)]
    names = {m: n if plain.count(n := m.partition("(")[0]) == 1 else m for m in methods}
    others = sorted(set(names.values()) - set(COLOURS))
    return {
        m: COLOURS.get(name) or SPARE[others.index(name) % len(SPARE)] for m, name in names.items()
    }


def looks(rows: pd.DataFrame, by: str = "method") -> dict[Any, dict[str, Any]]:
    """Colour, marker and label of each value of a column: of methods, or of settings."""
    if by == "method":
        methods = order(set(rows[by]))
        colours = palette(methods)
        return {
            m: {"color": colours[m], "marker": MARKERS.get(m, "o"), "label": label(m)}
            for m in methods
        }
    found = list(dict.fromkeys(rows[by]))
    return {
        value: {
            "color": SETTINGS[i % len(SETTINGS)],
            "marker": "osD^vP"[i % 6],
            "label": str(value),
        }
        for i, value in enumerate(found)
    }


def label(method: str) -> str:
    """A method's name as it is printed."""
    return LABELS.get(method, method)


def signed(value: float) -> str:
    """A correlation or a noise level as text: '−.99', '0', '.5'."""
    return short(f"{value:g}")


def short(text: str) -> str:
    """A number's text with a true minus sign and without the zero before the point."""
    return re.sub(r"(?<!\d)0\.", ".", text).replace("-", "−")


def function_label(function: str) -> str:
    """A function's name as it is printed: 'x³'."""
    return FUNCTIONS.get(function, function)


def function_look(function: str) -> dict[str, Any]:
    """Colour and marker of a function of the noise channel."""
    return {
        "color": FUNCTION_COLOURS.get(function, SPARE[0]),
        "marker": FUNCTION_MARKERS.get(function, "v"),
    }


def spread(values: pd.Series) -> str:
    """'5,000', or '1,000 to 5,000' where the values differ."""
    low, high = int(values.min()), int(values.max())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def seed_note(rows: pd.DataFrame) -> str:
    """How many seeds stand behind a point, and what the bars are."""
    identity = [name for name in ("role", "task", "params", "method") if name in rows]
    seeds = rows.groupby(identity)["seed"].nunique()
    if seeds.max() == 1:
        return "One seed: no interval"
    low, high = int(seeds.min()), int(seeds.max())
    count = counted(low, "seed") if low == high else f"{low} to {high} seeds"
    return f"Mean of {count} with 95 % bootstrap interval"


def sample_note(rows: pd.DataFrame) -> str:
    """How many samples the networks drew and were tested on, and the other methods' n."""
    lines = []
    drew = rows[rows["status"] != "failed"]
    networks, untrained = drew[drew["steps"] > 0], drew[drew["steps"] == 0]
    if len(networks):
        lines.append(
            f"Networks: {spread(networks['n_train'])} fresh sample pairs each in"
            f" {spread(networks['steps'])} steps, tested on {spread(networks['n_test'])} others."
        )
    for method, group in untrained.groupby("method"):
        lines.append(f"{label(str(method))}: n = {spread(group['n_train'])}.")
    return " ".join(lines)


def bars(lines: pd.DataFrame, suffix: str = "") -> np.ndarray:
    """A summary's interval as matplotlib's error bars, shape (2, N); 0 where there is none."""
    mean, low, high = (
        lines[f"{name}{suffix}"].to_numpy(dtype=float) for name in ("mean", "low", "high")
    )
    return np.nan_to_num(np.vstack([mean - low, high - mean]))


def nats_range(rows: pd.DataFrame) -> tuple[float, float]:
    """Range of the finite truths and 0."""
    truth = rows["truth"].to_numpy(dtype=float)
    finite = truth[np.isfinite(truth)]
    return float(min(finite.min(initial=0.0), 0.0)), float(max(finite.max(initial=0.0), 0.1))


# Figures and axes


@contextmanager
def style() -> Iterator[None]:
    """The rc parameters of every figure, for drawing and for saving."""
    import matplotlib

    with matplotlib.rc_context(STYLE):
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of that size in inches, without pyplot's state."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def truth_line(ax: Axes, x: Sequence[float], y: Sequence[float]) -> None:
    """The truth: black, dashed, above every estimate."""
    ax.plot(x, y, color=TRUTH, ls=(0, (4, 2.2)), lw=1.1, zorder=10, label="truth")


def bits_axis(ax: Axes) -> None:
    """The same scale in bits on the right."""
    to_bits: Any = lambda nats: nats * BITS_PER_NAT  # noqa: E731
    to_nats: Any = lambda bits: bits / BITS_PER_NAT  # noqa: E731
    side = ax.secondary_yaxis("right", functions=(to_bits, to_nats))
    side.set_ylabel("bits")


def symmetric_log(ax: Axes, linear: float) -> None:
    """A y axis that is linear within +-linear and logarithmic outside, with plain numbers."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    top = max(abs(end) for end in ax.get_ylim())
    ax.set_yscale("symlog", linthresh=linear, linscale=0.5)
    ax.set_ylim(-top, top)
    decades = range(round(math.log10(linear)), math.floor(math.log10(top)) + 1)
    ticks = [sign * 10.0**decade for decade in decades for sign in (-1, 1)]
    ax.yaxis.set_major_locator(FixedLocator(sorted([0.0, *ticks])))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}".replace("-", "−")))


def plain_log_ticks(axis: Axis) -> None:
    """Ticks on a log axis as plain numbers: 1, 2, 5 times powers of ten, which alone are there
    where it spans more than three of them."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1.0,) if high > 1e3 * low else (1.0, 2.0, 5.0)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def decades(axis: Axis) -> None:
    """Ticks at the powers of ten of a log axis, as plain text: 1e−5, .01, 100."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    def text(value: float, _: Any) -> str:
        plain = 1e-2 <= value < 1e6
        return signed(value) if plain else f"1e{round(math.log10(value))}".replace("-", "−")

    axis.set_major_locator(LogLocator(numticks=9))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(text))


def text_colour(mapped: Any, value: float) -> str:
    """White or ON_COLOUR: the greater WCAG contrast on the colour that `mapped` gives a value."""
    red, green, blue = (
        v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4
        for v in mapped.to_rgba(value)[:3]
    )
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    on_dark, on_light = 1.05 / (luminance + 0.05), (luminance + 0.05) / (DARK_LUMINANCE + 0.05)
    return "#fefefe" if on_dark > on_light else ON_COLOUR


def shade_uncertified(ax: Axes, n_test: int) -> None:
    """Shades what lies above ln n_test: no lower bound there can be certified from n_test samples.

    Any distribution-free high-confidence lower bound on mutual information is O(log n)
    (McAllester and Stratos 2020).
    """
    edge = math.log(n_test)
    top = ax.get_ylim()[1]
    if edge >= top:
        return
    ax.axhspan(edge, top, color=SHADE, zorder=0, lw=0)
    ax.text(
        0.5,
        0.985,
        f"above ln n_test = {edge:.1f} nats\nno lower bound can be\n"
        f"certified from {n_test:,} samples",
        transform=ax.transAxes,
        ha="center",
        va="top",
        fontsize=7,
        zorder=1,
    )


def method_series(
    rows: pd.DataFrame,
    ax: Axes,
    x: str,
    positions: Sequence[float],
    value: str,
    apart: bool = False,
    by: str = "method",
    joined: bool = True,
) -> Axes:
    """Each method's mean with its interval, and its single seeds.

    Args:
        rows: with the columns `x` and `value` beside those of a row.
        ax: with its y limits set; what lies outside is drawn as a triangle at the edge.
        x: the column whose sorted values `positions` lists; drawn at 0, 1, 2, ...
        value: the column to draw: "nats" or "error".
        apart: side by side at each position; otherwise one on the other, the markers nested.
        by: the column whose values are told apart, where not the method.
        joined: whether a line joins the means.
    """
    series = looks(rows, by)
    step = min(0.17, 0.7 / max(len(series), 1))
    shown = rows.assign(nats=rows[value], truth=0.0)
    for i, (name, whole) in enumerate(series.items()):
        offset = (i - (len(series) - 1) / 2) * step
        group = shown[shown[by] == name]
        aside = {position: index + offset for index, position in enumerate(positions)}
        place = aside if apart else {position: i for i, position in enumerate(positions)}
        look = {"color": whole["color"], "marker": whole["marker"]}
        size = 3.6 if apart else 3.2 + 0.8 * i
        ok = group[group["status"] == "ok"]
        ax.scatter(
            [place[p] for p in ok[x]],
            ok["nats"],
            s=7,
            **look,
            alpha=0.35,
            lw=0,
            zorder=3 - i / 100,
        )
        means = summary(ok, [x])
        at = np.array([place[p] for p in means[x]])
        low, high = ax.get_ylim()
        inside = means["mean"].between(low, high).to_numpy()
        ax.errorbar(
            at,
            means["mean"].where(inside),
            yerr=np.where(inside, bars(means), 0.0),
            **look,
            ms=size,
            lw=0.9 if joined else 0.0,
            elinewidth=1.3,
            zorder=4 - i / 100,  # the first on top
            label=whole["label"],
        )
        beside = np.array([aside[p] for p in means[x]])
        edge_marks(ax, beside, means["mean"].to_numpy(dtype=float), look["color"])
        lost_cells(ax, group, x, aside, look["color"])
    return ax


CURVE_NOTE = (
    "Lines: running mean of the training batches' value, mean over seeds; bands from the least"
    " seed to the greatest."
)


def learning_curves(points: pd.DataFrame, ax: Axes, by: str = "method") -> Axes:
    """Training value in nats against steps: the mean over seeds, and a band from least to most.

    Args:
        points: of `curve_points`, one task's; a point of a diverged training is left out.
        ax: to draw on; its y limits stay.
        by: the column whose values are told apart.
    """
    limits = ax.get_ylim()
    finite = points[np.isfinite(points["train_nats"])]
    for value, look in looks(points, by).items():
        lines = finite[finite[by] == value].groupby("step")["train_nats"]
        mean, least, most = lines.mean(), lines.min(), lines.max()
        ax.fill_between(mean.index, least, most, color=look["color"], alpha=0.18, lw=0, zorder=2)
        ax.plot(mean.index, mean, color=look["color"], lw=1.2, label=look["label"], zorder=4)
    ax.set_ylim(limits)
    return ax


def order(methods: set[str]) -> list[str]:
    """Known methods in the palette's order, then the others by name."""
    known = [method for method in COLOURS if method in methods]
    return known + sorted(methods - set(COLOURS))


def edge_marks(ax: Axes, x: np.ndarray, y: np.ndarray, colour: str) -> None:
    """Triangles at the edge, with the value, for what lies outside the y limits of `ax`."""
    from matplotlib.ticker import EngFormatter

    compact = EngFormatter(sep="", places=0)  # 163k for 163,200
    low, high = ax.get_ylim()
    for outside, edge, marker in ((y > high, 0.93, "^"), (y < low, 0.045, "v")):
        for at, value in zip(x[outside], y[outside], strict=True):
            text = compact(float(value)) if abs(value) >= 1 else signed(round(float(value), 2))
            mark_at(ax, at, edge, marker, colour, text, filled=True)


def lost_cells(
    ax: Axes, rows: pd.DataFrame, x: str, place: Mapping[float, float], colour: str
) -> None:
    """Crosses for diverged and squares for failed cells along the top, with their number."""
    for status, marker, height in (("diverged", "x", 0.955), ("failed", "s", 0.88)):
        counts = rows.loc[rows["status"] == status, x].value_counts()
        for position, count in counts.items():
            text = str(count) if count > 1 else ""
            mark_at(ax, place[float(str(position))], height, marker, colour, text)


def mark_at(
    ax: Axes, x: float, height: float, marker: str, colour: str, text: str, filled: bool = False
) -> None:
    """A marker at data x and a fraction of the axis' height, a small text at its right."""
    transform = ax.get_xaxis_transform()
    ax.plot(
        [x],
        [height],
        marker=marker,
        color=colour,
        ms=4.6,
        mew=1.3,
        mfc=colour if filled else "none",
        ls="none",
        zorder=11,
        transform=transform,
    )
    ax.annotate(
        text,
        (x, height),
        xycoords=transform,
        xytext=(4.5, 0),
        textcoords="offset points",
        ha="left",
        va="center",
        fontsize=6,
        zorder=11,
    )


def entitle(figure: Figure, title: str, rows: pd.DataFrame, notes: Sequence[str]) -> None:
    """Title and one legend for all axes above, notes below; with what was lost, counted."""
    from matplotlib.lines import Line2D

    found = {
        text: handle
        for ax in figure.axes
        for handle, text in zip(*ax.get_legend_handles_labels(), strict=True)
    }
    names = [text for m in order(set(rows["method"])) if (text := label(m)) in found]
    handles = {text: found[text] for text in ["truth", *names] if text in found} | found
    statuses = rows["status"].value_counts()
    for status, marker in (("diverged", "x"), ("failed", "s")):
        if status in statuses:
            text = f"{status}: {counted(int(statuses[status]), 'cell')}"
            handles[text] = Line2D(
                [], [], color=INK, marker=marker, ms=4.6, mew=1.3, mfc="none", ls="none"
            )
    figure.legend(
        list(handles.values()),
        list(handles),
        loc="outside upper left",
        ncols=min(len(handles), 7),
        handletextpad=0.5,
        columnspacing=1.4,
        borderaxespad=0.2,
        title=title,
        title_fontproperties={"size": 10, "weight": "bold"},
        alignment="left",
    )
    figure.supxlabel("\n".join(notes), x=0.01, ha="left", fontsize=7.5)


# Bytes


KINDS: Mapping[str, Mapping[str, None]] = {
    "svg": {"Date": None},
    "pdf": {"CreationDate": None},
    "png": {"Software": None},
}
"""A figure's files, with the metadata that is left out."""


def render(figure: Figure) -> dict[str, bytes]:
    """The figure in all `KINDS`: the same bytes whenever it is drawn from the same rows."""
    out = {}
    with style():
        if layout := figure.get_layout_engine():  # once for all kinds
            layout.execute(figure)
            figure.set_layout_engine("none")
        for kind, left_out in KINDS.items():
            buffer = io.BytesIO()
            figure.savefig(buffer, format=kind, metadata=dict(left_out))
            out[kind] = buffer.getvalue()
    return out
