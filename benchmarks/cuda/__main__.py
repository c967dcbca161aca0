"""`python -m benchmarks.cuda`: what must hold on a GPU, how fast it is, and the panels it is for.

Prints a table last, and writes DIR/cuda.json anew after every task, so that a kill loses little.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.arguments import positive

EXAMPLE = """\
examples:
  python -m benchmarks.cuda --out outputs/cuda                          8 minutes on a card
  python -m benchmarks.cuda --out outputs/cuda --parts checks --minutes 1
  python -m benchmarks.cuda --out /tmp/cuda --device cpu --scale tiny   does it run

It needs no set-up and no network. The time is soft: what does not fit into it is left out, and
the table and cuda.json say so. The exit status is 0 where no task failed, and 1 otherwise."""
OK, FAILED = 0, 1


def main(arguments: Sequence[str] | None = None) -> int:
    started = time.perf_counter()
    parser = _parser()
    chosen = parser.parse_args(arguments)
    from benchmarks.cuda.parts import PARTS

    names = chosen.parts.split(",") if chosen.parts else list(PARTS)
    unknown = sorted(set(names) - set(PARTS))
    if unknown:
        parser.error(f"argument --parts: expected some of {','.join(PARTS)}, got {unknown[0]!r}")
    import torch

    if chosen.device == "cuda" and not torch.cuda.is_available():
        print(
            "expected a CUDA device, torch finds none: take a machine with one, or "
            "--device cpu --scale tiny to see whether the script runs",
            file=sys.stderr,
        )
        return 2
    try:
        chosen.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"argument --out: expected a folder that can be written, got {error}")
    return run(chosen, [name for name in PARTS if name in names], started)


def run(chosen: argparse.Namespace, names: Sequence[str], started: float) -> int:
    """Does the parts, writes after every task, and prints the table."""
    import gc

    import torch

    from benchmarks.cuda.parts import PARTS
    from benchmarks.cuda.report import table
    from benchmarks.cuda.scales import SCALES
    from benchmarks.cuda.tasks import FAILED as TASK_FAILED
    from benchmarks.cuda.tasks import as_mapping, run_parts

    if chosen.device == "cpu":  # it is tried there, not measured
        torch.set_num_threads(1)
    gc.freeze()  # what is imported stays: a collection between two tasks need not look at it
    file = chosen.out / "cuda.json"
    found: dict[str, Any] = {
        "scale": chosen.scale, "asked_device": chosen.device, "minutes": chosen.minutes,
        "parts_asked": list(names), "began": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }  # fmt: skip
    results = run_parts(
        [PARTS[name] for name in names],
        chosen.minutes,
        torch.device(chosen.device),
        SCALES[chosen.scale],
        started,
    )
    for so_far in results:
        last = so_far[-1].records[-1]
        say(f"{so_far[-1].name}: {last['name']}: {last['state']}", time.perf_counter() - started)
        found |= {"seconds": time.perf_counter() - started, "parts": as_mapping(so_far)}
        write(file, found)
    print(table(found))
    print(f"written: {file}")
    states = {r["state"] for part in found["parts"].values() for r in part["records"]}
    return FAILED if TASK_FAILED in states else OK


def say(what: str, seconds: float) -> None:
    """A line of progress."""
    print(f"{seconds:6.1f} s  {what}", file=sys.stderr, flush=True)


def write(file: Path, found: Mapping[str, Any]) -> None:
    """As JSON, at once or not at all; null for numbers that are not finite."""
    text = json.dumps(finite(found), indent=1, allow_nan=False)
    beside = file.with_name(f"{file.name}.{os.getpid()}")
    beside.write_text(text + "\n", encoding="utf-8")
    beside.replace(file)


def finite(value: Any) -> Any:
    """The value as JSON can hold it."""
    if isinstance(value, Mapping):
        return {str(name): finite(v) for name, v in value.items()}
    if isinstance(value, list | tuple):
        return [finite(v) for v in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.cuda",
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, required=True, help="folder that cuda.json goes to")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="(%(default)s)")
    parser.add_argument("--scale", choices=("full", "tiny"), default="full", help="(%(default)s)")
    parser.add_argument(
        "--minutes",
        type=positive("minutes", "8"),
        default=8.0,
        help="for all that is asked for (%(default)s)",
    )
    parser.add_argument("--parts", help="names of parts, by comma (all of them)")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
