"""Whole lists of tasks: cells on rows of one's own, measures, claims and tables, on known rows."""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

import mine
from experiments import accuracy
from experiments.suite.claims.intervals import share_interval
from experiments.suite.grid.cells import UNTRAINED
from experiments.suite.report import accuracy_page
from experiments.suite.run.command import CONFIGS
from experiments.suite.run.jobs import build, prepare
from experiments.suite.run.rows import to_row
from experiments.suite.store.runs import Run
from experiments.suite.store.tables import row_frame
from experiments.suite.task_tables import figures as task_figures
from experiments.suite.task_tables import tables
from experiments.suite.task_tables.findings import (
    advantages,
    never_unsaid,
    share_within,
    sizes,
)
from mine.estimators.own_job import own_job
from mine.running.estimates import Estimate
from mine.running.events import Done
from mine.running.jobs import Job
from mine.running.run import run as run_jobs


@cache
def config_of(*overrides: str) -> dict[str, Any]:
    with initialize_config_dir(version_base="1.3", config_dir=str(CONFIGS)):
        composed = compose("config", list(overrides))
    plain = OmegaConf.to_container(composed, resolve=True, throw_on_missing=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def listed(name: str) -> dict[str, Any]:
    found = OmegaConf.to_container(OmegaConf.load(CONFIGS / "tasks" / f"{name}.yaml"))
    assert isinstance(found, dict)
    return {str(key): value for key, value in found.items()}


LISTS = ("benchmark", "discrete", "development")
TWO = ["mine", "ksg"]


def row(
    name: str,
    method: str,
    seed: int,
    error: float,
    warned: bool = False,
    status: str = "ok",
    truth: float = 1.0,
    n: int = 5000,
) -> dict[str, Any]:
    """A row as the runner writes it, as far as it is read here; stderr .1."""
    lost = status != "ok"
    return {
        "role": "accuracy",
        "params": json.dumps({"experiment": {"task": name, "n": n}}),
        "dim": 1,
        "method": method,
        "seed": seed,
        "truth": truth,
        "nats": math.nan if lost else truth + error,
        "stderr": math.nan if lost else 0.1,
        "status": status,
        "reason": "it broke" if lost else "",
        "warnings": "gap: learned by heart" if warned else "",
        "seconds": 2.0,
        "steps": 10,
        "task": "CorrelatedGaussian",
    }


def table(*rows: dict[str, Any]) -> pd.DataFrame:
    return tables.table(pd.DataFrame(rows))


# ------------------------------------------------------------------------ cells


def split_jobs(*overrides: str) -> tuple[list[Any], list[Job]]:
    return prepare(
        config_of("experiment=benchmark", "experiment.names=[sparse-2]", "scale=smoke",
                  "device=cpu", "experiment.panels.benchmark.steps=2.0", *overrides)
    )  # fmt: skip


def test_a_cell_on_own_rows_is_what_estimate_does_on_the_rows_of_its_task() -> None:
    """Down to the bits and the warnings, for each method; steps and folds are the method's."""
    cells, jobs = split_jobs("experiment.n=120", "train.steps=10")
    assert [cell.n for cell in cells] == [120] * len(cells)
    done = {d.job: d.outcome for d in run_jobs(jobs, "cpu") if isinstance(d, Done)}
    for i, job in enumerate(jobs):
        assert isinstance(job.source.task, mine.tasks.MultivariateNormal)
        x, y = (v.double() for v in job.source.task.sample(120, job.generator("train")))
        method = job.method.name
        steps = {} if method in UNTRAINED else {"steps": 20}
        units = {"preprocess": "none"} if method == "ksg" else {}  # tasks keep their own
        alone = own_job(x, y, method, job.seed, key=job.key, **units, **steps)
        (other,) = [d.outcome for d in run_jobs([alone], "cpu") if isinstance(d, Done)]
        one = done[i]
        assert isinstance(one, Estimate) and isinstance(other, Estimate)
        assert one.nats == pytest.approx(other.nats, abs=1e-4), method
        assert one.warnings == other.warnings
        assert (one.n_test, one.chosen) == (other.n_test, other.chosen)
    assert {job.folds for job in jobs} == {1, 5}


def test_the_network_steps_of_auto_count_its_folds_candidates_and_shares() -> None:
    _, jobs = split_jobs("experiment.n=120", "train.steps=10")
    auto = mine.methods()["auto"]
    trained = 5 * (len(auto.candidates) + len(auto.shares) - 1)
    expected = {"mine": 20, "smile(tau=5)": 20, "auto": 20 * trained, "ksg": 0,
                "gaussian_copula": 0}  # fmt: skip
    assert {job.method.name: job.network_steps for job in jobs} == expected


def test_steps_are_a_limit_on_the_methods_own() -> None:
    _, jobs = split_jobs("train.steps=1000000")
    own = {job.method.name: job.training.steps for job in jobs if job.method.name not in UNTRAINED}
    assert own == {
        "mine": 2000,
        "smile(tau=5)": 2000,
        "auto": mine.methods()["auto"].defaults["steps"],
    }


def test_neighbours_and_partners_are_the_configs() -> None:
    _, jobs = split_jobs("estimator.k=5", "estimator.partners=4")
    assert {(job.k, job.partners) for job in jobs} == {(5, 4)}


def test_any_experiment_can_be_run_on_own_rows() -> None:
    cells, jobs = prepare(
        config_of("experiment=gaussian", "estimator.split=true", "experiment.n=700")
    )
    assert {cell.n for cell in cells} == {700} and all(job.source.split for job in jobs)
    plain, _ = prepare(config_of("experiment=gaussian", "experiment.n=700"))
    assert {cell.n for cell in plain if cell.method == "ksg"} == {5000}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["estimator.split=3"], r"estimator.split must be true or false, got 3: true judges"),
        (["estimator.split=true"], r"needs rows to split, got experiment.n=0: give"),
        (["experiment=benchmark", "experiment.names=[sparse-1]"], r"tasks, got 'sparse-1': known"),
    ],
)
def test_what_cannot_be_split_is_refused(overrides: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        prepare(config_of(*overrides))


def test_the_row_of_a_cell_on_own_rows_has_the_name_the_rows_and_the_steps_allowed() -> None:
    cells, jobs = split_jobs("experiment.n=120")
    where = Run(Path("outputs") / "benchmark" / ("0" * 12))
    estimate = Estimate(0.5, 0.1, 0.6, "auto", 76, 120, 7)
    rows = [to_row(c, j, estimate, where, 1.0, "cpu") for c, j in zip(cells, jobs, strict=True)]
    steps = {r["method"]: r["steps"] for r in rows}
    assert steps["auto"] == 40 and steps["ksg"] == 0
    found = tables.table(row_frame(rows))
    assert set(found["name"]) == {"sparse-2"} and set(found["n"]) == {120}


@pytest.mark.parametrize("name", LISTS)
def test_every_listed_task_has_a_family(name: str) -> None:
    assert "other" not in {tables.family(task) for task in listed(name)}


def test_the_default_cut_of_the_benchmark_has_some_of_each_family() -> None:
    names = tables.chosen(config_of("experiment=benchmark"))
    assert {tables.family(n) for n in names} == {tables.family(n) for n in listed("benchmark")}
    paper = config_of("experiment=benchmark", "scale=paper")
    assert tables.chosen(paper) == list(listed("benchmark"))
    assert (paper["experiment"]["n"], paper["scale"]["seeds"]) == (10_000, 10)


def test_accuracy_repeats_the_tasks_whose_shares_are_counted_and_runs_all_methods() -> None:
    experiment = config_of("experiment=accuracy")["experiment"]
    truths = {name: build(task).mi for name, task in experiment["tasks"].items()}
    takes_numbers = [name for name, method in mine.methods().items() if not method.discrete_sides]
    assert experiment["methods"] == takes_numbers
    assert list(experiment["rows"]) == list(truths)
    assert set(experiment["coverage"]) == {
        name
        for name, mi in truths.items()
        if 0 < mi <= accuracy.MOST_NATS and experiment["rows"][name] >= accuracy.LEAST_ROWS
    }
    assert set(experiment["independent"]) == {name for name, mi in truths.items() if mi == 0}
    assert len(experiment["independent"]) >= 4
    assert len(truths) >= 30 and {1000, 20_000} <= set(experiment["rows"].values())
    assert not {str(t) for t in experiment["tasks"].values()} & {
        str(t) for t in listed("benchmark").values()
    }


# --------------------------------------------------------------------- measures


def test_a_table_tells_what_is_off_said_covered_and_found() -> None:
    found = table(
        row("normal-1", "mine", 0, 0.16),
        row("normal-1", "mine", 1, 0.14, warned=True),
        row("normal-1", "mine", 2, 0.0, status="diverged"),
        row("normal-1", "mine", 3, 0.0, status="failed"),
        row("normal-strong-1", "mine", 0, -0.29, truth=2.0),
        row("independent-normal-1", "mine", 0, 0.17, truth=0.0),
    )
    assert list(found["off"]) == [True, False, True, True, False, True]
    assert list(found["said"]) == [False, True, True, True, False, False]
    assert list(found["covered"]) == [True, True, False, False, False, True]
    assert list(found["found"]) == [True] * 6
    assert found["size"].tolist() == pytest.approx([0.16, 0.14, math.inf, math.inf, 0.29, 0.17])
    assert list(tables.places(found)["name"]) == [
        "independent-normal-1", "normal-1", "normal-strong-1",
    ]  # fmt: skip


def test_a_lost_cell_makes_a_methods_mean_infinite_and_is_counted() -> None:
    found = table(
        *(row("normal-1", "mine", s, 0.2 * s) for s in range(3)),
        *(row("normal-1", "ksg", s, 0.1) for s in range(2)),
        row("normal-1", "ksg", 2, 0.0, status="failed"),
    )
    lines = tables.per_method(found).set_index("method")
    assert list(lines.index) == ["mine", "ksg"]
    assert lines.loc["mine", "mean"] == pytest.approx(0.2)
    assert 0 <= lines.loc["mine", "low"] < 0.2 < lines.loc["mine", "high"] <= 0.4
    assert math.isinf(lines.loc["ksg", "mean"]) and lines.loc["ksg", "median"] == pytest.approx(
        0.1
    )
    assert (lines.loc["ksg", "failed"], lines.loc["ksg", "off"], lines.loc["mine", "off"]) == (
        1,
        1,
        2,
    )
    each = tables.per_task(found)
    assert each.loc[("normal-1", "ksg"), "error"] == pytest.approx(0.1)
    assert each.loc[("normal-1", "ksg"), "lost"] == 1


def test_methods_are_compared_on_the_same_rows() -> None:
    rows = [
        *(row("normal-1", "mine", s, 0.1) for s in range(4)),
        row("normal-1", "ksg", 0, -0.4),
        row("normal-1", "ksg", 1, 0.0),
        row("normal-1", "ksg", 2, 0.0, status="failed"),
    ]
    (gaps,) = advantages(sizes(table(*rows)), "mine", "ksg")
    assert gaps.tolist() == pytest.approx([0.3, -0.1, math.inf])
    (gaps,) = advantages(sizes(table(*rows)), "ksg", "mine")
    assert gaps.tolist() == pytest.approx([-0.3, 0.1, -math.inf])
    both = [row("normal-1", m, 0, 0.0, status="diverged") for m in TWO]
    assert advantages(sizes(table(*both)), "mine", "ksg") == []
    assert advantages(sizes(table(*rows)), "mine", "doe") == []


def test_a_warning_is_what_tells_an_honest_error_from_another() -> None:
    def judged(**options: Any) -> tuple[str, str]:
        rows = [row("normal-1", "auto", s, 0.0) for s in range(3)]
        rows += [row("spiral-2", "auto", s, 0.5, **options) for s in range(3)]
        found = never_unsaid(table(*rows), "auto")
        assert found is not None
        return found.measured, found.verdict

    measured, verdict = judged(warned=True)
    assert verdict == "reproduced" and "of 3 cells that are off 3 said so" in measured
    measured, verdict = judged()
    assert verdict == "not reproduced" and "of 3 cells that are off 0 said so" in measured
    measured, verdict = judged(status="diverged")
    assert verdict == "reproduced" and "3 of 6 cells diverged" in measured


def test_a_share_is_judged_by_its_interval_and_says_what_failed() -> None:
    rows = [row("normal-1", "auto", s, 0.1 if s else 1.0) for s in range(100)]
    failed = [row("uniform-1", "auto", s, 0.0, status="failed") for s in range(3)]
    found = table(*rows, *failed)
    first, second, third = (
        share_within(found, "covered", *bounds) for bounds in ((0.9, 1.0), (0.0, 0.9), (0.98, 1.0))
    )
    assert first and first.verdict == "reproduced" and first.interval == share_interval(99, 100)
    assert "99 of 100 cells" in first.measured and "3 of 103 cells failed" in first.measured
    assert second and second.verdict == "not reproduced"
    assert third and third.verdict == "inconclusive"


def test_numbers_of_a_heat_map_are_short_and_say_what_was_lost() -> None:
    values = [0.0, 0.004, 0.021, -0.5, -1.26, 12.4, 2e6, math.nan]
    texts = [task_figures.number(value, False) for value in values]
    assert texts == ["0", "0", "+.02", "−.50", "−1.3", "+12", "+2e+06", "×"]
    assert task_figures.number(0.3, True) == "+.30*"


# ------------------------------------------------------------------------- page


def test_the_page_has_each_methods_error_on_each_task_and_what_auto_said() -> None:
    found = [
        *(row("normal-1", "auto", s, 0.01) for s in range(3)),
        *(row("spiral-2", "auto", s, 0.5, warned=s > 0) for s in range(3)),
        *(row("normal-1", "ksg", s, 0.2) for s in range(3)),
        row("spiral-2", "ksg", 0, 0.0, status="failed"),
        *(row("independent-normal-1", "auto", s, 0.0, truth=0.0) for s in range(3)),
    ]
    page = accuracy_page.page(pd.DataFrame(found))
    assert "| auto | +0.010 [+0.010, +0.010] |" in page
    assert "| KSG | 1 lost |" in page
    assert "| spiral-2 | 0 | 1.000 | +0.500 | nothing |" in page
    assert "| spiral-2 | 2 | 1.000 | +0.500 | gap: learned by heart |" in page
    assert "| all | 3 of 6 | 0.500 |" in page  # covered, where there is something
    assert "| independent-normal-1 | 0 of 3 | 0.000 |" in page  # found
    assert "| KSG | ∞ |" in page
    lines = [line for line in page.splitlines() if line.startswith("| ")]
    assert len(lines) > 20 and all(line.endswith(" |") for line in lines)


def test_the_page_of_no_run_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert accuracy_page.main(["--outputs", str(tmp_path)]) == 2
    assert "expected a run of accuracy" in capsys.readouterr().err
