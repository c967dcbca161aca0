"""Provenance: code, packages, machine and seed, without the host's name."""

from __future__ import annotations

import json
import platform
import subprocess
from pathlib import Path
from typing import Any

import pytest

from experiments.suite.run.provenance import ROOT, collect_provenance
from experiments.suite.store.serialising import json_bytes


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def test_provenance_says_which_code_packages_machine_and_seed(tmp_path: Path) -> None:
    provenance = collect_provenance(device="cpu", seed=3, threads=2, root=tmp_path)
    assert set(provenance) == {
        *("git_commit", "git_dirty", "version", "packages", "python", "platform"),
        *("cores", "threads", "device", "seed", "time", "code", "arithmetic"),
    }
    assert (provenance["device"], provenance["seed"]) == ("cpu", 3)
    assert provenance["threads"] == 2
    assert {"torch", "numpy", "pandas"} <= set(provenance["packages"])
    assert provenance["time"].endswith("+00:00")
    assert json.loads(json_bytes(provenance)) == provenance


def test_provenance_does_not_name_the_host(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine = platform.uname()._replace(node="host-17", release="6.1-host-17")
    monkeypatch.setattr(platform, "uname", lambda: machine)
    monkeypatch.setattr(platform, "node", lambda: machine.node)
    text = json.dumps(collect_provenance(device="cpu", seed=0, threads=1, root=tmp_path))
    assert "host-17" not in text
    assert machine.system in text


def test_provenance_follows_the_checkout(tmp_path: Path) -> None:
    def state() -> tuple[Any, Any]:
        found = collect_provenance(device="cpu", seed=0, threads=1, root=tmp_path)
        return found["git_commit"], found["git_dirty"]

    assert state() == (None, None)
    git(tmp_path, "init")
    (tmp_path / "a").write_text("1")
    assert state() == (None, True)
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-m", "a")
    commit, dirty = state()
    assert len(commit) == 40 and dirty is False
    (tmp_path / "a").write_text("2")
    assert state() == (commit, True)


def test_provenance_of_a_folder_inside_a_foreign_checkout_has_no_commit(tmp_path: Path) -> None:
    git(tmp_path, "init")
    (tmp_path / "inner").mkdir()
    found = collect_provenance(device="cpu", seed=0, threads=1, root=tmp_path / "inner")
    assert found["git_commit"] is None


def test_provenance_does_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = collect_provenance(device="cpu", seed=0, threads=1, root=ROOT)
    assert (found["git_commit"], found["git_dirty"]) == (None, None)
