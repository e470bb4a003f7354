"""What commands print: data on stdout, talk on stderr, and how they end.

Exit codes: 0 ok, 1 refused or failed, 2 usage, 3 findings, 4 unreachable.
"""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any

import click
from rich.console import Console
from rich.table import Table


class Exit(IntEnum):
    """How a command ends."""

    ok = 0
    refused = 1
    usage = 2
    findings = 3
    unreachable = 4


def print_json(value: Any) -> None:
    """One JSON value on stdout, indented, keys in the order given, instants as ISO 8601 in UTC."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=_jsonable))


def _jsonable(value: Any) -> Any:
    if isinstance(value, datetime):
        return instant(value)
    raise TypeError(f"{type(value).__name__} cannot be printed as JSON")


def instant(at: datetime) -> str:
    """``2026-02-03T09:00:00Z``: an aware instant in UTC, to the second."""
    return at.astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table: drawn on a terminal, tab-separated without headings elsewhere, for ``cut`` and ``awk``."""
    if not sys.stdout.isatty():
        for row in rows:
            click.echo("\t".join(row))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def say(text: str) -> None:
    """Talk, on stderr."""
    click.echo(text, err=True)
