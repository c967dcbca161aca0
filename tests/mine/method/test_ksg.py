"""KSG: both roads against brute force and npeet-plus, reference values, ties, refusals."""

from __future__ import annotations

import math
import subprocess
import sys

import npeet_plus
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import digamma

from mine.method import neighbour_counts as counts
from mine.method.ksg import ksg


@pytest.fixture(autouse=True)
def one_thread():
    """Threads that wait for a busy core cost more than they bring."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def gaussian(n: int, dim: int, rho: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x, noise = rng.standard_normal((2, n, dim))
    return x, rho * x + math.sqrt(1 - rho**2) * noise


def brute(x: np.ndarray, y: np.ndarray, k: int) -> float:
    """Eq. 8 as it is printed: (N, N, d) cubes, sorted rows."""
    dx = np.abs(x[:, None] - x[None]).max(-1)
    dy = np.abs(y[:, None] - y[None]).max(-1)
    eps = np.sort(np.maximum(dx, dy), 1)[:, k, None]
    nx, ny = (dx < eps).sum(1) - 1, (dy < eps).sum(1) - 1
    return float(digamma(k) + digamma(len(x)) - (digamma(nx + 1) + digamma(ny + 1)).mean())


def columns(x: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(x.T, dtype=float)


ROADS = {
    "tree": lambda x, y, k: counts._tree(columns(x), columns(y), k, 1),
    "all pairs": lambda x, y, k: counts._all_pairs(columns(x), columns(y), k, 2),
    "all pairs, torch": lambda x, y, k: counts._all_pairs_torch(columns(x), columns(y), k, "cpu"),
}

DATA = {
    "scalar": gaussian(700, 1, 0.9),
    "independent": gaussian(700, 1, 0.0),
    "near the line": gaussian(700, 1, 0.9999),
    "20-D": gaussian(300, 20, 0.5),
    "unequal sides": (gaussian(500, 3, 0.5)[0], gaussian(500, 3, 0.5)[1][:, :1]),
    "unequal scales": (1e6 * gaussian(400, 2, 0.5)[0] + 1e9, 1e-3 * gaussian(400, 2, 0.5)[1]),
    "heavy tails": tuple(a**7 for a in gaussian(400, 2, 0.5)),
    "float32": tuple(a.astype(np.float32) for a in gaussian(700, 2, 0.7)),
    "two rows": gaussian(2, 1, 0.5),
}


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("k", [1, 3, 10])
def test_every_road_counts_as_brute_force_does(name, k):
    x, y = DATA[name]
    k = min(k, len(x) - 1)
    nats = {
        road: digamma(k) + digamma(len(x)) - (digamma(nx + 1) + digamma(ny + 1)).mean()
        for road, (nx, ny) in ((road, count(x, y, k)) for road, count in ROADS.items())
    }
    assert nats == pytest.approx(dict.fromkeys(ROADS, brute(x, y, k)), abs=1e-9)
    assert ksg(x, y, k=k).nats == pytest.approx(nats["tree"], abs=1e-9)


@pytest.mark.parametrize("road", ROADS)
def test_every_road_gives_the_same_counts_on_a_lattice_where_all_distances_tie(road):
    """Strictly below, not at most: rounding must not decide."""
    x, y = np.random.default_rng(0).integers(0, 12, (2, 300, 2)) * 0.1
    dx, dy = (np.abs(a[:, None] - a[None]).max(-1) for a in (x, y))
    eps = np.sort(np.maximum(dx, dy), 1)[:, 3, None]
    nx, ny = ROADS[road](x, y, 3)
    assert (nx == (dx < eps).sum(1) - 1).all() and (ny == (dy < eps).sum(1) - 1).all()


@settings(max_examples=20)
@given(
    n=st.integers(5, 120),
    dims=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    k=st.integers(1, 4),
    scale=st.floats(-6, 6),
    seed=st.integers(0, 2**31),
)
def test_the_roads_agree_on_any_data(n, dims, k, scale, seed):
    rng = np.random.default_rng(seed)
    x, y = 10**scale * rng.standard_cauchy((n, dims[0])), rng.uniform(size=(n, dims[1]))
    tree, pairs = ROADS["tree"](x, y, k), ROADS["all pairs"](x, y, k)
    assert (tree[0] == pairs[0]).all() and (tree[1] == pairs[1]).all()


@pytest.mark.parametrize("name", ["scalar", "independent", "20-D", "unequal sides", "float32"])
@pytest.mark.parametrize("k", [1, 3])
def test_npeet_plus_agrees(name, k):
    x, y = (a.astype(float) for a in DATA[name])
    assert ksg(x, y, k=k).nats == pytest.approx(npeet_plus.mi(x, y, k=k, base=math.e), abs=1e-6)


@pytest.mark.parametrize(
    ("dim", "rho", "n", "nats"),
    [
        (1, 0.9, 5_000, 0.8238),
        (2, 0.5, 5_000, 0.2899),
        (20, 0.5, 3_000, 0.6808),
        (20, 0.9, 3_000, 3.253),
        pytest.param(20, 0.5, 10_000, 0.7937, marks=pytest.mark.slow),
    ],
)
def test_reference_values_of_other_libraries_are_within_sampling_error(dim, rho, n, nats):
    """They were measured on other samples of the same size, so two errors count."""
    result = ksg(*gaussian(n, dim, rho))
    assert result.nats == pytest.approx(nats, abs=3 * math.sqrt(2) * result.stderr)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_scalar_gaussians_come_out_within_error_of_the_truth(rho):
    result = ksg(*gaussian(4_000, 1, rho))
    assert result.nats == pytest.approx(-0.5 * math.log(1 - rho**2), abs=4 * result.stderr)
    assert result.ties == 0 and result.warnings == ()


@pytest.mark.parametrize(("dim", "rho"), [(1, 0.5), (2, 0.7), (5, 0.7)])
def test_the_standard_error_is_the_spread_over_repeats(dim, rho):
    results = [ksg(*gaussian(600, dim, rho, seed)) for seed in range(60)]
    spread = np.std([result.nats for result in results], ddof=1)
    assert 0.65 < spread / np.mean([result.stderr for result in results]) < 1.5


@pytest.mark.parametrize("name", DATA)
def test_swapping_x_and_y_or_permuting_the_rows_changes_nothing(name):
    x, y = DATA[name]
    k = min(3, len(x) - 1)
    order = np.random.default_rng(1).permutation(len(x))
    nats = ksg(x, y, k=k).nats
    assert ksg(y, x, k=k).nats == pytest.approx(nats, abs=1e-12)
    assert ksg(x[order], y[order], k=k).nats == pytest.approx(nats, abs=1e-12)


def test_scaling_both_sides_alike_and_shifting_changes_nothing():
    x, y = DATA["scalar"]
    assert ksg(8 * x + 1, 8 * y - 3).nats == pytest.approx(ksg(x, y).nats, abs=1e-6)


def test_numpy_torch_and_one_dimensional_input_are_the_same_data():
    x, y = DATA["scalar"]
    result = ksg(x, y)
    assert ksg(x[:, 0], y[:, 0]) == result
    assert ksg(torch.tensor(x, requires_grad=True), torch.tensor(y)) == result
    assert ksg(x, y, workers=1) == ksg(x, y, workers=3) == result


def test_the_input_is_left_as_it_was():
    x, y = np.round(gaussian(200, 2, 0.5), 1)
    before = x.copy(), y.copy()
    ksg(x, y)
    assert (x == before[0]).all() and (y == before[1]).all()


def test_ties_are_broken_by_seeded_jitter_and_said_so():
    x, y = np.round(gaussian(2_000, 1, 0.9), 1)
    result = ksg(x, y, seed=1)
    assert result == ksg(x, y, seed=1) and result.nats != ksg(x, y, seed=2).nats
    assert result.ties > 1_800
    assert len(result.warnings) == 1
    assert result.warnings[0].startswith("tied values in 2 of 2 columns, in the worst one 9")
    assert "seeded jitter" in result.warnings[0]
    assert result.nats == pytest.approx(0.83, abs=0.12)


def test_ties_far_from_zero_are_broken_too():
    x, y = np.round(gaussian(1_000, 1, 0.9), 1)
    assert ksg(x + 1e6, y).nats == pytest.approx(ksg(x, y).nats, abs=0.1)


def test_a_discrete_variable_against_a_continuous_one_is_finite():
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 2_000)
    y = rng.uniform(size=2_000) + 2.0 * label  # I = log 2
    assert ksg(label, y).nats == pytest.approx(math.log(2), abs=0.1)


def test_repeated_rows_are_counted_and_jittered():
    x, y = gaussian(500, 2, 0.5)
    twice = ksg(np.concatenate([x, x[:4]]), np.concatenate([y, y[:4]]))
    assert twice.ties == 4 and "4 rows repeat" in twice.warnings[0]
    assert twice.nats == pytest.approx(ksg(x, y).nats, abs=0.05)


def test_a_chance_coincidence_is_counted_and_left_alone():
    x, y = gaussian(1_000, 1, 0.5)
    x[0] = x[1]
    result = ksg(x, y)
    assert result.ties == 1 and result.warnings == ()
    assert result.nats == pytest.approx(brute(x, y, 3), abs=1e-9)


def test_high_dimension_and_the_ceiling_are_warned_of():
    (high,) = ksg(*gaussian(200, 5, 0.1)).warnings
    assert high.startswith("10 columns: KSG falls short")
    x = gaussian(200, 1, 0.5)[0]
    (ceiling,) = ksg(x, 2 * x).warnings
    assert "within 1 nat of KSG's ceiling psi(N) - psi(k) = 4.37" in ceiling
    assert ksg(x, 2 * x).nats <= digamma(200) - digamma(3)


@pytest.mark.parametrize(
    ("x", "y", "k", "message"),
    [
        (
            np.ones((5, 1)),
            np.arange(4.0),
            3,
            "x and y of equal length, got 5 and 4 rows: row i of x pairs",
        ),
        (np.ones((1, 1)), np.ones((1, 1)), 1, "at least 2 rows, got 1: pass arrays"),
        (
            np.arange(5.0),
            np.arange(5.0),
            5,
            "an integer k with 1 <= k < N = 5, got 5: take a smaller k",
        ),
        (np.arange(5.0), np.arange(5.0), 0, "an integer k with 1 <= k < N = 5, got 0: take"),
        (np.arange(5.0), np.arange(5.0), True, "an integer k with .*, got True: take"),
        (np.arange(5.0), np.arange(5.0), 2.0, "an integer k with .*, got 2.0: take"),
        (np.array([0, np.nan, 2]), np.arange(3.0), 1, "finite values, got 1 nan .* in x: drop"),
        (np.arange(3.0), np.array([0, np.inf, -np.inf]), 1, "finite values, got 2 nan .* in y"),
        (np.ones(5), np.arange(5.0), 1, r"columns that vary, got constant columns \[0\] in x"),
        (
            np.arange(5.0),
            np.stack([np.arange(5.0), np.zeros(5)], 1),
            1,
            r"columns that vary, got constant columns \[1\] in y: drop them",
        ),
        (np.ones((5, 2, 2)), np.arange(5.0), 1, r"x as real numbers of shape \(N, dx\) or"),
        (np.arange(5.0), np.ones((5, 0)), 1, r"y as real .* got float64 of shape \(5, 0\): make"),
        (np.array(["a", "b"]), np.arange(2.0), 1, "x as real numbers .* got <U1"),
    ],
)
def test_bad_input_is_refused(x, y, k, message):
    with pytest.raises(ValueError, match=f"expected {message}"):
        ksg(x, y, k=k)


@pytest.mark.parametrize("device", ["nowhere", "cuda:99"])
def test_a_device_that_is_not_there_is_refused(device):
    x, y = DATA["scalar"]
    with pytest.raises(
        ValueError, match=f"expected a device that is there, got '{device}' .*'cpu'"
    ):
        ksg(x, y, device=device)


def test_ksg_on_numpy_needs_no_torch():
    code = "import sys, numpy as np; from mine.method.ksg import ksg; "
    code += "rng = np.random.default_rng(0); "
    code += "ksg(rng.normal(size=99), rng.normal(size=99)); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.cuda
@pytest.mark.parametrize("name", DATA)
def test_cuda_counts_as_the_cpu_does(name):
    x, y = DATA[name]
    k = min(3, len(x) - 1)
    on_cuda = ksg(torch.tensor(x, device="cuda"), torch.tensor(y, device="cuda"), k, device="cuda")
    assert on_cuda.nats == pytest.approx(ksg(x, y, k).nats, abs=1e-9)
