"""Synthetic sweeps whose every number is known, in the shape that runs leave."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import rows_example as example

from experiments.suite.store.identity import run_id
from experiments.suite.sweeps.sweep import Sweep, SweptRun, split

Setting = Mapping[str, Any]


def config_of(setting: Setting, seeds: int = 3, scale: str = "smoke") -> dict[str, Any]:
    """A Gaussian run of one panel and two values of rho; `setting` has keys of `train`."""
    panels = {"scalar": {"dim": 1, "steps": 1.0, "seeds": 1.0}}
    methods = ["mine", "ksg"]
    config = example.gaussian_config(seeds, scale, rho=[0.5, 0.9], methods=methods, panels=panels)
    config["train"] |= setting
    return config


def command_of(setting: Setting) -> str:
    words = [f"train.{key}={value}" for key, value in setting.items()]
    return " ".join(["python -m experiments experiment=gaussian scale=smoke", *words])


def grid(axes: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


def no_error(row: Mapping[str, Any], setting: Setting) -> float:
    return 0.0


def sweep_rows(
    settings: Sequence[Setting],
    error: Callable[[Mapping[str, Any], Setting], float] = no_error,
    seeds: int = 3,
) -> tuple[list[SweptRun], pd.DataFrame]:
    """The runs of these settings and their rows: nats = truth + error(row, setting).

    KSG's errors are 0 in every setting.
    """
    asked, frames = [], []
    for setting in settings:
        config = config_of(setting, seeds)
        config_id = run_id(config)

        def bias(row: Mapping[str, Any], setting: Setting = setting) -> float:
            return 0.0 if row["method"] == "ksg" else error(row, setting)

        frames.append(example.example_rows(config, bias).assign(run_id=config_id))
        asked.append(SweptRun(config_id, config, command_of(setting), "1"))
    return asked, pd.concat(frames, ignore_index=True)


def one_sweep(
    axes: Mapping[str, Sequence[Any]],
    error: Callable[[Mapping[str, Any], Setting], float] = no_error,
    seeds: int = 3,
) -> tuple[Sweep, pd.DataFrame]:
    """The sweep over a whole grid of keys of `train`, and its rows."""
    asked, rows = sweep_rows(grid(axes), error, seeds)
    (found,) = split("gaussian", asked)
    return found, rows


def write_sweep(
    outputs: Path,
    axes: Mapping[str, Sequence[Any]],
    error: Callable[[Mapping[str, Any], Setting], float] = no_error,
    seeds: int = 3,
) -> None:
    """A sweep's run folders."""
    for setting in grid(axes):
        _, rows = sweep_rows([setting], error, seeds)
        config = config_of(setting, seeds)
        example.write_run(outputs, config, rows, command=command_of(setting))


def by_rate(row: Mapping[str, Any], setting: Setting) -> float:
    """0.1 nats too little for each decade from a learning rate of .001, some seed noise."""
    decades = abs(math.log10(float(setting["learning_rate"]) / 1e-3))
    return -0.1 * decades + 0.01 * (1 + decades) * (int(row["seed"]) - 1)
