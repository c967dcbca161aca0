"""The report says where its rows come from, where they do not come from one code and machine."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from experiments.suite.report.command import main
from experiments.suite.report.origins import by_other_code, mixed
from experiments.suite.store.code import code_hash

OLD = "0123456789ab"


def test_a_report_says_that_its_rows_come_from_several_codes_and_processors(
    example: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = example.gaussian_config(1, rho=[0.5], methods=["mine", "ksg"])
    rows = example.example_rows(config).assign(code=code_hash())
    rows = rows.assign(arithmetic="torch 2, AVX512, mkl", commit="c" * 40)
    old = rows["method"] == "ksg"
    rows.loc[old, ["code", "arithmetic", "commit"]] = OLD, "torch 2, AVX2, mkl", "d" * 40 + "+"
    example.write_run(tmp_path, config, rows)
    assert main(["--outputs", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    pages = [(tmp_path / name).read_text() for name in ("report.html", "report.md")]
    for said in (
        "Several versions of the code made these",
        f"{OLD} (commit ddddddd)",
        "several kinds of arithmetic",
        "torch 2, AVX2, mkl",
    ):
        assert said in out and all(said in page for page in pages)
    assert f"Other code than this checkout's ({code_hash()}) made {old.sum()} of these" in out


def test_rows_of_this_code_and_one_processor_need_no_note(example: ModuleType) -> None:
    config = example.gaussian_config(1, rho=[0.5], methods=["mine", "ksg"])
    rows = example.example_rows(config).assign(code=code_hash(), arithmetic="torch 2, AVX2, mkl")
    assert mixed(rows) == by_other_code(rows) == []


def test_rows_that_do_not_name_their_code_are_of_code_unknown(example: ModuleType) -> None:
    config = example.gaussian_config(1, rho=[0.5], methods=["mine", "ksg"])
    rows = example.example_rows(config)
    assert mixed(rows) == []
    (note,) = by_other_code(rows)
    assert f"{len(rows)} by code unknown" in note
