"""The report from synthetic runs: complete, escaped, one file, and looked at in a browser."""

from __future__ import annotations

import json
import math
import re
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest

from experiments.suite.report import sweeps
from experiments.suite.report.command import main
from experiments.suite.report.discovery import EXPERIMENTS, experiment_names, experiments_in_order
from experiments.suite.report.pages import BADGES
from experiments.suite.report.records import Record, headline, of_scale
from experiments.suite.report.sweeps import sweep_parts
from experiments.suite.report.tables import tables
from experiments.suite.report.writing import join_results
from experiments.suite.store.joined import load_runs
from experiments.suite.store.runs import Run
from experiments.suite.sweeps.measures import COLUMNS

HOSTILE = "<script>alert('reason')</script> | `x` \n# y"
DESIGN_COLUMNS = (
    "experiment,run_id,task,params,dim,method,seed,n_train,n_test,steps,nats,stderr,truth,"
    "train_nats,seconds,device,status,reason"
)


@pytest.fixture(scope="module")
def outputs(example: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run of each experiment, with hostile text, lost cells and infinite truths."""
    folder = tmp_path_factory.mktemp("outputs")
    config = example.gaussian_config(3, rho=[-0.9, 0.0, 0.7])
    rows = example.realistic_gaussian(config)
    rows = example.edited(rows, rows["status"] == "failed", reason=HOSTILE)
    config["note"] = HOSTILE
    halved = [{"cells": 12, "reason": f"RuntimeError: DefaultCPUAllocator: {HOSTILE}"}]
    command = f"python -m experiments x='{HOSTILE}'"
    example.write_run(folder, config, rows, command=command, halved=halved)
    config = example.equitability_config(3, sigma=[0.0, 0.1, 0.5])
    rows = example.example_rows(config, example.realistic_bias)
    example.write_run(folder, config, example.edited(rows, rows.index == 0, nats=math.inf))
    assert main(["--outputs", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def html(outputs: Path) -> str:
    return (outputs / "report.html").read_text()


def test_everything_is_written_and_nothing_is_left_half(outputs: Path) -> None:
    names = {path.name for path in outputs.iterdir()}
    assert {"report.html", "report.md", "results.csv", "claims.json", "figures"} <= names
    assert not [path for path in outputs.rglob("*") if path.suffix == ".tmp"]
    runs, _ = load_runs(outputs)
    drawn = {path.name for run in runs for path in run.figures.iterdir()}
    assert drawn == {path.name for path in (outputs / "figures").iterdir()}
    assert {Path(name).suffix for name in drawn} == {".svg", ".pdf", ".png"}


def test_the_columns_of_a_table_stand_in_the_order_of_the_rows(example: ModuleType) -> None:
    config = example.gaussian_config(1, rho=[i / 10 for i in range(9)], methods=["mine"])
    rows = example.example_rows(config)
    rows = rows[rows["role"] == "scalar"].assign(
        params=[json.dumps({f"field {i}": i}) for i in range(9)]
    )
    (table,) = tables(rows)
    assert table.names == [f"field {i}" for i in range(9)]


def test_results_hold_the_rows_of_all_runs_with_the_agreed_columns_first(outputs: Path) -> None:
    text = (outputs / "results.csv").read_text()
    assert text.startswith(DESIGN_COLUMNS)
    rows = pd.read_csv(outputs / "results.csv", keep_default_na=False, na_values=["nan"])
    runs, _ = load_runs(outputs)
    assert len(rows) == sum(len(run.read_rows()) for run in runs)
    assert math.isinf(rows["truth"].max())


def test_claims_are_listed_with_their_verdicts(outputs: Path, html: str) -> None:
    claims = json.loads((outputs / "claims.json").read_text(), parse_constant=pytest.fail)
    wanted = [
        "id",
        "experiment",
        "paper",
        "statement",
        "measured",
        "tolerance",
        "verdict",
        "figure",
    ]
    assert all(set(wanted) <= set(claim) for claim in claims)
    assert len({claim["id"] for claim in claims}) == len(claims) == 10
    body = html[html.index('id="claims"') :]
    for claim in claims:
        assert f'id="{claim["id"]}"' in body
        assert f"{BADGES[claim['verdict']]} {claim['verdict']}" in body
        assert f'href="#figure-{claim["figure"].replace("_", "-")}"' in body
    first = html.index("<h2>Claims")
    assert first < html.index("<figure") < html.index("Provenance")


def test_lost_cells_appear_with_their_reasons(outputs: Path, html: str) -> None:
    assert "the critic&#39;s parameters turned non-finite at step 1234" in html
    counts = pd.read_csv(outputs / "results.csv")["status"].value_counts()
    assert f"{counts['failed']} failed, {counts['diverged']} diverged" in html
    assert "−∞" in html
    assert "<svg" in html
    markdown = (outputs / "report.md").read_text()
    assert "turned non-finite at step 1234" in markdown
    assert "plain DV" in markdown


def test_a_stack_that_was_halved_appears_with_its_reason(outputs: Path, html: str) -> None:
    assert "stack halved" in html and "12 cells: RuntimeError: DefaultCPUAllocator" in html
    text = (outputs / "report.md").read_text()
    assert "stack halved: 12 cells: RuntimeError: DefaultCPUAllocator" in text


def test_hostile_text_stays_text(outputs: Path, html: str) -> None:
    assert "<script" not in html
    assert "&lt;script&gt;alert(&#39;reason&#39;)&lt;/script&gt;" in html
    markdown = (outputs / "report.md").read_text()
    lines = [line for line in markdown.splitlines() if "alert" in line]
    assert lines
    assert "# y" not in markdown.splitlines()
    for line in lines:
        # Either an indented code block, or escaped.
        assert line.startswith("    ") or ("<script" not in line and "\\`x\\`" in line)


def test_the_page_is_one_file_with_unique_ids(html: str) -> None:
    assert len(html) < 3_000_000
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    linked = re.findall(r'(?:url\(#|href="#)([^")]+)', html)
    assert linked
    assert set(linked) <= set(ids)
    for source in re.findall(r'(?:src|href)="([^"#][^"]*)"', html):
        assert source.startswith(("figures/", "data:", "results.", "sweeps.csv", "claims.json"))
    assert "var(--truth)" in html
    assert "#222222;" not in html.split("</style>")[1]


def test_numbers_have_bits_beside_them(html: str) -> None:
    truth = -0.5 * math.log1p(-0.81)
    assert f"{truth:.3f}<small>{truth / math.log(2):.3f}</small>" in html


def small(example: ModuleType, scale: str = "default") -> dict[str, Any]:
    """A config with a single figure."""
    panels = {"scalar": {"dim": 1, "steps": 1.0, "seeds": 1.0}}
    config: dict[str, Any] = example.gaussian_config(1, scale, rho=[0.5], panels=panels)
    return config


def test_the_same_runs_give_the_same_bytes_and_a_bare_status_will_do(
    example: ModuleType, tmp_path: Path
) -> None:
    config = small(example)
    folder = example.write_run(tmp_path, config, example.example_rows(config))
    Run(folder).write_status({"state": "finished"})
    seen = []
    for _ in range(2):
        assert main(["--outputs", str(tmp_path)]) == 0
        seen.append({p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()})
    assert seen[0] == seen[1]


def records_of(example: ModuleType, outputs: Path, runs: list[dict[str, Any]]) -> Any:
    for i, run in enumerate(runs):
        config = example.gaussian_config(1, run.get("scale", "default"), rho=[0.5], first_seed=i)
        rows = example.example_rows(config)
        if run.get("empty"):
            rows = rows[:0]
        example.write_run(outputs, config, rows, state=run["state"], updated=run["updated"])
    return [Record(run) for run in load_runs(outputs)[0]]


def test_the_headline_run_is_the_latest_finished_one_of_the_scale(
    example: ModuleType, tmp_path: Path
) -> None:
    records = records_of(
        example,
        tmp_path,
        [
            {"state": "finished", "updated": "2026-01-01", "scale": "smoke"},
            {"state": "finished", "updated": "2026-01-02", "scale": "default"},
            {"state": "finished", "updated": "2026-01-03", "scale": "smoke"},
            {"state": "running", "updated": "2026-01-04", "scale": "default"},
            {"state": "failed", "updated": "2026-01-05", "scale": "paper"},
            {"state": "running", "updated": "2026-01-06", "scale": "huge", "empty": True},
        ],
    )

    def updated(scale: str | None) -> str | None:
        found = headline(records, "gaussian", scale)
        return str(found.status["updated"]) if found else None

    assert updated(None) == "2026-01-03"
    assert updated("smoke") == "2026-01-03"
    assert updated("default") == "2026-01-02"
    assert updated("paper") == "2026-01-05"
    assert updated("huge") is None
    assert updated("none") is None


def test_a_later_trial_with_other_settings_is_not_the_headline(
    example: ModuleType, tmp_path: Path
) -> None:
    runs = [{"state": "finished", "updated": f"2026-01-0{day}"} for day in (1, 2, 3)]
    folders = [record.run for record in records_of(example, tmp_path, runs)]
    own = "python -m experiments experiment=gaussian scale=default outputs=o device=cpu"
    for run in folders:
        last = run.read_status()["updated"] == "2026-01-03"
        run.write_status({**run.read_status(), "command": own + " train.steps=1" * last})
    records = [Record(run) for run in folders]
    found = headline(records, "gaussian", "default")
    assert found is not None
    assert found.status["updated"] == "2026-01-02" and found.changed == []
    trial = [record for record in records if record.changed]
    assert [record.changed for record in trial] == [["train.steps=1"]]
    assert headline(trial, "gaussian", "default") == trial[0]
    assert main(["--outputs", str(tmp_path)]) == 0
    assert "with <code>" not in (tmp_path / "report.html").read_text()


def test_a_trial_alone_is_shown_with_its_settings_beside_each_claim(
    example: ModuleType, tmp_path: Path
) -> None:
    config = small(example)
    command = "python -m experiments experiment=gaussian train.steps=1"
    example.write_run(tmp_path, config, example.example_rows(config), command=command)
    assert main(["--outputs", str(tmp_path)]) == 0
    claims = len(json.loads((tmp_path / "claims.json").read_text()))
    html = (tmp_path / "report.html").read_text()
    assert html.count("with <code>train.steps=1</code>") == claims > 0
    assert "its settings are not those of configs/: train.steps=1" in html


def test_claims_of_an_unfinished_run_have_no_verdict(example: ModuleType, tmp_path: Path) -> None:
    config = small(example)
    example.write_run(tmp_path, config, example.example_rows(config)[:3], state="running")
    assert main(["--outputs", str(tmp_path)]) == 0
    claims = json.loads((tmp_path / "claims.json").read_text())
    assert claims and {one["verdict"] for one in claims} == {"inconclusive"}
    assert all(one["measured"].startswith("an unfinished run, 3 cells so far") for one in claims)


def test_a_probe_has_no_truth(example: ModuleType) -> None:
    config = small(example)
    rows = example.example_rows(config)[:2].assign(method=["mine", "mine/constant"])
    (table,) = tables(rows)
    by_method = {line["method"]: line for line in table.lines}
    assert by_method["MINE"]["truth"].nats not in ("nan", "–")
    assert by_method["MINE / constant"]["truth"] == by_method["MINE / constant"]["error"]


def test_a_folder_without_runs_still_gives_a_report(tmp_path: Path) -> None:
    assert main(["--outputs", str(tmp_path), "--scale", "paper"]) == 0
    html = (tmp_path / "report.html").read_text()
    assert "No run at scale paper with rows yet" in html
    asked = f"experiment=equitability scale=paper outputs={tmp_path}"
    assert f"python -m experiments {asked}" in html
    assert json.loads((tmp_path / "claims.json").read_text()) == []
    assert (tmp_path / "results.csv").read_text().startswith(DESIGN_COLUMNS)
    assert "There is no run" in (tmp_path / "report.md").read_text()


@pytest.mark.usefixtures("svg_alone")
def test_a_run_in_which_every_cell_failed_still_gives_a_report(
    example: ModuleType, tmp_path: Path
) -> None:
    config = small(example, "smoke")
    rows = example.example_rows(config).assign(status="failed", nats=math.nan, reason="it broke")
    example.write_run(tmp_path, config, rows, state="failed")
    assert main(["--outputs", str(tmp_path)]) == 0
    html = (tmp_path / "report.html").read_text()
    assert "it broke" in html
    assert "Cells of this run failed." in html
    assert "This is a smoke run." in html


def test_a_broken_run_or_figure_is_named_and_the_status_says_so(
    example: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = small(example)
    example.write_run(tmp_path, config, example.example_rows(config))
    config = example.equitability_config(1, sigma=[0.5])
    broken = example.write_run(tmp_path, config, example.example_rows(config))
    (broken / "status.json").write_text("{")
    from experiments import gaussian

    monkeypatch.setattr(gaussian, "figures", lambda rows: 1 / 0)
    assert main(["--outputs", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "status.json" in said
    assert "gaussian: figures: ZeroDivisionError" in said
    html = (tmp_path / "report.html").read_text()
    assert "ZeroDivisionError" in html
    assert "No figure could be drawn" in html


def test_a_missing_folder_is_one_line_and_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--outputs", str(tmp_path / "none")]) == 2
    said = capsys.readouterr().err
    assert re.search(r"expected a folder with runs, got .*none': run .* first", said)
    assert said.count("\n") == 1


def test_a_report_of_another_scale_replaces_no_report(
    outputs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (outputs / "report.html").read_bytes()
    assert main(["--outputs", str(outputs), "--scale", "paper"]) == 2
    said = capsys.readouterr().err
    assert re.search(r"expected runs at scale paper in .*, got runs at scale (\S+): give", said)
    assert said.count("\n") == 1 and (outputs / "report.html").read_bytes() == before


def test_figures_alone(example: ModuleType, tmp_path: Path) -> None:
    config = small(example)
    folder = example.write_run(tmp_path, config, example.example_rows(config))
    assert main(["--outputs", str(tmp_path), "--figures-only"]) == 0
    assert list((folder / "figures").glob("*.svg"))
    assert list((tmp_path / "figures").glob("*.svg"))
    assert not (tmp_path / "report.html").exists()


def test_the_experiments_are_found_without_a_list() -> None:
    configs = (EXPERIMENTS.parent / "configs" / "experiment").glob("*.yaml")
    assert list(experiment_names()) == sorted(path.stem for path in configs)
    assert list(experiments_in_order())[:2] == ["gaussian", "equitability"]


@pytest.fixture(scope="module")
def swept(made: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sweeps over one key, written as runs, and a run of another scale."""
    folder = tmp_path_factory.mktemp("swept")
    made.write_sweep(folder, {"learning_rate": [1e-4, 1e-3, 1e-2]}, made.by_rate)
    made.example.write_run(
        folder, config := made.config_of({}, scale="default"), made.example.example_rows(config)
    )
    assert main(["--outputs", str(folder)]) == 0
    return folder


def test_a_sweep_is_read_without_code(swept: Path) -> None:
    command = (
        "python -m experiments -m experiment=gaussian scale=smoke"
        " train.learning_rate=0.0001,0.001,0.01"
    )
    html, markdown = ((swept / f"report.{kind}").read_text() for kind in ("html", "md"))
    for page in (html, markdown):
        assert command in page
        assert "3 settings of train.learning" in page.replace("\\", "")
        assert "learning rate .001" in page
        assert "highest held-out value" in page and "smallest spread over seeds" in page
    assert 'id="figure-gaussian-sweep-scalar"' in html
    assert (swept / "figures" / "gaussian_sweep_scalar.svg").exists()
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    # One of six errors is 0 at the best setting, four are .01: the mean is .02 / 3 = .007.
    assert "<b>0.007</b>" in html


def test_sweeps_csv_has_the_measures_of_every_setting(swept: Path) -> None:
    lines = pd.read_csv(swept / "sweeps.csv")
    mine = lines[lines["method"] == "mine"]
    assert [json.loads(one)["train.learning_rate"] for one in mine["setting"]] == [
        1e-4,
        1e-3,
        1e-2,
    ]
    assert mine["error"].tolist() == pytest.approx([0.1, 0.02 / 3, 0.1])
    assert set(lines["method"]) == {"mine", "ksg"}
    parquet = pd.read_parquet(swept / "results.parquet")
    assert len(parquet) == len(pd.read_csv(swept / "results.csv")) == 4 * 12


def test_the_scale_asked_for_is_the_scale_that_is_compared(
    swept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeps, "sweep_figures", lambda *_: {})
    joined = join_results(swept)
    records, rows = [Record(run) for run in joined.runs], joined.frame(COLUMNS)
    found = {
        scale: sweep_parts("gaussian", of_scale(records, "gaussian", scale), rows)
        for scale in ("default", "smoke", "paper", None)
    }
    assert {scale: [part.settings for part in parts] for scale, parts in found.items()} == {
        "default": [],
        "smoke": [3],
        "paper": [],
        None: [3],
    }


def test_one_run_is_no_sweep(outputs: Path, html: str) -> None:
    assert "Sweep: " not in html
    assert (outputs / "sweeps.csv").read_text() == "experiment,setting,role,method\n"


@pytest.mark.usefixtures("svg_alone")
def test_hostile_values_of_a_sweep_stay_text(made: ModuleType, tmp_path: Path) -> None:
    made.write_sweep(tmp_path, {"note": ["<script>1</script>", "`a` | b"]}, seeds=1)
    assert main(["--outputs", str(tmp_path)]) == 0
    html, markdown = ((tmp_path / f"report.{kind}").read_text() for kind in ("html", "md"))
    assert "<script" not in html
    assert "&lt;script&gt;1&lt;/script&gt;" in html
    for line in markdown.splitlines():
        assert "<script" not in line or line.startswith("    ")


@pytest.mark.usefixtures("svg_alone")
def test_a_sweep_that_cannot_be_drawn_is_named(
    swept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    shutil.copytree(swept, tmp_path / "copy")
    monkeypatch.setattr(sweeps, "sweep_figures", lambda *_: 1 / 0)
    assert main(["--outputs", str(tmp_path / "copy")]) == 1
    assert "gaussian: sweep: ZeroDivisionError" in capsys.readouterr().err


@pytest.mark.parametrize(("folder", "figures"), [("outputs", 5), ("swept", 2)])
def test_the_page_opens_without_errors_requests_or_sideways_scrolling(
    folder: str, figures: int, request: pytest.FixtureRequest, browser: Any
) -> None:
    page_path = (request.getfixturevalue(folder) / "report.html").as_uri()
    complaints: list[str] = []
    requests: list[str] = []
    for width, scheme in ((1280, "light"), (390, "dark")):
        page = browser.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(page_path)
        page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator("figure svg").count() == figures
        assert page.locator("figure svg").first.is_visible()
        assert page.locator("script").count() == 0
    assert complaints == []
    assert set(requests) == {page_path}


def test_the_first_screen_has_a_mark_for_each_claim_and_its_filters_hide_the_others(
    outputs: Path, browser: Any
) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto((outputs / "report.html").as_uri())
    claims = json.loads((outputs / "claims.json").read_text())

    def shown() -> list[str]:
        rows = page.locator("tr.claim").all()
        return [row.get_attribute("id") for row in rows if row.is_visible()]

    assert page.locator(".board .mark").count() == len(claims)
    assert shown() == [one["id"] for one in claims]
    page.check("#only-not-reproduced")
    assert shown() == [one["id"] for one in claims if one["verdict"] == "not reproduced"]
    page.select_option("#only-experiment", "equitability")
    page.check("#only-all")
    own = [one for one in claims if one["experiment"] == "equitability"]
    assert own and shown() == [one["id"] for one in own]

    row = page.locator(f"#{own[0]['id']}")
    tolerance = row.get_by_text(own[0]["tolerance"])
    assert not tolerance.is_visible()
    row.locator("summary").click()
    assert tolerance.is_visible()

    page.locator(f".board a[href='#{own[-1]['id']}']").click()
    assert page.url.endswith(f"#{own[-1]['id']}")


def test_the_two_main_figures_stand_on_the_first_screen_and_once_on_the_page(
    outputs: Path, html: str, browser: Any
) -> None:
    assert html.count('<use href="#drawing-') == 2
    page = browser.new_page(viewport={"width": 1280, "height": 1400})
    page.goto((outputs / "report.html").as_uri())
    for preview in page.locator(".thumbnails a").all():
        box = preview.bounding_box()
        assert box["y"] + box["height"] < 1400
        target = preview.get_attribute("href")
        assert page.locator(f"{target} svg").count() == 1
