"""Runs on disk: a folder a run, named by what was asked; no reader ever meets half a file.

A run folder is ``outputs/<experiment>/<run-id>/`` with

- ``config.yaml``: the resolved config; the run id is a hash of it;
- ``provenance.json``: the code, packages, machine and device that the rows come from;
- ``rows.parquet`` and ``rows.csv``: one row a cell, columns as in `ROW_COLUMNS`;
- ``curves.parquet``: the training curves, columns as in `CURVE_COLUMNS`;
- ``status.json``: how far the run is;
- ``figures/`` and ``run.log``.

Every write goes to a temporary file in the same folder and is renamed into place. Rows are the
interface between computing and drawing: they are typed here, once, and written so that equal rows
give equal bytes. `collect_provenance` and `utc_now` read git, the environment and the clock: the
runner alone calls them.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import importlib.metadata
import io
import json
import operator
import os
import platform
import re
import subprocess
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import yaml

if TYPE_CHECKING:
    from pandas import DataFrame

DISTRIBUTION = "mine-mi"
PACKAGES = (
    "torch",
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "matplotlib",
    "seaborn",
    "hydra-core",
    "omegaconf",
    "jinja2",
)
"""The distributions whose versions the provenance names."""

IGNORED_KEYS = frozenset({"hydra", "logging", "outputs", "progress"})
"""Top-level keys of a config that do not change a run's results, and so not its id."""

STATES = ("running", "finished", "failed")
ROW_STATUSES = ("ok", "failed", "diverged")

ROW_COLUMNS: Mapping[str, str] = {
    "experiment": "str",
    "run_id": "str",
    "key": "str",
    "role": "str",
    "task": "str",
    "params": "str",
    "dim": "int64",
    "method": "str",
    "seed": "int64",
    "n_train": "int64",
    "n_test": "int64",
    "steps": "int64",
    "nats": "float64",
    "stderr": "float64",
    "truth": "float64",
    "train_nats": "float64",
    "seconds": "float64",
    "device": "str",
    "status": "str",
    "reason": "str",
    "step_diverged": "int64",
    "warnings": "str",
}
"""Column -> dtype of the rows, in the order in which they are written."""

CURVE_COLUMNS: Mapping[str, str] = {"key": "str", "step": "int64", "train_nats": "float64"}
"""Column -> dtype of the training curves: a smoothed training value (nats) of a cell at a step."""

_MISSING: Mapping[str, Any] = {"str": "", "int64": 0, "float64": float("nan")}
_MISSING_IN: Mapping[str, Any] = {"step_diverged": -1}
_REQUIRED = frozenset({"key", "status"})
_RUN_ID = re.compile(r"[0-9a-f]{12}")


class OutputError(OSError):
    """The output folder cannot be written: one line that says expected, got and what to do."""


class CorruptRunError(ValueError):
    """A file of a run folder is missing or unreadable: one line says which, and what to do."""


# Writing


def write_atomic(path: Path, data: bytes) -> None:
    """Write `data` to `path`, whole or not at all; missing folders are made.

    The bytes go to a temporary file beside `path`, are synced to disk, and take its name in one
    step. On any error the temporary file is removed and what stood at `path` stays.

    Raises:
        OutputError: the folder cannot be written, or the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(temporary, "xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
            _sync_folder(path.parent)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        _refuse(path, len(data), error)


def check_outputs(outputs: Path) -> None:
    """Make `outputs` and prove that it can be written, before a run spends time.

    Raises:
        OutputError: as for `write_atomic`.
    """
    probe = outputs / f".probe-{uuid.uuid4().hex}"
    write_atomic(probe, b"x" * 4096)
    probe.unlink()


def _sync_folder(folder: Path) -> None:
    """Sync the entry of a renamed file, where the system lets folders be opened and synced."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _refuse(path: Path, size: int, error: OSError) -> NoReturn:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        expected, remedy = f"room for {size} bytes", "free some space, or name another folder"
    else:
        expected, remedy = "a folder that can be written", "mend it, or name another folder"
    raise OutputError(
        f"expected {expected} at {path.parent}, got {error.strerror!r}: "
        f"{remedy} with outputs=<folder>"
    ) from error


# Configs


def canonical_json(value: Any) -> str:
    """The one JSON text of plain data: sorted keys, no spaces; equal data give equal text.

    Raises:
        ValueError: something in `value` is not plain data.
    """
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    except TypeError as error:
        raise ValueError(
            f"expected plain data (dict, list, str, number, bool, None), got {error}: "
            "resolve the config first"
        ) from error


def json_bytes(value: Any) -> bytes:
    """JSON for people and programs: indented, UTF-8; strict, so nan and inf are refused."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode("utf-8", "backslashreplace")


def package_version() -> str:
    """The version of the installed package, ``0+unknown`` where it is not installed."""
    try:
        return importlib.metadata.version(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return "0+unknown"


def run_id(config: Mapping[str, Any], version: str | None = None) -> str:
    """What was asked, as 12 hexadecimal digits: a hash of the config and the package's version.

    Args:
        config: the resolved config as plain data; keys in `IGNORED_KEYS` are left out, order plays
            no part.
        version: the package's version, the installed one unless said.
    """
    asked = {key: value for key, value in config.items() if key not in IGNORED_KEYS}
    identity = {"config": asked, "version": package_version() if version is None else version}
    return hashlib.sha256(canonical_json(identity).encode()).hexdigest()[:12]


# Tables


def row_frame(rows: Iterable[Mapping[str, Any]]) -> DataFrame:
    """A typed table of rows, columns as in `ROW_COLUMNS`.

    A column that a row does not have (or has as None) is filled: "" for text, nan for numbers with
    a point, 0 for whole numbers and -1 for `step_diverged`.

    Raises:
        ValueError: an unknown column, a value of another type, a row without key or status.
    """
    return _typed(list(rows), ROW_COLUMNS, required=_REQUIRED)


def curve_frame(points: Iterable[Mapping[str, Any]]) -> DataFrame:
    """A typed table of curve points, columns as in `CURVE_COLUMNS`; all three must be there."""
    return _typed(list(points), CURVE_COLUMNS, required=frozenset(CURVE_COLUMNS))


def join_rows(runs: Iterable[Run]) -> DataFrame:
    """The rows of all `runs` as one table."""
    import pandas as pd

    frames = [rows for rows in (run.read_rows() for run in runs) if len(rows)]
    return pd.concat(frames, ignore_index=True) if frames else row_frame([])


def csv_bytes(frame: DataFrame) -> bytes:
    """`frame` as CSV; a number's digits give the same double back, and nan is ``nan``."""
    text = frame.select_dtypes("str").columns
    # A bare carriage return goes unquoted, and would end the line for a reader: written as "\r".
    frame = frame.assign(**{name: frame[name].str.replace("\r", "\\r") for name in text})
    return frame.to_csv(index=False, na_rep="nan", lineterminator="\n").encode()


def parquet_bytes(frame: DataFrame) -> bytes:
    """`frame` as parquet, without pandas's own metadata: equal tables give equal bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def _typed(
    records: Sequence[Mapping[str, Any]], columns: Mapping[str, str], required: frozenset[str]
) -> DataFrame:
    import pandas as pd

    for record in records:
        if unknown := record.keys() - columns.keys():
            raise ValueError(
                f"expected the columns {', '.join(columns)}, "
                f"got {', '.join(sorted(unknown))} as well: drop or declare them"
            )
        if absent := [name for name in columns if name in required and record.get(name) is None]:
            raise ValueError(
                f"expected a value for {', '.join(absent)} in each row, got {record}: fill it in"
            )
    frame = pd.DataFrame(
        {
            name: pd.Series(
                [_cast(name, dtype, record.get(name)) for record in records], dtype=dtype
            )
            for name, dtype in columns.items()
        }
    )
    _check_statuses(frame)
    return frame


def _cast(name: str, dtype: str, value: Any) -> Any:
    """`value` as the plain Python value of `dtype`; nothing is rounded or guessed."""
    if value is None:
        return _MISSING_IN.get(name, _MISSING[dtype])
    with contextlib.suppress(TypeError):
        if isinstance(value, str):
            if dtype == "str":
                return value.encode("utf-8", "backslashreplace").decode()
        elif dtype == "float64":
            return float(value)
        elif dtype == "int64":
            return operator.index(value)
    raise ValueError(
        f"expected {dtype} in column {name}, got {value!r}: convert it before it becomes a row"
    )


def _check_statuses(frame: DataFrame) -> None:
    if "status" in frame and not (known := frame["status"].isin(ROW_STATUSES)).all():
        raise ValueError(
            f"expected status {' | '.join(ROW_STATUSES)}, "
            f"got {frame['status'][~known].iloc[0]!r}: "
            "a cell that raised is 'failed', one that turned non-finite 'diverged'"
        )


def _conform(frame: DataFrame, columns: Mapping[str, str]) -> DataFrame:
    """`frame` with exactly these columns, in this order and with these dtypes.

    Raises:
        ValueError: a column is missing, or one is too many, or holds another type.
    """
    if set(frame.columns) != set(columns):
        raise ValueError(
            f"expected the columns {', '.join(columns)}, "
            f"got {', '.join(map(str, frame.columns))}: "
            "build the table with row_frame or curve_frame"
        )
    frame = frame[list(columns)].reset_index(drop=True)
    if odd := [name for name, dtype in columns.items() if str(frame[name].dtype) != dtype]:
        frame = frame.assign(
            **{name: [_cast(name, columns[name], value) for value in frame[name]] for name in odd}
        ).astype({name: columns[name] for name in odd})
    _check_statuses(frame)
    return frame


# Runs


@dataclass(frozen=True)
class Run:
    """One run's folder; made with `Run.create`, found with `load_runs`."""

    folder: Path

    @classmethod
    def create(cls, outputs: Path, experiment: str, config: Mapping[str, Any]) -> Run:
        """The run of `experiment` under the resolved `config`, with its folder and config.yaml."""
        run = cls(Path(outputs) / experiment / run_id(config))
        run.write_config(config)
        return run

    @property
    def experiment(self) -> str:
        return self.folder.parent.name

    @property
    def run_id(self) -> str:
        return self.folder.name

    @property
    def figures(self) -> Path:
        return self.folder / "figures"

    @property
    def log(self) -> Path:
        return self.folder / "run.log"

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do: the status says so and all of it can be read."""
        try:
            self.check()
        except CorruptRunError:
            return False
        return self.read_status()["state"] == "finished" and len(self.read_rows()) > 0

    def write(self, name: str, data: bytes) -> Path:
        """Write a further file, such as ``figures/map.svg``, and return its path.

        Raises:
            ValueError: `name` leads out of the run's folder.
        """
        path = self.folder / name
        if ".." in Path(name).parts or not path.is_relative_to(self.folder):
            raise ValueError(
                f"expected a name inside the run folder, got {name!r}: leave out '..' and '/'"
            )
        write_atomic(path, data)
        return path

    def write_config(self, config: Mapping[str, Any]) -> None:
        """Write config.yaml; plain data only, in the order given."""
        text: str = yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True, width=99)
        self.write("config.yaml", text.encode())

    def write_provenance(self, provenance: Mapping[str, Any]) -> None:
        self.write("provenance.json", json_bytes(dict(provenance)))

    def write_status(self, status: Mapping[str, Any]) -> None:
        """Write status.json: at least ``state``, one of `STATES`."""
        if status.get("state") not in STATES:
            raise ValueError(
                f"expected state {' | '.join(STATES)}, got {status.get('state')!r}: "
                "name one of them"
            )
        self.write("status.json", json_bytes(dict(status)))

    def write_rows(self, rows: DataFrame) -> None:
        """Write rows.csv and rows.parquet in the order given; one row a cell: keys must differ."""
        rows = _conform(rows, ROW_COLUMNS)
        if (twice := rows["key"].duplicated()).any():
            raise ValueError(
                f"expected one row a cell, got key {rows['key'][twice].iloc[0]!r} twice: "
                "keep one of its rows"
            )
        self.write("rows.csv", csv_bytes(rows))
        self.write("rows.parquet", parquet_bytes(rows))

    def write_curves(self, curves: DataFrame) -> None:
        self.write("curves.parquet", parquet_bytes(_conform(curves, CURVE_COLUMNS)))

    def read_config(self) -> dict[str, Any]:
        return self._read("config.yaml", yaml.safe_load, dict)

    def read_provenance(self) -> dict[str, Any]:
        return self._read("provenance.json", json.loads, dict)

    def read_status(self) -> dict[str, Any]:
        status: dict[str, Any] = self._read("status.json", json.loads, dict)
        if status.get("state") not in STATES:
            self._complain("status.json", f"state {' | '.join(STATES)}", repr(status.get("state")))
        return status

    def read_rows(self) -> DataFrame:
        """The rows so far, none where none are written: a run taken up again skips their keys."""
        return self._read_table("rows.parquet", ROW_COLUMNS)

    def read_curves(self) -> DataFrame:
        """The curves so far, none where nothing is written yet."""
        return self._read_table("curves.parquet", CURVE_COLUMNS)

    def check(self) -> None:
        """Read everything once.

        Raises:
            CorruptRunError: something is missing or cannot be read.
        """
        self.read_config()
        self.read_provenance()
        self.read_status()
        self.read_rows()
        self.read_curves()

    def _read(self, name: str, parse: Callable[[bytes], Any], kind: type) -> Any:
        try:
            value = parse((self.folder / name).read_bytes())
        except (OSError, ValueError, yaml.YAMLError) as error:
            self._complain(name, "a readable file", _one_line(error), error)
        if not isinstance(value, kind):
            self._complain(name, f"a {kind.__name__}", type(value).__name__)
        return value

    def _read_table(self, name: str, columns: Mapping[str, str]) -> DataFrame:
        path = self.folder / name
        if not path.exists():
            return _typed([], columns, required=frozenset())
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            return _conform(pq.read_table(io.BytesIO(path.read_bytes())).to_pandas(), columns)
        except (OSError, ValueError, pa.ArrowException) as error:
            self._complain(name, "a readable table", _one_line(error), error)

    def _complain(
        self, name: str, expected: str, got: str, cause: Exception | None = None
    ) -> NoReturn:
        raise CorruptRunError(
            f"{self.folder / name}: expected {expected}, got {got}: "
            f"remove {self.folder} and run it again"
        ) from cause


def load_runs(outputs: Path) -> tuple[list[Run], list[str]]:
    """The runs under `outputs`, sorted, and what is wrong with those that cannot be read.

    A run that is not finished is a run all the same: its status says so. A folder with a missing
    or broken config, provenance, status or table is left out and named among the problems, one
    line each.
    """
    runs, problems = [], []
    for folder in sorted(Path(outputs).glob("*/*/")):
        if not _RUN_ID.fullmatch(folder.name):
            continue
        run = Run(folder)
        try:
            run.check()
        except CorruptRunError as error:
            problems.append(str(error))
        else:
            runs.append(run)
    return runs, problems


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


# What the runner alone may ask: the clock, git and the environment


def utc_now() -> str:
    """The time in UTC, ISO 8601 to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def collect_provenance(*, device: str, seed: int, root: Path | None = None) -> dict[str, Any]:
    """Where a run's rows come from, as plain data.

    Args:
        device: the device that the run uses, as torch names it.
        seed: the seed that the cells' seeds are derived from.
        root: the checkout, this file's unless said.

    Returns:
        git_commit (None outside a checkout), git_dirty (None there), version, packages (name ->
        version), python, platform (system and machine, not the host's name), cores, device, seed,
        time (UTC).
    """
    commit, dirty = _git_state(Path(__file__).resolve().parents[1] if root is None else root)
    return {
        "git_commit": commit,
        "git_dirty": dirty,
        "version": package_version(),
        "packages": _package_versions(PACKAGES),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "device": device,
        "seed": seed,
        "time": utc_now(),
    }


def _package_versions(names: Iterable[str]) -> dict[str, str]:
    versions = {}
    for name in names:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions


def _git_state(root: Path) -> tuple[str | None, bool | None]:
    """Commit and dirty flag of the checkout at `root`; (None, None) where there is none."""
    top = _git(root, "rev-parse", "--show-toplevel")
    if top is None or Path(top).resolve() != root.resolve():
        return None, None
    changes = _git(root, "status", "--porcelain")
    return _git(root, "rev-parse", "--verify", "HEAD"), None if changes is None else bool(changes)


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
