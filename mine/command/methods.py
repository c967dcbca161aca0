"""`mine methods`: what `--method` takes."""

from __future__ import annotations

import click

from mine.command.errors import OK
from mine.command.options import JSON
from mine.command.printing import new_table, print_json, print_table

FIELDS = ("kind", "trains", "reports", "good_at", "source")


@click.command()
@JSON
def methods(as_json: bool) -> int:
    """What --method takes, and what each is good at.

    \b
    Example:
      mine methods
    """
    _print_json() if as_json else _print_table()
    return OK


def _print_json() -> None:
    import mine

    print_json({n: {f: getattr(m, f) for f in FIELDS} for n, m in mine.methods().items()})


def _print_table() -> None:
    import mine

    table = new_table("method", "kind", "trains on", "good at")
    for name, method in mine.methods().items():
        table.add_row(name, method.kind, method.trains or "(nothing)", method.good_at)
    print_table(table)
