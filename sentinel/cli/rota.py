"""Where ``sentinel oncall`` looks: at the node that runs on the workspace, since only it knows the
overrides made on it, or at the documents alone.

Unless told which, a command asks the node when one answers at ``DIR/.sentinel`` (or ``--data``,
``--url``), and says so; where none does, the documents are all there is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from sentinel.cli.client import Client
from sentinel.cli.lint import show
from sentinel.cli.output import Exit, say
from sentinel.library.catalog import Catalog, load
from sentinel.library.shape import meant
from sentinel.oncall.rotation import Rotation
from sentinel.oncall.schedule import OnCall, Shift, on_call, shifts

DATA = ".sentinel"


@dataclass(frozen=True, slots=True)
class Rota:
    """The rotations of a workspace's documents, and the node that is asked about them; None: the
    documents say."""

    catalog: Catalog
    node: Client | None = None

    def who(self, rotation: Rotation, at: datetime) -> OnCall:
        """Who is on call at an instant."""
        if self.node is None:
            return on_call(rotation, at, people=self.catalog.policy.people)
        found = self.node.get(f"/api/v1/oncall/{rotation.id}?at={_escaped(at)}")
        until = _instant(found["until"]) if found["until"] else None
        return OnCall(tuple(found["on_call"]), found["layer"], until)

    def between(self, rotation: Rotation, begin: datetime, end: datetime) -> tuple[Shift, ...]:
        """The final shifts between two instants, gaps included, touching and in order."""
        if self.node is None:
            return shifts(rotation, begin, end, people=self.catalog.policy.people)
        span = f"from={_escaped(begin)}&to={_escaped(end)}"
        found = self.node.get(f"/api/v1/oncall/{rotation.id}/shifts?{span}")
        return tuple(
            Shift(_instant(s["start"]), _instant(s["end"]), tuple(s["people"]), s["layer"])
            for s in found["shifts"]
        )


def _escaped(at: datetime) -> str:
    return quote(at.isoformat(), safe="")


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


workspace = click.option(
    "--dir",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=".",
    help="The workspace (default: here).",
)


def looking(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options by which a command chooses where it looks; it gets a `rota`."""

    @workspace
    @click.option(
        "--live/--documents",
        "live",
        default=None,
        help="Ask the running node, which knows overrides made on it, or only the files "
        "(default: the node, when one runs here).",
    )
    @click.option("--url", default="", help="The node's address; else its unix socket is used.")
    @click.option("--token", default="", envvar="SENTINEL_TOKEN", help="Bearer token for --url.")
    @click.option(
        "--data",
        type=click.Path(path_type=Path),
        help=f"Where the node's socket lives (default: DIR/{DATA}).",
    )
    @click.pass_context
    def with_rota(
        context: click.Context,
        /,
        *,
        folder: Path,
        live: bool | None,
        url: str,
        token: str,
        data: Path | None,
        **others: Any,
    ) -> Any:
        data = data or folder / DATA
        client = Client(url=url, token=token, socket=data / "node.sock")
        rota = Rota(read(folder), _asked(client, data, live=live))
        return context.invoke(command, rota=rota, **others)

    with_rota.__name__ = command.__name__
    with_rota.__doc__ = command.__doc__
    params = getattr(command, "__click_params__", [])
    with_rota.__click_params__ += params  # type: ignore[attr-defined]
    return with_rota


def _asked(client: Client, data: Path, *, live: bool | None) -> Client | None:
    """The node, where it is to be asked; said on stderr where nobody said which."""
    if live is not None:
        return client if live else None
    if client.url:
        return client
    if client.answers():
        say("as the running node has it, with overrides made on it (--documents: by the files)")
        return client
    if data.is_dir():
        say("no node answers here: by the documents, without overrides made on it")
    return None


def read(folder: Path) -> Catalog:
    """The workspace's catalogue; prints what is wrong and exits 3 when it has errors."""
    loaded = load(folder)
    if loaded.catalog is None:
        show(loaded.problems, "text")
        raise click.exceptions.Exit(Exit.findings)
    return loaded.catalog


def find(catalog: Catalog, name: str) -> Rotation:
    """The rotation of this name, with or without ``rotation/`` before it. Raises UsageError."""
    known = catalog.policy.rotations
    found = known.get(name.removeprefix("rotation/"))
    if found is None:
        hint = meant(name, list(known))
        raise click.UsageError(f"there is no rotation `{name}`" + (f", {hint}" if hint else ""))
    return found
