"""What a training's state must look like, to be taken up again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Generator, Tensor


def fits(known: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> None:
    """Checks that a state has the names, shapes and types of a known one.

    Raises:
        ValueError: it does not.
    """

    def kind(of: Mapping[str, Tensor], name: str) -> object:
        return (of[name].shape, of[name].dtype) if name in of else None

    wrong = [n for n in known.keys() | state.keys() if kind(known, n) != kind(state, n)]
    if wrong:
        raise ValueError(
            "expected the state of a stack like this one, got another's (it differs in "
            f"{', '.join(sorted(wrong))}): start anew"
        )


def generator_states(generators: Sequence[Generator]) -> dict[str, Tensor]:
    """The generators' states by name: see `set_generators`."""
    return {f"generator.{k}": g.get_state() for k, g in enumerate(generators)}


def set_generators(generators: Sequence[Generator], state: Mapping[str, Tensor]) -> None:
    """Gives generators the states that `generator_states` gave.

    Raises:
        ValueError: they are no such states.
    """
    try:
        for k, generator in enumerate(generators):
            generator.set_state(state[f"generator.{k}"])
    except RuntimeError as error:
        raise ValueError(f"expected states of generators, got none: {error}") from error
