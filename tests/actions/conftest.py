"""A world as the engine makes it, and a server that answers what a test wrote down."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from sentinel.engine.world import World
from sentinel.errors import SecretMissing
from sentinel.transport.curl import Transport
from sentinel.words import Secret

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SEEN = {
    "outcome": "failed",
    "reason": "slow",
    "text": "1.9 s",
    "duration_s": 1.9,
    "values": {"timing.total_s": 1.9},
}


class Vault:
    """Secrets by name, for ``env:NAME`` alone and inside a URL."""

    def reveal(self, secret: Secret) -> str:
        text = secret.template
        for name, value in {"TOKEN": "t0psecret", "USER": "ana"}.items():
            text = text.replace(f"{{env:{name}}}", value)
            text = value if text == f"env:{name}" else text
        if text.startswith("env:"):
            raise SecretMissing(f"the environment has no {text[4:]}")
        return text


@dataclass
class Kept:
    """What an action left behind."""

    evidence: list[tuple[str, bytes]] = field(default_factory=list)
    commands: list[Mapping[str, Any]] = field(default_factory=list)


@asynccontextmanager
async def a_world(
    folder: Path, *, timeout_s: float = 5.0, key: str = "run-1/switch/1"
) -> AsyncIterator[tuple[World, Kept]]:
    kept = Kept()

    async def check(probe: str) -> Mapping[str, Any]:
        if probe != "acme-checkout":
            raise KeyError(probe)
        return SEEN

    async def keep(name: str, content: bytes) -> str:
        kept.evidence.append((name, content))
        return sha256(content).hexdigest()

    async def submit(command: Mapping[str, Any]) -> None:
        kept.commands.append(command)

    async with Transport() as transport:
        deadline = transport.now() + timeout_s
        yield (
            World(key, deadline, NOW, transport, Vault(), folder, check, keep, submit),
            kept,
        )


@dataclass
class Server:
    """Answers every request with `answer` (None: nothing, for ever; empty: closes)."""

    port: int = 0
    answer: bytes | None = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    requests: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def answer(status: str, body: str = "", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body.encode())}", *headers, "", body]
    return "\r\n".join(lines).encode()


@asynccontextmanager
async def a_server(given: bytes | None = b"") -> AsyncIterator[Server]:
    server = Server(answer=given)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        size = next(
            (
                int(line.split(":")[1])
                for line in head.lower().split("\r\n")
                if "content-length" in line
            ),
            0,
        )
        server.requests.append(head + (await reader.readexactly(size)).decode())
        if server.answer is None:
            await reader.read()
        else:
            writer.write(server.answer)
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        server.port = listening.sockets[0].getsockname()[1]
        yield server


def run_with(
    folder: Path, use: Callable[[World, Kept], Awaitable[Any]], **world: Any
) -> tuple[Any, Kept]:
    async def main() -> tuple[Any, Kept]:
        async with a_world(folder, **world) as (made, kept):
            return await use(made, kept), kept

    return asyncio.run(main())
