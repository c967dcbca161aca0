"""The command: its output, its exit status, and one line for every error."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

import mine
from mine.command import main as cli
from mine.command import output as results
from mine.estimators.estimate import LEAST_ROWS, SMALL
from mine.running.estimates import Estimate

ROOT = Path(__file__).resolve().parents[3]
COMMANDS = ("estimate", "compare", "matrix", "methods")
TINY = ("--steps", "3", "--set", "hidden=8", "--set", "batch_size=16", "--device", "cpu")
ROWS = 80


def people(rows: int = ROWS) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    height = rng.normal(170.0, 10.0, rows)
    weight = 0.8 * height + rng.normal(0.0, 6.0, rows)
    age = 0.5 * weight + rng.normal(0.0, 5.0, rows)
    sex = rng.choice(["f", "m"], rows)
    return pd.DataFrame({"height": height, "weight": weight, "age": age, "sex": sex})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    people().to_csv(tmp_path / "people.csv", index=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(cli.command, words, input=stdin, prog_name="mine")


def estimate(*words: str) -> Result:
    return run("estimate", "people.csv", "--x", "height", "--y", "age", *TINY, *words)


def read(done: Result) -> dict[str, Any]:
    """The one object on stdout, by a strict reader."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    assert done.exit_code in (cli.OK, cli.FAILED), done.stderr
    return json.loads(done.stdout, parse_constant=refuse)


def complaint(done: Result, status: int = cli.BAD_INPUT) -> str:
    """The one line on stderr, with nothing on stdout."""
    assert done.exit_code == status, done.output
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("mine: ") and "Traceback" not in line
    return line


# ----------------------------------------------------------------- what comes out


def test_the_json_is_what_the_library_gives(folder: Path) -> None:
    table = people()
    e = mine.estimate(
        table[["height", "weight"]].to_numpy(copy=True),
        table[["age"]].to_numpy(copy=True),
        seed=3,
        device="cpu",
        steps=3,
        hidden=(8,),
        batch_size=16,
    )
    words = "--x", "height,weight", "--y", "age", "--seed", "3", "--json"
    record = read(run("estimate", "people.csv", *words, *TINY))
    assert record["nats"] == e.nats
    assert record["bits"] == e.bits
    assert record["interval"] == list(e.interval(0.95)) and record["level"] == 0.95
    assert (record["n_train"], record["n_test"]) == (e.n_train, e.n_test)
    assert (record["x"], record["y"]) == (["height", "weight"], ["age"])
    assert (record["rows"], record["dropped"], record["p_value"]) == (ROWS, 0, None)


def test_the_table_tells_what_the_json_tells(folder: Path) -> None:
    record, shown = read(estimate("--json")), estimate()
    assert shown.exit_code == 0 and shown.stderr == ""
    low, high = record["interval"]
    for cell in (
        *(f"{record['nats']:.3f}", f"{record['bits']:.3f}", f"{low:.3f} to {high:.3f}"),
        *("nats", "bits", "95 % interval", "p-value", record["method"], str(ROWS)),
    ):
        assert cell in shown.stdout


@pytest.mark.parametrize("ending", [".tsv", ".parquet", ".npy", ".npz"])
def test_every_format_gives_the_same_numbers(folder: Path, ending: str) -> None:
    table, path, names = people(), f"t{ending}", ("height", "age")
    match ending:
        case ".tsv":
            table.to_csv(path, sep="\t", index=False)
        case ".parquet":
            table.to_parquet(path)
        case ".npy":
            np.save(path, table[["height", "weight", "age"]].to_numpy())
            names = "0", "2"
        case ".npz":
            np.savez(path, all=table[["height", "weight"]].to_numpy(copy=True), age=table["age"])
            names = "all:0", "age"
    found = read(run("estimate", path, "--x", names[0], "--y", names[1], "--json", *TINY))
    assert found["nats"] == read(estimate("--json"))["nats"]


def test_stdin_is_csv(folder: Path) -> None:
    stdin = (folder / "people.csv").read_bytes()
    found = run("estimate", "-", "--x", "height", "--y", "age", "--json", *TINY, stdin=stdin)
    assert read(found)["nats"] == read(estimate("--json"))["nats"]


def test_what_is_not_known_is_null_in_json(folder: Path) -> None:
    assert read(estimate("--method", "ksg", "--json"))["train_nats"] is None


@given(
    st.recursive(
        st.floats() | st.integers() | st.text() | st.none() | st.booleans(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_whatever_is_printed_as_json_is_strict_json(value: Any) -> None:
    json.dumps(results.strict(value), allow_nan=False)


def test_dropped_rows_are_counted(folder: Path) -> None:
    table = people()
    table.loc[[3, 8], "age"] = np.nan
    table.loc[8, "height"] = np.nan
    table.to_csv("people.csv", index=False)
    line = complaint(estimate())
    assert "2 of 80 rows with some (1 in 'height', 2 in 'age'): give --drop-missing" in line
    record = read(estimate("--drop-missing", "--json"))
    assert (record["rows"], record["dropped"]) == (ROWS - 2, 2)
    assert "2 of 80 rows dropped" in estimate("--drop-missing").stdout


def test_few_rows_are_an_error_or_a_warning(folder: Path) -> None:
    people(LEAST_ROWS - 1).to_csv("people.csv", index=False)
    words = "estimate", "people.csv", "--x", "height", "--y", "age", "--steps", "3"
    assert f"at least {LEAST_ROWS} rows" in complaint(run(*words))
    people(results.FEW_ROWS - 1).to_csv("people.csv", index=False)
    assert "warning: only 49 rows" in run(*words).stdout
    people(results.FEW_ROWS).to_csv("people.csv", index=False)
    assert "rows: too few" not in run(*words).stdout


def test_a_plot_is_written_whole(folder: Path) -> None:
    assert estimate("--plot", "curve.png").exit_code == 0
    assert (folder / "curve.png").read_bytes().startswith(b"\x89PNG")
    words = "--x", "height", "--y", "age", "--method", "mine,gaussian", "--plot", "all.svg"
    assert run("compare", "people.csv", *words, *TINY).exit_code == 0
    assert "<svg" in (folder / "all.svg").read_text()
    assert sorted(p.name for p in folder.iterdir()) == ["all.svg", "curve.png", "people.csv"]


def test_a_critic_is_saved(folder: Path) -> None:
    from safetensors import safe_open

    assert estimate("--save", "critic.safetensors").exit_code == 0
    with safe_open("critic.safetensors", "numpy") as saved:
        assert list(saved.keys())


def test_what_has_no_critic_saves_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without = Estimate(0.5, 0.1, 0.6, "mine", 48, 16, 3)
    monkeypatch.setattr(mine, "estimate", lambda *_, **__: without)
    done = estimate("--save", "critic.safetensors")
    assert done.exit_code == cli.FAILED and "expected one critic to save" in done.stderr
    assert not (folder / "critic.safetensors").exists()


def test_a_null_gives_a_p_value(folder: Path) -> None:
    record = read(estimate("--null", "3", "--json"))
    assert len(record["null"]) == 3
    assert record["p_value"] in (0.25, 0.5, 0.75, 1.0)
    assert f"{record['p_value']:.3f}" in estimate("--null", "3").stdout


def test_folds_test_every_row(folder: Path) -> None:
    assert read(estimate("--folds", "4", "--json"))["n_test"] == ROWS


def test_text_is_read_where_it_is_said_to_be_levels(folder: Path) -> None:
    words = "estimate", "people.csv", "--x", "sex,height", "--y", "age", *TINY
    assert "give --categorical sex" in complaint(run(*words))
    assert math.isfinite(read(run(*words, "--categorical", "sex", "--json"))["nats"])


# ------------------------------------------------------------------ side by side


def test_compare_gives_what_each_method_gives_alone(folder: Path) -> None:
    words = "--x", "height", "--y", "age", "--json", *TINY
    chosen = ["mine", "smile(tau=1)", "remine(alpha=0.2,b=0)", "ksg"]
    found = read(run("compare", "people.csv", *words, "--method", ",".join(chosen)))
    assert [row["method"] for row in found["methods"]] == chosen
    for row in found["methods"]:
        assert row["nats"] == read(estimate("--method", row["method"], "--json"))["nats"]
        assert row["kind"] == mine.methods()[row["method"]].kind and row["failed"] is None


def test_compare_takes_all_methods_where_none_is_named(folder: Path) -> None:
    done = run("compare", "people.csv", "--x", "height", "--y", "age", *TINY, "--json")
    assert [row["method"] for row in read(done)["methods"]] == list(mine.methods())


def test_a_method_that_fails_is_a_row_and_the_status_says_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = mine.estimate

    def failing(*args: Any, **options: Any) -> Estimate:
        if options["method"] == "dv":
            raise RuntimeError("an estimation failed: no\nmemory")
        return real(*args, **options)

    monkeypatch.setattr(mine, "estimate", failing)
    words = "compare", "people.csv", "--x", "height", "--y", "age", "--method", "dv,ksg"
    done = run(*words, "--json")
    assert done.exit_code == cli.FAILED
    failed, well = read(done)["methods"]
    assert failed["failed"] == "an estimation failed: no memory" and "nats" in well
    assert "dv: failed: an estimation failed: no memory" in run(*words).stdout


def test_a_setting_that_no_method_takes_is_bad_input(folder: Path) -> None:
    words = "--x", "height", "--y", "age", "--method", "dv,ksg", "--set", "stepz=3"
    assert "unknown option 'stepz'" in complaint(run("compare", "people.csv", *words))


def test_methods_lists_every_method() -> None:
    shown = run("methods").stdout
    assert all(f" {name} " in shown for name in mine.methods())
    assert "log E_q[e^T]" in " ".join(shown.split()) or "E_q[e^T]" in shown
    found = read(run("methods", "--json"))
    assert list(found) == list(mine.methods())
    assert {name: m["kind"] for name, m in found.items()} == {
        name: m.kind for name, m in mine.methods().items()
    }


# ------------------------------------------------------------------ the matrix

CHOSEN = ("--columns", "height,weight,age")


class Pairwise:
    """What `mine.pairwise` gives, of made-up numbers."""

    def __init__(self, table: Any, target: str | None = None, **options: Any) -> None:
        self.asked = {"columns": list(table.columns), "target": target, **options}
        names = list(table.columns)
        pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
        self.estimates = {
            pair: Estimate(i + 0.5, 0.1, 0.6, "mine", 48, 16, 3, ("beware",) * (i == 1))
            for i, pair in enumerate(pairs)
            if target is None or target in pair
        }


def test_the_matrix_holds_every_pair_twice(folder: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(mine, "pairwise", Pairwise, raising=False)
    found = read(run("matrix", "people.csv", *CHOSEN, "--json"))
    assert found["columns"] == ["height", "weight", "age"]
    assert found["nats"] == [[None, 0.5, 1.5], [0.5, None, 2.5], [1.5, 2.5, None]]
    assert found["pairs"][0]["x"] == "height" and found["pairs"][0]["y"] == "weight"
    shown = run("matrix", "people.csv", *CHOSEN, "--plot", "m.png").stdout
    assert shown.count("2.500") == 2 and "height, age: beware" in shown
    assert (folder / "m.png").stat().st_size > 1000


def test_a_target_is_shown_by_pairs_with_the_largest_first(folder: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(mine, "pairwise", Pairwise, raising=False)
    shown = run("matrix", "people.csv", *CHOSEN, "--target", "age", "--plot", "m.png").stdout
    assert shown.index("2.500") < shown.index("1.500") and "0.500" not in shown
    words = "--columns", "height,weight", "--target", "age", "--json"
    assert read(run("matrix", "people.csv", *words))["target"] == "age"


def test_a_matrix_reads_all_columns_and_says_which_are_text(folder: Path) -> None:
    assert "numbers in column 'sex'" in complaint(run("matrix", "people.csv"))
    assert "two columns or more" in complaint(run("matrix", "people.csv", "--columns", "age"))
    line = complaint(run("matrix", "people.csv", "--target", "height,age"))
    assert "one column for --target, got 2" in line


def test_a_cell_of_the_matrix_is_the_estimate_of_its_pair(folder: Path) -> None:
    """At the network of `mine.estimators.estimate.SMALL`, which a matrix takes."""
    found = read(run("matrix", "people.csv", *CHOSEN, *TINY, "--json"))
    pair = next(p for p in found["pairs"] if {p["x"], p["y"]} == {"height", "age"})
    tiny = {"steps": 3, "hidden": (8,), "batch_size": 16, "device": "cpu"}
    rows = pd.read_csv("people.csv")
    alone = mine.estimate(rows[["height"]], rows[["age"]], "mine", **{**SMALL, **tiny})
    assert pair["nats"] == pytest.approx(alone.nats, abs=1e-4)
    target = read(run("matrix", "people.csv", *CHOSEN, "--target", "age", *TINY, "--json"))
    assert len(target["pairs"]) == 2


def test_a_matrix_takes_categories(folder: Path) -> None:
    found = read(run("matrix", "people.csv", "--categorical", "sex", *TINY, "--json"))
    assert len(found["pairs"]) == 6


# ------------------------------------------------------------------ bad input

XY = ("--x", "height", "--y", "age")
BAD = [
    ((), "Missing command"),
    (("estimat",), "No such command 'estimat'"),
    (("estimate",), "Missing argument 'FILE'"),
    (("estimate", "people.csv"), "Missing option '--x'"),
    (
        ("estimate", "people.csv", *XY, "--sed", "1"),
        "No such option: --sed|No such option '--sed'",
    ),
    (("estimate", "nowhere.csv", *XY), "expected a file, got 'nowhere.csv'"),
    (("estimate", "people.csv", "--x", "hieght", "--y", "age"), "did you mean 'height'"),
    (("estimate", "people.csv", "--x", "age,height", "--y", "age"), "got 'age' in both"),
    (("estimate", "people.csv", "--x", "sex", "--y", "age"), "'sex', got '[fm]' in row 1"),
    (("estimate", "people.csv", *XY, "--method", "msg"), "got 'msg': did you mean ksg"),
    (("estimate", "people.csv", *XY, "--method", "smile(tau=-1)"), "tau must be a number > 0"),
    (("compare", "people.csv", *XY, "--method", "ksg,mime"), "got 'mime': did you mean mine"),
    (("estimate", "people.csv", *XY, "--device", "tpu"), "device must be auto, cpu or cuda"),
    (("estimate", "people.csv", *XY, "--seed", "-1"), "whole number >= 0, got '-1'"),
    (("estimate", "people.csv", *XY, "--seed", "x"), "whole number >= 0, got 'x'"),
    (("estimate", "people.csv", *XY, "--null", "-2"), "'--null': expected .* got '-2'"),
    (("estimate", "people.csv", *XY, "--folds", "0"), "'--folds': expected .* got '0'"),
    (("estimate", "people.csv", *XY, "--steps", "0"), "'--steps': expected .* got '0'"),
    (("estimate", "people.csv", *XY, "--set", "stepz"), "expected KEY=VALUE for --set"),
    (("estimate", "people.csv", *XY, "--set", "seed=1"), "seed to be given once, by --seed"),
    (("estimate", "people.csv", *XY, "--set", "learning_rate=-1"), "learning_rate must be"),
    (("estimate", "people.csv", *XY, "--set", "optimizer=1"), "expected a name for"),
    (("estimate", "people.csv", *XY, "--set", "optimizer=Sgd"), "optimizer must be one of"),
    (("estimate", "people.csv", *XY, "--set", "k=1.5"), "a whole number for --set k, got 1.5"),
    (("estimate", "people.csv", *XY, "--set", "hidden=8,x"), "whole numbers with commas"),
    (("compare", "people.csv", *XY, "--set", "max_grad_norm=x"), "expected a number for"),
    (("matrix", "people.csv", *CHOSEN, "--set", "steps=1"), "once, by --steps"),
    (("matrix", "people.csv", *CHOSEN, "--set", "batch_size=1,2"), "expected a whole number"),
    (("estimate", "people.csv", *XY, "--plot", "no/curve.png"), "can be written for --plot"),
    (("estimate", "people.csv", *XY, "--plot", "curve.gif"), "a file name in .png .pdf .svg"),
    (("estimate", "people.csv", *XY, "--save", "no/c.safetensors"), "can be written for --save"),
    (("estimate", "people.csv", *XY, "--save", "c.pt"), "a file name in .safetensors"),
    (("estimate", "people.csv", *XY, "--method", "ksg", "--plot", "c.png"), "trains a network"),
    (("estimate", "people.csv", *XY, "--categorical", "hight"), "did you mean 'height'"),
    (("estimate", "people.csv", *XY, "--preprocess", "cleverly"), "preprocess"),
]


@pytest.mark.parametrize(("words", "said"), BAD, ids=lambda v: " ".join(v[1:]) if v else "")
def test_bad_input_is_one_line_and_status_2(folder: Path, words: Sequence[str], said: str) -> None:
    line = complaint(run(*words))
    assert pytest.RaisesExc(ValueError, match=said).matches(ValueError(line)), line
    assert sorted(p.name for p in folder.iterdir()) == ["people.csv"]


def test_a_folder_is_no_output(folder: Path) -> None:
    (folder / "c.png").mkdir()
    assert "got the folder 'c.png'" in complaint(estimate("--plot", "c.png"))


def test_an_estimation_that_fails_midway_is_status_1(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: Any, **__: Any) -> Estimate:
        raise RuntimeError("an estimation failed:\nno memory")

    monkeypatch.setattr(mine, "estimate", failing)
    assert "an estimation failed: no memory" in complaint(estimate(), cli.FAILED)


def test_a_training_that_diverges_is_shown_and_status_1(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nan = math.nan
    diverged = Estimate(nan, nan, nan, "dv", 48, 16, 7, diverged_at=7)
    monkeypatch.setattr(mine, "estimate", lambda *_, **__: diverged)
    done = estimate("--json", "--plot", "curve.png")
    assert read(done)["nats"] is None and done.exit_code == cli.FAILED
    assert "non-finite at step 7: lower" in done.stderr
    assert not (folder / "curve.png").exists()


def test_ctrl_c_is_one_line_and_status_130(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> Estimate:
        raise KeyboardInterrupt

    monkeypatch.setattr(mine, "estimate", interrupted)
    assert complaint(estimate(), cli.INTERRUPTED) == "mine: stopped by Ctrl-C"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("hidden=64,32", ("hidden", (64, 32))),
        ("hidden=64,", ("hidden", (64,))),
        ("learning_rate=1e-3", ("learning_rate", 1e-3)),
        ("k = 5", ("k", 5)),
        ("schedule=constant", ("schedule", "constant")),
    ],
)
def test_settings_are_read(text: str, found: tuple[str, Any]) -> None:
    assert cli._setting(text) == found


# ------------------------------------------------------------------ real processes


def start(*words: str, **options: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "mine", *words],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )


@pytest.mark.parametrize("words", [(), *((name,) for name in COMMANDS)], ids=" ".join)
def test_help_shows_an_example_and_loads_nothing_heavy(words: tuple[str, ...]) -> None:
    program = (
        "import sys\n"
        "from mine.command.main import command\n"
        "try: command.main(sys.argv[1:], prog_name='mine')\n"
        "finally: sys.exit(' '.join(set(sys.modules) & set(HEAVY)) or 0)"
    ).replace("HEAVY", "['torch','numpy','scipy','pandas','pyarrow','matplotlib','rich']")
    done = subprocess.run(
        [sys.executable, "-c", program, *words, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    example = f"mine {' '.join(words)}" if words else "mine estimate"
    assert "Example" in done.stdout and example in done.stdout.split("Example")[1]


def test_a_process_reads_stdin_and_prints_one_object() -> None:
    process = start("estimate", "-", *XY, "--method", "gaussian", "--json")
    out, err = process.communicate(people().to_csv(index=False).encode(), timeout=120)
    assert (process.returncode, err) == (cli.OK, b"")
    assert json.loads(out)["method"] == "gaussian"


def test_a_process_whose_estimation_fails_midway_says_so_in_one_line(folder: Path) -> None:
    program = (
        "import mine.method.nearest_neighbours, mine.command.main\n"
        "def fails(*_, **__): raise RuntimeError('no memory')\n"
        "mine.method.nearest_neighbours.ksg = fails\n"
        "mine.command.main.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "estimate", "people.csv", *XY, "--method", "ksg"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    (line,) = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (cli.FAILED, "") and "no memory" in line


def test_ctrl_c_stops_a_process_in_one_line() -> None:
    """More than a pipe holds has gone in, so that the command is reading."""
    with start("estimate", "-", *XY) as process:
        assert process.stdin and process.stdout and process.stderr
        process.stdin.write(b"height,age\n" + b"1,2\n" * 500_000)
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=60)
        finally:
            process.kill()
        out, err = process.stdout.read(), process.stderr.read()
    assert (process.returncode, out, err) == (cli.INTERRUPTED, b"", b"mine: stopped by Ctrl-C\n")
