r"""Shards: one grid divided among several workers, each of which has its own run.

With `shards=8 shard=0,1,...,7` every worker makes the same grid and takes its shard of the cells.
Cells are assigned in falling order of cost, each to the shard with the least cost so far: longest
processing time first (Graham, "Bounds on multiprocessing timing anomalies", 1969; at most 4/3 of
the best makespan). Ties are broken by the cells' keys, so that every machine finds the same
shards, whatever the order of the cells. The report joins the rows of the shards of one `family`
and names the shards that are missing.
"""

from __future__ import annotations

import heapq
import math
import shlex
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from experiments.suite.grid.cells import Cell
from experiments.suite.store.identity import IGNORED_KEYS
from experiments.suite.store.serialising import canonical_json

TREE_DIMS = 4  # the largest dimension of x and y in which KSG uses a tree, not all pairs
KSG_TREE = 8_600
KSG_PAIRS = 31
"""KSG's cost per d N log2 N (in a tree) and per d N^2 (all pairs), in multiply-adds of a network's
training. Measured against such a training on one core, for N of 1,000 to 5,000, d of 1 to 20."""
MOST_SHARDS = 100_000
OTHER_CRITIC = 20_000  # assumed parameters of a network whose config has no widths


def share(cells: Sequence[Cell], config: Mapping[str, Any]) -> list[Cell]:
    """The cells that this worker computes: those of its shard, or all where there is one shard.

    Raises:
        ValueError: shards or shard is not allowed, or there are more shards than cells.
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
    """Raise a ValueError unless both are whole numbers, shards >= 1 and 0 <= shard < shards."""
    for name, value, least in (("shards", shards, 1), ("shard", shard, 0)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(
                f"{name} must be a whole number >= {least}, got {value!r}: "
                "give both, such as shards=8 shard=0"
            )
    if shards > MOST_SHARDS:
        raise ValueError(
            f"shards must be at most {MOST_SHARDS:,}, got {shards}: give each worker more cells"
        )
    if shard >= shards:
        raise ValueError(
            f"shard must be below shards={shards}, got {shard}: "
            f"the last of {shards} is shard={shards - 1}"
        )


def deal(cells: Sequence[Cell], costs: Sequence[float], shards: int, shard: int) -> list[Cell]:
    """The cells of one shard, in the order given: see `deal_all`."""
    return deal_all(cells, costs, shards)[shard]


def deal_all(cells: Sequence[Cell], costs: Sequence[float], shards: int) -> list[list[Cell]]:
    """The cells of every shard, each in the order given.

    Args:
        cells: the whole grid, without repetition.
        costs: the cost of each cell, >= 0, in any unit.
        shards: how many shards there are.

    Returns:
        A partition of the grid. The costs of two shards differ by at most the cost of one cell.
        The order of `cells` decides the order within each shard, and nothing else.
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
    """The approximate cost of a cell, in multiply-adds of a network's training.

    A trained method: steps x batch x (1 + marginal samples) x parameters, and a third of this for
    each test row, which has a forward pass only. A method without training costs as KSG does:
    N log N in a tree, N^2 for all pairs. With `estimator.split`, "auto" trains 15 small networks;
    together they take about as long as one of the others (measured), and count as one.
    """
    d = dimension(cell.task)
    if not cell.steps:
        n = max(2, cell.n)
        return d * (KSG_PAIRS * n * n if d > TREE_DIMS else KSG_TREE * n * math.log2(n))
    train = config["train"]
    rows = cell.steps * train["batch_size"] * (1 + train["marginal_samples"])
    tested = config["scale"]["n_test"] * (1 + config["estimator"]["partners"])
    return float(parameters(2 * d, config["critic"]) * (rows + tested / 3))


def parameters(inputs: int, critic: Mapping[str, Any]) -> int:
    """How many weights and biases a perceptron with these widths and one output has."""
    hidden = critic.get("hidden")
    if hidden is None:
        return OTHER_CRITIC
    widths = [inputs, *([hidden] if isinstance(hidden, int) else hidden), 1]
    return sum((a + 1) * b for a, b in pairwise(widths))


def dimension(task: Any) -> int:
    """The largest `dim`, `dim_x` or `dim_y` in a task and the tasks inside it; 1 without any."""
    if not isinstance(task, Mapping):
        return 1
    own = [task.get(name, 1) for name in ("dim", "dim_x", "dim_y")]
    return max(
        [d if isinstance(d, int) else 1 for d in own] + [dimension(v) for v in task.values()]
    )


# Joining: runs whose configs differ in the shard alone are parts of one grid


def place(config: Mapping[str, Any]) -> tuple[int, int]:
    """(shards, shard) of a run; (1, 0) where its config has none, or none that is allowed."""
    shards, shard = config.get("shards", 1), config.get("shard", 0)
    try:
        check(shards, shard)
    except ValueError:
        return 1, 0
    return int(shards), int(shard)


def family(config: Mapping[str, Any]) -> str:
    """A text that is equal for the shards of one grid, and for no other runs."""
    left_out = {*IGNORED_KEYS, "shard"}
    return canonical_json({k: v for k, v in config.items() if k not in left_out})


def missing(configs: Sequence[Mapping[str, Any]]) -> list[int]:
    """The shards of one family that have no run among these."""
    places = [place(config) for config in configs]
    shards = max((count for count, _ in places), default=0)
    return sorted(set(range(shards)) - {shard for _, shard in places})


def sweep_command(command: str, wanted: Sequence[int]) -> str:
    """The command of a shard, turned into the sweep over the wanted shards."""
    start, _, overrides = command.partition(" experiments ")
    words = [
        word
        for word in shlex.split(overrides)
        if word not in ("-m", "--multirun") and not word.startswith("shard=")
    ]
    return f"{start} experiments {shlex.join(['-m', *words])} shard={','.join(map(str, wanted))}"
