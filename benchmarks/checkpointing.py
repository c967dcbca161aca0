"""`python -m benchmarks.checkpointing`: what it costs to write checkpoints during training.

By default a stack writes a checkpoint every 30 s, whose cost a short measurement could not tell
from noise. So stacks like those of the 20-D Gaussian experiment are trained in turn without
checkpoints and with one every second. A 30th of the time that this adds is what the default costs.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

DEFAULT_SECONDS = 30.0
TARGET = 0.02
EXAMPLE = """\
examples:
  python -m benchmarks.checkpointing                       about two minutes on 2 cores
  python -m benchmarks.checkpointing --steps 300 --rounds 1   does it run"""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.checkpointing",
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--steps", type=int, default=4000, help="a training (%(default)s)")
    parser.add_argument("--rounds", type=int, default=4, help="of both, in turn (%(default)s)")
    parser.add_argument("--every", type=float, default=1.0, help="seconds (%(default)s)")
    chosen = parser.parse_args(arguments)
    if min(chosen.steps, chosen.rounds, chosen.every) <= 0:
        parser.error("expected numbers above 0 for --steps, --rounds and --every: give such")
    shares = []
    seconds(min(200, chosen.steps), None)  # what a process does only once is done here
    for number in range(chosen.rounds):
        with tempfile.TemporaryDirectory() as folder:
            pair: list[tuple[Path | None, float]] = [
                (None, chosen.every),
                (Path(folder), chosen.every),
            ]
            in_turn = pair if number % 2 else pair[::-1]
            spent = {where: seconds(chosen.steps, where, every) for where, every in in_turn}
            plain, keeping = spent[None], spent[Path(folder)]
        share = (keeping / plain - 1.0) * chosen.every / DEFAULT_SECONDS
        shares.append(share)
        print(
            f"round {number + 1}: {plain:.2f} s without, {keeping:.2f} s with a state a "
            f"stack every {chosen.every:g} s: "
            f"{share:+.2%} of a run that keeps one every {DEFAULT_SECONDS:g} s",
            flush=True,
        )
    found = statistics.median(shares)
    verdict = "reached" if found <= TARGET else "missed"
    span = f"{min(shares):+.2%} to {max(shares):+.2%}"
    print(f"checkpoints cost {found:+.2%} ({span}), to reach {TARGET:.0%}: {verdict}")
    return 0


def seconds(steps: int, folder: Path | None, every: float = 1.0) -> float:
    """Seconds to train all stacks; their checkpoints go to the folder, if there is one."""
    from experiments.suite.store.checkpoints import Checkpoints
    from mine.data.sources import Fresh
    from mine.method.names import METHODS
    from mine.running.jobs import Job
    from mine.running.run import run
    from mine.running.run_options import RunOptions
    from mine.tasks import CorrelatedGaussian
    from mine.training.settings import Training

    source, method = Fresh(CorrelatedGaussian(20, 0.5)), METHODS.resolve("mine")
    training = Training(steps=steps)
    jobs = [Job(source, method, seed=s, training=training, n_test=100) for s in range(12)]
    keeper = None
    if folder is not None:
        keys = [f"{i:016x}" for i in range(len(jobs))]
        keeper = Checkpoints(folder, keys, every, time.monotonic)
    started = time.perf_counter()
    for _ in run(jobs, "cpu", options=RunOptions(keeper)):
        pass
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
