"""The command in processes of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mine.command.errors import FAILED, INTERRUPTED, OK

People = Callable[..., pd.DataFrame]

ROOT = Path(__file__).resolve().parents[3]
COMMANDS = ("estimate", "compare", "matrix", "methods")
XY = ("--x", "height", "--y", "age")


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


def test_a_process_reads_stdin_and_prints_one_object(people: People) -> None:
    process = start("estimate", "-", *XY, "--method", "gaussian", "--json")
    out, err = process.communicate(people().to_csv(index=False).encode(), timeout=120)
    assert (process.returncode, err) == (OK, b"")
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
    assert (done.returncode, done.stdout) == (FAILED, "") and "no memory" in line


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
    assert (process.returncode, out, err) == (INTERRUPTED, b"", b"mine: stopped by Ctrl-C\n")
