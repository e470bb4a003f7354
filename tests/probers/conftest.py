"""A world for one check, and a web server on loopback that serves what a test gives it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sentinel.kinds import Pings, ProbeWorld
from sentinel.monitor.probe import Observation
from sentinel.transport.curl import Transport
from sentinel.words import Secret

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
"""A Sunday."""


class Vault:
    def reveal(self, secret: Secret) -> str:
        return secret.template.replace("{env:TOKEN}", "t0psecret")


@dataclass
class Shelf:
    """What is served: a status, headers, a body. `stalls` never ends the body it announced."""

    port: int = 0
    status: str = "200 OK"
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    stalls: bool = False
    heads: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@asynccontextmanager
async def served(shelf: Shelf) -> AsyncIterator[Shelf]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        shelf.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        size = len(shelf.body) + (1000 if shelf.stalls else 0)
        lines = [f"{name}: {value}" for name, value in shelf.headers.items()]
        head = "\r\n".join([f"HTTP/1.1 {shelf.status}", *lines, f"Content-Length: {size}", "", ""])
        writer.write(head.encode() + shelf.body)
        if shelf.stalls:
            await reader.read()
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        shelf.port = listening.sockets[0].getsockname()[1]
        yield shelf


def observed(
    make: Callable[[str], Any],
    shelf: Shelf | None = None,
    *,
    now: datetime = NOW,
    timeout_s: float = 10.0,
    **world: Any,
) -> Observation:
    """One check of the prober that `make` gives for the server's URL."""

    async def main() -> Observation:
        async with Transport() as transport, served(shelf or Shelf()) as serving:
            deadline = transport.now() + timeout_s
            around = ProbeWorld(
                now=now, deadline=deadline, transport=transport, secrets=Vault(), **world
            )
            seen: Observation = await make(serving.url).observe(around)
            return seen

    return asyncio.run(main())


def pings(*given: tuple[datetime, str] | tuple[datetime, str, int]) -> Sequence[Pings]:
    return [Pings(*each) for each in given]


def values(observation: Observation) -> Mapping[str, Any]:
    return observation.values
