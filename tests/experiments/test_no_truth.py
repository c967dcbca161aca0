"""Where nobody knows the truth: rows, progress bar, report, sweep pages and sinks cope."""

from __future__ import annotations

import csv
import math
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from hydra import compose, initialize_config_dir
from matplotlib.figure import Figure
from omegaconf import OmegaConf

from experiments import self_consistency
from experiments.suite.figures import rendering
from experiments.suite.figures.palette import TRUTH
from experiments.suite.report.writing import write_report
from experiments.suite.run import sinks
from experiments.suite.run.command import CONFIGS
from experiments.suite.run.computing import mean_error
from experiments.suite.run.jobs import prepare
from experiments.suite.run.rows import to_row
from experiments.suite.store.runs import Run
from experiments.suite.store.tables import row_frame
from experiments.suite.sweeps.lines import ERROR, scale_y
from mine.running.estimates import Estimate

SMALL = ("experiment.shares=[0.0,0.5,1.0]", "~experiment.panels.processing")


def config_of(*overrides: str) -> dict[str, object]:
    with initialize_config_dir(version_base="1.3", config_dir=str(CONFIGS)):
        words = ["experiment=self_consistency", "experiment.methods=[mine,infonce]"]
        composed = compose("config", [*words, "scale.seeds=4", *overrides])
    plain = OmegaConf.to_container(composed, resolve=True, throw_on_missing=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def rows_of(config: dict[str, object], factor: float = 1.0) -> pd.DataFrame:
    """Additive estimates: t nats an image, times a factor."""
    cells, jobs = prepare(config)
    where = Run(Path("outputs") / "self_consistency" / ("0" * 12))
    rows = []
    for cell, job in zip(cells, jobs, strict=True):
        images = 2 if cell.role == "additivity" else 1
        nats = factor * images * cell.task["rows"] + 0.01 * cell.seed
        estimate = Estimate(nats, 0.01, nats, cell.method, 1078, 360, cell.steps)
        rows.append(to_row(cell, job, estimate, where, 1.0, "cpu"))
    return row_frame(rows)


@pytest.fixture(scope="module")
def outputs(example: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two settings of one experiment without truths, and their report, with SVG alone."""
    folder = tmp_path_factory.mktemp("outputs")
    for rate, factor in ((0.001, 0.5), (0.01, 1.0)):
        config = config_of(f"train.learning_rate={rate}", *SMALL)
        command = f"python -m experiments experiment=self_consistency train.learning_rate={rate}"
        example.write_run(folder, config, rows_of(config, factor), command=command)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rendering, "KINDS", {"svg": rendering.KINDS["svg"]})
        page, problems, _ = write_report(folder)
    assert page.exists() and problems == []
    return folder


def test_a_row_without_a_truth_has_nan_there() -> None:
    rows = rows_of(config_of())
    assert rows["truth"].isna().all() and rows["truth"].dtype == np.float64


def test_the_progress_bar_says_nothing_of_errors_that_nobody_knows() -> None:
    assert mean_error({0: math.nan, 1: math.nan}) == ""
    assert mean_error({0: math.nan, 1: 0.5}) == "mean error 0.500 nats"


def test_the_report_has_the_estimates_and_no_errors(outputs: Path) -> None:
    with open(outputs / "results.csv") as file:
        lines = list(csv.DictReader(file))
    assert {line["truth"] for line in lines} <= {"", "nan"} and len(lines) == 2 * 2 * 5 * 3
    text = (outputs / "report.md").read_text()
    (heading,) = re.findall(r"^.*monotone: TopRows.*$", text, re.MULTILINE)
    table = text[text.index(heading) :].split("\n\n")[1].splitlines()
    assert len(table) == 2 + 6
    for line in table[2:]:
        cells = [cell.strip() for cell in line.split("|")]
        assert cells[4:6] == ["n/a (n/a)", "n/a (n/a)"]  # truth and error
        assert float(cells[3].split()[0]) >= 0.0


def test_a_sweep_chooses_without_a_truth_and_shows_no_error(outputs: Path) -> None:
    with open(outputs / "sweeps.csv") as file:
        lines = list(csv.DictReader(file))
    assert lines and {line["error"] for line in lines} <= {"", "nan"}
    assert all(float(line["spread"]) > 0 for line in lines)
    text = (outputs / "report.md").read_text()
    chosen = [line for line in text.splitlines() if "highest held-out value" in line]
    assert chosen and all("n/a" in line and "learning rate .01" in line for line in chosen)
    svg = (outputs / "figures" / "self_consistency_sweep_monotone.svg").read_text()
    assert "No truth is known" in svg and "no value" in svg and ">truth<" not in svg


def test_a_figure_of_errors_without_any_has_no_truth_line() -> None:
    ax = Figure().subplots()
    scale_y(ax, ERROR)
    assert not ax.lines and [text.get_text() for text in ax.texts] == ["no value"]


def test_the_figure_has_lines_for_what_must_be_and_none_for_a_truth() -> None:
    (figure,) = self_consistency.figures(rows_of(config_of())).values()
    dashed = [[line for line in ax.lines if line.get_color() == TRUTH] for ax in figure.axes]
    assert [len(lines) for lines in dashed] == [0, 1, 1]
    assert [lines[0].get_ydata()[0] for lines in dashed[1:]] == [1.0, 2.0]
    assert not any(text == "truth" for ax in figure.axes for text in
                   ax.get_legend_handles_labels()[1])  # fmt: skip


def test_tensorboard_gets_no_truth_where_there_is_none(
    example: ModuleType, tmp_path: Path
) -> None:
    pytest.importorskip("tensorboard", reason="needs the extra 'tensorboard'")
    config = config_of("scale.seeds=1")
    rows = rows_of(config)
    folder = example.write_run(tmp_path, config, rows)
    found = Run(folder)
    assert sinks.write(["tensorboard"], found, config, rows.to_dict("records"), {}) == []
    (events,) = (folder / "tensorboard").iterdir()
    data = events.read_bytes()
    assert b"nats/" in data and b"truth/" not in data


def test_ratios_are_of_equal_seeds_and_infinite_where_there_is_no_base() -> None:
    rows = self_consistency.table(rows_of(config_of()))
    (first, *_) = self_consistency.ratio_tests(rows, "additivity", "mine")
    values = [(4 + 0.01 * seed) / (2 + 0.01 * seed) for seed in range(3)]
    assert first.value == pytest.approx(np.mean(values)) and first.seeds == 3
    low = rows.assign(nats=rows["nats"].where(rows["role"] != "monotone", -1.0))
    assert all(
        math.isinf(one.value) for one in self_consistency.ratio_tests(low, "processing", "mine")
    )


def test_cells_of_mnist_have_a_row_count_of_its_own() -> None:
    cells = self_consistency.cells(config_of("data=mnist"))
    seen = {role: sorted({c.task["rows"] for c in cells if c.role == role})
            for role in self_consistency.VIEWS}  # fmt: skip
    assert seen == {
        "monotone": [0, 7, 14, 21, 28],
        "processing": [7, 14, 21, 28],
        "additivity": [7, 14, 21, 28],
    }
    assert {c.task["drop"] for c in cells if c.role == "processing"} == {4}
