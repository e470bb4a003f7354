"""The relay between a library and its server. (`tests/hostile/test_kinds.py` floods for real.)"""

import asyncio
from collections.abc import Awaitable, Callable

from sentinel.transport.reasons import Reason
from sentinel.transport.relay import PIECE, Relay
from tests.transport.servers import Script, serving

Library = Callable[[Relay, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
MOST = 100_000


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(PIECE):
        writer.write(piece)
        await writer.drain()


async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(bytes(PIECE))
        await writer.drain()


def relayed(script: Script, *libraries: Library, most_bytes: int = MOST) -> Relay:
    """Let each connect, one after the other, and do what it does."""

    async def main() -> Relay:
        deadline = asyncio.get_running_loop().time() + 5.0
        async with (
            serving(script) as port,
            Relay("127.0.0.1", port, deadline, most_bytes=most_bytes) as relay,
        ):
            for library in libraries:
                reader, writer = await asyncio.open_connection(*relay.address)
                await library(relay, reader, writer)
                writer.close()
            return relay

    return asyncio.run(main())


async def asks(relay: Relay, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"ready?")
    assert b"ready?" == await reader.readexactly(6)


async def hears(relay: Relay, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    assert len(await reader.read(-1)) <= relay.allowed_bytes


def test_what_each_side_says_reaches_the_other_and_a_library_may_begin_anew() -> None:
    relay = relayed(echo, asks, asks)
    assert ("127.0.0.1", False) == (relay.opened.address, relay.flooded)


def test_a_server_that_says_more_than_it_may_is_at_its_end() -> None:
    assert relayed(pour, hears).flooded


def test_what_was_said_before_does_not_count_against_what_is_allowed_next() -> None:
    async def asks_much(
        relay: Relay, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        for _ in range(3):
            relay.allow(MOST)
            writer.write(bytes(MOST))
            await reader.readexactly(MOST)

    assert not relayed(echo, asks_much, most_bytes=0).flooded


def test_cut_ends_both_sides_at_once() -> None:
    async def waits(
        relay: Relay, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await asks(relay, reader, writer)
        relay.cut()
        assert b"" == await reader.read()

    assert not relayed(echo, waits).flooded


def test_a_server_that_is_not_there_is_known_before_anybody_connects() -> None:
    async def main() -> Relay:
        deadline = asyncio.get_running_loop().time() + 5.0
        async with Relay("127.0.0.1", 1, deadline, most_bytes=MOST) as relay:
            return relay

    opened = asyncio.run(main()).opened
    assert (None, Reason.connect_refused) == (opened.socket, opened.reason)
