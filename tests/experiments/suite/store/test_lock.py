"""Locks: one holder at a time; a dead holder's lock is free."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.suite.store import holder, lock
from experiments.suite.store.files import write_atomic
from experiments.suite.store.holder import BEAT_SECONDS, STALE_SECONDS, Holder, read
from experiments.suite.store.lock import Fence, LockedError, LostLockError, held
from experiments.suite.store.runs import Run
from experiments.suite.store.tables import row_frame


def a_holder(**changes: object) -> Holder:
    ours = {
        "host": socket.gethostname(), "pid": os.getpid(), "born": "", "since": "then",
        "boot": holder.boot(), "namespace": holder.namespace(),
    }  # fmt: skip
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
        ({"heartbeat": -1e9}, True),  # here the process table tells
        ({"boot": "", "pid": "ended"}, False),  # of an older version
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


OUT_OF_SIGHT = [{"host": "elsewhere", "boot": ""}, {"boot": "other"}, {"namespace": "other"}]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beats and looks that take no time."""
    monkeypatch.setattr(holder, "BEAT_SECONDS", 0.02)
    monkeypatch.setattr(holder, "STALE_SECONDS", 0.5)
    monkeypatch.setattr(lock, "LOOK_SECONDS", 0.02)


@pytest.mark.parametrize("where", OUT_OF_SIGHT)
@pytest.mark.parametrize("clock", [0.0, -200.0, 200.0, 1e6])
def test_a_holder_out_of_sight_is_watched_whatever_its_clock_says(
    tmp_path: Path, quick: None, where: dict[str, object], clock: float
) -> None:
    """One whose heartbeat changes is left alone; one that is silent is taken over."""
    path, said, over = tmp_path / "lock.json", [], threading.Event()
    other = a_holder(pid=ended(), heartbeat=time.time() + clock, number=7, **where)
    put(path, other)

    def live() -> None:
        beats = 0
        while not over.wait(0.05):
            beats += 1
            write_atomic(path, json.dumps(asdict(replace(other, beats=beats))).encode())

    alive = threading.Thread(target=live)
    alive.start()
    try:
        with pytest.raises(LockedError, match="held by process"), held(path, time.time):
            pass
    finally:
        over.set()
        alive.join()
    with held(path, time.time, said.append) as fence:
        assert fence.mine.number == 8
    (line,) = said
    assert "cannot be seen from here: watching for 0.5 s whether it lives" in line


def test_numbers_of_locks_rise_also_where_a_lock_was_given_up(tmp_path: Path) -> None:
    found = []
    for _ in range(3):
        with held(tmp_path / "lock.json", time.time) as fence:
            found.append(fence.mine.number)
    assert found == [1, 2, 3]


def test_who_lost_the_lock_can_write_no_more(tmp_path: Path) -> None:
    path = tmp_path / "lock.json"
    with held(path, time.time) as first:
        path.unlink()
        with first.writing():  # a lock that was only removed is written again
            assert (read(path) or a_holder()).identity == first.mine.identity
        put(path, a_holder(number=2, host="elsewhere"))
        said = "taken over by process .* on elsewhere since then .*: this one stops"
        with pytest.raises(LostLockError, match=said), first.writing():
            pytest.fail("written by one that lost the lock")
        path.unlink()
        (tmp_path / ".lock.json.guard").write_text("2")
        with pytest.raises(LostLockError, match="given up since"), first.writing():
            pytest.fail("written by one that lost the lock")
    assert first.lost


SLEEPER = """
import pathlib, sys, time
from experiments.suite.store import holder
from experiments.suite.store.lock import held, LostLockError
from experiments.suite.store.runs import Run
from experiments.suite.store.tables import row_frame
holder.namespace = lambda: "a container"
holder.BEAT_SECONDS = 0.05
folder = pathlib.Path(sys.argv[1])
try:
    with held(folder / "lock.json", time.time) as fence:
        run = Run(folder, fence)
        for i in range(10**6):
            run.write_rows(row_frame({"key": f"old {k}", "status": "ok"} for k in range(i % 5)))
            print(i, flush=True)
except LostLockError as error:
    sys.exit(f"lost: {error}")
"""


@pytest.mark.parametrize("trial", range(2))
def test_a_sleeper_that_wakes_writes_nothing(tmp_path: Path, quick: None, trial: int) -> None:
    """With real processes: stopped amid its writes, taken over, and awake again."""
    del trial  # it stops at whatever moment
    folder = tmp_path / "0123456789ab"
    command = [sys.executable, "-c", SLEEPER, str(folder)]
    sleeper = subprocess.Popen(command, stdout=-1, stderr=-1, text=True)
    assert sleeper.stdout is not None
    try:
        while sleeper.stdout.readline().strip() != "3":
            assert sleeper.poll() is None
        sleeper.send_signal(signal.SIGSTOP)
        with taken_over(folder, sleeper) as fence:
            run = Run(folder, fence)
            run.write_rows(row_frame([{"key": "new", "status": "ok"}]))
            before = files_of(folder)
            sleeper.send_signal(signal.SIGCONT)
            _, err = sleeper.communicate(timeout=120)
            assert sleeper.returncode == 1 and "lost: expected to hold" in err
            assert err.count("\n") == 1 and f"taken over by process {os.getpid()}" in err
            assert files_of(folder) == before
    finally:
        sleeper.kill()
        sleeper.communicate()


def files_of(folder: Path) -> dict[str, bytes]:
    """Of all but the lock, which beats."""
    return {p.name: p.read_bytes() for p in folder.glob("[!.]*") if p.name != "lock.json"}


@contextmanager
def taken_over(folder: Path, sleeper: subprocess.Popen[str]) -> Iterator[Fence]:
    """The lock; where the sleeper was stopped within a write it must come to the write's end."""
    while True:
        try:
            with held(folder / "lock.json", time.time) as fence:
                yield fence
                return
        except LockedError:
            sleeper.send_signal(signal.SIGCONT)
            time.sleep(0.1)
            sleeper.send_signal(signal.SIGSTOP)


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
    monkeypatch.setattr(holder, "BEAT_SECONDS", 0.01)
    ticks = iter(float(i) for i in range(10**6))
    path = tmp_path / "lock.json"
    with held(path, now=lambda: next(ticks)):
        give_up = time.monotonic() + 30
        while (found := read(path)) is None or found.heartbeat < 3:
            assert time.monotonic() < give_up
            time.sleep(0.01)


def test_a_lock_that_another_took_is_left_to_it(tmp_path: Path) -> None:
    path = tmp_path / "lock.json"
    other = a_holder(host="elsewhere", number=2)
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
