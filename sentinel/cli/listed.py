"""A probe that no document declares by itself: it comes of a ``discover:``, whose list is read for it.

The list is asked as a node would, now: it may hold what a running node has not read yet.
"""

from collections.abc import Sequence
from pathlib import Path

import click

from sentinel.cli.output import Exit, say
from sentinel.engine.lists import ListUnread, read_list
from sentinel.engine.secrets import LiveSecrets
from sentinel.errors import SecretMissing
from sentinel.library.catalog import Catalog
from sentinel.library.discovery import ListRefused
from sentinel.library.expanding import Discovery, Expanded, expanded
from sentinel.library.shape import meant
from sentinel.monitor.probe import Probe
from sentinel.transport.curl import Transport

SHOWN = 5


async def discovered(folder: Path, catalog: Catalog, id: str) -> Probe:
    """The probe of this id from the lists that may hold it. Ends the command where there is none: with
    usage, or where a list cannot be had as refused (1) or, when its endpoint is away, unreachable (4)."""
    lists = [each for each in catalog.discoveries.values() if f"{id}-".startswith(f"{each.id}-")]
    if not lists:
        hint = meant(id, [*catalog.policy.probes, *catalog.discoveries])
        say(f"no document declares a probe `{id}`" + (f", {hint}" if hint else ""))
        raise click.exceptions.Exit(Exit.usage)
    unread: list[Exit] = []
    without: list[str] = []
    async with Transport() as transport:
        for each in lists:
            try:
                found = await read_list(
                    each, folder=folder, transport=transport, secrets=LiveSecrets(folder)
                )
            except (ListUnread, ListRefused, SecretMissing) as error:
                away = isinstance(error, ListUnread) and error.away
                unread.append(Exit.unreachable if away else Exit.refused)
                say(f"the list of `{each.id}` ({_place(each)}) cannot be read: {error}")
                continue
            listed = expanded(each, found)
            if id in listed.probes:
                return listed.probes[id]
            without.append(_lacking(each, listed, id))
    for line in without:
        say(line)
    raise click.exceptions.Exit(unread[0] if unread else Exit.usage)


def _place(discovery: Discovery) -> str:
    return discovery.source.file or discovery.source.url


def _lacking(discovery: Discovery, listed: Expanded, id: str) -> str:
    """What the list holds instead, and what was left out of it."""
    place = f"the list of `{discovery.id}` ({_place(discovery)})"
    ids = list(listed.probes)
    what = f"{place} makes {_some(ids)}" if ids else f"{place} makes no probe"
    hint = meant(id, ids)
    lines = [
        what if id == discovery.id else f"{what}; none is `{id}`" + (f", {hint}" if hint else "")
    ]
    lines += [f"left out: {why}" for why in listed.left_out[:SHOWN]]
    if len(listed.left_out) > SHOWN:
        lines.append(f"left out: {len(listed.left_out) - SHOWN} more")
    return "\n".join(lines)


def _some(ids: Sequence[str]) -> str:
    shown = ", ".join(f"`{each}`" for each in ids[:SHOWN])
    more = f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
    return f"{len(ids)} probe{'s' * (len(ids) != 1)}: {shown}{more}"
