"""Reading sweeps: what varied, what each setting gave, and a choice that never reads the truth."""

from __future__ import annotations

import math
import shlex
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba

from experiments.suite.figures.labels import compact
from experiments.suite.figures.rendering import render
from experiments.suite.figures.style import new_figure, style
from experiments.suite.sweeps.axes import Axis, axes_of, flatten, varying
from experiments.suite.sweeps.choices import CRITERIA, Choice, choices, choose
from experiments.suite.sweeps.commands import merged
from experiments.suite.sweeps.figures import MOST_PANELS, draw_maps, panels, sweep_figures
from experiments.suite.sweeps.lines import MEASURES, SELECTED, plot_lines
from experiments.suite.sweeps.maps import plot_map
from experiments.suite.sweeps.measures import error_interval, measures
from experiments.suite.sweeps.sweep import Sweep, SweptRun, split

RATES = [1e-4, 1e-3, 1e-2]


# ----------------------------------------------------------------- what varied


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


# --------------------------------------------------------------- sweeps of runs


def asked(made: ModuleType, *settings: dict[str, Any], **more: Any) -> list[SweptRun]:
    return [SweptRun(f"{i}{s}", made.config_of(s, **more)) for i, s in enumerate(settings)]


def test_a_whole_grid_is_one_sweep_even_over_scales_and_experiments(made: ModuleType) -> None:
    runs = [
        SweptRun(f"{scale}{rate}", made.config_of({"learning_rate": rate}, scale=scale))
        for scale in ("smoke", "default")
        for rate in RATES
    ]
    (found,) = split("gaussian", runs)
    assert found.complete
    assert found.keys == ["train.learning_rate", "scale.name"]


def test_runs_that_fill_no_grid_are_compared_where_they_ask_for_the_same_cells(
    made: ModuleType,
) -> None:
    runs = asked(made, *({"learning_rate": rate} for rate in RATES))
    other = SweptRun("other", made.config_of({"learning_rate": 5.0}, seeds=9, scale="default"))
    (found,) = split("gaussian", [other, *runs])
    assert found.keys == ["train.learning_rate"]
    assert {run.run_id for run in found.runs} == {run.run_id for run in runs}


def test_one_setting_is_no_sweep_and_shards_of_it_are_one_setting(made: ModuleType) -> None:
    config = made.config_of({})
    shards = [SweptRun(f"{i}", {**config, "shards": 2, "shard": i}) for i in range(2)]
    assert split("gaussian", shards[:1]) == []
    assert split("gaussian", shards) == []
    more = SweptRun("2", made.config_of({"learning_rate": 1.0}))
    (found,) = split("gaussian", [*shards, more])
    assert len(set(found.settings.values())) == 2


def test_versions_that_ran_one_config_are_an_axis(made: ModuleType) -> None:
    config = made.config_of({})
    (found,) = split("g", [SweptRun(v, config, version=v) for v in ("0.1", "0.2")])
    assert found.keys == ["version"]


# ------------------------------------------------------------------ the command


def test_the_commands_of_a_grid_become_one(made: ModuleType) -> None:
    grid = made.grid({"learning_rate": [1e-2, 1e-4], "batch_size": [64, 128, 9]})
    (found,) = merged(map(made.command_of, grid))
    assert found.startswith("python -m experiments -m experiment=gaussian scale=smoke ")
    assert found.endswith(" train.learning_rate=0.0001,0.01 train.batch_size=9,64,128")


def test_values_with_commas_and_words_without_values_stay_as_they_are() -> None:
    start = "python -m experiments experiment=gaussian '~experiment.panels.high'"
    one, two = (shlex.join(["critic.hidden=[64,64]"]), shlex.join(["critic.hidden=[8]"]))
    (found,) = merged([f"{start} {one}", f"{start} {two}"])
    assert shlex.split(found)[3:] == [
        "-m",
        "experiment=gaussian",
        "~experiment.panels.high",
        "critic.hidden=[8],[64,64]",
    ]


@pytest.mark.parametrize(
    "commands",
    [
        ["python -m experiments a=1", "python -m experiments a=1 b=2"],  # other keys
        [f"python -m experiments {pair}" for pair in ("a=1 b=1", "a=1 b=2", "a=2 b=2")],
        ["python -m experiments a='1", "python -m experiments a=2"],  # no shell would take it
        ["python -m experiments a=1"],
        [],
    ],
)
def test_what_is_no_grid_keeps_its_commands(commands: list[str]) -> None:
    assert merged([*commands, *commands]) == sorted(commands)


# ------------------------------------------------------------------- measures


def test_measures_are_those_of_the_definition(made: ModuleType) -> None:
    found, rows = made.one_sweep({"learning_rate": RATES}, made.by_rate)
    table = found.table(rows)
    table = table[table["method"] == "mine"]
    lines = measures(table, found.keys)
    for line in lines.to_dict("records"):
        decades = abs(line["train.learning_rate"] - 1)
        errors = np.array([-0.1 * decades + 0.01 * (1 + decades) * (s - 1) for s in range(3)])
        assert line["error"] == pytest.approx(np.abs(errors).mean())
        assert line["bias"] == pytest.approx(errors.mean(), abs=1e-12)
        assert line["rmse"] == pytest.approx(math.sqrt((errors**2).mean()))
        assert line["spread"] == pytest.approx(0.01 * (1 + decades))
        assert (line["cells"], line["ok"], line["diverged"], line["failed"]) == (6, 6, 0, 0)
        assert (line["seconds"], line["total"]) == (1.5, 9.0)


def test_lost_cells_are_counted_and_leave_the_means(made: ModuleType, example: ModuleType) -> None:
    found, rows = made.one_sweep({"learning_rate": RATES}, lambda row, _: -0.5)
    mine = (rows["method"] == "mine") & (rows["seed"] == 0)
    first = rows["run_id"] == next(iter(found.settings))
    rows = example.edited(rows, mine & first, status="diverged", nats=1e9)
    rows = example.edited(rows, mine & ~first & (rows["truth"] > 0.5), status="failed", nats=9.0)
    lines = measures(found.table(rows), [*found.keys, "method"])
    lines = lines[lines["method"] == "mine"]
    assert lines["error"].tolist() == pytest.approx([0.5] * 3)
    assert (lines["diverged"].tolist(), lines["failed"].tolist()) == ([2, 0, 0], [0, 1, 1])
    assert lines["spread"].tolist() == pytest.approx([0.0] * 3, abs=1e-12)


def test_one_seed_has_no_spread_and_an_infinite_truth_no_error(
    made: ModuleType, example: ModuleType
) -> None:
    found, rows = made.one_sweep({"learning_rate": RATES}, lambda row, _: -0.5, seeds=1)
    rows = example.edited(rows, rows["truth"] > 0.5, truth=math.inf)
    lines = measures(found.table(rows), [*found.keys, "method"])
    assert lines["spread"].isna().all()
    assert lines[lines["method"] == "mine"]["error"].tolist() == pytest.approx([0.5] * 3)
    nothing = measures(
        found.table(example.edited(rows, rows["seed"] == 0, status="failed", nats=math.nan)),
        found.keys,
    )
    assert nothing["error"].isna().all() and nothing["spread"].isna().all()


def test_the_interval_holds_the_mean_and_tightens_with_agreement(made: ModuleType) -> None:
    def width(noise: float) -> float:
        def error(row: Any, setting: Any) -> float:
            return -1.0 + noise * (int(row["seed"]) - 1)

        found, rows = made.one_sweep({"learning_rate": RATES}, error)
        table = found.table(rows)
        part = table[(table["method"] == "mine") & (table[found.keys[0]] == 0)]
        low, high = error_interval(part, found.keys)
        assert low <= 1.0 <= high
        return high - low

    assert width(0.0) == pytest.approx(0.0, abs=1e-12)
    assert 0 < width(0.1) < width(0.3)
    found, rows = made.one_sweep({"learning_rate": RATES}, seeds=1)
    assert all(map(math.isnan, error_interval(found.table(rows)[:2], found.keys)))


# -------------------------------------------------------------------- choosing


def chosen(found: Sweep, rows: pd.DataFrame, criterion: Any = "value") -> Choice:
    # KSG is the same in every setting: nothing to choose
    (choice,) = [c for c in choices(found, rows) if c.criterion == criterion]
    assert choice.method == "mine"
    return choice


def test_the_value_chooses_the_highest_bound(made: ModuleType) -> None:
    found, rows = made.one_sweep({"learning_rate": RATES}, made.by_rate)
    choice = chosen(found, rows)
    assert choice.setting == (1,)
    assert choice.nearest == (1,)
    assert choice.error == choice.least == pytest.approx(0.02 / 3)
    truths = rows["truth"].unique()
    assert choice.score == pytest.approx(truths.mean())


def test_stability_chooses_the_least_spread_even_where_it_is_wrong(made: ModuleType) -> None:
    def error(row: Any, setting: Any) -> float:
        learned = setting["learning_rate"] > 1e-4
        return 0.1 * (int(row["seed"]) - 1) if learned else -float(row["truth"])

    found, rows = made.one_sweep({"learning_rate": RATES}, error)
    choice = chosen(found, rows, "stability")
    assert (choice.setting, choice.score) == ((0,), 0.0)
    assert choice.nearest != (0,)
    assert choice.error > choice.least


@settings(max_examples=15)
@given(st.lists(st.floats(-50, 50), min_size=4, max_size=4), st.data())
def test_no_choice_depends_on_the_truth(values: list[float], data: Any) -> None:
    """Whatever the truths are said to be, the same setting is chosen, for the same score."""
    base = {"role": "r", "task": "t", "method": "mine", "n_test": 100, "seconds": 1.0}
    rows = pd.DataFrame(
        [
            {**base, "params": "p", "seed": s, "status": "ok", "k": k, "nats": values[2 * k + s]}
            for k in range(2)
            for s in range(2)
        ]
    )
    truths = st.lists(st.floats(-100, 100), min_size=4, max_size=4)
    for criterion in CRITERIA:
        one, other = (
            choose(rows.assign(truth=data.draw(truths)), ["k"], criterion) for _ in range(2)
        )
        assert (one.setting, one.score) == (other.setting, other.score)


def test_a_setting_with_a_lost_cell_is_not_chosen(made: ModuleType, example: ModuleType) -> None:
    found, rows = made.one_sweep({"learning_rate": RATES}, made.by_rate)
    best = next(run for run, at in found.settings.items() if at == (1,))
    cell = (rows["run_id"] == best) & (rows["method"] == "mine") & (rows["seed"] == 2)
    for status in ("diverged", "failed"):
        choice = chosen(found, example.edited(rows, cell, status=status, nats=math.nan))
        assert choice.setting in ((0,), (2,))
        assert choice.candidates == 2
    everywhere = example.edited(rows, rows["method"] == "mine", status="diverged")
    choice = chosen(found, everywhere)
    assert choice.setting is None and "every setting lost a cell" in choice.reason


def test_an_unfinished_setting_is_not_chosen(made: ModuleType) -> None:
    """The cells that are done may be the easy ones."""
    found, rows = made.one_sweep({"learning_rate": RATES}, made.by_rate)
    best = next(run for run, at in found.settings.items() if at == (1,))
    easy = (rows["run_id"] == best) & (rows["truth"] > 0.5)
    assert chosen(found, rows[~easy]).setting != (1,)


def test_settings_without_common_cells_are_not_compared(made: ModuleType) -> None:
    found, rows = made.one_sweep({"learning_rate": RATES}, made.by_rate)
    number = {run: float(i) for i, run in enumerate(found.settings)}
    apart = rows.assign(
        params=[f"{number[run]}{p}" for run, p in zip(rows["run_id"], rows["params"], strict=True)]
    )
    (choice, *_) = choices(found, apart[apart["method"] == "mine"])
    assert choice.setting is None and "no common set of cells" in choice.reason


def test_a_value_beyond_what_can_be_certified_gains_nothing(made: ModuleType) -> None:
    """An exploding critic reports thousands of nats; ln n_test is 9.2. Agreement at a higher
    level on the other task wins."""

    def error(row: Any, setting: Any) -> float:
        exploding = setting["learning_rate"] == 1e-2
        hard = float(row["truth"]) > 0.5
        return 9000.0 if exploding and hard else (-0.5 if exploding else 9.0 if hard else 0.0)

    found, rows = made.one_sweep({"learning_rate": RATES}, error)
    assert chosen(found, rows).setting == (0,)


# --------------------------------------------------------------------- figures


@pytest.fixture(autouse=True, scope="module")
def drawing_style() -> Any:
    with style():
        yield


def new_axes() -> Axes:
    return new_figure(5, 4).subplots()


AXES: list[tuple[dict[str, list[Any]], list[str]]] = [
    ({"learning_rate": RATES}, ["s_scalar"]),
    ({"learning_rate": RATES, "ema_rate": [0.01, 0.1]}, ["s_scalar"]),
    (
        {"learning_rate": RATES, "ema_rate": [0.01, 0.1], "batch_size": [64, 128]},
        ["s_scalar_marginals", "s_scalar_mine"],
    ),
]


@pytest.mark.parametrize(("axes", "names"), AXES, ids=["one", "two", "three"])
def test_the_number_of_axes_decides_what_is_drawn_and_the_bytes_are_the_same(
    made: ModuleType, axes: dict[str, list[Any]], names: list[str]
) -> None:
    found, rows = made.one_sweep(axes, made.by_rate)
    drawn = sweep_figures(found, rows, "s")
    assert list(drawn) == names
    assert all(figure.get_label() for figure in drawn.values())
    again = sweep_figures(found, rows, "s")
    assert render(drawn[names[-1]]) == render(again[names[-1]])


def test_lines_show_the_measure_over_the_values_on_a_log_axis_with_the_truth_at_0(
    made: ModuleType,
) -> None:
    found, rows = made.one_sweep({"learning_rate": RATES}, made.by_rate)
    ax = new_axes()
    measure = MEASURES[0]
    assert plot_lines(found.table(rows), ax, found.axes[0], measure) is ax
    assert ax.get_xscale() == "log"
    lines = {line.get_label(): line for line in ax.lines}
    assert lines["MINE"].get_xdata().tolist() == RATES
    assert lines["MINE"].get_ydata() == pytest.approx([0.1, 0.02 / 3, 0.1])
    assert set(lines["truth"].get_ydata()) == {0.0}
    assert lines["truth"].get_zorder() > lines["MINE"].get_zorder()
    assert ax.get_xlim()[0] > 0
    assert len(ax.collections) == 2  # an interval for each method


def test_a_heat_map_writes_each_number_and_frames_the_choice(made: ModuleType) -> None:
    def error(row: Any, setting: Any) -> float:
        return -1000.0 * setting["learning_rate"] - setting["ema_rate"]

    found, rows = made.one_sweep({"learning_rate": [1e-4, 1e-3], "ema_rate": [0.01, 0.1]}, error)
    figure = draw_maps(found, found.table(rows))
    ax = figure.axes[0]
    texts = {text.get_position(): text.get_text() for text in ax.texts}
    assert texts == {
        (0.5, 0.5): ".11",
        (1.5, 0.5): "1.01",
        (0.5, 1.5): ".2",
        (1.5, 1.5): "1.1",
    } or (texts == {(0.5, 0.5): ".11", (0.5, 1.5): "1.01", (1.5, 0.5): ".2", (1.5, 1.5): "1.1"})
    (frame,) = ax.patches
    assert frame.get_edgecolor() == to_rgba(SELECTED)
    assert (math.floor(frame.get_x()), math.floor(frame.get_y())) == (0, 0)
    assert "KSG 0 nats" in figure.get_supxlabel()


def test_what_was_lost_is_marked_in_a_heat_map(made: ModuleType, example: ModuleType) -> None:
    found, rows = made.one_sweep(
        {"learning_rate": [1e-4, 1e-3], "ema_rate": [0.01, 0.1]}, lambda row, _: -0.25
    )
    runs = {at: run for run, at in found.settings.items()}
    mine = rows["method"] == "mine"
    all_lost = mine & (rows["run_id"] == runs[(0, 0)])
    one_lost = mine & (rows["run_id"] == runs[(1, 1)]) & (rows["seed"] == 0)
    rows = example.edited(rows, all_lost | one_lost, status="diverged", nats=math.nan)
    rows = rows[~(mine & (rows["run_id"] == runs[(0, 1)]))]
    table = found.table(rows)
    ax = new_axes()
    axes = (found.axes[0], found.axes[1])
    plot_map(table[table["method"] == "mine"], ax, axes, MEASURES[0])
    texts = {text.get_position()[::-1]: text.get_text() for text in ax.texts}
    assert texts == {(0.5, 0.5): "×", (0.5, 1.5): "", (1.5, 0.5): ".25", (1.5, 1.5): ".25*"}


def test_text_values_have_no_line_between_them(made: ModuleType) -> None:
    found, rows = made.one_sweep({"activation": ["elu", "relu"]}, lambda row, _: -0.1)
    ax = new_axes()
    plot_lines(found.table(rows), ax, found.axes[0], MEASURES[0])
    mine = next(line for line in ax.lines if line.get_label() == "MINE")
    assert mine.get_linestyle() == "None"
    assert [text.get_text() for text in ax.get_xticklabels()] == ["elu", "relu"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.0123456, ".0123"),
        (1.234, "1.23"),
        (123.4, "123"),
        (45678.0, "4.6e4"),
        (1e-5, "1e-5".replace("-", "−").replace("1e", "1.0e")),
    ],
)
def test_numbers_in_cells_are_short(value: float, text: str) -> None:
    assert compact(value) == text


def test_many_panels_are_left_to_the_marginals(made: ModuleType) -> None:
    axes: dict[str, list[Any]] = {"learning_rate": [1.0, 2.0], "ema_rate": [0.1, 0.2]}
    axes |= {name: [1, 2] for name in ("a", "b", "c", "d")}
    found, rows = made.one_sweep(axes, lambda row, setting: -setting["learning_rate"], seeds=1)
    assert panels(found) == 16 > MOST_PANELS
    assert list(sweep_figures(found, rows, "s")) == ["s_scalar_marginals"]
