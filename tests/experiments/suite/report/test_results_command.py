"""`make results`: what it writes of a whole run, and the folders that it refuses in one line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import ModuleType

import pytest

from experiments.suite.report.command import main as report
from experiments.suite.report.discovery import experiment_names
from experiments.suite.report.results import main
from experiments.suite.report.results_page import decided_by
from experiments.suite.store.files import write_atomic
from experiments.suite.store.joined import load_runs

RUN = ("gaussian", "equitability")
WITHOUT = ("--without", *(name for name in experiment_names() if name not in RUN))
COMMIT = ("--commit", "0123456")
Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def whole(example: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two experiments at scale default, with figures and claims."""
    folder = tmp_path_factory.mktemp("whole")
    for make in (example.gaussian_config, example.equitability_config):
        config = make(3)
        example.write_run(folder, config, example.example_rows(config, example.realistic_bias))
    assert report(["--outputs", str(folder), "--scale", "default"]) == 0
    return folder


@pytest.fixture
def outputs(whole: Path, tmp_path: Path) -> Path:
    """A copy that a test may harm."""
    return Path(shutil.copytree(whole, tmp_path / "outputs"))


def results(outputs: Path, *options: str) -> int:
    docs = outputs.parent / "docs"
    return main(["--outputs", str(outputs), "--docs", str(docs), *options])


def refusal(capsys: pytest.CaptureFixture[str], outputs: Path, *options: str) -> str:
    """The one line with which it refuses; nothing is written."""
    assert results(outputs, *options) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert not (outputs.parent / "docs").exists()
    return printed.err


def test_the_page_has_each_claim_with_its_figure(outputs: Path) -> None:
    docs = outputs.parent / "docs"
    write_atomic(docs / "figures" / "of_before.png", b"")
    write_atomic(docs / "cuda.json", b"{}")
    assert results(outputs, *WITHOUT, *COMMIT) == 0
    claims = json.loads((docs / "claims.json").read_bytes())
    assert claims == json.loads((outputs / "claims.json").read_bytes())
    page = (docs / "claims.md").read_text(encoding="utf-8")
    for claim in claims:
        assert claim["verdict"] in page
        assert f"`{claim['id']}`" in page
        for kind in ("svg", "png"):
            assert f"(figures/{claim['figure']}.{kind})" in page
    drawn = {path.stem for path in (docs / "figures").iterdir()}
    assert drawn == {claim["figure"] for claim in claims}
    assert (docs / "cuda.json").exists()


PAGE = "# Title\n\n<!-- made: claims {0} -->\n<!-- end of made -->\n"
UNNAMED = "equitability_r2_mine_2d"
"""A figure that no claim names."""


def write_pages(site: Path, figure: str = UNNAMED) -> None:
    """A site of the two experiments; one of its pages shows a figure."""
    for name in RUN:
        write_atomic(site / "experiments" / f"{name}.md", PAGE.format(name).encode())
    text = f"<!-- made: counts -->\n<!-- end of made -->\n![x](results/figures/{figure}.png)\n"
    write_atomic(site / "results.md", text.encode())


def test_the_pages_beside_the_folder_are_filled_and_have_their_figures(outputs: Path) -> None:
    site = outputs.parent / "site"
    write_pages(site)
    options = ("--outputs", str(outputs), "--docs", str(site / "results"))
    assert main([*options, *WITHOUT, *COMMIT]) == 0
    claims = json.loads((outputs / "claims.json").read_bytes())
    for name in RUN:
        page = (site / "experiments" / f"{name}.md").read_text(encoding="utf-8")
        assert page.count("| **") == sum(claim["experiment"] == name for claim in claims)
    first = (site / "results.md").read_text(encoding="utf-8")
    assert f"There are {len(claims)} claims: **" in first
    assert (site / "results" / "figures" / f"{UNNAMED}.svg").is_file()


def test_a_page_with_a_figure_that_is_not_there_is_named(capsys: Capture, outputs: Path) -> None:
    site = outputs.parent / "site"
    write_pages(site, "no_such_figure")
    options = ("--outputs", str(outputs), "--docs", str(site / "results"))
    assert main([*options, *WITHOUT, *COMMIT]) == 2
    said = capsys.readouterr().err
    assert "figures/no_such_figure.png that results.md names" in said
    assert not (site / "results").exists()


def test_the_provenance_has_what_the_rows_come_from(outputs: Path) -> None:
    assert results(outputs, *WITHOUT, *COMMIT) == 0
    about = json.loads((outputs.parent / "docs" / "provenance.json").read_bytes())
    assert about["commits"] == ["0123456789abcdef0123456789abcdef01234567"]
    assert about["scale"] == "default"
    assert about["packages"] == {"torch": "2.13.0", "numpy": "2.4.6"}
    assert about["seconds"] == 824.0
    assert about["experiments"]["gaussian"]["changes"] is True
    assert set(about["left_out"]) == set(WITHOUT[1:])


def test_the_same_runs_give_the_same_bytes(outputs: Path) -> None:
    def written() -> dict[str, bytes]:
        assert results(outputs, *WITHOUT, *COMMIT) == 0
        files = (outputs.parent / "docs").rglob("*.*")
        return {path.name: path.read_bytes() for path in files if path.is_file()}

    assert written() == written()


def test_a_folder_that_is_not_there(capsys: Capture, tmp_path: Path) -> None:
    assert "got no such file: run `make report`" in refusal(capsys, tmp_path / "none")


def test_another_scale(capsys: Capture, outputs: Path) -> None:
    said = refusal(capsys, outputs, *WITHOUT, *COMMIT, "--scale", "paper")
    assert "expected runs at scale=paper" in said
    assert "other scales there: default" in said


def test_an_experiment_without_a_run(capsys: Capture, outputs: Path) -> None:
    assert "got none of marginals" in refusal(capsys, outputs, *COMMIT)


def test_an_unfinished_run(capsys: Capture, outputs: Path) -> None:
    run = next(one for one in load_runs(outputs)[0] if one.experiment == "gaussian")
    run.write_status({**run.read_status(), "state": "stopped"})
    assert "got gaussian stopped" in refusal(capsys, outputs, *WITHOUT, *COMMIT)


def test_another_commit(capsys: Capture, outputs: Path) -> None:
    said = refusal(capsys, outputs, *WITHOUT)
    assert 'got 0123456: say so with `make results COMMIT="0123456"`' in said


def test_several_commits_must_be_named(capsys: Capture, outputs: Path) -> None:
    run = next(one for one in load_runs(outputs)[0] if one.experiment == "gaussian")
    run.write_provenance({**run.read_provenance(), "git_commit": "f" * 40})
    said = refusal(capsys, outputs, *WITHOUT, *COMMIT)
    assert 'COMMIT="0123456 fffffff"' in said
    assert results(outputs, *WITHOUT, *COMMIT, "fffffff") == 0


def with_origins(outputs: Path, **columns: list[str]) -> None:
    """The rows of gaussian, each column dealt to them in turn."""
    run = next(one for one in load_runs(outputs)[0] if one.experiment == "gaussian")
    rows = run.read_rows()
    dealt = {
        name: [values[i % len(values)] for i in range(len(rows))]
        for name, values in columns.items()
    }
    run.write_rows(rows.assign(**dealt))


def test_the_commits_are_those_of_the_rows(capsys: Capture, outputs: Path) -> None:
    with_origins(outputs, commit=["a" * 40, "b" * 40 + "+"], code=["0" * 12, "1" * 12])
    said = refusal(capsys, outputs, *WITHOUT, *COMMIT)
    assert 'COMMIT="0123456 aaaaaaa bbbbbbb"' in said
    assert results(outputs, *WITHOUT, *COMMIT, "aaaaaaa", "bbbbbbb") == 0
    docs = outputs.parent / "docs"
    about = json.loads((docs / "provenance.json").read_bytes())
    assert about["commits"] == ["0123456789abcdef0123456789abcdef01234567", "a" * 40, "b" * 40]
    assert set(about["experiments"]["gaussian"]["codes"]) == {"0" * 12, "1" * 12}
    page = (docs / "claims.md").read_text(encoding="utf-8")
    assert "gaussian: Several versions of the code made these" in page
    assert "000000000000 (commit aaaaaaa)" in page


def test_several_kinds_of_arithmetic_are_named(outputs: Path) -> None:
    with_origins(outputs, arithmetic=["torch 2, AVX2, mkl", "torch 2, AVX512, mkl"])
    assert results(outputs, *WITHOUT, *COMMIT) == 0
    page = (outputs.parent / "docs" / "claims.md").read_text(encoding="utf-8")
    assert "several kinds of arithmetic" in page and "by torch 2, AVX2, mkl" in page


def test_claims_that_lack_an_experiment(capsys: Capture, outputs: Path) -> None:
    claims = json.loads((outputs / "claims.json").read_bytes())
    kept = [claim for claim in claims if claim["experiment"] == "gaussian"]
    (outputs / "claims.json").write_text(json.dumps(kept))
    assert "got none of equitability" in refusal(capsys, outputs, *WITHOUT, *COMMIT)


def test_claims_that_are_not_those_of_the_rows(capsys: Capture, outputs: Path) -> None:
    text = (outputs / "claims.json").read_text(encoding="utf-8")
    changed = text.replace('"verdict": "reproduced"', '"verdict": "inconclusive"', 1)
    (outputs / "claims.json").write_text(changed, encoding="utf-8")
    assert "got other words for" in refusal(capsys, outputs, *WITHOUT, *COMMIT)


@pytest.mark.parametrize("text", ["", "{}", "[1]"])
def test_a_broken_file_of_claims(capsys: Capture, outputs: Path, text: str) -> None:
    (outputs / "claims.json").write_text(text)
    assert "expected claims that `make report` wrote" in refusal(capsys, outputs, *WITHOUT)


def test_a_figure_that_is_not_there(capsys: Capture, outputs: Path) -> None:
    (outputs / "figures" / "gaussian_scalar_1d.svg").unlink()
    said = refusal(capsys, outputs, *WITHOUT, *COMMIT)
    assert "expected the figure figures/gaussian_scalar_1d.svg" in said


MEASURED = {
    "5 of 9 values of ρ within tolerance on the mean over 3 seeds; decided by ρ .5: −0.328 nats "
    "(−0.474 bits), 95 % interval [−0.397, −0.249] nats ([−0.573, −0.360] bits), tolerance "
    "±0.174 nats (0.251 bits)": "ρ .5: −0.328 nats [−0.397, −0.249]",
    "RMSE of MINE 3.220 nats (4.645 bits), of KSG 6.632 nats (9.569 bits): ratio 0.485, 95 % "
    "interval [0.475, 0.496], over 3 seeds": (
        "RMSE of MINE 3.220 nats, of KSG 6.632 nats: ratio 0.485 [0.475, 0.496]"
    ),
    "the true values differ at 9 of 9 noise levels: spread 0.664 nats. The estimates' spread "
    "there: 0.928 nats, 95 % interval [0.896, 0.951] nats, over 3 seeds": (
        "The estimates' spread there: 0.928 nats [0.896, 0.951]"
    ),
    "at most 4e−07 nats off on the mean over 3 seeds, of 8 settings": (
        "at most 4e−07 nats off on the mean"
    ),
    "this run has no rows for it": "this run has no rows for it",
}


@pytest.mark.parametrize("measured", MEASURED)
def test_the_number_that_decided(measured: str) -> None:
    assert decided_by(measured) == MEASURED[measured]
