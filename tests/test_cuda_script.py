"""The script for a GPU, tried on the CPU: what it reports, its time, and its panels."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from benchmarks.cases import LARGE, SMALL
from benchmarks.cuda import page, panels, tables, throughput
from benchmarks.cuda.__main__ import finite, main
from benchmarks.cuda.parts import PARTS
from benchmarks.cuda.report import table
from benchmarks.cuda.scales import PAPER, TINY
from benchmarks.cuda.tasks import CheckFailed, Part, Setting, Skipped, Task, as_mapping, run_parts
from experiments.suite.run import command
from experiments.suite.run.jobs import prepare
from mine.method.names import METHODS

ROOT = Path(__file__).resolve().parents[1]
NOT_NEEDED = "experiments", "hydra", "omegaconf", "pandas", "rich", "tqdm", "yaml", "pytest"
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """What it prints, and cuda.json, in a process that has only what `mine` needs."""
    folder = tmp_path_factory.mktemp("cuda")
    program = (
        f"import sys; sys.modules.update(dict.fromkeys({NOT_NEEDED!r}))\n"
        "from benchmarks.cuda.__main__ import main\n"
        f"sys.exit(main(['--out', {str(folder)!r}, '--device', 'cpu', '--scale', 'tiny']))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=ROOT, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout
    assert [p.name for p in folder.iterdir()] == ["cuda.json"]
    return done.stdout, json.loads((folder / "cuda.json").read_text())


@pytest.mark.parametrize("name", PARTS)
def test_each_part_reports_and_nothing_fails(name: str, tiny: tuple[str, dict[str, Any]]) -> None:
    printed, found = tiny
    records = found["parts"][name]["records"]
    assert records and name.upper() in printed
    states = {record["state"] for record in records}
    assert states <= ({"ok", "skipped"} if name == "checks" else {"ok"})
    reasons = {r["reason"] for r in records if r["state"] == "skipped"}
    assert reasons <= {"needs a CUDA device"}


def test_the_records_have_the_numbers(tiny: tuple[str, dict[str, Any]]) -> None:
    parts = {name: part["records"] for name, part in tiny[1]["parts"].items()}
    assert parts["machine"][0]["torch"] == torch.__version__
    cases = [r for r in parts["throughput"] if "network_steps_per_s" in r and "shape" in r]
    assert [r["k"] for r in cases] == [1, 3, 3]
    for r in cases:
        assert r["network_steps_per_s"] > 0 and not r["captured"]
        assert r["draw"]["host_us_per_step"] <= r["draw"]["us_per_step"]
        assert all(r[name] > 0 for name in ("of_memory", "of_matrices", "of_launches"))
    assert [r["seeds"] for r in parts["gaussian"]] == [1, 1, 1, 1]
    points = parts["equitability"][0]["points"]
    assert [p["point"] for p in points] == ["map cube 0.0", "map cube 0.5", "self cube 0.5"]
    assert points[0]["truth"] is None and points[1]["truth"] == points[2]["truth"] > 0
    assert parts["pairwise"][1]["of_columns"] == 4


@pytest.mark.skipif(torch.cuda.is_available(), reason="is for a machine without a CUDA device")
def test_without_a_card_it_says_so_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("expected a CUDA device, torch finds none") and said.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--minutes", "0"], "expected minutes above 0, such as 8, got '0'"),
        (["--parts", "checks,speed"], "expected some of machine,checks,.*, got 'speed'"),
    ],
)
def test_bad_arguments_are_refused(
    arguments: list[str], complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--out", str(tmp_path), "--device", "cpu", *arguments])
    assert re.search(complaint, capsys.readouterr().err)


# ------------------------------------------------------------------ tasks and time


def raising(setting: Setting) -> dict[str, Any]:
    raise RuntimeError("no kernel\nsecond line")


def failing(setting: Setting) -> dict[str, Any]:
    raise CheckFailed("too far off", {"difference": 1.0})


def skipping(setting: Setting) -> dict[str, Any]:
    raise Skipped("not here")


def records_of(*tasks: Task, minutes: float = 1.0) -> list[dict[str, Any]]:
    part = Part("checks", 1.0, lambda setting: tasks)
    *_, results = run_parts([part], minutes, CPU, TINY, time.perf_counter())
    return results[0].records


def test_what_raises_is_recorded_and_ends_nothing() -> None:
    works = [raising, failing, skipping, lambda setting: {"value": 1}]
    found = records_of(*(Task(str(i), work) for i, work in enumerate(works)))
    assert [r["state"] for r in found] == ["failed", "failed", "skipped", "ok"]
    assert found[0]["reason"] == "RuntimeError: no kernel"
    assert "in raising" in found[0]["traceback"]
    assert found[1]["difference"] == 1.0 and found[3]["value"] == 1


def test_a_part_whose_tasks_cannot_be_told_is_recorded() -> None:
    def tasks(setting: Setting) -> list[Task]:
        raise ValueError("no scale")

    *_, results = run_parts([Part("checks", 1.0, tasks)], 1.0, CPU, TINY, time.perf_counter())
    assert results[0].records[0]["reason"] == "ValueError: no scale"


def test_what_the_time_is_over_for_is_left_out_and_said() -> None:
    slow = Task("slow", lambda setting: time.sleep(max(setting.left(), 0)) or {})
    found = records_of(slow, Task("late", lambda setting: {}), minutes=0.001)
    assert [r["state"] for r in found] == ["ok", "left out"]
    text = table({"scale": "tiny", "seconds": 1, "minutes": 8, "parts": as_mapping(
        [*run_parts([Part("checks", 1.0, lambda s: [Task("late", raising)])], 1e-9, CPU, TINY,
                    time.perf_counter())][-1]
    )})  # fmt: skip
    assert "left out  late: 0 s of its part's time were left" in text


def test_a_part_leaves_the_time_it_does_not_need_to_the_next() -> None:
    parts = [Part("a", 1.0, lambda s: [Task("a", lambda s: {})]),
             Part("b", 1.0, lambda s: [Task("b", lambda s: {"left": s.left()})])]  # fmt: skip
    *_, results = run_parts(parts, 1.0, CPU, TINY, time.perf_counter())
    assert results[0].budget == pytest.approx(30, abs=5)
    assert results[1].records[0]["left"] == pytest.approx(60, abs=5)


def test_a_slow_start_takes_from_all_parts_and_leaves_out_none() -> None:
    parts = [Part("a", 1.0, lambda s: [Task("a", lambda s: {})]), Part("b", 99.0, lambda s: [])]
    *_, results = run_parts(parts, 1.0, CPU, TINY, time.perf_counter() - 20)
    assert results[0].budget == pytest.approx(0.4, abs=0.1)
    assert results[0].records[0]["state"] == "ok"


def test_numbers_that_json_cannot_hold_are_null() -> None:
    value = {"a": [1.0, float("inf")], 2: (float("nan"), "x", None, True)}
    assert finite(value) == {"a": [1.0, None], "2": [None, "x", None, True]}


# ------------------------------------------------------------------ what is measured


def test_least_bytes_by_hand() -> None:
    """2 x 100: 3 x 100 + 100 x 100 + 100 + 100 + 1 parameters, 200 rows."""
    assert throughput.least_bytes(SMALL) == 4 * (10 * 10_501 + 13 * 200 * 100)


def test_shares_of_the_ceilings() -> None:
    ceilings = {"bytes_per_s": 2e12, "tf32_flops_per_s": 4e14, "graph_s": 2e-6}
    rate = 1e14 / LARGE.flops()
    found = throughput.ratios(LARGE, "tf32", rate, 1e5, ceilings)
    assert found["of_matrices"] == pytest.approx(0.25)
    assert found["of_launches"] == pytest.approx(0.2)
    assert found["of_memory"] == pytest.approx(rate * throughput.least_bytes(LARGE) / 2e12)
    assert throughput.ratios(LARGE, "fp32", rate, 1e5, {}) == {}


def test_the_tables_truth_is_its_sample_correlations() -> None:
    rows, truth = tables.normal_table(100_000, 3)
    sample = np.corrcoef(rows.T) - np.eye(3)
    np.testing.assert_allclose(-0.5 * np.log1p(-(sample**2)), truth, atol=0.01)


def config_of(experiment: str) -> dict[str, Any]:
    overrides = [f"experiment={experiment}", "scale=paper"]
    with initialize_config_dir(version_base="1.3", config_dir=str(command.CONFIGS)):
        plain = OmegaConf.to_container(compose("config", overrides), resolve=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def by_name(jobs: list[Any]) -> list[Any]:
    """The jobs with their methods by name: each registry makes methods of its own."""
    named = [(job.method.name, replace(job, method=METHODS["mine"])) for job in jobs]
    return sorted(named, key=lambda one: (one[1].key, one[0], one[1].seed))


def test_the_panel_of_gaussian_is_the_suites_at_scale_paper() -> None:
    cells, jobs = prepare(config_of("gaussian"))
    wanted = [job for cell, job in zip(cells, jobs, strict=True) if cell.role == "high"]
    methods = ("mine", "mine_f", "dv", "ksg")
    found = [job for m in methods for job in panels.gaussian_jobs(PAPER, m, PAPER.seeds)]
    assert by_name(found) == by_name(wanted)


def test_equitability_is_the_suites_at_scale_paper() -> None:
    _, wanted = prepare(config_of("equitability"))
    assert by_name(panels.equitability_jobs(PAPER, PAPER.seeds)) == by_name(wanted)


def test_fewer_seeds_are_run_where_the_time_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Six seeds would take 12 s of 5, of which .8 may be planned with."""
    monkeypatch.setattr(panels.library, "pace", lambda *_: (2.0, 10.0 / PAPER.gaussian_steps))
    setting = Setting(CPU, TINY, time.perf_counter() + 5.0)
    jobs_of = panels.partial(panels.gaussian_jobs, PAPER, "mine")
    assert panels._affordable(6, jobs_of, setting)[0] == 1
    setting = Setting(CPU, TINY, time.perf_counter() + 100.0)
    assert panels._affordable(6, jobs_of, setting) == (6, 12.0)


def test_the_page_is_made_of_the_record() -> None:
    docs = Path(__file__).resolve().parents[1] / "docs"
    found = json.loads((docs / "results" / "cuda.json").read_text())
    assert (docs / "gpu.md").read_text() == page.page(found), (
        "run `python -m benchmarks.cuda.page docs/results/cuda.json > docs/gpu.md`"
    )
