"""Signals are noted and answered when there is time; callers' own handlers come after."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

import pytest

from experiments.suite.run.signals import watch_signals


@pytest.fixture(autouse=True)
def _heard() -> Any:
    """A shell's background job ignores Ctrl-C: here it is heard."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("number", "status"),
    [
        (signal.SIGINT, 130),
        (signal.SIGTERM, 143),
        (signal.SIGHUP, 129),
        (signal.SIGXCPU, 152),
        (signal.SIGUSR1, 138),
    ],
)
def test_a_signal_is_noted_and_not_died_of(number: signal.Signals, status: int) -> None:
    default = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
    before = signal.signal(number, default)  # nohup ignores SIGHUP, and so would the watch
    try:
        _assert_noted(number, status)
    finally:
        signal.signal(number, before)


def _assert_noted(number: signal.Signals, status: int) -> None:
    with watch_signals() as found:
        assert not found and found.name == ""
        os.kill(os.getpid(), number)
        assert found
        assert (found.name, found.status) == (number.name, status)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_the_first_signal_counts() -> None:
    with watch_signals() as found:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGUSR1)
        assert found.name == "SIGTERM"


def test_a_second_ctrl_c_interrupts_at_once() -> None:
    with watch_signals() as found:
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert found.name == "SIGINT"


def test_a_launchers_own_handler_is_called_when_all_is_saved() -> None:
    """submitit puts a preempted job back into the queue so."""
    order: list[str] = []
    before = signal.signal(signal.SIGUSR2, lambda *_: order.append("put back into the queue"))
    try:
        with watch_signals() as found:
            os.kill(os.getpid(), signal.SIGUSR2)
            assert found and not order
            order.append("saved")
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert order == ["saved", "put back into the queue"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_an_ignored_signal_stays_ignored(number: signal.Signals) -> None:
    """nohup has SIGHUP ignored."""
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with watch_signals() as found:
            os.kill(os.getpid(), number)
            assert not found
    finally:
        signal.signal(number, before)


def test_outside_the_main_thread_nothing_is_touched() -> None:
    seen: list[bool] = []

    def inside() -> None:
        with watch_signals() as found:
            seen.append(bool(found))

    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()
    assert seen == [False]
