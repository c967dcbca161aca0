"""The runner: found, taken up, interrupted and refused runs, by the values in their rows.

Most tests call the runner in this process, on one thread and a grid of eighteen tiny cells.
Figures, which test_configs.py draws, are left out.
"""

from __future__ import annotations

import dataclasses
import io
import json
import logging
import math
import os
import re
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

import mine.critics.mlp
import mine.running.workers
from experiments.suite.figures import drawing
from experiments.suite.report.command import main
from experiments.suite.run import command as run
from experiments.suite.store import runs as store
from mine.running.workers import Done, News
from mine.tasks import CorrelatedGaussian

ROOT = Path(__file__).resolve().parents[4]
TINY = (
    *("experiment=gaussian", "scale=smoke", "device=cpu", "experiment.rho=[0.3,0.5,0.9]"),
    *("experiment.methods=[ksg,mine,dv]", "experiment.panels.scalar={dim:1,steps:1,seeds:1}"),
    *("experiment.panels.high={dim:3,steps:2,seeds:1}", "~experiment.panels.high.critic"),
    *("train.steps=4", "train.batch_size=16", "critic.hidden=[8]"),
    *("scale.n_test=100", "scale.ksg_n=60", "figures=false"),
)
CELLS = 2 * 3 * 3
UNTIMED = [name for name in store.ROW_COLUMNS if name not in ("seconds", "run_id")]
"""What two runs of one config share to the last bit."""
FORECAST = mine.running.workers.forecast

Patch = pytest.MonkeyPatch


@cache
def composed(*overrides: str) -> DictConfig:
    with initialize_config_dir(version_base="1.3", config_dir=str(run.CONFIGS)):
        return compose("config", [*TINY, *overrides])


def config_of(*overrides: str) -> dict[str, Any]:
    plain = OmegaConf.to_container(composed(*overrides), resolve=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def config_in(outputs: Path, *overrides: str) -> dict[str, Any]:
    return {**config_of(*overrides), "outputs": str(outputs)}


def run_in(outputs: Path, *overrides: str) -> int:
    return run.run_experiment(config_in(outputs, *overrides), "the command")


def the_run(outputs: Path) -> store.Run:
    (folder,) = outputs.glob("*/*/config.yaml")
    return store.Run(folder.parent)


def rows_in(outputs: Path) -> pd.DataFrame:
    return the_run(outputs).read_rows()


def assert_same_bits(one: pd.DataFrame, other: pd.DataFrame) -> None:
    """Equal but for `UNTIMED`; CSV's digits give the same double back."""
    assert store.csv_bytes(one[UNTIMED]) == store.csv_bytes(other[UNTIMED])


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def assert_nothing_half_written(outputs: Path) -> None:
    assert not list(outputs.rglob("*.tmp"))
    for one in store.load_runs(outputs)[0]:
        one.check()


@contextmanager
def threads(count: int) -> Iterator[None]:
    """On one the stacks run in this process, one after the other; on more in processes."""
    old = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(old)


@pytest.fixture(autouse=True)
def _here(no_forecast: None, monkeypatch: Patch) -> Iterator[None]:
    """One thread, no forecast, whose times would order the stacks; what the command sets in the
    environment is taken back."""
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with threads(1):
        yield


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The outputs of one whole run."""
    outputs = tmp_path_factory.mktemp("uninterrupted")
    with threads(1):
        assert run_in(outputs) == run.OK
    return outputs


@pytest.fixture
def asked(monkeypatch: Patch) -> list[tuple[str, float]]:
    """(method, rho) of every cell that was computed from here on."""
    found: list[tuple[str, float]] = []
    stack_of = mine.running.workers._run_stack

    def spy(jobs: Sequence[Any], stack: tuple[int, ...], *rest: Any) -> Iterator[News]:
        found.extend((jobs[i].method, jobs[i].data.rho) for i in stack)
        return stack_of(jobs, stack, *rest)

    monkeypatch.setattr(mine.running.workers, "_run_stack", spy)
    return found


def after(monkeypatch: Patch, cells: int, act: Callable[[], None]) -> None:
    """Once only, acts when so many cells have been heard of."""
    original = mine.running.workers.run

    def stream(*args: Any, **options: Any) -> Iterator[News]:
        done = 0
        for news in original(*args, **options):
            yield news
            done += isinstance(news, Done)
            if isinstance(news, Done) and done == cells:
                monkeypatch.setattr(mine.running.workers, "run", original)
                act()

    monkeypatch.setattr(mine.running.workers, "run", stream)


def interrupt() -> None:
    raise KeyboardInterrupt


def break_at(monkeypatch: Patch, *rho: float, message: str = "no such sample") -> None:
    """Cells of these rho raise when they ask for samples."""
    sample = CorrelatedGaussian.sample

    def broken(task: CorrelatedGaussian, n: int, generator: torch.Generator) -> Any:
        if task.rho in rho:
            raise RuntimeError(message)
        return sample(task, n, generator)

    monkeypatch.setattr(CorrelatedGaussian, "sample", broken)


def say_command(monkeypatch: Patch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["experiments", *words])
    return run.command()


# ------------------------------------------------------------- one whole run


def test_rows_say_what_was_asked_and_what_came(uninterrupted: Path) -> None:
    cells, jobs = run.prepare(config_in(uninterrupted))
    rows = rows_in(uninterrupted)
    assert list(rows["key"]) == [cell.key for cell in cells]
    assert len(rows) == CELLS
    for row, cell, job in zip(rows.to_dict("records"), cells, jobs, strict=True):
        assert (row["method"], row["seed"], row["role"]) == (cell.method, cell.seed, cell.role)
        assert row["task"] == "CorrelatedGaussian"
        assert json.loads(row["params"]) == {"dim": row["dim"], "rho": cell.task["rho"]}
        assert row["truth"] == job.data.mi  # type: ignore[union-attr]
        assert (row["status"], row["reason"], row["step_diverged"]) == ("ok", "", -1)
        assert math.isfinite(row["nats"]) and row["stderr"] >= 0
        assert math.isnan(row["train_nats"]) == (cell.method == "ksg")
        assert row["steps"] == cell.steps == {"ksg": 0}.get(cell.method, job.training.steps)
        ksg = (60, 60)
        stream = (16 * cell.steps, 100)
        assert (row["n_train"], row["n_test"]) == (ksg if cell.method == "ksg" else stream)
        assert row["run_id"] == the_run(uninterrupted).run_id and row["device"] == "cpu"
        assert 0 < row["seconds"] < 60


def test_the_status_and_the_provenance_say_how_the_run_went(uninterrupted: Path) -> None:
    status = the_run(uninterrupted).read_status()
    counts = ("state", "cells", "done", "failed", "diverged", "command")
    assert [status[key] for key in counts] == ["finished", CELLS, CELLS, 0, 0, "the command"]
    assert status["seconds"] > 0 and status["started"] <= status["updated"]
    provenance = the_run(uninterrupted).read_provenance()
    assert provenance["device"] == "cpu" and provenance["seed"] == 0
    assert provenance["packages"]["torch"] == torch.__version__


def test_the_plan_goes_to_stdout_and_progress_to_stderr(
    tmp_path: Path, monkeypatch: Patch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr("tqdm.std.tqdm.monitor_interval", 0)
    assert run_in(tmp_path, "experiment.rho=[0.5]") == run.OK
    plan, end = capsys.readouterr().out.splitlines()
    name = f"gaussian {the_run(tmp_path).run_id}"
    assert plan.startswith(f"{name}: 6 cells, 6 stacks, 24 network-steps on cpu, about ")
    assert end.startswith(f"{name}: 6 ok, 0 diverged, 0 failed, in ")
    bar = terminal.getvalue()
    assert "24.0/24.0" in bar and "step/s" in bar and "mean error" in bar and "nats" in bar
    log = the_run(tmp_path).log.read_text()
    assert plan in log and end in log


def test_a_run_says_where_a_panel_has_a_critic_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = "experiment.panels.high.critic"
    assert run_in(tmp_path, "experiment.rho=[0.5]", f"+{own}={{hidden:[4]}}") == run.OK
    said = capsys.readouterr().out.splitlines()[0]
    assert said == f"panel high has a critic of its own: hidden=[4] ({own})"
    rows = the_run(tmp_path).read_rows()
    has = rows["params"].str.contains("hidden")
    assert set(rows[["role", "method"]][has].itertuples(index=False, name=None)) == {
        *(("high", method) for method in ("dv", "mine"))
    }


def test_the_longest_stacks_begin_first(
    tmp_path: Path, monkeypatch: Patch, asked: list[tuple[str, float]]
) -> None:
    seconds = {"ksg": 2.0, "mine": 1.0, "dv": 3.0}
    monkeypatch.setattr(
        mine.running.workers,
        "forecast",
        lambda jobs, of, *_: [seconds[jobs[i].method] for i, *_ in of],
    )
    assert run_in(tmp_path, "experiment.rho=[0.3,0.9]") == run.OK
    assert [method for method, _ in asked] == ["dv"] * 4 + ["ksg"] * 4 + ["mine"] * 4


# --------------------------------------------------------- found and not found


def test_a_finished_run_is_found_and_not_redone(
    uninterrupted: Path, capsys: pytest.CaptureFixture[str], asked: list[Any]
) -> None:
    before = contents(the_run(uninterrupted).folder)
    del before[str(the_run(uninterrupted).folder / "config.yaml")]
    assert run_in(uninterrupted) == run.OK
    assert f"finished before, {CELLS} cells in" in capsys.readouterr().out
    assert asked == []
    assert before.items() <= contents(the_run(uninterrupted).folder).items()


def test_a_config_that_asks_for_something_else_is_another_run(tmp_path: Path) -> None:
    few = ("experiment.methods=[ksg]", "experiment.rho=[0.5]")
    assert run_in(tmp_path, *few) == run.OK
    first = the_run(tmp_path)
    assert run_in(tmp_path, *few, "estimator.k=4") == run.OK
    (other,) = [one for one in store.load_runs(tmp_path)[0] if one.run_id != first.run_id]
    assert (first.read_rows()["nats"] != other.read_rows()["nats"]).all()


def test_neither_the_outputs_folder_nor_the_threads_change_a_bit(tmp_path: Path) -> None:
    more = "experiment.rho=[-0.9,0.1,0.3,0.5,0.9]"  # on two threads, two stacks of each kind
    one, two, again = (tmp_path / name for name in ("one", "two", "again"))
    for outputs, count in ((one, 1), (again, 1), (two, 2)):
        with threads(count):
            assert run_in(outputs, more) == run.OK
            assert torch.get_num_threads() == count
    for outputs in (again, two):
        assert the_run(outputs).run_id == the_run(one).run_id
        assert_same_bits(rows_in(outputs), rows_in(one))
        assert curves_in(outputs) == curves_in(one)


def curves_in(outputs: Path) -> bytes:
    return (the_run(outputs).folder / "curves.parquet").read_bytes()


def test_a_cell_asked_for_twice_is_one_cell(tmp_path: Path) -> None:
    few = ("experiment.methods=[ksg,ksg]", "experiment.rho=[0.5,0.5]")
    assert run_in(tmp_path, *few) == run.OK
    assert len(rows_in(tmp_path)) == 2


def test_a_grid_that_grows_computes_its_new_cells_only(
    tmp_path: Path, asked: list[tuple[str, float]]
) -> None:
    """Another grid is another run; equal cells are taken over, with their curves."""
    small = ("experiment.rho=[0.5,0.9]",)
    assert run_in(tmp_path, *small) == run.OK
    (first,) = (store.Run(p.parent) for p in tmp_path.glob("*/*/config.yaml"))
    before = first.read_rows()
    asked.clear()
    assert run_in(tmp_path, "experiment.rho=[0.3,0.5,0.9]") == run.OK
    assert {rho for _, rho in asked} == {0.3}
    (second,) = (
        store.Run(p.parent)
        for p in tmp_path.glob("*/*/config.yaml")
        if p.parent.name != first.run_id
    )
    rows = second.read_rows()
    assert len(rows) == CELLS and set(rows["run_id"]) == {second.run_id}
    kept = rows[rows["key"].isin(before["key"])].reset_index(drop=True)
    assert_same_bits(kept.drop(columns="run_id"), before.drop(columns="run_id"))
    assert set(kept["key"]) & set(second.read_curves()["key"])
    asked.clear()
    assert run_in(tmp_path, "experiment.rho=[0.9]", "estimator.partners=3") == run.OK
    assert {rho for _, rho in asked} == {0.9}  # another estimator: nothing is taken over


# ----------------------------------------------------------------- interrupted


@pytest.mark.parametrize("heard", [4, 5, 6])
def test_a_stopped_run_keeps_what_is_finished_and_goes_on_to_the_same_rows(
    heard: int,
    uninterrupted: Path,
    tmp_path: Path,
    monkeypatch: Patch,
    capsys: pytest.CaptureFixture[str],
    asked: list[tuple[str, float]],
) -> None:
    """Of a stack all rows are kept or none: one cell of three, left alone, would be rounded
    otherwise."""
    after(monkeypatch, heard, interrupt)  # one of KSG, the stack of mine, and some of dv's three
    assert run_in(tmp_path) == run.INTERRUPTED
    kept = rows_in(tmp_path)
    assert len(kept) == 4
    assert the_run(tmp_path).read_status()["state"] == "stopped"
    assert "stopped by SIGINT: 4 of 18 cells are kept" in capsys.readouterr().out
    assert_nothing_half_written(tmp_path)

    asked.clear()
    assert run_in(tmp_path) == run.OK
    assert "18 cells, 4 kept from before, 8 stacks" in capsys.readouterr().out
    assert len(asked) == CELLS - 4
    rows = rows_in(tmp_path)
    assert_same_bits(rows, rows_in(uninterrupted))
    assert list(rows.loc[rows["key"].isin(kept["key"]), "seconds"]) == list(kept["seconds"])
    assert curves_in(tmp_path) == curves_in(uninterrupted)
    status = the_run(tmp_path).read_status()
    assert (status["state"], status["done"], status["failed"]) == ("finished", CELLS, 0)


def test_ctrl_c_in_a_process_keeps_the_finished_stacks(
    uninterrupted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Patch
) -> None:
    long = ("train.steps=1000000", "experiment.rho=[0.5]")  # of the six stacks, KSG's two end
    started = subprocess.Popen(
        [sys.executable, "-m", "experiments", *TINY, *long, "threads=6", f"outputs={tmp_path}"],
        cwd=ROOT, start_new_session=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        give_up = time.monotonic() + 600
        while not any(done_in(path) for path in tmp_path.glob("*/*/status.json")):
            assert started.poll() is None and time.monotonic() < give_up
            time.sleep(0.05)
        os.killpg(started.pid, signal.SIGINT)  # as a terminal does: to the workers too
        out, err = started.communicate(timeout=600)
        with pytest.raises(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)  # none of them is left
    finally:
        started.kill()
        started.communicate()
    assert (started.returncode, err) == (run.INTERRUPTED, "")
    rows = rows_in(tmp_path)
    assert f"stopped by SIGINT: {len(rows)} of 6 cells are kept" in out
    assert_nothing_half_written(tmp_path)
    whole = rows_in(uninterrupted)  # KSG's cells know nothing of train.steps
    same = whole[whole["key"].isin(rows["key"])]
    assert len(rows) > 0 and set(rows["method"]) == {"ksg"}
    assert_same_bits(rows, same.reset_index(drop=True))

    monkeypatch.setattr(mine.running.workers, "run", lambda *_, **__: interrupt())
    assert run_in(tmp_path, *long) == run.INTERRUPTED  # the same command finds them
    assert f"6 cells, {len(rows)} kept from before" in capsys.readouterr().out


def done_in(status: Path) -> int:
    return int(json.loads(status.read_text())["done"])


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (["rows.parquet"], "the copy before it is used"),
        (["curves.parquet"], "the copy before it is used"),
        (["rows.parquet", "rows.previous.parquet"], "computed again"),
        (["curves.parquet", "curves.previous.parquet"], "computed again"),
    ],
)
def test_rows_that_cannot_be_read_are_computed_again(
    uninterrupted: Path, tmp_path: Path, monkeypatch: Patch, broken: list[str], said: str
) -> None:
    after(monkeypatch, 4, interrupt)
    assert run_in(tmp_path) == run.INTERRUPTED
    for name in broken:
        (the_run(tmp_path).folder / name).write_bytes(b"PAR1 half of it")
    assert run_in(tmp_path) == run.OK
    assert_same_bits(rows_in(tmp_path), rows_in(uninterrupted))
    assert curves_in(tmp_path) == curves_in(uninterrupted)
    assert said in the_run(tmp_path).log.read_text()


@pytest.mark.parametrize("name", store.TABLES)
def test_a_finished_run_whose_table_breaks_computes_what_the_copy_before_lacks(
    uninterrupted: Path, tmp_path: Path, name: str, asked: list[Any]
) -> None:
    shutil.copytree(uninterrupted, tmp_path, dirs_exist_ok=True)
    path = the_run(tmp_path).folder / name
    path.write_bytes(path.read_bytes()[:-9])
    asked.clear()
    assert run_in(tmp_path) == run.OK
    assert 0 < len(asked) < CELLS
    assert_same_bits(rows_in(tmp_path), rows_in(uninterrupted))
    assert curves_in(tmp_path) == curves_in(uninterrupted)


def test_a_process_that_dies_between_two_tables_loses_no_curve(
    uninterrupted: Path, tmp_path: Path, monkeypatch: Patch
) -> None:
    """At whichever write it dies: no row is kept without its curve."""
    write = store.write_atomic
    for last in range(3, 36, 4):
        numbers = iter(range(10**6))

        def dying(path: Path, data: Any, numbers: Any = numbers, last: int = last) -> None:
            number = next(numbers)
            if number == last:
                raise KeyboardInterrupt
            if number < last:  # once dead, it writes no more
                write(path, data)

        with monkeypatch.context() as patch:
            patch.setattr(store, "write_atomic", dying)
            with suppress(KeyboardInterrupt):
                run_in(tmp_path)
    assert run_in(tmp_path) == run.OK
    assert_same_bits(rows_in(tmp_path), rows_in(uninterrupted))
    assert curves_in(tmp_path) == curves_in(uninterrupted)


def test_a_run_taken_up_on_a_machine_of_more_cores_keeps_its_stacks(
    tmp_path: Path, monkeypatch: Patch, capsys: pytest.CaptureFixture[str]
) -> None:
    grid = ("experiment.rho=[-0.9,-0.5,-0.3,0.1,0.3,0.5,0.9]", "experiment.methods=[mine]")
    after(monkeypatch, 7, interrupt)
    assert run_in(tmp_path, *grid) == run.INTERRUPTED
    with threads(3):  # on which seven cells would be three stacks
        assert run_in(tmp_path, *grid) == run.OK
    assert "14 cells, 7 kept from before, 1 stacks" in capsys.readouterr().out


def test_a_signal_at_the_very_end_leaves_a_whole_run_and_ends_the_sweep(
    tmp_path: Path, monkeypatch: Patch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(drawing, "draw_run", lambda _: signal.raise_signal(signal.SIGTERM))
    few = ("experiment.methods=[ksg]", "experiment.rho=[0.5]", f"outputs={tmp_path}")
    words = (*TINY, *few, "figures=true", "-m", "estimator.k=3,4")
    assert say_command(monkeypatch, *words) == 143
    assert the_run(tmp_path).finished
    assert "stopped by SIGTERM: the run was at its end, and is whole" in capsys.readouterr().out


def test_a_stack_that_is_too_large_is_halved_and_the_status_says_so(
    uninterrupted: Path, tmp_path: Path, monkeypatch: Patch
) -> None:
    """By the allocator's own error; also where the run was stopped since then."""
    stack = mine.critics.MLP.stack

    def greedy(self: Any, dx: int, dy: int, generators: Any, device: Any) -> Any:
        torch.empty(len(generators) << 58 if len(generators) > 2 else 1)
        return stack(self, dx, dy, generators, device)

    monkeypatch.setattr(mine.critics.MLP, "stack", greedy)
    after(monkeypatch, 4, interrupt)
    assert run_in(tmp_path) == run.INTERRUPTED
    assert run_in(tmp_path) == run.OK
    halved = the_run(tmp_path).read_status()["halved"]
    assert [one["cells"] for one in halved] == [3, 3, 3, 3]
    assert all("alloc" in one["reason"] for one in halved)
    rows, whole = rows_in(tmp_path), rows_in(uninterrupted)
    measured = ["nats", "stderr", "train_nats"]  # one of three is left alone
    pd.testing.assert_frame_equal(rows[measured], whole[measured], rtol=0, atol=1e-5)


def test_a_run_without_its_figures_is_not_finished(
    tmp_path: Path, monkeypatch: Patch, asked: list[Any]
) -> None:
    few = ("experiment.methods=[ksg]", "experiment.rho=[0.5]", "figures=true")
    monkeypatch.setattr(drawing, "draw_run", lambda _: interrupt())
    assert run_in(tmp_path, *few) == run.INTERRUPTED
    assert the_run(tmp_path).read_status()["state"] == "stopped"
    asked.clear()
    states: list[str] = []  # while it is drawn: a process killed there must draw again
    monkeypatch.setattr(drawing, "draw_run", lambda r: states.append(r.read_status()["state"]))
    assert run_in(tmp_path, *few) == run.OK
    assert asked == [] and states == ["running"]
    assert the_run(tmp_path).finished


def test_figures_are_left_to_the_report_where_the_config_says_so(tmp_path: Path) -> None:
    few = ("experiment.methods=[ksg]", "experiment.rho=[0.5]")
    assert run_in(tmp_path, *few) == run.OK
    assert the_run(tmp_path).finished and not the_run(tmp_path).figures.exists()
    assert main(["--outputs", str(tmp_path), "--scale", "smoke"]) == 0
    assert (tmp_path / "figures" / "gaussian_scalar_1d.svg").is_file()


# --------------------------------------------------------- failed and diverged


def test_a_cell_that_raises_is_a_failed_row_and_its_neighbours_are_what_they_are_without_it(
    tmp_path: Path, monkeypatch: Patch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(mine.running.workers, "forecast", FORECAST)
    break_at(monkeypatch, 0.3, message="no such sample\nframe #0: somewhere in C++")
    both, alone = tmp_path / "both", tmp_path / "alone"
    assert run_in(both) == run.FAILED
    assert run_in(alone, "experiment.rho=[0.5,0.9]") == run.OK
    rows = rows_in(both)
    failed = rows[rows["status"] == "failed"]
    assert set(failed["params"]) == {'{"dim": 1, "rho": 0.3}', '{"dim": 3, "rho": 0.3}'}
    assert len(failed) == CELLS / 3
    assert set(failed["reason"]) == {"RuntimeError: no such sample"}
    assert failed["nats"].isna().all() and (failed["truth"] > 0).all()
    neighbours = rows[rows["status"] == "ok"].reset_index(drop=True)
    assert_same_bits(neighbours, rows_in(alone))
    said = capsys.readouterr()
    assert said.err == "experiments: 6 failed: RuntimeError: no such sample\n"
    assert "for an unknown time" in said.out  # the forecast tries the first cell of a kind
    assert "12 ok, 0 diverged, 6 failed" in said.out
    status = the_run(both).read_status()
    assert (status["state"], status["done"], status["failed"]) == ("failed", CELLS, 6)
    assert "frame #0" in the_run(both).log.read_text()


def test_only_the_failed_cells_are_tried_again(
    uninterrupted: Path, tmp_path: Path, monkeypatch: Patch
) -> None:
    with monkeypatch.context() as broken:
        break_at(broken, 0.9)
        assert run_in(tmp_path) == run.FAILED
    first = rows_in(tmp_path)
    well = first[first["status"] == "ok"]
    with monkeypatch.context() as slow:
        slow.setattr(time, "monotonic", lambda: 1e6)  # a row computed anew would take 0 s
        assert run_in(tmp_path) == run.OK
    rows = rows_in(tmp_path)
    kept = rows[rows["key"].isin(well["key"])]
    assert len(kept) == 2 / 3 * CELLS
    assert store.csv_bytes(kept) == store.csv_bytes(well)
    assert (rows.loc[~rows["key"].isin(well["key"]), "seconds"] == 0).all()
    # Trained alone, after its stack was halved, a cell is rounded otherwise in its last digits.
    whole = rows_in(uninterrupted)
    measured = ["nats", "stderr", "train_nats"]
    pd.testing.assert_frame_equal(rows[measured], whole[measured], rtol=0, atol=1e-5)
    rest = [name for name in UNTIMED if name not in (*measured, "warnings")]
    pd.testing.assert_frame_equal(rows[rest], whole[rest])


def test_a_diverged_cell_is_a_row_and_the_run_is_finished(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_in(tmp_path, "train.learning_rate=1e30", "experiment.methods=[dv,ksg]") == run.OK
    rows = rows_in(tmp_path)
    diverged = rows[rows["method"] == "dv"]
    assert set(diverged["status"]) == {"diverged"}
    assert (diverged["step_diverged"] >= 0).all() or diverged["nats"].isna().all()
    assert diverged["reason"].str.startswith("diverged: the training turned non-finite").all()
    assert set(rows.loc[rows["method"] == "ksg", "status"]) == {"ok"}
    status = the_run(tmp_path).read_status()
    assert (status["state"], status["diverged"], status["failed"]) == ("finished", 6, 0)
    assert "6 ok, 6 diverged, 0 failed" in capsys.readouterr().out


def test_what_breaks_after_the_start_is_one_line_and_status_1(
    tmp_path: Path, monkeypatch: Patch, capsys: pytest.CaptureFixture[str]
) -> None:
    def clumsy(_: store.Run) -> None:
        raise ValueError("no\nink")

    few = ("experiment.methods=[ksg]", "experiment.rho=[0.5]", "figures=true")
    monkeypatch.setattr(drawing, "draw_run", clumsy)
    assert run_in(tmp_path, *few) == run.FAILED
    assert capsys.readouterr().err == "experiments: no ink\n"
    assert "Traceback" in the_run(tmp_path).log.read_text()
    assert the_run(tmp_path).read_status()["state"] == "failed"
    assert len(rows_in(tmp_path)) == 2


def test_a_log_that_cannot_be_written_does_not_stop_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ("experiment.methods=[ksg]", "experiment.rho=[0.5]")
    (tmp_path / "gaussian" / store.run_id(config_of(*few)) / "run.log").mkdir(parents=True)
    assert run_in(tmp_path, *few) == run.OK
    assert capsys.readouterr().err == ""


# ------------------------------------------------------------ sweeps and Hydra


def test_a_sweep_makes_a_run_of_each_value_and_goes_on_past_a_bad_one(
    tmp_path: Path, monkeypatch: Patch, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ("experiment.methods=[mine]", "experiment.rho=[0.5]", f"outputs={tmp_path}")
    sweep = ("-m", "train.learning_rate=1e-3,-1,2e-3")
    assert say_command(monkeypatch, *TINY, *few, *sweep) == run.BAD_INPUT
    runs, problems = store.load_runs(tmp_path)
    assert problems == []
    assert {one.read_config()["train"]["learning_rate"] for one in runs} == {1e-3, 2e-3}
    assert {one.read_status()["state"] for one in runs} == {"finished"}
    assert all("outputs=" in one.read_status()["command"] for one in runs)
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "learning_rate" in err and "got -1" in err
    assert logging.getLogger("experiments").handlers == []


def test_the_status_of_one_command_does_not_stick_to_the_next(
    uninterrupted: Path, monkeypatch: Patch
) -> None:
    assert say_command(monkeypatch, *TINY, f"outputs={uninterrupted}", "device=tpu") == 2
    assert say_command(monkeypatch, *TINY, f"outputs={uninterrupted}") == run.OK


def test_the_command_of_a_run_finds_it_again(
    tmp_path: Path, monkeypatch: Patch, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = f"outputs={tmp_path}/with space"
    few = ("experiment.methods=[ksg]", "experiment.rho=[-0.5, 1e-3]", "~experiment.panels.high")
    assert say_command(monkeypatch, *TINY, *few, odd) == run.OK
    found = the_run(tmp_path / "with space")
    python, dash, module, *words = shlex.split(found.read_status()["command"])
    assert (python, dash, module) == ("python", "-m", "experiments")
    capsys.readouterr()
    assert say_command(monkeypatch, *words) == run.OK
    assert f"{found.run_id}: finished before" in capsys.readouterr().out


# ------------------------------------------------------------------- bad input

BAD_COMMANDS = {
    "rho-2": ("experiment.rho=[0.5,2]", r"expected rho .* got 2\.0: .*take"),
    "rho-nan": ("experiment.rho=[nan]", r"expected rho .* got nan: .*take"),
    "method": ("experiment.methods=[foo]", r"method must be one of .*'mine'.* got 'foo'"),
    "experiment": ("experiment=foo", r"'experiment/foo' .*equitability gaussian.*--help"),
    "experiment-null": ("experiment=null", "string or a list. Got NoneType"),
    "scale": ("scale=huge", r"'scale/huge' .*default paper smoke.*--help"),
    "key": ("train.stepz=3", r"Could not override 'train.stepz'.*--help"),
    "key-added": ("+train.stepz=3", r"unexpected keyword argument 'stepz'.*--help"),
    "grammar": ("experiment.rho=[0.5", r"at input '\[0.5'.*--help"),
    "steps": ("train.steps=-5", r"steps must be a whole number >= 1, got -5"),
    "device": ("device=tpu", r"device must be auto, cpu or cuda, got 'tpu'"),
}  # fmt: skip
"""Override -> what the one line on stderr says: expected, got, and what to do about it."""


@pytest.mark.parametrize(("override", "line"), BAD_COMMANDS.values(), ids=BAD_COMMANDS)
def test_a_bad_command_is_one_line_and_status_2(
    tmp_path: Path,
    monkeypatch: Patch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    override: str,
    line: str,
) -> None:
    outputs = tmp_path / "outputs"
    assert say_command(monkeypatch, *TINY, f"outputs={outputs}", override) == run.BAD_INPUT
    said = capsys.readouterr()
    assert said.out == "" and caplog.text == ""
    assert said.err.startswith("experiments: ") and said.err.count("\n") == 1
    assert re.search(line, said.err), said.err
    assert not list(outputs.rglob("*")), "something was written"


GONE = object()
PANELS = "experiment.panels"
BAD = [
    ("experiment.rho", [], r"experiment.rho must be a list of one or more .* got \[\]: write"),
    ("experiment.rho", 0.5, r"types of configs/, got TypeError.*: compare"),
    ("experiment.rho", ["abc"], r"got ValueError.*'abc'.*: compare"),
    ("experiment.methods", [], r"experiment.methods must be a list .* got \[\]: write"),
    ("experiment.methods", "mine", r"experiment.methods must be a list .* got 'mine': write"),
    ("experiment.name", "foo", r"must be a module of experiments/, got 'foo'"),
    (
        "experiment.name",
        "suite",
        r"'experiments.suite' has no attribute 'cells'.*: compare",
    ),
    ("experiment", GONE, r"got KeyError: 'experiment'.*: compare"),
    ("train.steps", 0, r"steps must be a whole number >= 1, got 0"),
    (f"{PANELS}.high.steps", -1, r"factor above 0, got -1: leave the panel out"),
    (f"{PANELS}.high.steps", 0.01, r"steps must be a whole number >= 1, got 0"),
    (f"{PANELS}.high.steps", GONE, r"got KeyError: 'steps'.*: compare"),
    (f"{PANELS}.high.seeds", math.nan, r"factor above 0, got nan: leave the panel out"),
    (f"{PANELS}.high.dim", 0, r"expected dim to be an integer >= 1, got 0: dim counts"),
    (PANELS, {}, r"experiment.panels must hold at least one panel, got none: name one"),
    (PANELS, GONE, r"got KeyError: 'panels'.*: compare"),
    ("scale.seeds", 0, r"scale.seeds must be a whole number >= 1, got 0: give"),
    ("scale.seeds", 1.5, r"scale.seeds must be a whole number >= 1, got 1.5: give"),
    ("scale.n_test", 1, r"scale.n_test must be a whole number >= 2, got 1: give"),
    ("scale.ksg_n", -5, r"scale.ksg_n must be a whole number >= 2, got -5: give"),
    ("scale", GONE, r"got KeyError: 'scale'.*: compare"),
    ("estimator.k", 0, r"estimator.k must be a whole number >= 1, got 0: give"),
    ("estimator.k", 60, r"more than k rows .* got k=60 and 60 rows: take"),
    ("estimator.partners", 0, r"estimator.partners must be .* >= 1, got 0: give"),
    ("estimator.partners", "ten", r"estimator.partners must be .* >= 1, got 'ten': give"),
    ("train.batch_size", 1, r"batch_size must be a whole number >= 2, got 1"),
    ("train.marginal_samples", 16, r"got marginal_samples=16 for batch_size=16: lower"),
    ("train.learning_rate", -1, r"learning_rate must be .* got -1"),
    ("train.optimizer", "Foo", r"optimizer must be one of .*'Adam'.* got 'Foo'"),
    ("train._target_", GONE, r"train must name its _target_, got none: use train=default"),
    ("critic.activation", "foo", r"activation must be one of .* got 'foo'"),
    ("critic.hidden", [], r"hidden must be widths of .* got \(\)"),
    ("critic._target_", GONE, r"critic must name its _target_, got none: use critic=default"),
    ("critic._target_", "os.system", r"must begin with one of mine.*got 'os.system': put"),
    ("figures", "svg", r"figures must be true or false, got 'svg': true draws"),
    ("device", "cuda:99", r"'cuda:99' is not there: .*use device=auto"),
    ("device", None, r"device must have a value, got none: .*--help"),
    ("outputs", "", r"outputs must have a value, got none: .*--help"),
]


@pytest.mark.parametrize(("key", "value", "message"), BAD)
def test_a_bad_config_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: Patch, key: str, value: Any, message: str
) -> None:
    """A `ValueError` of before the start is what the command makes one line and status 2 of."""
    monkeypatch.chdir(tmp_path)
    config = config_of()
    *groups, last = key.split(".")
    group = config
    for name in groups:
        group = group[name]
    if value is GONE:
        del group[last]
    else:
        group[last] = value
    with pytest.raises(ValueError, match=message) as refused:
        run.run_experiment(config, "")
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.iterdir()), "something was written"


def test_a_batch_larger_than_n_is_refused(monkeypatch: Patch) -> None:
    """Fixed data sets are KSG's alone in the configs; the job of one for a network says it."""
    job = run.prepare(config_of("experiment.methods=[mine]"))[1][0]
    with pytest.raises(ValueError, match="must fit into .* got batch_size=16 for 10 .*: lower"):
        dataclasses.replace(job, n=10)


def unusable(folder: Path) -> Iterator[str]:
    (folder / "file").touch()
    yield str(folder / "file")
    yield str(folder / "file" / "below")
    yield "/proc/outputs"  # read-only even for root


def test_an_output_folder_that_cannot_be_written_is_refused(
    tmp_path: Path, monkeypatch: Patch, capsys: pytest.CaptureFixture[str]
) -> None:
    for outputs in unusable(tmp_path):
        for words in ((), ("-m", "scale.n_test=100,101")):
            asked = (*TINY, f"outputs={outputs}", *words)
            assert say_command(monkeypatch, *asked) == run.BAD_INPUT
            said = capsys.readouterr()
            assert said.out == "" and said.err.count("\n") == 1
            assert "expected " in said.err and "can be written" in said.err
            assert "got " in said.err and said.err.endswith("with outputs=<folder>\n")
    assert (tmp_path / "file").read_bytes() == b""


@contextmanager
def files_of_at_most(size: int) -> Iterator[Callable[[], None]]:
    """What a full disk does: writes beyond so many bytes are refused, once it is called."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, old[1]))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)


def test_a_full_disk_is_refused_before_the_start(
    tmp_path: Path, monkeypatch: Patch, capsys: pytest.CaptureFixture[str]
) -> None:
    with files_of_at_most(1000) as fill:
        fill()
        status = say_command(monkeypatch, *TINY, f"outputs={tmp_path}")
    assert status == run.BAD_INPUT
    said = capsys.readouterr()
    assert said.err == (
        f"experiments: expected room for 4096 bytes at {tmp_path}, got 'File too large': "
        "free some space, or name another folder with outputs=<folder>\n"
    )
    assert said.out == "" and not list(tmp_path.rglob("*"))


def test_a_disk_that_fills_midway_is_status_1_and_the_same_command_goes_on(
    uninterrupted: Path, tmp_path: Path, monkeypatch: Patch, capsys: pytest.CaptureFixture[str]
) -> None:
    with files_of_at_most(100) as fill:
        after(monkeypatch, 4, fill)
        status = say_command(monkeypatch, *TINY, f"outputs={tmp_path}")
    assert status == run.FAILED
    said = capsys.readouterr()
    assert said.err.startswith("experiments: expected room for ") and said.err.count("\n") == 1
    assert_nothing_half_written(tmp_path)
    assert 0 < len(rows_in(tmp_path)) < CELLS
    assert run_in(tmp_path) == run.OK
    assert_same_bits(rows_in(tmp_path), rows_in(uninterrupted))


def test_a_process_ends_with_the_status(tmp_path: Path) -> None:
    asked = ["experiment.rho=[2]", f"outputs={tmp_path}/outputs"]
    done = subprocess.run(
        [sys.executable, "-m", "experiments", *asked],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == run.BAD_INPUT
    assert done.stdout == "" and done.stderr.startswith("experiments: expected rho in the open")
    assert done.stderr.count("\n") == 1


def test_help_answers_without_torch() -> None:
    code = (
        "import sys; sys.argv = ['experiments', '--help']\n"
        "from experiments.suite.run import command as run\n"
        "try: run.command()\n"
        "except SystemExit as end: print('status', end.code, {'torch', 'pandas'} & {*sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("status 0 set()\n")
    groups: Mapping[str, str] = dict(
        line.split(": ") for line in done.stdout.splitlines() if line.count(": ") == 1
    )
    assert groups["scale"] == "default, paper, smoke"
    assert {"gaussian", "equitability"} <= set(groups["experiment"].split(", "))
