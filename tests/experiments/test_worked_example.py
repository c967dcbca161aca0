"""The experiment of CONTRIBUTING.md is two files: with them alone it runs and is in the report."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def written(language: str) -> str:
    """The one block of that language in CONTRIBUTING.md."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    (block,) = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return str(block)


@pytest.mark.slow
def test_the_worked_experiment_is_one_file_and_one_config(tmp_path: Path) -> None:
    for folder in ("experiments", "configs"):
        shutil.copytree(
            ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__")
        )
    (tmp_path / "experiments" / "rates.py").write_text(written("python"))
    (tmp_path / "configs" / "experiment" / "rates.yaml").write_text(written("yaml"))
    env = {**os.environ, "PYTHONPATH": str(ROOT)}  # for mine; experiments is that of the folder
    for asked in (
        ("experiments", "experiment=rates", "scale=smoke", "scale.seeds=3", "device=cpu"),
        ("experiments.suite.report", "--outputs", "outputs", "--scale", "smoke"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", *asked],
            cwd=tmp_path, env=env, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    (claim,) = json.loads((tmp_path / "outputs" / "claims.json").read_text())
    assert claim["id"] == "rates-equal" and "3 seeds" in claim["measured"]
    assert (tmp_path / "outputs" / "figures" / "rates.svg").exists()
    rows = (tmp_path / "outputs" / "results.csv").read_text()
    assert '""learning_rate"": 0.001' in rows and '""learning_rate"": 0.01' in rows
    assert "learning_rate" in (tmp_path / "outputs" / "report.html").read_text()
