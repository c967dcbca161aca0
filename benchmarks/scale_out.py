"""`python -m benchmarks.scale_out`: what one grid gains from 1 to 1,000 workers, simulated.

Measured: the start-up of a process, the seconds of a cell of each kind in stacks of each size, and
the joining of a run's rows. Simulated: how the runner deals the grid to shards. A worker is one
core. The time of all workers, from the first start to the joined rows, has these shares:

    useful + smaller stacks + imbalance + start-up + joining = 1,

where useful, the efficiency, is the time that one worker with full stacks needs for the cells
alone.
"""

from __future__ import annotations

import argparse
import csv
import io
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.arguments import check_folder
from benchmarks.memory import used_by
from experiments.suite.grid import shards
from experiments.suite.grid.cells import Cell
from experiments.suite.store.files import write_atomic
from experiments.suite.store.joined import join_rows, load_runs
from experiments.suite.store.runs import Run
from experiments.suite.store.table_bytes import csv_bytes
from experiments.suite.store.tables import row_frame

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OUT = Path("outputs/scale_out")
WORKERS = (1, 2, 3, 5, 8, 12, 20, 32, 50, 80, 125, 200, 320, 500, 800, 1000)
ROUNDS = 3
RUNS = 40  # how many are joined, to time one
EXAMPLE = """\
examples:
  python -m benchmarks.scale_out                          gaussian at scale=default, 100 seeds
  python -m benchmarks.scale_out experiment=equitability  another grid, by overrides
  python -m benchmarks.scale_out --quick --out /tmp/s     does it run: the numbers mean nothing"""

Kind = tuple[str, str, int]  # role, method, dimension: cells of one shape


@dataclass(frozen=True)
class Costs:
    """Measured seconds of a core.

    Attributes:
        start_up: from a process's start to its first stack.
        joining: of one run's rows, by the report.
        cell: of one cell, by its kind and by the size of its stack; it falls as stacks grow.
    """

    start_up: float
    joining: float
    cell: Mapping[Kind, Mapping[int, float]]

    def seconds(self, kind: Kind, count: int) -> float:
        """Seconds of `count` cells of a kind in one worker, in the largest stacks that fit."""
        sizes = self.cell[kind]
        return count * sizes[max(size for size in sizes if size <= max(count, min(sizes)))]

    def best(self, kind: Kind) -> float:
        return min(self.cell[kind].values())


@dataclass(frozen=True)
class Point:
    """For one number of workers: seconds to the joined rows, and shares of the workers' time."""

    workers: int
    seconds: float
    efficiency: float
    smaller_stacks: float
    imbalance: float
    start_up: float
    joining: float


def kind_of(cell: Cell) -> Kind:
    return cell.role, cell.method, shards.dimension(cell.task)


def simulate(
    cells: Sequence[Cell], estimates: Sequence[float], costs: Costs, workers: int
) -> Point:
    """Deals the cells by their estimated costs, and adds up their measured seconds."""
    loads = [
        sum(costs.seconds(kind, count) for kind, count in Counter(map(kind_of, part)).items())
        for part in shards.deal_all(cells, estimates, workers)
    ]
    useful = sum(count * costs.best(kind) for kind, count in Counter(map(kind_of, cells)).items())
    joining = costs.joining * workers
    seconds = costs.start_up + max(loads) + joining
    held = workers * seconds
    return Point(
        workers,
        seconds,
        useful / held,
        max(0.0, sum(loads) - useful) / held,
        (workers * max(loads) - sum(loads)) / held,
        workers * costs.start_up / held,
        workers * joining / held,
    )


# ------------------------------------------------------------------- measuring


def measure(config: Mapping[str, Any], cells: Sequence[Cell], rounds: int) -> Costs:
    """Start-up, joining and cells, on one thread, in seconds of a core: a worker has one, and what
    else the machine does at the same time counts for nothing."""
    import torch

    from experiments.suite.run.jobs import job_of
    from mine.running.forecast import forecast

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        found: dict[Kind, dict[int, float]] = {}
        for cell in {kind_of(cell): cell for cell in cells}.values():
            job = job_of(cell, config)
            full = job.stack_size()
            sizes = sorted({min(full, 2**i) for i in range(full.bit_length() + 1)})

            def seconds(size: int, job: Any = job) -> float:
                return forecast([job] * size, [tuple(range(size))], time.process_time, "cpu")[0]

            found[kind_of(cell)] = falling(
                {size: median(partial(seconds, size), rounds) / size for size in sizes}
            )
    finally:
        torch.set_num_threads(threads)
    return Costs(median(start_up, rounds), joining(config), found)


def median(measured: Callable[[], float], rounds: int) -> float:
    return statistics.median(measured() for _ in range(rounds))


def falling(seconds: Mapping[int, float]) -> dict[int, float]:
    """Seconds per cell by stack size, where a larger stack never costs more per cell.

    Where it was measured to cost more, the cells can go into smaller stacks.
    """
    found: dict[int, float] = {}
    least = float("inf")
    for size, value in sorted(seconds.items()):
        least = min(least, value)
        found[size] = least
    return found


def start_up() -> float:
    """Seconds of a process that imports what a job needs and computes its first tensor."""
    program = (
        "import experiments.suite.run.command, mine.running.run, torch; "
        "torch.ones(8, 8) @ torch.ones(8, 8)"
    )
    return used_by([sys.executable, "-c", program]).cpu


def joining(config: Mapping[str, Any], runs: int = RUNS) -> float:
    """Seconds per run to read its files and join its rows with the others'."""
    row = {"experiment": "gaussian", "key": "", "status": "ok", "params": "{}", "nats": 1.0}
    with tempfile.TemporaryDirectory() as folder:
        for one in range(runs):
            run = Run.create(Path(folder), "gaussian", {**config, "note": one})
            run.write_provenance({})
            run.write_status({"state": "finished"})
            run.write_rows(row_frame({**row, "key": str(k)} for k in range(100)))
        started = time.process_time()
        csv_bytes(join_rows(load_runs(Path(folder))[0]))
        return (time.process_time() - started) / runs


# --------------------------------------------------------------------- showing


def csv_of(points: Sequence[Point]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([field.name for field in fields(Point)])
    writer.writerows(
        [point.workers, *(f"{value:.6g}" for value in astuple(point)[1:])] for point in points
    )
    return text.getvalue().encode()


PARTS = {
    "efficiency": ("useful", "#0072b2"),
    "smaller_stacks": ("smaller stacks", "#56b4e9"),
    "imbalance": ("imbalance", "#e69f00"),
    "start_up": ("start-up", "#d55e00"),
    "joining": ("joining", "#999999"),
}


def plot(points: Sequence[Point], title: str) -> Figure:
    """Draws the shares over the number of workers, stacked."""
    from matplotlib.ticker import NullLocator

    from experiments.suite.figures.notes import crown, handles_of
    from experiments.suite.figures.palette import INK
    from experiments.suite.figures.style import new_figure, style

    workers = [point.workers for point in points]
    shares = [[asdict(point)[name] for point in points] for name in PARTS]
    labels, colours = zip(*PARTS.values(), strict=True)
    with style():
        figure = new_figure(7.4, 4.6)
        ax = figure.subplots()
        ax.stackplot(workers, shares, labels=labels, colors=colours, alpha=0.85)
        line = {"color": INK, "lw": 1, "label": "efficiency, as simulated", "clip_on": False}
        ax.plot(workers, shares[0], ".-", **line)
        ax.set(xscale="log", xlim=(workers[0], workers[-1]), ylim=(0, 1))
        ax.set(xlabel="workers (one core each)", ylabel="share of the workers' time")
        ax.set_xticks([tick for tick in (1, 10, 100, 1000) if tick <= workers[-1]])
        ax.xaxis.set_major_formatter("{x:,.0f}")
        ax.xaxis.set_minor_locator(NullLocator())
        crown(figure, title, handles_of(figure), [])
        figure.set_label(title)
    return figure


# -------------------------------------------------------------------- command


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scale_out",
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("overrides", nargs="*", help="the grid, such as experiment=gaussian")
    parser.add_argument("--out", type=Path, default=OUT, help="folder to write to (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="a tiny grid, one round")
    asked = parser.parse_args(arguments)
    check_folder(parser, asked.out)
    tiny = ["scale=smoke", "scale.seeds=8", "critic.hidden=[8]", "experiment.rho=[0.5]"]
    words = [*(tiny if asked.quick else ["scale=default", "scale.seeds=100"]), *asked.overrides]
    return run(words, asked.out, 1 if asked.quick else ROUNDS)


def run(overrides: Sequence[str], out: Path, rounds: int) -> int:
    """Measures, simulates, prints the table, writes CSV and plot."""
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    from experiments.suite.figures.rendering import render
    from experiments.suite.run.command import CONFIGS
    from experiments.suite.run.jobs import load

    with initialize_config_dir(version_base="1.3", config_dir=str(CONFIGS)):
        composed = OmegaConf.to_container(compose("config", list(overrides)), resolve=True)
    assert isinstance(composed, dict)
    config = {str(key): value for key, value in composed.items()}
    cells = load(config["experiment"]["name"]).cells(config)
    estimates = [shards.cost(cell, config) for cell in cells]
    costs = measure(config, cells, rounds)
    points = [simulate(cells, estimates, costs, n) for n in WORKERS if n <= len(cells)]
    name = config["experiment"]["name"]
    title = (
        f"{name}, {len(cells):,} cells: {points[0].seconds / 3600:.1f} core-hours on one worker"
    )
    print(
        f"{title}\nmeasured: start-up {costs.start_up:.2f} s, joining {1e3 * costs.joining:.1f} "
        "ms a run; seconds of a cell alone and in a full stack:"
    )
    for (role, method, dim), sizes in costs.cell.items():
        print(f"  {role} {method} {dim}-D: {sizes[min(sizes)]:.2f}, {min(sizes.values()):.2f}")
    print(f"{'workers':>7} {'seconds':>9} " + " ".join(f"{name:>14}" for name in PARTS))
    for point in points:
        shares = " ".join(f"{asdict(point)[name]:14.3f}" for name in PARTS)
        print(f"{point.workers:7d} {point.seconds:9.1f} {shares}")
    write_atomic(out / "scale_out.csv", csv_of(points))
    for kind, data in render(plot(points, title)).items():
        write_atomic(out / f"scale_out.{kind}", data)
    print(f"written: {out}/scale_out.csv, .svg, .pdf, .png")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
