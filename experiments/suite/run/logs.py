"""The run's log file, and warnings on stderr."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class LogFile(logging.FileHandler):
    """A log file that gives up in silence where the disk is full: writing the rows fails too,
    and that error is reported."""

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError):
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:
        pass

    def close(self) -> None:
        with suppress(OSError):
            super().close()


class WarningLines(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes each warning to stderr in one line; errors are written by `messages.complain`."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("experiments: %(message)s"))
        self.addFilter(lambda record: record.levelno == logging.WARNING)


@contextmanager
def logging_to(path: Path, lost: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Inside the `with` block, the logs of `experiments` and `mine` go to this file.

    Once the run's lock is lost, nothing more is written to it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handlers = [LogFile(path, delay=True), WarningLines()]
    handlers[0].addFilter(lambda record: not lost())
    handlers[0].setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    loggers = [logging.getLogger(name) for name in ("experiments", "mine")]
    for logger in loggers:
        logger.setLevel(logging.INFO)
        for handler in handlers:
            logger.addHandler(handler)
    try:
        yield
    finally:
        for handler in handlers:
            for logger in loggers:
                logger.removeHandler(handler)
            handler.close()
