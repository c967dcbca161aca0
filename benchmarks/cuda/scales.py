"""How much is done: `FULL` for a card, `TINY` to see whether the script runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.cases import LARGE, SMALL, Shape
from benchmarks.cases import TINY as TINY_SHAPE


@dataclass(frozen=True)
class Panel:
    """The size of the experiments `gaussian` (20-D) and `equitability`.

    Attributes:
        rho: of `gaussian`.
        functions, sigma: of `equitability`.
        seeds: of each task.
        gaussian_steps, equitability_steps: optimizer steps.
        steps: the scale's own, which no panel takes as it is.
        batch: joint pairs a step.
        wide: the one hidden layer of `gaussian`.
        hidden: the layers of `equitability`.
        n_test: test samples.
        ksg_n: rows for KSG.
    """

    rho: tuple[float, ...]
    functions: tuple[str, ...]
    sigma: tuple[float, ...]
    seeds: int
    gaussian_steps: int
    equitability_steps: int
    steps: int
    batch: int
    wide: tuple[int, ...]
    hidden: tuple[int, ...]
    n_test: int
    ksg_n: int


PAPER = Panel(
    rho=(-0.99, -0.9, -0.7, -0.5, -0.3, -0.1, 0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99),
    functions=("identity", "cube", "sin"),
    sigma=(0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    seeds=6,
    gaussian_steps=20_000,
    equitability_steps=7_500,
    steps=2_500,
    batch=512,
    wide=(256,),
    hidden=(256, 256),
    n_test=100_000,
    ksg_n=10_000,
)
"""configs/experiment/{gaussian,equitability}.yaml at configs/scale/paper.yaml; a test compares."""


@dataclass(frozen=True)
class Scale:
    """How much is done.

    Attributes:
        name: as the command line has it.
        cases: a network's step -> how many networks are stacked.
        tf32: of these, the ones measured in TF32 too.
        seconds: a measurement of throughput.
        copy_mib: copied to measure the memory's bandwidth.
        matrices: sides of the products that measure the peak.
        estimate_steps: of the estimates that compare TF32 with FP32.
        own_steps: of the checks' estimates of rows.
        rows: of the checks' own data and of the tables.
        columns: of the tables.
        panel: of the two experiments.
    """

    name: str
    cases: Mapping[Shape, tuple[int, ...]]
    tf32: Mapping[Shape, tuple[int, ...]]
    seconds: float
    copy_mib: int
    matrices: tuple[int, ...]
    estimate_steps: int
    own_steps: int
    rows: int
    columns: tuple[int, int]
    panel: Panel


FULL = Scale(
    name="full",
    cases={SMALL: (1, 64, 1024, 4096, 16_384), LARGE: (8, 128, 1024)},
    tf32={SMALL: (1024, 16_384), LARGE: (8, 128, 1024)},
    seconds=1.5,
    copy_mib=2048,
    matrices=(4096, 8192),
    estimate_steps=2000,
    own_steps=500,
    rows=5000,
    columns=(20, 200),
    panel=PAPER,
)
TINY = Scale(
    name="tiny",
    cases={TINY_SHAPE: (1, 3)},
    tf32={TINY_SHAPE: (3,)},
    seconds=0.02,
    copy_mib=1,
    matrices=(64,),
    estimate_steps=10,
    own_steps=30,
    rows=200,
    columns=(3, 4),
    panel=Panel(
        rho=(0.0, 0.5),
        functions=("cube",),
        sigma=(0.0, 0.5),
        seeds=1,
        gaussian_steps=10,
        equitability_steps=10,
        steps=10,
        batch=32,
        wide=(8,),
        hidden=(8, 8),
        n_test=200,
        ksg_n=100,
    ),
)
SCALES = {scale.name: scale for scale in (TINY, FULL)}
