"""What varies between runs, as axes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.suite.sweeps.axes import Axis, axes_of, flatten, varying


def test_a_config_is_flattened_to_dotted_keys_without_what_changes_no_result() -> None:
    config = {
        "experiment": {"name": "gaussian", "panels": {"high": {"dim": 20}}, "rho": [0.5]},
        "train": {"steps": 5, "outputs": "kept"},
        "device": "cpu",
        "outputs": "o",
        "shard": 1,
        "shards": 8,
    }
    assert flatten(config) == {
        "experiment.name": "gaussian",
        "experiment.panels.high.dim": 20,
        "experiment.rho": [0.5],
        "train.steps": 5,
        "train.outputs": "kept",
    }


def test_a_key_varies_where_its_values_differ_or_only_some_have_it() -> None:
    settings = [{"a": 1, "b": 2, "c": [1, 2]}, {"a": 1, "b": 3, "c": [1, 2], "d": 0}]
    assert varying(settings) == ["b", "d"]
    assert varying(settings[:1]) == []


@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=3),
    st.randoms(use_true_random=False),
)
def test_the_axes_of_a_grid_are_its_keys_and_values(sizes: list[int], random: Any) -> None:
    """Whatever the order of the runs, and beside a key that never varies."""
    keys = [f"group.key{i}" for i in range(len(sizes))]
    settings: list[dict[str, Any]] = [{"fixed": "x"}]
    for key, size in zip(keys, sizes, strict=True):
        settings = [{**one, key: value} for one in settings for value in range(size)]
    random.shuffle(settings)
    found = axes_of(settings)
    expected = {key: size for key, size in zip(keys, sizes, strict=True) if size > 1}
    assert {axis.key: axis.size for axis in found} == expected
    assert all(axis.values == tuple(range(axis.size)) for axis in found)
    assert all(axis.tied == () for axis in found)


def test_keys_that_vary_together_are_one_axis_named_by_the_preset() -> None:
    settings = [
        {"train.steps": 20, "scale.name": "smoke", "scale.seeds": 1, "train.lr": 1},
        {"train.steps": 1000, "scale.name": "default", "scale.seeds": 5, "train.lr": 1},
        {"train.steps": 20, "scale.name": "smoke", "scale.seeds": 1, "train.lr": 2},
    ]
    scale, rate = sorted(axes_of(settings), key=lambda axis: axis.key)
    assert (scale.key, scale.values) == ("scale.name", ("default", "smoke"))
    assert scale.tied == ("train.steps", "scale.seeds")
    assert (rate.key, rate.values, rate.tied) == ("train.lr", (1, 2), ())


def test_a_key_that_another_decides_is_no_axis() -> None:
    """Three presets, two of which share a width: the width follows from the preset."""
    settings = [{"p": name, "w": w} for name, w in (("a", 64), ("b", 64), ("c", 128))]
    (axis,) = axes_of(settings)
    assert (axis.key, axis.tied) == ("p", ("w",))


@pytest.mark.parametrize(
    ("values", "logarithmic", "labels"),
    [
        ((1e-4, 1e-3), True, [".0001", ".001"]),
        ((0.1, 0.2, 0.3), False, [".1", ".2", ".3"]),
        ((0.0, 1.0, 100.0), False, ["0", "1", "100"]),
        (("elu", "relu"), False, ["elu", "relu"]),
        (([64, 64], [128]), False, ["64 × 64", "128"]),
        ((None, True), False, ["–", "true"]),
    ],
)
def test_an_axis_is_logarithmic_where_its_values_call_for_it(
    values: tuple[Any, ...], logarithmic: bool, labels: list[str]
) -> None:
    axis = Axis("group.a_key", values)
    assert (axis.logarithmic, axis.labels, axis.short) == (logarithmic, labels, "a key")


def test_values_sort_as_numbers_and_lists_do() -> None:
    settings = [{"k": value} for value in ([128, 8], 10, "b", None, 9.5, [64], "a", False)]
    assert axes_of(settings)[0].values == (None, False, 9.5, 10, "a", "b", [64], [128, 8])
