"""Exit statuses, and errors of one line.

The status is 0 where all went well; 1 where an estimation failed midway; 2 for input that cannot
be right, before anything is trained; 130 for Ctrl-C.
"""

from __future__ import annotations

import re
import sys
from typing import Any, NoReturn

import click

from mine.memory import is_lack, lack

OK, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130


class OneLine(click.Group):
    """Commands that print each error as one line on stderr, with its exit status."""

    def main(self, *args: Any, standalone_mode: bool = True, **extra: Any) -> NoReturn:
        try:
            status = super().main(*args, **{**extra, "standalone_mode": False})
        except click.UsageError as error:
            path = error.ctx.command_path if error.ctx else "mine"
            _fail(f"{error.format_message().rstrip('.')} (see `{path} --help`)", BAD_INPUT)
        except (click.ClickException, ValueError) as error:
            _fail(error, BAD_INPUT)
        except click.Abort:
            _fail("stopped by Ctrl-C", INTERRUPTED)
        except ModuleNotFoundError as error:
            _fail(
                f"expected {error.name} to be installed, got none: install mine-mi[command]",
                BAD_INPUT,
            )
        except (RuntimeError, OSError, MemoryError, ImportError, SystemError) as error:
            if not is_lack(error) and isinstance(error, ImportError | SystemError):
                raise
            _fail(lack(error) if is_lack(error) else str(error) or type(error).__name__, FAILED)
        sys.exit(status if isinstance(status, int) else OK)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:  # caught here: click would print an empty line first
            raise click.Abort from None


def _fail(message: object, status: int) -> NoReturn:
    click.echo(f"mine: {one_line(harmless(message))}", err=True)
    sys.exit(status)


def one_line(message: object) -> str:
    return " ".join(str(message).split())


MOST_LETTERS = 2000
"""In a line of an error or a note: names in it may be of any length."""


def harmless(text: object) -> str:
    """Text for a terminal: codes that would steer it are written out, too long a text is cut."""
    found = _STEERING.sub(lambda m: f"\\x{ord(m[0]):02x}", str(text))
    return found if len(found) <= MOST_LETTERS else found[: MOST_LETTERS - 1] + "…"


_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
