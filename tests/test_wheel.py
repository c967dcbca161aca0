"""What is installed from the wheel works outside the checkout, and is `mine` alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

import mine

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = ("benchmarks", "configs", "docs", "experiments", "mine", "tests")
"""Folders of the checkout that a source distribution has whole."""


def run(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )


def build(kind: str, source: Path, to: Path) -> Path:
    """One distribution, built by the back end itself: nothing is downloaded."""
    done = run(sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", to, cwd=source)
    assert done.returncode == 0, done.stderr
    (built,) = to.iterdir()
    return built


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution, unpacked."""
    folder = tmp_path_factory.mktemp("sdist")
    with tarfile.open(build("sdist", ROOT, folder / "built")) as archive:
        archive.extractall(folder, filter="data")
    (unpacked,) = folder.glob("mine_mi-*")
    return unpacked


@pytest.fixture(scope="module")
def wheel(sdist: Path) -> Path:
    """Built from the source distribution, which therefore has all that a build needs."""
    return build("wheel", sdist, sdist.parent / "wheel")


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty environment with the wheel, which sees this one's packages but not this checkout.

    Its path to them is added last: pip must not find the editable install.
    """
    folder = tmp_path_factory.mktemp("environment")
    paths = sysconfig.get_paths(vars={"base": str(folder), "platbase": str(folder)})
    python, site = folder / "bin" / "python", Path(paths["purelib"])
    install = ("-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel)
    for words in (("-m", "venv", "--without-pip", folder), install):
        done = run(sys.executable, *words, cwd=folder)
        assert done.returncode == 0, done.stderr
    packages = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    (site / "dependencies.pth").write_text("\n".join(sorted(packages)))
    return folder


def files(folder: Path) -> set[str]:
    found = (path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix() for path in found if path.suffix != ".pyc"}
    return {
        name for name in names if not name.startswith("_build/")
    }  # the site, where it is built


def test_the_wheel_holds_mine_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    folders = {name.partition("/")[0] for name in names}
    (info,) = folders - {"mine"}
    assert info.endswith(".dist-info")
    held = {name.removeprefix("mine/") for name in names if name.startswith("mine/")}
    assert held == files(ROOT / "mine") and "py.typed" in held


def test_the_source_distribution_holds_what_a_build_and_the_tests_need(sdist: Path) -> None:
    for name in SHIPPED:
        held = {path for path in files(ROOT / name) if not path.startswith("_build/")}
        assert held == files(sdist / name)
    assert {"Makefile", "constraints.txt", "pyproject.toml", "README.md"} <= files(sdist)


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_the_metadata_and_the_long_description_pass_twine(
    kind: str, wheel: Path, sdist: Path
) -> None:
    built = {"wheel": wheel, "sdist": next((sdist.parent / "built").iterdir())}[kind]
    done = run(sys.executable, "-m", "twine", "check", "--strict", built, cwd=sdist)
    assert done.returncode == 0 and "PASSED" in done.stdout, done.stdout + done.stderr


def test_the_version_is_that_of_the_source(wheel: Path, sdist: Path) -> None:
    assert wheel.name.startswith(f"mine_mi-{mine.__version__}-")
    assert sdist.name == f"mine_mi-{mine.__version__}"


def test_the_installed_command_answers(environment: Path, tmp_path: Path) -> None:
    done = run(environment / "bin" / "mine", "--help", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "") and "mine estimate" in done.stdout


def test_the_installed_library_is_imported_and_the_suite_is_not(
    environment: Path, tmp_path: Path
) -> None:
    python = environment / "bin" / "python"
    done = run(python, "-c", "import mine; print(mine.__file__)", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_relative_to(environment)
    assert (
        "No module named 'experiments'"
        in run(python, "-c", "import experiments", cwd=tmp_path).stderr
    )


def test_the_installed_command_estimates(environment: Path, tmp_path: Path) -> None:
    rows = "".join(f"{i},{(i * 37) % 80}\n" for i in range(80))
    (tmp_path / "table.csv").write_text(f"a,b\n{rows}")
    words = ("--steps", 5, "--set", "hidden=8", "--set", "batch_size=16", "--device", "cpu")
    done = run(
        *(environment / "bin" / "mine", "estimate", "table.csv", "--x", "a", "--y", "b"),
        *(*words, "--json"),
        cwd=tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["rows"] == 80
