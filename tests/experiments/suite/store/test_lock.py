"""Locks: one holder at a time; a dead holder's lock is free."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.suite.store import lock
from experiments.suite.store.lock import (
    BEAT_SECONDS,
    STALE_SECONDS,
    Holder,
    LockedError,
    held,
    read,
)


def a_holder(**changes: object) -> Holder:
    ours = {"host": socket.gethostname(), "pid": os.getpid(), "born": "", "since": "then"}
    return Holder(**{**ours, "heartbeat": time.time(), **changes})  # type: ignore[arg-type]


def put(path: Path, holder: Holder) -> None:
    path.write_text(json.dumps(asdict(holder)))


def ended() -> int:
    """The number of a process that is no more."""
    done = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], stdout=-1)
    return int(done.stdout)


def test_a_lock_is_there_while_it_is_held(tmp_path: Path) -> None:
    path = tmp_path / "lock.json"
    with held(path, time.time):
        found = read(path)
        assert found is not None and (found.host, found.pid) == (socket.gethostname(), os.getpid())
        assert found.alive(time.time())
    assert not path.exists()


def test_a_second_holder_is_told_who_and_since_when(tmp_path: Path) -> None:
    path = tmp_path / "lock.json"
    who = rf"held by process {os.getpid()} on {socket.gethostname()} since 20\d\d-.*: wait for it"
    with held(path, time.time):
        with pytest.raises(LockedError, match=who), held(path, time.time):
            pass
        assert path.exists()
    with held(path, time.time):
        pass


@pytest.mark.parametrize(
    ("changes", "alive"),
    [
        ({}, True),
        ({"pid": "ended"}, False),
        ({"born": "0"}, False),  # another process has its number now
        ({"host": "elsewhere"}, True),
        ({"host": "elsewhere", "heartbeat": -2 * STALE_SECONDS}, False),
        ({"host": "elsewhere", "heartbeat": 2 * STALE_SECONDS}, False),
        ({"heartbeat": -1e9}, True),  # here the process table tells
    ],
)
def test_a_dead_holders_lock_is_taken_over(
    tmp_path: Path, changes: dict[str, object], alive: bool
) -> None:
    """Heartbeats are told from now."""
    path = tmp_path / "lock.json"
    found = {k: ended() if v == "ended" else v for k, v in changes.items()}
    found["heartbeat"] = time.time() + float(found.get("heartbeat", 0.0))
    put(path, a_holder(**found))
    if alive:
        with pytest.raises(LockedError), held(path, time.time):
            pass
    else:
        with held(path, time.time):
            assert (read(path) or a_holder()).since != "then"


@given(data=st.binary(max_size=200) | st.sampled_from([b"{}", b"[]", b"nan", b'{"pid": -1}']))
def test_a_lock_that_cannot_be_read_is_none(
    data: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("lock") / "lock.json"
    path.write_bytes(data)
    assert read(path) is None
    with held(path, time.time):
        assert read(path) is not None


def test_a_holder_says_that_it_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert 3 * BEAT_SECONDS < STALE_SECONDS
    monkeypatch.setattr(lock, "BEAT_SECONDS", 0.01)
    ticks = iter(float(i) for i in range(10**6))
    path = tmp_path / "lock.json"
    with held(path, now=lambda: next(ticks)):
        give_up = time.monotonic() + 30
        while (found := read(path)) is None or found.heartbeat < 3:
            assert time.monotonic() < give_up
            time.sleep(0.01)


def test_a_lock_that_another_took_is_left_to_it(tmp_path: Path) -> None:
    path = tmp_path / "lock.json"
    other = a_holder(host="elsewhere")
    with held(path, time.time):
        put(path, other)
    assert read(path) == other


def test_a_folder_that_is_gone_ends_quietly(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with held(folder / "lock.json", time.time):
        (folder / "lock.json").unlink()
        (folder / ".lock.json.guard").unlink()
        folder.rmdir()


TAKE = """
import pathlib, sys, time
from experiments.suite.store.lock import held, LockedError
print("ready", flush=True)
sys.stdin.readline()
try:
    with held(pathlib.Path(sys.argv[1]), time.time):
        print("held", flush=True)
        sys.stdin.readline()
except LockedError:
    print("refused", flush=True)
"""


def test_of_many_at_one_instant_one_holds(tmp_path: Path) -> None:
    """Also where all of them find a dead holder's lock. The holder waits till all have tried."""
    path = tmp_path / "lock.json"
    put(path, a_holder(pid=ended()))
    command = [sys.executable, "-c", TAKE, str(path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    several = [subprocess.Popen(command, **pipes) for _ in range(6)]  # type: ignore[call-overload]

    def all_say() -> list[str]:
        return sorted(one.stdout.readline().strip() for one in several)

    def tell_all() -> None:
        for one in several:
            one.stdin.write("\n")
            one.stdin.flush()

    try:
        assert all_say() == 6 * ["ready"]
        tell_all()
        assert all_say() == ["held", *5 * ["refused"]]
    finally:
        for one in several:
            one.communicate("\n", timeout=120)
    assert [one.returncode for one in several] == 6 * [0]
    assert not path.exists()
