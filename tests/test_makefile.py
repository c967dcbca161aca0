"""The Makefile is the table of contents: it lists itself, and its variables reach the programs."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROMISED = (
    *("help", "install", "test", "test-all", "lint", "docs", "smoke"),
    *("reproduce", "figures", "report", "results", "status", "bench", "clean"),
)
VARIABLES = ("SCALE", "DEVICE", "ARGS", "EXPERIMENTS", "OUTPUTS", "COMMIT", "PYTHON")

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="needs make")


def make(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    # A make around this one, and what its user set, must not reach into the one under test.
    ours = {*VARIABLES, "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES"}
    env = {key: value for key, value in os.environ.items() if key not in ours}
    return subprocess.run(
        ["make", *arguments], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )


def plan(*arguments: str) -> str:
    """What make would run, the set-up of .venv left out."""
    done = make("-n", "-o", ".venv/.installed", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def rules() -> dict[str, str]:
    """Target -> the line of its rule, of the targets that a user can name."""
    lines = (ROOT / "Makefile").read_text().splitlines()
    return {m[1]: line for line in lines if (m := re.match(r"([a-z][a-z-]*):(?!=)", line))}


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """The Makefile over a .venv whose python notes what it was asked, and fails on request."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(
        '#!/bin/sh\necho "$@" >> asked\n'
        'case "$*" in *"experiment=broken"*) exit 1 ;; *report*) mkdir -p outputs '
        "&& touch outputs/report.html ;; esac\n"
    )
    python.chmod(0o755)
    for name in ("pyproject.toml", "constraints.txt", ".venv/.installed"):
        (tmp_path / name).touch()
    return tmp_path


def test_help_is_the_default_and_lists_every_promised_target() -> None:
    assert make().stdout == make("help").stdout
    listed = re.findall(r"^  ([a-z-]+) +\S", make("help").stdout, re.MULTILINE)
    assert set(PROMISED) <= set(listed)
    assert set(listed) == set(rules())


def test_every_target_is_phony() -> None:
    phony = re.search(r"^\.PHONY:(.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony is not None
    assert set(phony[1].split()) == set(rules())


def test_results_are_made_of_a_whole_run_without_what_takes_hours() -> None:
    asked = plan("results", "OUTPUTS=there", "COMMIT=abc def")
    assert "--outputs 'there' --scale \"default\" --commit abc def --without accuracy" in asked


def test_help_explains_every_variable() -> None:
    text = make("help").stdout
    assert all(re.search(rf"^  {name}=\S* .*\w", text, re.MULTILINE) for name in VARIABLES), text
    assigned = set(re.findall(r"^([A-Z]+) \?=", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert assigned == set(VARIABLES)


def test_variables_reach_hydra() -> None:
    text = plan("reproduce", "SCALE=smoke", "DEVICE=cpu", "ARGS=train.learning_rate=1e-4")
    for word in ("scale=smoke", "device=cpu", "train.learning_rate=1e-4", "-m experiments "):
        assert word in text
    assert "gaussian" in text and "equitability" in text


def test_without_variables_reproduce_runs_all_at_the_default_scale() -> None:
    assert "scale=default device=auto" in plan("reproduce")


def test_smoke_is_reproduce_at_the_smoke_scale() -> None:
    assert plan("smoke") == plan("reproduce", "SCALE=smoke")
    assert "!= smoke" in plan("smoke")  # which no forecast delays
    assert plan("smoke", "SCALE=paper") == plan("smoke")


@pytest.mark.parametrize("given", ["gaussian,equitability", "gaussian equitability"])
def test_the_experiments_are_one_sweep_and_then_comes_the_report(house: Path, given: str) -> None:
    done = make("reproduce", f"EXPERIMENTS={given}", "ARGS=critic.hidden=[8,8]", cwd=house)
    assert done.returncode == 0, done.stderr
    common = "scale=default device=auto outputs=outputs figures=false critic.hidden=[8,8]"
    sweep = f"-m experiments -m experiment=gaussian,equitability {common}"
    assert (house / "asked").read_text().splitlines() == [
        f"{sweep} --forecast",
        sweep,
        "-m experiments.suite.report --outputs outputs --scale default",
    ]
    assert done.stdout.splitlines()[-1] == "Report: outputs/report.html"


ODD_FOLDERS = (
    *("a b", "it's", 'say "b"', "a,b=c", "été", "a\\b", "a;b"),
    *("$(touch harmed)", "a`touch harmed`"),
)


@pytest.mark.parametrize("folder", ODD_FOLDERS)
@pytest.mark.parametrize("from_environment", [False, True])
def test_any_folder_reaches_hydra_and_the_shell_as_it_is(
    house: Path, folder: str, from_environment: bool
) -> None:
    from hydra.core.override_parser.overrides_parser import OverridesParser

    (house / ".venv" / "bin" / "python").write_text('#!/bin/sh\nprintf "%s\\n" "$@" >> asked\n')
    env = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    words, env = ([], {**env, "OUTPUTS": folder}) if from_environment else ([folder], env)
    command = ["make", "smoke", "EXPERIMENTS=gaussian", *(f"OUTPUTS={word}" for word in words)]
    done = subprocess.run(command, cwd=house, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    asked = (house / "asked").read_text(encoding="utf-8").splitlines()
    (override,) = [word for word in asked if word.startswith("outputs=")]
    assert OverridesParser.create().parse_override(override).value() == folder
    assert asked[asked.index("--outputs") + 1] == folder
    assert not list(house.rglob("harmed"))


def test_a_smoke_run_begins_at_once(house: Path) -> None:
    assert make("smoke", "EXPERIMENTS=gaussian", cwd=house).returncode == 0
    assert "--forecast" not in (house / "asked").read_text()


def test_after_a_failed_sweep_the_report_is_written_and_the_status_tells(house: Path) -> None:
    done = make("reproduce", "EXPERIMENTS=broken gaussian", cwd=house)
    assert done.returncode != 0
    assert "experiments.suite.report" in (house / "asked").read_text()
    assert "Report: outputs/report.html" in done.stdout


@pytest.mark.parametrize("answer", ["exit 130", "trap - INT; kill -INT $$"], ids=["exit", "die"])
def test_ctrl_c_stops_the_whole_of_it(house: Path, answer: str) -> None:
    """Whether the program ends on the signal or catches it, tidies up and exits."""
    (house / ".venv" / "bin" / "python").write_text(
        f"#!/bin/sh\necho \"$@\" >> asked\ntrap '{answer}' INT\n"
        "touch started\nfor i in $(seq 300); do sleep 0.1; done\n"
    )
    running = subprocess.Popen(
        ["make", "reproduce"], cwd=house, start_new_session=True, stderr=subprocess.DEVNULL
    )
    while not (house / "started").exists():
        time.sleep(0.05)
    os.killpg(running.pid, signal.SIGINT)
    assert running.wait(timeout=20) != 0
    assert (house / "asked").read_text().count("\n") == 1


def test_an_override_with_brackets_is_not_taken_for_file_names(house: Path) -> None:
    (house / "critic.hidden=1").touch()
    make("reproduce", "EXPERIMENTS=gaussian", "ARGS=critic.hidden=[1]", cwd=house)
    assert "critic.hidden=[1]" in (house / "asked").read_text()


def test_drawing_again_asks_for_rows_alone() -> None:
    for target in ("figures", "report"):
        text = plan(target, "SCALE=smoke", "OUTPUTS=outputs-2")
        assert "-m experiments.suite.report --outputs 'outputs-2' --scale \"smoke\"" in text
        assert "experiment=" not in text


def test_a_set_up_that_was_cut_short_is_not_taken_for_finished(house: Path) -> None:
    (house / ".venv" / ".installed").unlink()
    (house / ".venv" / ".installing").touch()
    assert "rm -rf .venv" in make("-n", "install", cwd=house).stdout
    done = make("install", "PYTHON=false", cwd=house)
    assert done.returncode != 0
    assert not (house / ".venv" / ".installed").exists()


def test_a_set_up_is_done_once_and_again_when_the_lock_changes(house: Path) -> None:
    assert make("install", cwd=house).returncode == 0
    assert not (house / "asked").exists()
    change_the_lock(house)
    done = make("install", cwd=house)
    assert (done.returncode, done.stdout) == (0, "")
    assert "-m pip install -c constraints.txt" in (house / "asked").read_text()
    assert not (house / ".venv" / ".installing").exists()


def change_the_lock(house: Path) -> None:
    later = (house / ".venv" / ".installed").stat().st_mtime + 10
    os.utime(house / "constraints.txt", (later, later))


def test_a_failed_set_up_names_its_log_and_keeps_the_exit_status(house: Path) -> None:
    """pip's first lines are in the log alone, its last ones are shown, too."""
    (house / ".venv" / "bin" / "python").write_text(
        '#!/bin/sh\ncase "$*" in *"pip install"*".[all]"*)\n'
        'for i in $(seq 300); do echo "Collecting package-$i"; done\n'
        'echo "ERROR: no such wheel" >&2; exit 7 ;; esac\n'
    )
    change_the_lock(house)
    done = make("install", cwd=house)
    assert done.returncode != 0 and "Error 7" in done.stderr
    assert "pip ended with exit status 7; its whole log is .venv/install.log" in done.stderr
    assert "ERROR: no such wheel" in done.stderr
    log = (house / ".venv" / "install.log").read_text().splitlines()
    assert log[0] == "Collecting package-1" and log[-1] == "ERROR: no such wheel"
    assert "package-1\n" not in done.stdout + done.stderr
    assert (house / ".venv" / ".installing").exists()
    assert "rm -rf .venv" in make("-n", "install", cwd=house).stdout


def test_a_set_up_that_is_killed_is_not_taken_for_finished(house: Path) -> None:
    (house / ".venv" / "bin" / "python").write_text(
        '#!/bin/sh\ncase "$*" in *"pip install"*) kill -9 $PPID ;; esac\n'
    )
    change_the_lock(house)
    assert make("install", cwd=house).returncode != 0
    assert (house / ".venv" / ".installing").exists()


@pytest.mark.parametrize(
    ("version", "got"), [("3, 10", "3.10"), ("3, 14", "3.14")], ids=["too-old", "too-new"]
)
def test_a_python_that_is_too_old_or_new_is_refused(house: Path, version: str, got: str) -> None:
    """`python` stands in for an interpreter of that version: it answers as that one would."""
    shutil.rmtree(house / ".venv")
    python = house / "python"
    python.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && echo Python {got}.0 && exit\n'
        f'exec {sys.executable} -c "import sys; sys.version_info = ({version}, 0); $2"\n'
    )
    python.chmod(0o755)
    done = make("install", "PYTHON=./python", cwd=house)
    assert done.returncode != 0
    assert f"expected Python 3.11, 3.12 or 3.13, got Python {got}.0" in done.stderr
    assert "make install PYTHON=" in done.stderr
    assert not (house / ".venv").exists()


def test_no_python_at_all_is_said_plainly(house: Path) -> None:
    shutil.rmtree(house / ".venv")
    done = make("install", "PYTHON=no-such-python", cwd=house)
    assert done.returncode != 0
    assert "from 'no-such-python'" in done.stderr and "expected Python 3.11" in done.stderr


def test_clean_removes_outputs_and_caches_but_neither_the_environment_nor_the_source(
    house: Path,
) -> None:
    for name in ("outputs/gaussian", ".pytest_cache", "mine/__pycache__", ".venv/a/__pycache__"):
        (house / name).mkdir(parents=True)
    assert make("clean", cwd=house).returncode == 0
    assert not (house / "outputs").exists() and not (house / "mine" / "__pycache__").exists()
    assert (house / "mine").exists() and (house / ".venv" / "a" / "__pycache__").exists()
    assert make("clean-all", cwd=house).returncode == 0
    assert not (house / ".venv").exists()


@pytest.mark.parametrize("outputs", ["", "/", "..", "mine", "outputs/../mine", "outputs/.."])
def test_clean_refuses_to_remove_what_is_no_output_folder(house: Path, outputs: str) -> None:
    (house / "mine").mkdir()
    done = make("clean", f"OUTPUTS={outputs}", cwd=house)
    assert done.returncode != 0 and "expected OUTPUTS" in done.stderr
    assert (house / "mine").exists()


def test_continuous_integration_calls_lint_docs_test_and_smoke() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    text = script.read_text()
    assert "set -eu" in text and "for target in lint docs test smoke" in text
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0


def test_one_version_is_told_everywhere() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "version" not in config["project"] and config["project"]["dynamic"] == ["version"]
    source = (ROOT / config["tool"]["hatch"]["version"]["path"]).read_text()
    (version,) = re.findall(r'^__version__ = "(.*)"$', source, re.MULTILINE)
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()
    dated = re.findall(
        r"^## \[(\d.*)\] - \d{4}-\d\d-\d\d$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )
    assert dated[0] == version


def test_the_lock_pins_exact_versions_for_cpu_and_cuda_alike() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][0-9a-z.]*", pin) for pin in pins)
    assert any(pin.startswith("torch==") for pin in pins)
