"""The critic that an estimate leaves: log-ratios on other rows, and a file that cannot harm."""

import json
import resource
import struct
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import save
from torch import nn

import mine
from mine.estimators.own_job import own_job
from mine.estimators.rows import as_pair
from mine.tasks import CorrelatedGaussian

QUICK = {"steps": 60, "hidden": (8, 8), "batch_size": 50}
TASK = CorrelatedGaussian(1, 0.8)


def data(seed=0, n=300):
    x, y = TASK.sample(n, torch.Generator().manual_seed(seed))
    return x.numpy(), y.numpy()


def bilinear(dx, dy):
    class Critic(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(nn.Linear(dx + dy, 8), nn.Tanh(), nn.Linear(8, 1))
            self.register_buffer("shift", torch.randn(1))

        def forward(self, x, y):
            return self.net(torch.cat([x, y], -1)) + self.shift

    return Critic()


@pytest.mark.parametrize(
    "method", ["mine", "mine_f", "js", "smile", "infonce", "tuba", "dime_gan", "mine/infonce"]
)
def test_the_mean_log_ratio_on_the_test_rows_is_the_estimate(method):
    x, y = data()
    e = mine.estimate(x, y, method, preprocess="copula", **QUICK)
    job = own_job(*as_pair(x, y), method, 0, **QUICK)
    _, _, test = job.source.split.deal(len(x), job.generator("split"))
    assert e.critic.pointwise(x[test], y[test]).mean() == pytest.approx(e.nats, abs=1e-5)


def test_dv_log_ratios_average_to_one_over_marginal_pairs():
    """E_q[dP/dQ] = 1: what normalising by the log-mean-exp is for."""
    x, y = data(n=4000)
    e = mine.estimate(x, y, steps=400, hidden=(32,), batch_size=128, learning_rate=5e-3)
    x, y = (v.numpy() for v in TASK.sample(5000, torch.Generator().manual_seed(9)))
    assert np.exp(e.critic.pointwise(x, np.roll(y, 1, 0))).mean() == pytest.approx(1, abs=0.15)


def test_log_ratios_are_near_the_true_ones():
    x, y = data(n=4000)
    e = mine.estimate(x, y, steps=500, hidden=(32,), batch_size=128, learning_rate=5e-3)
    other = TASK.sample(2000, torch.Generator().manual_seed(9))
    truth = TASK.log_ratio(*other).numpy()
    found = e.critic.pointwise(*other)
    assert found.shape == (2000,)
    assert np.corrcoef(found, truth)[0, 1] > 0.95


def test_a_row_alone_has_the_value_that_it_has_among_others():
    x, y = data(n=5000)
    critic = mine.estimate(x[:300], y[:300], **QUICK).critic
    many = critic.pointwise(x, y)
    assert many[[0, 4321]] == pytest.approx(
        [critic.pointwise(x[i : i + 1], y[i : i + 1])[0] for i in (0, 4321)], abs=1e-5
    )


@pytest.mark.parametrize("method", ["ksg", "gaussian", "club", "doe"])
def test_methods_without_a_ratio_leave_no_critic(method):
    options = {} if mine.methods()[method].is_direct else QUICK
    assert mine.estimate(*data(), method=method, **options).critic is None


def test_the_critic_has_no_part_in_equality_and_repr():
    x, y = data()
    e = mine.estimate(x, y, **QUICK)
    assert e == mine.estimate(x, y, **QUICK)
    assert "Fitted" not in repr(e)


def test_critics_come_back_from_other_processes():
    pairs = [data(seed) for seed in range(4)]
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        together = mine.estimate_many(pairs, **QUICK)
    finally:
        torch.set_num_threads(before)
    for (x, y), e in zip(pairs, together, strict=True):
        alone = mine.estimate(x, y, **QUICK).critic.pointwise(x, y)
        assert e.critic.pointwise(x, y) == pytest.approx(alone, abs=1e-4)


# ---------------------------------------------------------------------- files


@pytest.mark.parametrize("options", [{}, {"folds": 3}, {"preprocess": "rank"}])
def test_what_is_saved_and_loaded_gives_the_same_bits(tmp_path, options):
    x, noisy = data()
    y = pd.DataFrame({"side": np.where(x[:, 0] > 0, "r", "l"), "z": noisy[:, 0] ** 3})
    critic = mine.estimate(x, y, **QUICK, **options).critic
    critic.save(tmp_path / "c.safetensors")
    again = mine.load(tmp_path / "c.safetensors")
    assert np.array_equal(again.pointwise(x, y), critic.pointwise(x, y))
    assert (again.method, again.layouts, again.config) == (
        critic.method, critic.layouts, critic.config,
    )  # fmt: skip
    assert [p.name for p in tmp_path.iterdir()] == ["c.safetensors"]


def test_a_disk_that_is_full_leaves_the_old_file_and_nothing_else(tmp_path):
    """Was a file that ends in .part."""
    critic = mine.estimate(*data(), **QUICK).critic
    critic.save(tmp_path / "c.safetensors")
    before = (tmp_path / "c.safetensors").read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, limits[1]))
    try:
        with pytest.raises(OSError):
            critic.save(tmp_path / "c.safetensors")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [p.name for p in tmp_path.iterdir()] == ["c.safetensors"]
    assert (tmp_path / "c.safetensors").read_bytes() == before


def test_writers_of_one_file_do_not_collide(tmp_path):
    """One took away the other's half-written file."""
    critics = [mine.estimate(*data(seed), **QUICK).critic for seed in range(2)]

    def write(critic):
        for _ in range(50):
            critic.save(tmp_path / "c.safetensors")

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, critics))
    again = mine.load(tmp_path / "c.safetensors").pointwise(*data(2))
    assert any(np.array_equal(again, critic.pointwise(*data(2))) for critic in critics)
    assert [p.name for p in tmp_path.iterdir()] == ["c.safetensors"]


def test_the_header_is_json_that_says_what_the_critic_is(tmp_path):
    mine.estimate(*data(), method="smile(tau=2)", **QUICK).critic.save(tmp_path / "c")
    with safe_open(tmp_path / "c", "numpy") as opened:
        header = json.loads(opened.metadata()["mine"])
    assert header["format"] == "mine critic" and header["version"] == 3
    assert header["method"] == "smile(tau=2)"
    assert header["critic"] == {"hidden": [8, 8], "activation": "elu", "init": "fan_in"}
    assert header["start"] == ""
    assert header["members"][0]["x"] == ["standardise"]


@pytest.mark.parametrize(
    "version", [{"version": 2, "residual": False}, {"version": 3, "start": ""}]
)
def test_a_file_written_by_hand_is_read(tmp_path, version):
    """Both versions: T = relu(2 x + y) - 0.5 of standardised x and y, offset 0.25."""
    header = {
        "format": "mine critic", **version, "method": "mine",
        "critic": {"hidden": [1], "activation": "relu", "init": "fan_in"},
        "columns": [{"names": ["0"], "levels": [[]]}] * 2,
        "members": [{"x": ["standardise"], "y": ["none"], "parameters": 3, "buffers": []}],
    }  # fmt: skip
    parameters = [[[2.0], [1.0], [0.0]], [[1.0]], [[-0.5]]]
    arrays = {f"0.parameter.{j}": np.array(p, np.float32) for j, p in enumerate(parameters)}
    arrays |= {"0.offset": np.array([0.25])}
    arrays |= {"0.x.shift": np.array([1.0]), "0.x.scale": np.array([2.0])}
    arrays |= {"0.y.shift": np.array([0.0]), "0.y.scale": np.array([1.0])}
    (tmp_path / "c").write_bytes(save(arrays, {"mine": json.dumps(header)}))
    critic = mine.load(tmp_path / "c")
    assert critic.pointwise([3.0, -9.0], [0.5, 1.0]) == pytest.approx([2.5 - 0.75, -0.75])


def test_a_module_of_ones_own_is_loaded_by_giving_it_again(tmp_path):
    x, y = data()
    critic = mine.estimate(x, y, critic=bilinear, steps=60, batch_size=50).critic
    wanted = critic.pointwise(x, y)
    critic.save(tmp_path / "c")
    again = mine.load(tmp_path / "c", critic=bilinear)
    assert np.array_equal(again.pointwise(x, y), wanted)
    with pytest.raises(ValueError, match="expected the module that this critic is, got none"):
        mine.load(tmp_path / "c").pointwise(x, y)
    with pytest.raises(ValueError, match="expected a module with parameters"):
        mine.load(tmp_path / "c", critic=lambda dx, dy: bilinear(dx + 1, dy))


def test_rows_of_another_shape_are_refused():
    x, y = data()
    critic = mine.estimate(x, y, **QUICK).critic
    with pytest.raises(ValueError, match="expected x with the 1 columns it was trained on"):
        critic.pointwise(np.zeros((5, 2)), y[:5])
    with pytest.raises(ValueError, match="pair up row by row, got 5 and 6 rows"):
        critic.pointwise(x[:5], y[:6])
    with pytest.raises(ValueError, match="y must be finite"):
        critic.pointwise(x[:2], [1.0, np.nan])


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A saved critic's bytes, arrays and header."""
    path = tmp_path_factory.mktemp("good") / "c"
    mine.estimate(*data(), preprocess="copula", **QUICK).critic.save(path)
    with safe_open(path, "numpy") as opened:
        arrays = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        header = json.loads(opened.metadata()["mine"])
    return path.read_bytes(), arrays, header


def refused(path, content):
    path.write_bytes(content)
    with pytest.raises(ValueError, match="expected a critic's file, got .*: save one anew with"):
        mine.load(path)


LAYERS = {"hidden": [8, 8], "activation": "elu", "init": "fan_in"}


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "other"}, {"version": 1}, {"method": 3}, {"members": []}, {"columns": []},
        {"critic": {**LAYERS, "hidden": [10**9, 10**9]}}, {"critic": {**LAYERS, "hidden": []}},
        {"critic": {**LAYERS, "hidden": [8.0, 8]}}, {"critic": {**LAYERS, "hidden": [True, 8]}},
        {"critic": {**LAYERS, "activation": "__import__('os')"}}, {"critic": []},
        {"critic": {**LAYERS, "_target_": "os.system"}}, {"critic": {"hidden": 8}},
        {"members": [{}]}, {"members": 10**9}, {"members": [None]},
        {"columns": [{"names": ["0"], "levels": [[]]}] * 3},
        {"columns": [{"names": ["0"] * 9, "levels": [[]] * 9}] * 2},
        {"columns": [{"names": [1], "levels": [[]]}] * 2},
        {"columns": [{"names": ["0"], "levels": [["a", "b"]]}] * 2},
    ],
    ids=str,
)  # fmt: skip
def test_a_header_that_does_not_fit_its_arrays_is_refused(good, tmp_path, changes):
    _, arrays, header = good
    refused(tmp_path / "c", save(arrays, {"mine": json.dumps({**header, **changes})}))


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("0.parameter.0", np.zeros((3, 9), np.float32)),
        ("0.parameter.0", np.zeros((3, 8), np.float64)),
        ("0.parameter.0", np.full((3, 8), np.nan, np.float32)),
        ("0.parameter.9", np.zeros(1, np.float32)),
        ("0.offset", np.array([np.inf])),
        ("0.x.scale", np.array([0.0])),
        ("0.x.knots.0", np.array([[2.0, 1.0], [0.1, 0.2]])),
        ("0.x.knots.0", np.zeros((0, 10**12))),
        ("unknown", np.zeros(1)),
    ],
)
def test_arrays_that_are_no_critics_are_refused(good, tmp_path, name, array):
    _, arrays, header = good
    refused(tmp_path / "c", save({**arrays, name: array}, {"mine": json.dumps(header)}))


def test_arrays_that_are_missing_are_missed(good, tmp_path):
    _, arrays, header = good
    for name in arrays:
        less = {n: a for n, a in arrays.items() if n != name}
        refused(tmp_path / "c", save(less, {"mine": json.dumps(header)}))


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\x80\x04K\x01.", b"PK\x03\x04", b"{}", struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 2) + b"{}", save({"a": np.zeros(1)}),
        save({"a": np.zeros(1)}, {"mine": "[" * 100_000}), save({}, {"mine": "null"}),
        save({}, {"mine": "{}"}), save({}, {"mine": "3"}),
    ],
    ids=range(11),
)  # fmt: skip
def test_what_is_no_critics_file_is_refused(tmp_path, content):
    refused(tmp_path / "c", content)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 10_000), byte=st.integers(0, 255), place=st.integers(0, 10_000))
def test_a_damaged_file_is_refused_or_read_to_finite_numbers(good, tmp_path, cut, byte, place):
    content = bytearray(good[0])
    if cut < len(content):
        refused(tmp_path / "c", bytes(content[:cut]))
    content[place % len(content)] = byte
    (tmp_path / "d").write_bytes(bytes(content))
    try:
        critic = mine.load(tmp_path / "d")
    except ValueError:
        return
    assert critic.pointwise([0.5], [0.5]).shape == (1,)


def test_a_folder_is_no_critic_and_a_missing_file_is_missing(tmp_path):
    with pytest.raises(ValueError, match="which is none: save one anew"):
        mine.load(tmp_path)
    with pytest.raises(FileNotFoundError):
        mine.load(tmp_path / "nothing")


def test_a_file_too_large_for_a_critic_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr("mine.saved.LARGEST", 100)
    mine.estimate(*data(), **QUICK).critic.save(tmp_path / "c")
    with pytest.raises(ValueError, match="at most 100 bytes, got"):
        mine.load(tmp_path / "c")
