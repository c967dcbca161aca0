"""Processes that run stacks side by side, each stack on one thread.

Threads that share one stack would wait for each other at each of its few dozen small operations,
and the results would depend on their number. Threads with a stack each would wait as often for
Python's lock. So on a CPU each stack has a process with one thread.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import warnings
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from typing import cast

import torch

from mine.running.devices import working_on
from mine.running.events import Done, Event, Failure, Halved
from mine.running.freed_memory import keep_freed_memory
from mine.running.jobs import AnyJob
from mine.running.run_options import RunOptions, Stopped
from mine.running.stack_events import halves, run_stack

_POLL_SECONDS = 0.2  # between two looks at whether to stop
_STOP_SECONDS = 60.0  # for a process to end its block of steps and save its state


def side_by_side(
    jobs: Sequence[AnyJob],
    todo: Sequence[tuple[int, ...]],
    device: torch.device,
    count: int,
    options: RunOptions,
) -> Iterator[Event]:
    """Deals the stacks to processes. A process that dies loses its own stack alone."""
    waiting = deque(todo)
    workers: dict[Connection, _Worker] = {}
    try:
        while (waiting or workers) and not options.stopping():
            while waiting and len(workers) < count:
                worker = _Worker(jobs, device, options, list(workers))
                workers[worker.connection] = worker
                worker.take(waiting.popleft(), options.clock())
            for connection in wait(list(workers), timeout=_POLL_SECONDS):
                yield from _heard(workers, cast(Connection, connection), waiting, options)
            for worker in workers.values():
                worker.give_up(options)
        if waiting or workers:
            yield from _stop(workers.values())
            raise Stopped
    finally:
        for worker in workers.values():
            worker.process.kill()
            worker.process.join()


def _heard(
    workers: dict[Connection, _Worker],
    connection: Connection,
    waiting: deque[tuple[int, ...]],
    options: RunOptions,
) -> Iterator[Event]:
    """A worker's next event. A worker that is idle gets the next stack, or is dismissed."""
    worker = workers[connection]
    try:
        event: Event | None = connection.recv()
    except (EOFError, ConnectionResetError):
        del workers[connection]
        yield from _last_events(worker, waiting)
        return
    if event is not None:
        worker.note(event, options.clock())
        yield event
    elif waiting:
        worker.take(waiting.popleft(), options.clock())
    else:
        del workers[connection]
        worker.dismiss()


def _last_events(worker: _Worker, waiting: deque[tuple[int, ...]]) -> Iterator[Event]:
    """Of a worker that died. The halves of its stack wait before all others."""
    for event in worker.last_events():
        if isinstance(event, Halved):
            waiting.extendleft(reversed(halves(event.jobs)))
        yield event


def _stop(workers: Iterable[_Worker]) -> Iterator[Event]:
    """Asks all processes to end, and yields their last events."""
    for worker in workers:
        with suppress(OSError):
            worker.connection.send(None)
    for worker in workers:
        with suppress(EOFError, ConnectionResetError):
            while worker.connection.poll(_STOP_SECONDS):
                event = worker.connection.recv()
                if event is not None:
                    yield event


class _Worker:
    """A process that runs the stacks it is sent, one after another, on one thread.

    It is forked, so the caller's tasks and networks need not be pickled. It uses none of the locks
    and threads of its parent.

    Attributes:
        connection: takes stacks, gives events; None ends either.
        open: jobs of its stack that have not ended.
        heard: when its last event came, in seconds.
        given_up: why it was killed; "" where it was not.
    """

    def __init__(
        self,
        jobs: Sequence[AnyJob],
        device: torch.device,
        options: RunOptions,
        others: Sequence[Connection],
    ) -> None:
        context = multiprocessing.get_context("fork")
        self.connection, theirs = context.Pipe()
        ours = [self.connection, *others]
        self.process = context.Process(
            target=_work, args=(theirs, ours, os.getpid(), jobs, device, options), daemon=True
        )
        with warnings.catch_warnings():  # forking beside idle threads is safe here
            warnings.simplefilter("ignore", DeprecationWarning)
            self.process.start()
        theirs.close()
        self.open: set[int] = set()
        self.heard = 0.0
        self.given_up = ""

    def take(self, stack: tuple[int, ...], now: float) -> None:
        self.open = set(stack)
        self.heard = now
        self.connection.send(stack)

    def note(self, event: Event, now: float) -> None:
        self.heard = now
        if isinstance(event, Done):
            self.open.discard(event.job)

    def give_up(self, options: RunOptions) -> None:
        """Kills the process where its last event is too long ago."""
        if self.open and not self.given_up and options.clock() - self.heard > options.time_limit:
            self.given_up = f"no news for more than its time limit of {options.time_limit:g} s"
            self.process.kill()

    def dismiss(self) -> None:
        self.connection.send(None)
        self.process.join()

    def last_events(self) -> Iterator[Event]:
        """Of a process that died: its stack is halved, or its one open job has failed."""
        self.process.join()
        code = self.process.exitcode
        reason = (
            self.given_up or f"its process ended with exit code {code}: out of memory, perhaps"
        )
        if len(self.open) > 1:
            yield Halved(tuple(sorted(self.open)), reason)
        for job in self.open if len(self.open) == 1 else ():
            yield Done(job, Failure(reason))


def _work(
    connection: Connection,
    callers: Sequence[Connection],
    caller: int,
    jobs: Sequence[AnyJob],
    device: torch.device,
    options: RunOptions,
) -> None:
    """Runs stacks until it is told to end, or until the caller is dead, however it died."""
    for end in callers:  # copies of the caller's ends: an open one would hide the caller's death
        end.close()
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"):  # they are for the caller
        signal.signal(getattr(signal, name), signal.SIG_IGN)

    def hand_on(number: int, _: object) -> None:
        if os.getppid() == caller:
            os.kill(caller, number)

    # So is the limit of CPU seconds, but the system tells the process alone that has used them.
    signal.signal(signal.SIGXCPU, hand_on)

    def stopping() -> bool:  # a message in the middle of a stack can only ask to end
        return os.getppid() != caller or connection.poll()

    keep_freed_memory()
    ours = replace(options, stopping=stopping)
    with working_on(device), suppress(Stopped, BrokenPipeError, ConnectionResetError, EOFError):
        for stack in iter(connection.recv, None):
            for event in run_stack(jobs, stack, device, ours):
                connection.send(event)
            connection.send(None)
