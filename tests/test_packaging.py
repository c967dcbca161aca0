"""The workflow, Dependabot's file and the Containerfile run what the Makefile has."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]


def read_yaml(path: str) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ROOT / path).read_text())
    return read


@pytest.fixture(scope="module")
def job() -> dict[str, Any]:
    (job,) = read_yaml(".github/workflows/ci.yml")["jobs"].values()
    assert isinstance(job, dict)
    return job


def instructions(name: str) -> list[str]:
    """What follows `name` on each line of the Containerfile that begins with it."""
    lines = (ROOT / "Containerfile").read_text().splitlines()
    return [line.removeprefix(f"{name} ") for line in lines if line.startswith(f"{name} ")]


def supported_pythons() -> set[str]:
    """The Python versions that the classifiers of the package name."""
    classifiers = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["classifiers"]
    found = (re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", c) for c in classifiers)
    return {match[1] for match in found if match}


def test_the_workflow_covers_every_python_on_linux_and_macos(job: dict[str, Any]) -> None:
    matrix = job["strategy"]["matrix"]
    assert set(matrix) == {"os", "python"}  # nothing is excluded or included
    assert set(product(matrix["os"], matrix["python"])) == set(
        product(("ubuntu-latest", "macos-latest"), supported_pythons())
    )
    assert job["runs-on"] == "${{ matrix.os }}"
    (python,) = [step["with"] for step in job["steps"] if "setup-python" in step.get("uses", "")]
    assert python["python-version"] == "${{ matrix.python }}"


def test_the_workflow_runs_the_ci_script_and_nothing_else(job: dict[str, Any]) -> None:
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]
    assert (ROOT / ".ci" / "run").is_file()


def test_the_workflow_needs_no_secret_and_may_only_read() -> None:
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    assert "secrets" not in text and "pull_request_target" not in text
    assert read_yaml(".github/workflows/ci.yml")["permissions"] == {"contents": "read"}


def test_the_workflow_pins_actions_by_commit_and_says_their_version() -> None:
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    uses = re.findall(r"uses: (.*)", text)
    assert uses
    for action in uses:
        assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


def test_dependabot_watches_the_lock_and_the_actions() -> None:
    config = read_yaml(".github/dependabot.yml")
    assert config["version"] == 2
    watched = {one["package-ecosystem"]: one for one in config["updates"]}
    assert set(watched) == {"pip", "github-actions"}
    for one in watched.values():
        assert one["directory"] == "/" and one["schedule"]["interval"] == "weekly"


def test_the_container_is_set_up_by_targets_of_the_makefile() -> None:
    targets = re.findall(r"^([a-z][a-z-]*):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    commands = [command.split() for command in instructions("RUN")]
    assert commands == [["make", "install"]]
    assert all(target in targets for _, target in commands)


def test_one_build_argument_chooses_between_cpu_and_cuda() -> None:
    arguments = dict(argument.split("=", 1) for argument in instructions("ARG"))
    assert arguments["PIP_EXTRA_INDEX_URL"].endswith("/whl/cpu")
    text = (ROOT / "Containerfile").read_text()
    assert "--build-arg PIP_EXTRA_INDEX_URL= " in text


def test_the_image_has_a_python_that_is_supported() -> None:
    (image,) = instructions("FROM")
    assert image.partition(":")[2] in supported_pythons()


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_the_image_gets_no_environment_and_no_output_of_the_host() -> None:
    """`.dockerignore` leaves out what git ignores, and keeps every file that git tracks."""
    ignored = [
        line.rstrip("*")
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if not line.startswith(("#", "**"))
    ]
    done = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert not [path for path in done.stdout.splitlines() if path.startswith(tuple(ignored))]
    folders = re.findall(r"^/([\w./-]+?)\*?/$", (ROOT / ".gitignore").read_text(), re.MULTILINE)
    assert folders and all(folder.startswith(tuple(ignored)) for folder in folders)
