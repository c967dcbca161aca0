"""The command `mine`: estimates for the columns of a file, as a small table or as JSON."""

from __future__ import annotations

import logging
from typing import NoReturn

import click

from mine.command.compare import compare
from mine.command.errors import OneLine
from mine.command.estimate import estimate
from mine.command.lagged import lagged
from mine.command.matrix import matrix
from mine.command.methods import methods
from mine.command.printing import print_note

# A failed job logs its traceback. Without any handler, logging would print it.
logging.getLogger("mine").addHandler(logging.NullHandler())


class Outlook(logging.Handler):
    """Prints how long the library says that it will take."""

    def emit(self, record: logging.LogRecord) -> None:
        print_note(record.getMessage())


outlook = logging.getLogger("mine.outlook")
outlook.setLevel(logging.INFO)
outlook.addHandler(Outlook())


@click.group(cls=OneLine, name="mine", no_args_is_help=False)
@click.version_option(package_name="mine-mi", prog_name="mine")
def command() -> None:
    """How much do some columns of a table tell of others? In nats, with an error and warnings.

    \b
    Example:
      mine estimate people.csv --x height,weight --y age
    """


for subcommand in (estimate, compare, matrix, lagged, methods):
    command.add_command(subcommand)


def main() -> NoReturn:
    command.main(prog_name="mine")
