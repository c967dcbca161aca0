r"""Shards: one grid dealt to many workers, each with a run of its own.

With `shards=8 shard=0,1,...,7` every worker makes the same grid and takes its own cells of it, by
longest processing time first: cells in falling order of cost, each to the shard that has least so
far (Graham, "Bounds on multiprocessing timing anomalies", 1969; at most 4/3 of the best makespan).
Keys break ties, so the dealing is the same on every machine and in whatever order cells come. The
report joins the shards' rows (`family`) and names those that are missing.
"""

from __future__ import annotations

import heapq
import math
import shlex
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from experiments.suite.grid.cells import UNTRAINED, Cell
from experiments.suite.store.identity import IGNORED_KEYS
from experiments.suite.store.serialising import canonical_json

TREE_DIMS = 4  # of x and y each: beyond, KSG compares all pairs
KSG_TREE = 8_600
KSG_PAIRS = 31
"""KSG's cost per d N log2 N and per d N^2, in multiply-adds of a network's training: the seconds
of both were measured side by side on one core, N of 1,000 to 5,000 and d of 1 to 20."""
OWN_CRITIC = 20_000  # parameters of a network whose widths the config does not tell


def share(cells: Sequence[Cell], config: Mapping[str, Any]) -> list[Cell]:
    """The cells that this worker computes: all of them unless the config names a shard.

    Raises:
        ValueError: shards or shard cannot be, or there are more shards than cells.
    """
    shards, shard = config.get("shards", 1), config.get("shard", 0)
    check(shards, shard)
    if shards > len(cells):
        raise ValueError(
            f"shards must be at most the number of cells ({len(cells)}), got {shards}: "
            "some worker would have nothing to do"
        )
    return deal(cells, [cost(cell, config) for cell in cells], shards, shard)


def check(shards: Any, shard: Any) -> None:
    """Raises a ValueError unless shards >= 1 and 0 <= shard < shards, whole numbers both."""
    for name, value, least in (("shards", shards, 1), ("shard", shard, 0)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(
                f"{name} must be a whole number >= {least}, got {value!r}: "
                "give both, such as shards=8 shard=0"
            )
    if shard >= shards:
        raise ValueError(
            f"shard must be below shards={shards}, got {shard}: "
            f"the last of {shards} is shard={shards - 1}"
        )


def deal(cells: Sequence[Cell], costs: Sequence[float], shards: int, shard: int) -> list[Cell]:
    """One shard's cells, in the order given: see `deal_all`."""
    return deal_all(cells, costs, shards)[shard]


def deal_all(cells: Sequence[Cell], costs: Sequence[float], shards: int) -> list[list[Cell]]:
    """Every shard's cells, each in the order given.

    Args:
        cells: the whole grid; keys differ.
        costs: of each cell, in any one unit, >= 0.
        shards: how many workers there are.

    Returns:
        A partition of the grid; the costs of any two shards differ by at most the largest cell's.
        The order of `cells` changes nothing but the order within each shard.
    """
    keys = [cell.key for cell in cells]
    loads = [(0.0, shard) for shard in range(shards)]
    taker = {}
    for expense, key in sorted(zip(costs, keys, strict=True), key=lambda one: (-one[0], one[1])):
        load, least = loads[0]
        heapq.heapreplace(loads, (load + expense, least))
        taker[key] = least
    dealt: list[list[Cell]] = [[] for _ in range(shards)]
    for cell, key in zip(cells, keys, strict=True):
        dealt[taker[key]].append(cell)
    return dealt


def cost(cell: Cell, config: Mapping[str, Any]) -> float:
    """About what a cell takes, in multiply-adds of a network's training.

    A network: steps x batch x (1 + marginal samples) x parameters, and a third of that a row for
    its test, which goes forward alone. KSG: its own law, N log N in a tree and N^2 for all pairs.
    On split rows methods train as they do of themselves; "auto" with its 15 small networks then
    takes about as long as one of the others (measured), and counts as one.
    """
    d = dimension(cell.task)
    if cell.method in UNTRAINED:
        n = max(2, cell.n)
        return d * (KSG_PAIRS * n * n if d > TREE_DIMS else KSG_TREE * n * math.log2(n))
    train = config["train"]
    rows = cell.steps * train["batch_size"] * (1 + train["marginal_samples"])
    tested = config["scale"]["n_test"] * (1 + config["estimator"]["partners"])
    return float(parameters(2 * d, config["critic"]) * (rows + tested / 3))


def parameters(inputs: int, critic: Mapping[str, Any]) -> int:
    """Weights and biases of a perceptron of these `hidden` widths and one output."""
    hidden = critic.get("hidden")
    if hidden is None:
        return OWN_CRITIC
    widths = [inputs, *([hidden] if isinstance(hidden, int) else hidden), 1]
    return sum((a + 1) * b for a, b in pairwise(widths))


def dimension(task: Any) -> int:
    """The largest `dim`, `dim_x` or `dim_y` in a task's fields, however deep; 1 without any."""
    if not isinstance(task, Mapping):
        return 1
    own = [task.get(name, 1) for name in ("dim", "dim_x", "dim_y")]
    return max(
        [d if isinstance(d, int) else 1 for d in own] + [dimension(v) for v in task.values()]
    )


# Joining: runs whose configs differ in the shard alone are parts of one


def place(config: Mapping[str, Any]) -> tuple[int, int]:
    """(shards, shard) of a run; (1, 0) where its config does not say, or says what cannot be."""
    shards, shard = config.get("shards", 1), config.get("shard", 0)
    try:
        check(shards, shard)
    except ValueError:
        return 1, 0
    return int(shards), int(shard)


def family(config: Mapping[str, Any]) -> str:
    """Equal for the shards of one grid, and for no others; what does not change results is out."""
    left_out = {*IGNORED_KEYS, "shard"}
    return canonical_json({k: v for k, v in config.items() if k not in left_out})


def missing(configs: Sequence[Mapping[str, Any]]) -> list[int]:
    """Which shards of one family have no run among these."""
    places = [place(config) for config in configs]
    shards = max((count for count, _ in places), default=0)
    return sorted(set(range(shards)) - {shard for _, shard in places})


def sweep_command(command: str, wanted: Sequence[int]) -> str:
    """A command of one shard or several, as the sweep over these."""
    start, _, overrides = command.partition(" experiments ")
    words = [
        word
        for word in shlex.split(overrides)
        if word not in ("-m", "--multirun") and not word.startswith("shard=")
    ]
    return f"{start} experiments {shlex.join(['-m', *words])} shard={','.join(map(str, wanted))}"
