"""Modules performed in tests, on servers of ours or on the original's."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sentinel.blackbox.module import HttpModule, IpChoice, Module, TcpModule
from sentinel.blackbox.probed import Probed
from sentinel.blackbox.probing import probe
from sentinel.transport.curl import Transport

FOUR = IpChoice("ip4")


def everywhere(_address: str) -> bool:
    """Any address may be probed."""
    return True


def read(path: str) -> bytes:
    return Path(path).read_bytes()


async def probed(
    module: Module,
    target: str,
    transport: Transport,
    *,
    hostname: str = "",
    seconds: float = 5.0,
    allowed: Callable[[str], bool] = everywhere,
) -> Probed:
    """One probe, as the page asks for it."""
    return await probe(
        module,
        target,
        hostname=hostname,
        timeout_s=seconds,
        transport=transport,
        allowed=allowed,
        read_file=read,
        clock=time.time,
    )


def once(module: Module, target: str, **how: Any) -> Probed:
    """The same on a loop and a transport of its own."""

    async def main() -> Probed:
        async with Transport() as transport:
            return await probed(module, target, transport, **how)

    return asyncio.run(main())


def http(**block: Any) -> Module:
    return Module("tested", "http", http=HttpModule(**{"ip": FOUR, **block}))


def tcp(**block: Any) -> Module:
    return Module("tested", "tcp", tcp=TcpModule(**{"ip": FOUR, **block}))


def value(outcome: Probed, family: str, **labels: str) -> float | None:
    """A sample's value, None when there is none."""
    return outcome.samples.get(family, {}).get(tuple(sorted(labels.items())))


def said(outcome: Probed) -> str:
    """All notes as one text."""
    return "\n".join(f"{note.text} {dict(note.fields)}" for note in outcome.notes)
