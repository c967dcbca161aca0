"""One 2 x 2 sweep through each launcher: the same rows to the last bit, and the same exit status.

The sweeps are real: the command in a process of its own, its jobs wherever the launcher puts them.
"""

from __future__ import annotations

import os
import pickle
import re
import stat
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from experiments.suite.run import launchers
from experiments.suite.run.command import CONFIGS, command
from experiments.suite.run.exits import BAD_INPUT, FAILED, OK
from experiments.suite.run.jobs import prepare
from experiments.suite.run.running import cap_threads
from experiments.suite.run.targets import ConfigError
from experiments.suite.store.joined import join_rows, load_runs
from experiments.suite.store.table_bytes import csv_bytes
from experiments.suite.store.tables import ROW_COLUMNS

ROOT = CONFIGS.parent
PRESETS = sorted(path.stem for path in (CONFIGS / "hydra" / "launcher").glob("*.yaml"))
TINY = (
    *("experiment=gaussian", "scale=smoke", "device=cpu", "experiment.rho=[0.3,0.8]"),
    *("experiment.methods=[mine,ksg]", "~experiment.panels.high", "figures=false"),
    *("train.batch_size=16", "critic.hidden=[8]", "scale.n_test=100", "scale.ksg_n=60"),
)
SWEEP = ("train.steps=8,12", "train.learning_rate=1e-3,2e-3")
UNTIMED = [name for name in ROW_COLUMNS if name not in ("seconds", "commit")]
RAY = [ROOT / ".venv-ray" / "bin" / "python", Path(os.environ.get("RAY_PYTHON", ""))]
"""Ray's extra wants an environment of its own: docs/sweeps.md."""

Patch = pytest.MonkeyPatch
Done = subprocess.CompletedProcess[str]


def needs(launcher: str) -> pytest.MarkDecorator:
    module = launchers.EXTRAS[launcher][1]
    return pytest.mark.skipif(
        not launchers.installed(module), reason=f"needs {module}, which is not installed"
    )


def sweep(
    outputs: Path, *words: str, python: str = sys.executable, path: Path | None = None,
    threads: str | None = "1",
) -> Done:  # fmt: skip
    """The command on tiny cells, with so many threads a process, and `path` before others."""
    search = os.pathsep.join([*([str(path)] if path else []), os.environ["PATH"]])
    free = {key: value for key, value in os.environ.items() if not key.endswith("_NUM_THREADS")}
    capped = {"OMP_NUM_THREADS": threads} if threads else {}
    return subprocess.run(
        [python, "-m", "experiments", "-m", *TINY, *words, f"outputs={outputs}"],
        cwd=ROOT,
        env={**free, **capped, "PATH": search, "RAY_USAGE_STATS_ENABLED": "0"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def rows_of(outputs: Path) -> pd.DataFrame:
    runs, problems = load_runs(outputs)
    assert problems == []
    assert {one.read_status()["state"] for one in runs} == {"finished"}
    return join_rows(runs)[UNTIMED]


def assert_same_bits(one: pd.DataFrame, other: pd.DataFrame) -> None:
    assert csv_bytes(one) == csv_bytes(other)


@pytest.fixture(scope="module")
def basic(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """The sweep's rows from the basic launcher: four jobs, one after the other."""
    outputs = tmp_path_factory.mktemp("basic")
    done = sweep(outputs, *SWEEP)
    assert done.returncode == OK, done.stderr
    return rows_of(outputs)


# -------------------------------------------------------------------- the sweep


def test_the_sweep_is_two_by_two_and_its_jobs_differ(basic: pd.DataFrame) -> None:
    assert basic["run_id"].nunique() == 4
    assert len(basic) == 4 * 2 * 2 and set(basic["status"]) == {"ok"}
    trained = basic[(basic["method"] == "mine")]
    assert trained["nats"].nunique() == len(trained)


@needs("submitit_local")
def test_submitit_gives_the_same_rows_bit_for_bit(basic: pd.DataFrame, tmp_path: Path) -> None:
    done = sweep(tmp_path, *SWEEP, "hydra/launcher=submitit_local")
    assert done.returncode == OK, done.stderr
    assert_same_bits(basic, rows_of(tmp_path))


@pytest.fixture(scope="module")
def joblib(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    """The outputs of the sweep with two jobs at a time and, among them, two that cannot be.

    No variable caps its threads, and the machine may have many cores.
    """
    outputs = tmp_path_factory.mktemp("joblib")
    words = (*SWEEP[:-1], f"{SWEEP[-1]},-1", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    return outputs, sweep(outputs, *words, threads=None)


@needs("joblib")
def test_joblib_gives_the_same_rows_bit_for_bit(
    basic: pd.DataFrame, joblib: tuple[Path, Done]
) -> None:
    assert_same_bits(basic, rows_of(joblib[0]))


@needs("joblib")
def test_joblibs_jobs_have_one_thread_each(joblib: tuple[Path, Done]) -> None:
    runs, _ = load_runs(joblib[0])
    assert [one.read_provenance()["threads"] for one in runs] == [1] * 4


def ray_python() -> str | None:
    if launchers.installed(launchers.EXTRAS["ray"][1]):
        return sys.executable
    return next((str(path) for path in RAY if path.is_file()), None)


@pytest.mark.slow
@pytest.mark.skipif(
    ray_python() is None, reason="needs hydra-ray-launcher: `make ray` installs it"
)
def test_ray_gives_the_same_rows_bit_for_bit(basic: pd.DataFrame, tmp_path: Path) -> None:
    """On a local cluster of two CPUs and, by name, one GPU that four jobs share by quarters."""
    python = ray_python()
    assert python
    wanted = ("ray.init.num_cpus=2", "ray.init.num_gpus=1", "ray.remote.num_cpus=0.5",
              "ray.remote.num_gpus=0.25")  # fmt: skip
    words = [*SWEEP, "hydra/launcher=ray", *(f"hydra.launcher.{word}" for word in wanted)]
    done = sweep(tmp_path, *words, python=python)
    assert done.returncode == OK, done.stderr
    assert_same_bits(basic, rows_of(tmp_path))


# -------------------------------------------------------------- the exit status


@needs("joblib")
def test_a_job_that_went_wrong_sets_the_exit_status_and_the_others_go_on(
    joblib: tuple[Path, Done],
) -> None:
    outputs, done = joblib
    assert done.returncode == BAD_INPUT, done.stderr
    assert done.stderr.count("finite number > 0, got -1") == 2, done.stderr
    assert re.search(r"experiments: exit status 2 of `python .*learning_rate=-1 .*`", done.stderr)
    assert rows_of(outputs)["run_id"].nunique() == 4


def test_a_status_is_noted_where_it_arrives(monkeypatch: Patch) -> None:
    monkeypatch.setattr(launchers, "arrived", [])
    status = launchers.Status(1, "python -m experiments shard=3")
    assert launchers.arrived == []
    assert pickle.loads(pickle.dumps(status)) == status
    assert launchers.arrived == [status]
    assert str(status) == "exit status 1 of `python -m experiments shard=3`"


def test_a_launchers_loss_is_told_from_a_mistake() -> None:
    class Lost(Exception): ...

    Lost.__module__ = "joblib.externals.loky.process_executor"
    assert launchers.lost(Lost()) and not launchers.lost(RuntimeError())


# ------------------------------------------------------------------ the presets


def test_every_preset_names_its_extra() -> None:
    assert set(PRESETS) <= set(launchers.EXTRAS)
    text = (ROOT / "pyproject.toml").read_text()
    for extra, _ in launchers.EXTRAS.values():
        assert re.search(rf"^{extra} = \[", text, re.MULTILINE)


@pytest.mark.parametrize("launcher", PRESETS)
def test_without_its_extra_a_preset_is_one_line_and_exit_status_2(
    launcher: str, monkeypatch: Patch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(launchers, "installed", lambda _: False)
    monkeypatch.setattr(sys, "argv", ["experiments", "-m", f"hydra/launcher={launcher}"])
    assert command() == BAD_INPUT
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    extra = launchers.EXTRAS[launcher][0]
    assert f"hydra/launcher={launcher} needs the extra '{extra}'" in error
    assert f"pip install -e '.[{extra}]'" in error


def test_a_module_is_installed_or_not() -> None:
    assert launchers.installed("json.decoder")
    assert not launchers.installed("json.nothing") and not launchers.installed("nothing.at.all")


@pytest.mark.parametrize("launcher", PRESETS)
def test_every_preset_gives_a_job_as_many_threads_as_cores(launcher: str) -> None:
    preset = yaml.safe_load((CONFIGS / "hydra" / "launcher" / f"{launcher}.yaml").read_text())
    cores = preset["hydra"]["launcher"].get("cpus_per_task")
    asked = preset["hydra"]["job"]["env_set"]["OMP_NUM_THREADS"]
    assert asked == ("${hydra.launcher.cpus_per_task}" if cores else "1")


@needs("joblib")
def test_a_job_whose_process_is_killed_is_one_line_and_exit_status_1(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys, experiments.suite.run.command as run\n"
        "sys.argv[1:] = ['-m', 'hydra/launcher=joblib', 'hydra.launcher.n_jobs=2',\n"
        f"    'scale.seeds=1,2', 'outputs={tmp_path}']\n"
        "run.run_experiment = lambda config, command: os.kill(os.getpid(), signal.SIGKILL)\n"
        "sys.exit(run.command())\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == FAILED, done.stderr
    lines = done.stderr.splitlines()
    assert [line for line in lines if line.startswith("experiments: ")] == lines[:1], done.stderr
    assert "Traceback" not in done.stderr


def test_threads_are_capped_by_the_config() -> None:
    import torch

    before = torch.get_num_threads()
    try:
        cap_threads(None)
        assert torch.get_num_threads() == before
        cap_threads(1)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("threads", [0, -1, 1.5, True, "two"])
def test_threads_that_cannot_be_are_refused(threads: object) -> None:
    with pytest.raises(ConfigError, match=r"threads must be a whole number >= 1 or null, got"):
        cap_threads(threads)


# ------------------------------------------------------------------------ Slurm

SBATCH = """#!/bin/sh
cp "$1" "{folder}/script.sh"
for task in $(seq 0 $(sed -n 's/^#SBATCH --array=0-\\([0-9]*\\)%.*/\\1/p' "$1")); do
  SLURM_JOB_ID=$((4242 + task)) SLURM_ARRAY_JOB_ID=4242 SLURM_ARRAY_TASK_ID=$task SLURM_NTASKS=1 \\
  SLURM_JOB_NUM_NODES=1 SLURM_NODEID=0 SLURM_PROCID=0 SLURM_LOCALID=0 \\
  sh "$1" > "{folder}/$task.log" 2>&1 &
done
echo "Submitted batch job 4242"
"""
SRUN = """#!/bin/sh
while [ "$1" != "{python}" ]; do shift; done
exec "$@"
"""
SACCT = "#!/bin/sh\nprintf 'JobID|State|NodeList\\n4242_0|RUNNING|n1\\n4242_1|RUNNING|n1\\n'\n"


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a cluster of one machine: sbatch notes its script, and runs its array."""
    folder = tmp_path_factory.mktemp("slurm")
    for name, text in {"sbatch": SBATCH, "srun": SRUN, "sacct": SACCT}.items():
        (folder / name).write_text(
            text.replace("{folder}", str(folder)).replace("{python}", sys.executable)
        )
        (folder / name).chmod(stat.S_IRWXU)
    return folder


@pytest.fixture(scope="module")
def submitted(slurm: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    """The outputs of the sweep in two jobs of an array."""
    outputs = tmp_path_factory.mktemp("submitted")
    words = ("shards=2", "shard=0,1", "hydra/launcher=slurm", "hydra.launcher.partition=cpu")
    return outputs, sweep(outputs, *words, "hydra.launcher.array_parallelism=1", path=slurm)


def flags(script: str) -> dict[str, str]:
    found = re.findall(r"^#SBATCH --([a-z-]+)(?:=(.*))?$", script, re.MULTILINE)
    return {key: value.strip("'") for key, value in found}


@needs("slurm")
def test_slurms_preset_submits_one_array_that_is_requeued(
    slurm: Path, submitted: tuple[Path, Done]
) -> None:
    outputs, done = submitted
    assert done.returncode == OK, done.stderr
    script = (slurm / "script.sh").read_text()
    asked = flags(script)
    assert asked["array"] == "0-1%1"  # two shards, one at a time
    assert asked["time"] == "240" and asked["partition"] == "cpu"
    assert "requeue" in asked and asked["open-mode"] == "append"
    assert asked["signal"] == "USR2@120"
    assert (asked["cpus-per-task"], asked["mem"], asked["nodes"]) == ("4", "8GB", "1")
    assert str(outputs / ".submitit") in asked["output"]
    assert f"{sys.executable} -u -m submitit.core._submit" in script


@needs("slurm")
def test_the_shards_of_an_array_are_the_whole_grid(submitted: tuple[Path, Done]) -> None:
    config = load_runs(submitted[0])[0][0].read_config()
    cells, _ = prepare({**config, "shards": 1, "shard": 0})
    rows = rows_of(submitted[0])
    assert sorted(rows["key"]) == sorted(cell.key for cell in cells)
    assert rows["run_id"].nunique() == 2


@needs("slurm")
def test_a_job_out_of_time_may_be_queued_again_as_often_as_the_preset_says(
    submitted: tuple[Path, Done],
) -> None:
    import cloudpickle

    pickles = sorted((submitted[0] / ".submitit").rglob("*_submitted.pkl"))
    assert len(pickles) == 2
    for path in pickles:
        job = cloudpickle.loads(path.read_bytes())
        assert job._timeout_countdown == 10 and job._timeout_min == 240
        assert hasattr(job.function, "checkpoint")
