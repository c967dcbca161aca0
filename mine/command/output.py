"""Estimates as the command shows them: plain records for JSON, cells of tables, and figures.

Values are in nats unless they are called bits; intervals are the 95 % ones. What draws takes an
`ax` and estimates, and writes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

    from mine.running.estimates import Estimate

LEVEL = 0.95
FEW_ROWS = 50


def warnings_of(e: Estimate, rows: int) -> list[str]:
    few = f"only {rows} rows: too few for the network and for the interval; bring more"
    return [*e.warnings, *([few] if rows < FEW_ROWS else [])]


def p_value(e: Estimate) -> float | None:
    return getattr(e, "p_value", None)


def as_record(e: Estimate, rows: int) -> dict[str, Any]:
    """An estimate in plain values; nan and infinity are left for `strict`."""
    record = {
        "method": e.method,
        "nats": e.nats,
        "bits": e.bits,
        "stderr": e.stderr,
        "interval": list(e.interval(LEVEL)),
        "level": LEVEL,
        "p_value": p_value(e),
        "train_nats": e.train_nats,
        "n_train": e.n_train,
        "n_test": e.n_test,
        "steps": e.steps,
        "warnings": warnings_of(e, rows),
    }
    further = {
        "chosen": getattr(e, "chosen", ""),
        "rise": getattr(e, "rise", None),
        "null": list(getattr(e, "null", ())),
    }
    return record | {name: value for name, value in further.items() if value not in ("", None, [])}


def strict(value: Any) -> Any:
    """JSON has no nan and no infinity: null."""
    if isinstance(value, Mapping):
        return {key: strict(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [strict(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def new_table(*heads: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for i, head in enumerate(heads):
        is_number = i > 0 and head not in ("method", "kind", "y", "trains on", "good at")
        table.add_column(head, justify="right" if is_number else "left")
    return table


HEADS = ("nats", "bits", "95 % interval", "p-value")


def cells(e: Estimate) -> tuple[str, ...]:
    """An estimate's cells under `HEADS`; the interval is in nats."""
    low, high = e.interval(LEVEL)
    p = p_value(e)
    return (
        f"{e.nats:.3f}",
        f"{e.bits:.3f}",
        f"{low:.3f} to {high:.3f}",
        "-" if p is None else f"{p:.3f}",
    )


def failure(e: Estimate) -> str:
    """Why an estimate is none; "" where it is one."""
    if math.isfinite(e.nats):
        return ""
    return (
        f"the training turned non-finite at step {e.diverged_at}: lower --set learning_rate, or "
        "take --preprocess rank"
    )


def draw_curve(ax: Any, e: Estimate) -> None:
    """The training's value over its steps, and what the test rows say."""
    ax.plot([step for step, _ in e.curve], [nats for _, nats in e.curve], label="training rows")
    low, high = e.interval(LEVEL)
    ax.axhspan(low, high, alpha=0.2, color="C1")
    ax.axhline(e.nats, color="C1", label=f"test rows: {e.nats:.3f} nats, 95 % interval")
    ax.set(xlabel="step", ylabel="mutual information (nats)", title=e.method)
    ax.legend()


def draw_methods(ax: Any, found: Mapping[str, Estimate]) -> None:
    """A point and an interval for each method."""
    for place, e in enumerate(found.values()):
        low, high = e.interval(LEVEL)
        ax.plot([low, high], [place, place], color="C0")
        ax.plot([e.nats], [place], "o", color="C0")
    ax.set_yticks(range(len(found)), list(found))
    ax.invert_yaxis()
    ax.set(xlabel="mutual information (nats), 95 % interval")


def draw_matrix(
    ax: Any, names: Sequence[str], columns: Sequence[str], values: Sequence[Sequence[float]]
) -> None:
    """A cell for each pair, with its value in nats."""
    image = ax.imshow(values, cmap="viridis")
    ax.set_xticks(range(len(columns)), columns, rotation=45, ha="right")
    ax.set_yticks(range(len(names)), names)
    for i, row in enumerate(values):
        for j, value in enumerate(row):
            if math.isfinite(value):
                ax.text(j, i, f"{value:.2f}", ha="center", va="center", color="w", fontsize=7)
    ax.figure.colorbar(image, label="mutual information (nats)")
