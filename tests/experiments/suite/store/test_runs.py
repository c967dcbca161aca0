"""A run's folder: what is written is read back, and nothing is written elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from stored_run import CONFIG, ROW, finished_run

from experiments.suite.store.identity import run_id
from experiments.suite.store.runs import Run
from experiments.suite.store.tables import row_frame


def test_a_run_writes_nothing_outside_its_folder(tmp_path: Path) -> None:
    run = finished_run(tmp_path)
    for name in ("../status.json", "figures/../../x", "/x"):
        with pytest.raises(ValueError, match="expected a name inside the run folder"):
            run.write(name, b"")
    assert run.write("figures/map.svg", b"<svg/>").read_bytes() == b"<svg/>"


def test_a_run_reads_back_what_was_written(tmp_path: Path) -> None:
    run = Run.create(tmp_path, "gaussian", CONFIG)
    assert run.folder == tmp_path / "gaussian" / run_id(CONFIG)
    assert (run.experiment, run.run_id) == ("gaussian", run_id(CONFIG))
    run.write_provenance({"git_commit": "abc", "device": "cpu"})
    run.write_status({"state": "running", "cells": 2, "done": 0})
    assert run.read_config() == CONFIG
    assert list(run.read_config()) == list(CONFIG)
    assert run.read_provenance() == {"git_commit": "abc", "device": "cpu"}
    assert run.read_status() == {"state": "running", "cells": 2, "done": 0}


def test_rows_of_an_unfinished_run_are_there_to_go_on_from(tmp_path: Path) -> None:
    run = Run.create(tmp_path, "gaussian", CONFIG)
    assert len(run.read_rows()) == 0 and len(run.read_curves()) == 0
    run.write_provenance({})
    run.write_rows(row_frame([ROW]))
    run.write_status({"state": "running"})
    again = Run.create(tmp_path, "gaussian", CONFIG)
    assert set(again.read_rows()["key"]) == {"a"}
    assert not again.finished


def test_a_run_is_finished_only_when_all_of_it_can_be_read(tmp_path: Path) -> None:
    run = finished_run(tmp_path)
    assert run.finished
    run.write_status({"state": "failed"})
    assert not run.finished
    run.write_status({"state": "finished"})
    (run.folder / "rows.parquet").write_bytes(b"PAR1")
    assert not run.finished
    (run.folder / "rows.parquet").unlink()
    assert not run.finished


def test_a_state_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected state running | finished | failed, got 'done'"):
        Run.create(tmp_path, "gaussian", CONFIG).write_status({"state": "done"})
