"""Arguments that several commands share."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click

from sentinel.cli.client import Client
from sentinel.library.spans import seconds
from sentinel.localtime import moment


def addresses_of(given: tuple[str, ...]) -> dict[str, str]:
    """``NAME=URL`` pairs. Ends the command with usage for anything else."""
    found = {}
    for each in given:
        name, equals, url = each.partition("=")
        if not equals or not url:
            raise click.BadParameter(f"`{each}` is not NAME=URL", param_hint="--address")
        found[name] = url
    return found


def reaching(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options by which a command finds the running node; it gets a `client`."""

    @click.option("--url", default="", help="the node's address; else its unix socket is used")
    @click.option("--token", default="", envvar="SENTINEL_TOKEN", help="bearer token for --url")
    @click.option(
        "--data",
        type=click.Path(path_type=Path),
        default=Path(".sentinel"),
        show_default=True,
        help="where the node's socket lives",
    )
    @click.pass_context
    def with_client(
        context: click.Context, /, *, url: str, token: str, data: Path, **others: Any
    ) -> Any:
        client = Client(url=url, token=token, socket=data / "node.sock")
        return context.invoke(command, client=client, **others)

    with_client.__name__ = command.__name__
    with_client.__doc__ = command.__doc__
    params = getattr(command, "__click_params__", [])
    with_client.__click_params__ += params  # type: ignore[attr-defined]
    return with_client


def span(text: str) -> timedelta:
    """A span such as ``30m`` or ``2h``. Ends the command with usage for anything else."""
    try:
        return timedelta(seconds=seconds(text))
    except ValueError as wrong:
        raise click.BadParameter(str(wrong)) from wrong


class Moment(click.ParamType[datetime]):
    """An instant (``2026-02-03T09:00Z``, with any offset) or a wall clock of the rotation."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, context: click.Context | None
    ) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            return moment(value)
        except ValueError as wrong:
            self.fail(str(wrong), param, context)
