"""Every run and how far it is: `python -m experiments.suite.report.status`.

Reads files, and changes none.

    done        finished: the same command finds it
    running     a live process of this host works on it, or another host wrote to it not long ago
    resumable   stopped, or its process is dead, or a table is broken and the copy before it is
                there: the same command continues it
    failed      some of its cells raised, or it could not continue: the same command tries again
    locked      another host holds it, and its status does not say so yet
    broken      a file is missing or cannot be read: the table names it

Nothing of torch, pandas or Hydra is loaded, and tables are compared with their checksums but not
read, so the answer is quick. The clock is read to tell the age of a heartbeat.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from experiments.suite.report.progress import lines_of, seconds_of
from experiments.suite.report.status_table import show_table
from experiments.suite.run.provenance import utc_now

EXAMPLE = """\
examples:
  python -m experiments.suite.report.status
  python -m experiments.suite.report.status --outputs outputs --json"""


def main(arguments: Sequence[str] | None = None) -> int:
    """0; 2 where the folder is none."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.suite.report.status",
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--outputs", type=Path, default=Path("outputs"), help="the folder of the runs (outputs)"
    )
    parser.add_argument("--json", action="store_true", help="a list of objects, for programs")
    asked = parser.parse_args(arguments)
    if not asked.outputs.is_dir():
        print(
            f"experiments.status: expected a folder with runs, got {str(asked.outputs)!r}: run"
            " `python -m experiments experiment=gaussian` first, or name it with --outputs",
            file=sys.stderr,
        )
        return 2
    lines = lines_of(asked.outputs, seconds_of(utc_now()))
    if asked.json:
        print(json.dumps([asdict(line) for line in lines], indent=2, ensure_ascii=False))
    elif lines:
        show_table(lines)
    else:
        print(f"No run in {asked.outputs} yet.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
