"""Cells that other code made are computed again, or kept where the config says so."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_run import (
    CELLS,
    Patch,
    after,
    assert_same_bits,
    interrupt,
    rows_in,
    run_in,
    the_run,
    threads,
)

from experiments.suite.report import progress as report_progress
from experiments.suite.run import running
from experiments.suite.store import code
from experiments.suite.store.identity import run_id
from experiments.suite.store.runs import Run
from experiments.suite.store.tables import OPTIONAL

Capture = pytest.CaptureFixture[str]
KEEP = "keep=other_code"


def change_code(monkeypatch: Patch, tmp_path: Path, text: str = "x = 1\n") -> str:
    """From here on the checkout is another one; returns the hash of its code."""
    other = tmp_path / "checkout" / str(len(text))
    (other / "mine").mkdir(parents=True)
    (other / "mine" / "changed.py").write_text(text)
    monkeypatch.setattr(code, "ROOT", other)
    return code.code_hash()


def test_rows_name_their_commit_code_and_arithmetic(tmp_path: Path) -> None:
    assert run_in(tmp_path) == 0
    rows, about = rows_in(tmp_path), the_run(tmp_path).read_provenance()
    assert set(rows["code"]) == {code.code_hash()} == {about["code"]}
    assert set(rows["commit"].str.rstrip("+")) == {about["git_commit"] or ""}
    assert set(rows["arithmetic"]) == {about["arithmetic"]}
    assert rows["arithmetic"].str.startswith("torch ").all()


def test_a_finished_run_of_other_code_is_computed_again_and_that_is_said(
    tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    assert run_in(tmp_path) == 0
    before, old = rows_in(tmp_path), code.code_hash()
    new = change_code(monkeypatch, tmp_path)
    (line,) = report_progress.lines_of(tmp_path, 0.0)
    said = f"{CELLS} cells made by other code ({CELLS} by {old})"
    assert line.other_code == f"{said}: computed again by the same command"
    capsys.readouterr()
    assert run_in(tmp_path) == 0
    out = capsys.readouterr().out
    assert f"other code made cells ({CELLS} by {old}; this is {new}): they are computed" in out
    assert "finished before" not in out and "kept" not in out.replace("keep=", "")
    assert set(rows_in(tmp_path)["code"]) == {new}
    same = rows_in(tmp_path).assign(code=old)
    assert_same_bits(same, before)
    assert report_progress.lines_of(tmp_path, 0.0)[0].other_code == ""
    assert run_in(tmp_path) == 0
    assert f"finished before, {CELLS} cells in" in capsys.readouterr().out


def test_keep_keeps_them_and_says_so(tmp_path: Path, monkeypatch: Patch, capsys: Capture) -> None:
    assert run_in(tmp_path) == 0
    folder, before, old = the_run(tmp_path).folder, rows_in(tmp_path), code.code_hash()
    change_code(monkeypatch, tmp_path)
    capsys.readouterr()
    assert run_in(tmp_path, KEEP) == 0
    out = capsys.readouterr().out
    kept = f"{CELLS} of them made by other code ({CELLS} by {old}) and kept"
    assert f"finished before, {CELLS} cells, {kept} in {folder}" in out
    assert rows_in(tmp_path).equals(before)
    (line,) = report_progress.lines_of(tmp_path, 0.0)
    assert line.state == "done" and "kept by the same command" in line.other_code


def test_a_grid_that_grows_takes_no_cells_of_other_code(
    tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    few, more = "experiment.rho=[0.3,0.5]", "experiment.rho=[0.3,0.5,0.9]"
    assert run_in(tmp_path, few) == 0
    old = code.code_hash()
    new = change_code(monkeypatch, tmp_path)
    capsys.readouterr()
    assert run_in(tmp_path, more) == 0
    grown = next(r for r in map(Run, tmp_path.glob("gaussian/*")) if len(r.read_rows()) == CELLS)
    assert set(grown.read_rows()["code"]) == {new}
    assert "kept from before" not in capsys.readouterr().out
    newest = change_code(monkeypatch, tmp_path, "x = 12\n")
    assert run_in(tmp_path, "experiment.rho=[0.3,0.5,0.7]", KEEP) == 0
    out = capsys.readouterr().out
    assert "12 kept from before, 12 of them made by other code" in out
    last = next(line for line in out.splitlines() if " ok, " in line)
    assert "12 of them made by other code" in last and newest not in last
    assert old != new


@pytest.mark.parametrize("keep", [False, True])
def test_a_stopped_run_is_resumed_by_its_own_code_alone(
    tmp_path: Path, monkeypatch: Patch, capsys: Capture, keep: bool
) -> None:
    with threads(1):
        after(monkeypatch, 7, interrupt)
        assert run_in(tmp_path, "checkpoint_seconds=1e-9") == 130
    stopped, old = rows_in(tmp_path), code.code_hash()
    new = change_code(monkeypatch, tmp_path)
    capsys.readouterr()
    assert run_in(tmp_path, *([KEEP] if keep else [])) == 0
    rows, out = rows_in(tmp_path), capsys.readouterr().out
    kept = rows[rows["key"].isin(stopped["key"])]
    assert len(rows) == CELLS and 0 < len(stopped) < CELLS
    if keep:
        assert set(kept["code"]) == {old}
        assert set(rows["code"]) <= {old, new, "+".join(sorted([old, new]))}
        assert "made by other code" in out.splitlines()[-1]
    else:
        assert set(rows["code"]) == {new}
        assert "made by other code" not in out.splitlines()[-1]


def test_older_folders_are_found_and_their_code_is_unknown(
    tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    assert run_in(tmp_path) == 0
    run = the_run(tmp_path)
    older = run.read_rows().assign(**dict.fromkeys(OPTIONAL, ""))
    run.write_rows(older)
    run.write_status({k: v for k, v in run.read_status().items() if k != "codes"})
    assert not OPTIONAL & set((run.folder / "rows.csv").read_text().partition("\n")[0].split(","))
    assert run.finished and list(run.read_rows()["code"]) == [""] * CELLS
    (line,) = report_progress.lines_of(tmp_path, 0.0)
    assert f"{CELLS} by {code.UNKNOWN}" in line.other_code
    capsys.readouterr()
    assert run_in(tmp_path, KEEP) == 0
    assert f"{CELLS} by {code.UNKNOWN}) and kept" in capsys.readouterr().out
    assert run_in(tmp_path) == 0
    assert the_run(tmp_path).folder == run.folder
    assert set(rows_in(tmp_path)["code"]) == {code.code_hash()}


def test_keep_does_not_change_the_id_of_a_run() -> None:
    config = {"experiment": {"name": "gaussian"}, "train": {"steps": 3}}
    assert (
        run_id({**config, "keep": "other_code"})
        == run_id(config)
        == run_id({**config, "keep": None})
    )


def test_keep_takes_one_word(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="keep must be other_code or null, got 'all': write keep"):
        run_in(tmp_path, "keep=all")
    assert running.keeps_other_code({"keep": "other_code"})
    assert not running.keeps_other_code({})
