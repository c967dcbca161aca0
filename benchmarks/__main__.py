"""`python -m benchmarks`: microseconds per network-step of the stacked core and of baselines."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.arguments import check_folder, positive, whole

OUT = Path("outputs/bench.csv")
EXAMPLE = """\
examples:
  python -m benchmarks                            all cases, some minutes
  python -m benchmarks --seconds .5 --rounds 3    a first look
  python -m benchmarks --quick --out /tmp/b.csv   does it run: the numbers mean nothing

(a) the careful loop: one network at a time, one forward pass, fused Adam, nothing read back
(b) the notebook's loop: rows chosen by numpy, two forward passes, plain Adam, .item()
(c) the machine's best large float32 matrix product on all cores, for the same flops
Flops of a network-step with R = (1 + m) B rows: 2 R (2 (2d H + H H + H) + H H + H).
(a) and (b) are measured with one thread and with torch's default; the ratios take the faster."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, default=OUT, help="CSV file to write (%(default)s)")
    parser.add_argument(
        "--seconds", type=positive("seconds", "2"), default=1.0, help="a measurement (%(default)s)"
    )
    parser.add_argument(
        "--rounds", type=whole("5"), default=11, help="of measurements (%(default)s)"
    )
    parser.add_argument("--no-memory", action="store_true", help="leave out the peak memory")
    parser.add_argument(
        "--quick", action="store_true", help="one tiny case, one round, no memory: does it run"
    )
    chosen = parser.parse_args(arguments)
    check_folder(parser, chosen.out.parent, "--out <folder>/bench.csv")
    if chosen.out.is_dir():
        parser.error(f"argument --out: expected a file to write, got a folder: {chosen.out}")
    return run(chosen.out, chosen.seconds, chosen.rounds, chosen.quick, not chosen.no_memory)


def run(out: Path, seconds: float, rounds: int, quick: bool, with_memory: bool) -> int:
    """Measures, prints the table and writes the CSV."""
    import torch
    from tqdm import tqdm

    from benchmarks.cases import FULL, QUICK
    from benchmarks.contenders import contenders
    from benchmarks.memory import peak_mib
    from benchmarks.peak import SIZES
    from benchmarks.results import csv_bytes, rows, verdicts
    from benchmarks.rounds import measure
    from benchmarks.table import show
    from experiments.suite.store.files import write_atomic

    threads = torch.get_num_threads()
    if quick:
        seconds, rounds, with_memory = 0.02, 1, False
    everyone = list(contenders(QUICK if quick else FULL, threads))
    total = len(everyone) * (1 + rounds + with_memory) + rounds
    with tqdm(total=total, file=sys.stderr, unit="", mininterval=0.5) as bar:

        def done(what: str) -> None:
            bar.set_postfix_str(what)
            bar.update()

        memory = {}
        for c in everyone if with_memory else []:
            memory[c] = peak_mib(c)
            done(f"memory: {c}")
        measured = measure(everyone, threads, seconds, rounds, done, (256,) if quick else SIZES)
    found = rows(measured, memory)
    head = (
        f"torch {torch.__version__}, {threads} threads, matrix products at "
        f"{found[0].peak_gflops:.0f} GFLOP/s; {rounds} rounds of {seconds:g} s a measurement"
    )
    show(found, verdicts(found), head)
    write_atomic(out, csv_bytes(found))
    print(f"written: {out}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
