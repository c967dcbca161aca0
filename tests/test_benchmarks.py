"""The benchmark: what it counts, that its baselines are MINE, and what it prints and writes."""

from __future__ import annotations

import csv
import math
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import mine
from benchmarks import baselines, conditional, dependence, joining, memory, pairwise, verdict
from benchmarks.__main__ import main
from benchmarks.cases import FULL, LARGE, SMALL, TARGETS, TINY, Shape
from benchmarks.contenders import CAREFUL, NOTEBOOK, STACKED, Contender, contenders
from benchmarks.page import with_parts
from benchmarks.results import csv_bytes, rows, verdicts
from benchmarks.resuming import Row, measured_rows, read_rows
from benchmarks.rounds import Measured, Sample
from mine.critics.mlp import MLP
from mine.data.generators import generator
from mine.method.donsker_varadhan import MINE, donsker_varadhan
from mine.method.moving_average import ema_init, ema_update
from mine.training.loop import train
from mine.training.settings import Training
from mine.training.stack import Stack

ROOT = Path(__file__).resolve().parents[1]


# ---------------------------------------------------------------------- flops


def test_flops_by_hand() -> None:
    """6 rows; a row takes 2x2 + 2x2 + 2 products forward, as many for the weights' gradients,
    and 2x2 + 2 for the inputs' of all layers but the first."""
    assert Shape(hidden=2, batch=3, dim=1).flops() == 2 * 6 * (10 + 10 + 6)


@pytest.mark.parametrize("shape", [SMALL, LARGE, Shape(5, 4, 3, marginal_samples=2)], ids=str)
def test_flops_are_those_that_torch_counts_in_the_careful_step(shape: Shape) -> None:
    x, y = baselines.task(shape).sample(shape.batch, generator(0, "flops"))
    net = baselines.network(shape)
    with FlopCounterMode(display=False) as counter:
        t = net(baselines.pairs(x, y, 1, shape.marginal_samples)[0])
        loss, _ = baselines.careful_loss(t, shape.batch, torch.zeros(()), 1)
        loss.backward()
    assert counter.get_total_flops() == shape.flops()


# ---------------------------------------------- the baselines ascend what mine does


@dataclass(frozen=True)
class Fixed:
    """Always the same batch."""

    x: torch.Tensor
    y: torch.Tensor

    @property
    def dim_x(self) -> int:
        return self.x.shape[1]

    @property
    def dim_y(self) -> int:
        return self.y.shape[1]

    def draw(self, n: int, batch: int, generator: torch.Generator) -> tuple[torch.Tensor, ...]:
        return self.x.expand(n, -1, -1), self.y.expand(n, -1, -1)


def gradients_of_mine(shape: Shape, source: Fixed) -> tuple[list[torch.Tensor], torch.nn.Module]:
    """The first step's gradient by mine's training loop, laid out like the plain network's; and
    that network, at the same parameters. One step of SGD at rate 1 moves by minus the gradient."""
    config = MLP((shape.hidden, shape.hidden), activation="elu")
    critic = config.stack(shape.dim, shape.dim, [generator(3, "start")], "cpu")
    before = [v.clone() for v in critic.views]
    training = Training(
        steps=1,
        batch_size=shape.batch,
        marginal_samples=shape.marginal_samples,
        schedule="constant",
        optimizer="SGD",
        learning_rate=1.0,
    )
    one, rate = torch.ones(1), torch.tensor([baselines.EMA_RATE])
    stack = Stack(
        critic, [source], [generator(0, "x")], MINE, donsker_varadhan, training, one, rate
    )
    list(train(stack))
    moved = [b - v for b, v in zip(before, critic.views, strict=True)]
    net = baselines.network(shape)
    with torch.no_grad():
        for p, found in zip(net.parameters(), as_plain(before), strict=True):
            p.copy_(found)
    return as_plain(moved), net


def as_plain(views: list[torch.Tensor]) -> list[torch.Tensor]:
    """Of one stacked critic, in the order and layout of `baselines.network`."""
    first, *rest = (v[0] for v in views)
    return [v.T.squeeze(1) if v.shape[0] == 1 else v.T for v in (first[:-1], first[-1:], *rest)]


def the_same(net: torch.nn.Module, wanted: list[torch.Tensor]) -> None:
    for p, g in zip(net.parameters(), wanted, strict=True):
        assert p.grad is not None
        torch.testing.assert_close(p.grad, g.reshape(p.shape), rtol=1e-4, atol=1e-6)


def batch_of(shape: Shape) -> Fixed:
    return Fixed(*baselines.task(shape).sample(shape.batch, generator(1, "batch")))


@pytest.mark.parametrize("shape", [SMALL, Shape(7, 12, 3, marginal_samples=2)], ids=str)
def test_the_careful_loop_has_the_gradient_of_mine(shape: Shape) -> None:
    source = batch_of(shape)
    wanted, net = gradients_of_mine(shape, source)
    t = net(baselines.pairs(source.x, source.y, 1, shape.marginal_samples)[0])
    loss, value = baselines.careful_loss(t, shape.batch, torch.zeros(()), 1)
    loss.backward()
    the_same(net, wanted)
    direct = donsker_varadhan(t[: shape.batch, 0], t[shape.batch :, 0])
    torch.testing.assert_close(value, direct.detach())


def test_the_notebook_has_the_gradient_of_mine_where_its_average_is_the_batch() -> None:
    """At rate 1: theirs starts at 1 and not at the first batch."""
    source = batch_of(SMALL)
    wanted, net = gradients_of_mine(SMALL, source)
    joint, marginal = baselines.pairs(source.x, source.y, 1, 1)[0].split(SMALL.batch)
    loss, _, _ = baselines.notebook_loss(net, joint, marginal, torch.ones(()), rate=1.0)
    loss.backward()
    the_same(net, wanted)


def test_the_careful_average_is_that_of_mine_at_every_step() -> None:
    """At T = 0 on joint rows, the loss is the mean of exp T over the debiased average."""
    ema, state, rate = torch.zeros(()), ema_init((1,)), torch.tensor([baselines.EMA_RATE])
    for step in range(1, 6):
        t = torch.cat([torch.zeros(4, 1), torch.full((4, 1), float(step))])
        loss, _ = baselines.careful_loss(t, 4, ema, step)
        log_average, state = ema_update(state, torch.tensor([float(step)]), rate)
        torch.testing.assert_close(loss.log(), step - log_average[0])


# -------------------------------------------------------------------- results


def measured() -> Measured:
    """Two rounds, the second on a machine twice as slow; on 2 cores with a peak of 100 GFLOP/s."""
    times = {CAREFUL: (400.0, 300.0), NOTEBOOK: (1600.0, 2000.0)}
    found = Measured({}, peaks=[1e11, 0.5e11])
    for c in contenders(FULL, threads=2):
        us = (
            {64: 50.0, 256: 60.0}.get(c.k, 100.0)
            if c.name == STACKED
            else times[c.name][c.threads - 1]
        )
        found.samples[c] = [Sample(us, 2.0), Sample(2 * us, 1.0)]
        found.steps[c] = 10
    return found


def test_ratios_are_taken_round_by_round_against_the_faster_number_of_threads() -> None:
    found = {(r.contender, r.shape, r.k, r.threads): r for r in rows(measured(), {})}
    row = found[STACKED, SMALL, 64, 2]
    assert (row.us.median, row.us.low, row.us.high) == (75.0, 50.0, 100.0)
    assert row.vs_careful.median == row.vs_careful.low == row.vs_careful.high == 300 / 50
    assert row.vs_notebook.median == 1600 / 50
    assert row.of_peak.low == row.of_peak.high == pytest.approx(SMALL.flops() / 50e-6 / 1e11)
    assert found[STACKED, SMALL, 256, 2].vs_k64 is not None
    assert found[STACKED, SMALL, 256, 2].vs_k64.median == pytest.approx(50 / 60)
    assert found[CAREFUL, SMALL, 1, 1].vs_careful.median == pytest.approx(0.75)
    assert found[CAREFUL, SMALL, 1, 2].vs_k64 is None


def test_every_target_is_judged_where_its_case_is_measured() -> None:
    judged = verdicts(rows(measured(), {}))
    assert [v.target for v in judged] == sorted((v.target for v in judged), key=TARGETS.index)
    assert {v.target for v in judged} == set(TARGETS)
    met = {(v.target.k, v.target.measure): v.met for v in judged if v.target.shape == SMALL}
    assert met[64, "vs_careful"] and met[64, "vs_notebook"] and met[64, "of_peak"]
    assert not met[256, "vs_k64"]


def test_the_csv_has_a_target_beside_each_ratio_and_three_columns_for_a_spread() -> None:
    memories = {Contender(STACKED, SMALL, 64, 2): 300.0}
    lines = list(csv.DictReader(csv_bytes(rows(measured(), memories)).decode().splitlines()))
    assert len(lines) == 2 * 4 + 4 + 2
    spreads = ("us", "vs_careful", "vs_notebook", "of_peak", "vs_k64")
    plain = ("contender", "hidden", "batch", "dim", "marginal_samples", "k", "threads", "gflops")
    more = ("peak_gflops", "cores", "memory_mib", "steps", "rounds")
    ends = {f"{s}{end}" for s in spreads for end in ("", "_min", "_max")}
    assert set(lines[0]) == {*plain, *more, *ends, *(f"{s}_target" for s in spreads[1:])}
    line = next(x for x in lines if (x["contender"], x["k"]) == (STACKED, "64"))
    assert (line["vs_careful"], line["vs_careful_target"], line["memory_mib"]) == ("6", "4", "300")
    assert lines[0]["vs_careful_target"] == lines[0]["vs_k64"] == lines[0]["memory_mib"] == ""


# ------------------------------------------------------------------- programs


@pytest.mark.slow
def test_a_quick_run_prints_a_table_and_writes_it(tmp_path: Path) -> None:
    out = tmp_path / "new" / "bench.csv"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "--out", str(out)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "round 1" in done.stderr
    assert "µs per network-step" in done.stdout and "stacked" in done.stdout
    lines = list(csv.DictReader(out.read_text().splitlines()))
    assert {x["contender"] for x in lines} == {STACKED, CAREFUL, NOTEBOOK}
    assert all(float(x["us"]) > 0 and x["hidden"] == str(TINY.hidden) for x in lines)
    assert [p.name for p in out.parent.iterdir()] == ["bench.csv"]


def test_peak_memory_is_that_of_a_program_of_its_own() -> None:
    """It has torch in it, and not what this process holds."""
    held = torch.ones(256 * memory.MIB // 4)
    peak = memory.peak_mib(Contender(STACKED, TINY, 2, 1))
    assert 50 < peak < 1000 and held.numel()


def test_help_answers_without_torch_and_shows_an_example() -> None:
    program = (
        "import sys; from benchmarks.__main__ import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: sys.exit('torch is loaded' if 'torch' in sys.modules else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "python -m benchmarks --seconds" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--seconds", "0"], "expected seconds above 0, such as 2, got '0'"),
        (["--seconds", "long"], "expected seconds above 0, such as 2, got 'long'"),
        (["--rounds", "0"], "expected a whole number of at least 1, such as 5, got '0'"),
        (["--out", "{file}/bench.csv"], "expected a folder that can be written"),
        (["--out", "{folder}"], "expected a file to write, got a folder"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_measured(
    arguments: list[str], complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    places = {"file": tmp_path / "file", "folder": tmp_path}
    with pytest.raises(SystemExit, match="2"):
        main([a.format(**places) for a in arguments])
    assert complaint in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


# -------------------------------------------------------------------- joining


def test_joining_joins_every_row_of_the_runs_it_made(tmp_path: Path) -> None:
    """As a program: Linux counts this process's memory as its child's."""
    options = ["--runs", "3", "--rows", "7", "--outputs", str(tmp_path)]
    command = [sys.executable, "-m", "benchmarks.joining", *options]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "3 runs, 21 rows" in done.stdout
    with open(tmp_path / "results.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 21
    assert len({line["run_id"] for line in lines}) == 3
    made = sorted(tmp_path.glob("gaussian/*"))
    assert subprocess.run(command, stdout=-1).returncode == 0  # the same runs, joined again
    assert sorted(tmp_path.glob("gaussian/*")) == made


def test_joining_refuses_runs_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "gaussian" / ("0" * 12)).mkdir(parents=True)
    with pytest.raises(ValueError, match="config.yaml: expected a readable file"):
        joining.join(tmp_path)


# ------------------------------------------------------------------- pairwise


def test_the_matrix_is_timed_beside_single_calls(capsys: pytest.CaptureFixture[str]) -> None:
    assert pairwise.main(["--columns", "3", "--rows", "60", "--rounds", "1", "--steps", "2"]) == 0
    printed = capsys.readouterr().out
    assert "3 pairs, wall: " in printed and "3 pairs, CPU: " in printed


def test_ratios_are_the_singles_time_scaled_to_all_pairs_over_the_matrixs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Four single calls in 4 s of CPU are 3 s for 3 pairs; a clock of coarse ticks saw nothing."""
    told = iter([(8.0, 4.0), (2.0, 1.5), (8.0, 4.0), (2.0, 0.0)])
    monkeypatch.setattr(pairwise, "spent", lambda _: next(told))
    found = pairwise.ratios(3, 60, 2, 2)
    assert found["wall"] == [3.0, 3.0]
    assert found["CPU"][0] == 2.0 and math.isnan(found["CPU"][1])


def test_the_time_spent_is_told_in_less_than_a_tick() -> None:
    wall, cpu = pairwise.spent(lambda: sum(range(20_000)))
    assert wall > 0 and 0 <= cpu < 60


# ----------------------------------------------------------------- dependence


def test_rates_of_dependent_rows_go_on_where_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dependence, "CASES", (dependence.CASES[0], dependence.CASES[5]))
    words = ["--out", str(tmp_path / "rows.csv"), "--methods", "gaussian"]
    assert dependence.main([*words, "--draws", "2"]) == 0
    short = (tmp_path / "rows.csv").read_text()
    # A process that was killed while it wrote leaves a part of a line, which is drawn again.
    (tmp_path / "rows.csv").write_text(short[:-20])
    assert dependence.main([*words, "--draws", "3"]) == 0
    rows = list(read_rows(tmp_path / "rows.csv", dependence.FIELDS))
    keys = [(row["case"], row["method"], row["seed"]) for row in rows]
    assert len(set(keys)) == len(keys) == 2 * 2 * 3
    shown = capsys.readouterr().out.splitlines()[-2:]
    assert shown[0].startswith("| independent rows | gaussian | 3 | 0 |")
    assert shown[1].startswith("| random walks | gaussian | 3 | 3 |")


def test_a_line_that_was_cut_anywhere_is_no_row(tmp_path: Path) -> None:
    """A number that lost its last digits would be taken for another number."""
    file, fields = tmp_path / "rows.csv", ("case", "seconds")
    whole = "case,seconds\na,1.5\nb,2047.3\n"
    for end in range(len("case,seconds\na,1.5\n"), len(whole)):
        file.write_text(whole[:end])
        assert list(read_rows(file, fields)) == [{"case": "a", "seconds": "1.5"}]
    file.write_text(whole)
    assert len(list(read_rows(file, fields))) == 2


def test_rows_stay_on_disk_while_the_next_is_drawn(tmp_path: Path) -> None:
    """A process that is killed in any draw has lost none of the rows before it."""
    file, fields = tmp_path / "rows.csv", ("case", "method", "seed", "seconds")
    case = SimpleNamespace(name="a")
    seen: list[list[str]] = []

    def measured(case: SimpleNamespace, method: str, seed: int) -> Row:
        seen.append([row["seed"] for row in read_rows(file, fields)])
        return {"case": case.name, "method": method, "seed": str(seed), "seconds": "1"}

    for draws in (2, 3):
        measured_rows(file, fields, ((case, "m", i) for i in range(draws)), measured)
    assert seen == [[], ["0"], ["0", "1"]]


def test_rates_of_conditional_p_values_are_counted_by_case_and_method(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(conditional, "CASES", (conditional.CASES[0], conditional.CASES[-1]))
    words = ["--out", str(tmp_path / "rows.csv"), "--methods", "gaussian"]
    assert conditional.main([*words, "--draws", "1", "--cases", "edge"]) == 0
    assert "common cause" not in capsys.readouterr().out
    for draws in ("1", "2"):
        assert conditional.main([*words, "--draws", draws]) == 0
    null, edge = capsys.readouterr().out.splitlines()[-2:]
    assert null.startswith("| common cause, 1 | ") and null.endswith(" of 2 |")
    assert edge == "| an edge beside, 10 | 2 of 2 |"


def test_rates_of_the_verdict_count_values_that_are_near_and_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    named = {case.name: case for case in verdict.HARD_CASES}
    chosen = [named["normal, 200 rows, rho 0.95"], named["checkerboard, 4 x 4"]]
    monkeypatch.setattr(verdict, "development", lambda: iter(()))
    monkeypatch.setattr(verdict, "HARD_CASES", tuple(chosen))
    words = ["--out", str(tmp_path / "rows.csv"), "--methods", "gaussian_copula"]
    for draws in ("1", "2"):
        assert verdict.main([*words, "--draws", draws]) == 0
    assert capsys.readouterr().out.splitlines()[-5:] == [
        "| hard cases | gaussian_copula | near | 2 | 2 | 0 | 0 |  |",
        "| hard cases | gaussian_copula | off | 2 | 0 | 0 | 2 |  |",
        "",
        "Off, and not called reliable: 2 of 2.",
        "Near, and called reliable: 2 of 2.",
    ]


def test_the_truths_of_the_hard_cases_are_those_of_their_laws() -> None:
    """Where a method is consistent, much data has the value that the case says."""
    squares = (v.astype(int).astype(str) for v in verdict.checkerboard(20_000, 4, 0))
    truths = {
        "checkerboard, 4 x 4": (squares, "plugin"),
        "labels, 10 x 10, 200 rows": (verdict.labels(10, 50_000, 0), "plugin"),
        "cubes of normals": (verdict.normal(20_000, 0.9, 0, power=3), "gaussian_copula"),
    }
    named = {case.name: case.truth for case in verdict.HARD_CASES}
    for name, ((x, y), method) in truths.items():
        assert mine.estimate(x, y, method).nats == pytest.approx(named[name], abs=0.02)


def test_the_truth_of_coupled_series_is_that_of_their_rows() -> None:
    """The stationary covariance of v = phi v + shocks is the shocks' over 1 - phi^2."""
    case = dependence.CASES[-1]
    v = dependence.autoregressive(0.9, 400_000, np.random.default_rng(0), 2, 0.6)
    rho = np.corrcoef(v.T)[0, 1]
    assert -0.5 * math.log(1 - rho**2) == pytest.approx(case.truth, abs=0.01)
    assert v.var() == pytest.approx(1 / (1 - 0.81), rel=0.03)


# ------------------------------------------------------------------------ pages


def test_the_blocks_of_a_page_are_made_anew_and_must_be_those_that_are_made() -> None:
    page = "a\n<!-- made: rows -->\nold\n<!-- end of made -->\nb\n"
    assert with_parts(page, {"rows": "new"}) == page.replace("old", "\nnew\n")
    for other in (page + page, page.replace("rows", "columns"), "a\n"):
        with pytest.raises(ValueError, match="expected the blocks"):
            with_parts(other, {"rows": "new"})
