"""What a sick server does, act by act: every case's server is a row of these, played once per
connection. Bytes are made while they are sent, so that a gigabyte costs the tests no memory."""

import asyncio
import gzip
import socket
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import brotli

from tests.transport.servers import Script

END = b"\r\n\r\n"
PIECE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Hear:
    """Read until these bytes came; without any, whatever comes first."""

    until: bytes = b""


@dataclass(frozen=True, slots=True)
class Say:
    """Send these bytes."""

    content: bytes


@dataclass(frozen=True, slots=True)
class Repeat:
    """Send the same for ever, as fast as it is taken, or every so many seconds."""

    content: bytes
    every_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Drip:
    """Send these bytes one at a time: slow, but never silent."""

    content: bytes
    every_s: float = 0.02


@dataclass(frozen=True, slots=True)
class Pour:
    """Send what a generator makes."""

    pieces: Callable[[], Iterator[bytes]]


@dataclass(frozen=True, slots=True)
class Hold:
    """Say nothing more, and keep the connection until the other side leaves."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Break the connection off (RST)."""


Act = Hear | Say | Repeat | Drip | Pour | Hold | Reset


def acting(*acts: Act) -> Script:
    """A server that does these one after the other, then closes."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for act in acts:
            await _do(act, reader, writer)

    return script


async def _do(act: Act, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    match act:
        case Hear(until=b""):
            await reader.read(PIECE)
        case Hear(until=until):
            await reader.readuntil(until)
        case Say(content=content):
            await _send(writer, content)
        case Repeat(content=content, every_s=every_s):
            many = content if every_s else content * max(1, PIECE // len(content))
            while True:
                await _send(writer, many)
                await asyncio.sleep(every_s)
        case Drip(content=content, every_s=every_s):
            for byte in content:
                await _send(writer, bytes([byte]))
                await asyncio.sleep(every_s)
        case Pour(pieces=pieces):
            for piece in pieces():
                await _send(writer, piece)
        case Hold():
            while await reader.read(PIECE):
                pass
        case Reset():
            own = writer.get_extra_info("socket")
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()


async def _send(writer: asyncio.StreamWriter, content: bytes) -> None:
    writer.write(content)
    await writer.drain()


BOMB = 96 << 20
"""What a bomb unfolds to: four times what the process may grow by."""


@cache
def gzip_bomb() -> bytes:
    """Zeros, a thousandth of their size."""
    return gzip.compress(bytes(BOMB), 6)


@cache
def deflate_bomb() -> bytes:
    """The same, with zlib's head (RFC 9110, 8.4.1.2)."""
    return zlib.compress(bytes(BOMB), 6)


@cache
def brotli_bomb() -> bytes:
    """The same in a few hundred bytes."""
    squeezed: bytes = brotli.compress(bytes(BOMB), quality=1)
    return squeezed


def many_times_gzipped(times: int) -> bytes:
    """A short text, compressed over and over."""
    content = b"hello"
    for _ in range(times):
        content = gzip.compress(content)
    return content
