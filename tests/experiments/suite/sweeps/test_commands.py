"""Many commands as one."""

from __future__ import annotations

import shlex
from types import ModuleType

import pytest

from experiments.suite.sweeps.commands import merged


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
