"""TLS gone wrong at each of its steps, on real sockets and with a real other half.

The server's half is OpenSSL's, in memory: its flight is taken apart into handshake messages (RFC
5246, 7.4), as many of them are sent as the case wants, and then comes what makes it sick. With TLS
1.2 all messages up to Finished are in the clear, so that there is a place between any two.
"""

import asyncio
import ssl
import warnings
from collections.abc import Callable, Sequence

from tests.hostile.acts import Act, acting
from tests.transport import certificates
from tests.transport.servers import Script

ALERT, HANDSHAKE, APPLICATION = 21, 22, 23
CERTIFICATE, HELLO_DONE = 11, 14
SERVER_HELLO = 2


def record(kind: int, content: bytes, *, version: bytes = b"\x03\x03") -> bytes:
    """One record in the clear (RFC 5246, 6.2.1)."""
    return bytes([kind]) + version + len(content).to_bytes(2, "big") + content


def alert(description: int, *, level: int = 2) -> bytes:
    """An alert in the clear (RFC 5246, 7.2): 40 handshake_failure, 80 internal_error…"""
    return record(ALERT, bytes([level, description]))


def message(kind: int, content: bytes) -> bytes:
    """One handshake message in a record of its own."""
    return record(HANDSHAKE, bytes([kind]) + len(content).to_bytes(3, "big") + content)


def after(last: int, *acts: Act) -> Script:
    """Go through the handshake up to the server's message of this kind, then act."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for kind, content in _messages(_flight(await _record(reader))):
            writer.write(message(kind, content))
            if kind == last:
                break
        await writer.drain()
        await acting(*acts)(reader, writer)

    return script


def after_finished(*acts: Act, corrupt: bytes = b"") -> Script:
    """Go through the whole handshake of TLS 1.2, send `corrupt` encrypted with one bit turned
    (so that its authentication code is wrong), then act in the clear."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        half, coming, going = _half()
        for _ in range(10):
            try:
                half.do_handshake()
                break
            except ssl.SSLWantReadError:
                writer.write(going.read())
                coming.write(await _record(reader))
        writer.write(going.read())
        if corrupt:
            half.write(corrupt)
            sealed = bytearray(going.read())
            sealed[-1] ^= 1
            writer.write(bytes(sealed))
        await writer.drain()
        await acting(*acts)(reader, writer)

    return script


def encrypted(context: Callable[[], ssl.SSLContext], *acts: Act) -> Script:
    """Shake hands as this context does, then act within TLS."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await writer.start_tls(context())
        except (OSError, AttributeError):  # the client would not; asyncio has then lost the writer
            return
        await acting(*acts)(reader, writer)

    return script


def old_only() -> ssl.SSLContext:
    """A server that speaks TLS 1.0 and nothing newer."""
    context = certificates.server("good")
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that it is old is the point
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1
    return context


def server_with_tickets() -> ssl.SSLContext:
    """A server of TLS 1.3 that sends thousands of session tickets after the handshake."""
    context = certificates.server("good")
    context.num_tickets = 5_000
    return context


def _half() -> tuple[ssl.SSLObject, ssl.MemoryBIO, ssl.MemoryBIO]:
    context = certificates.server("good")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    coming, going = ssl.MemoryBIO(), ssl.MemoryBIO()
    return context.wrap_bio(coming, going, server_side=True), coming, going


def _flight(hello: bytes) -> bytes:
    """What OpenSSL answers to a ClientHello."""
    half, coming, going = _half()
    coming.write(hello)
    try:
        half.do_handshake()
    except ssl.SSLWantReadError:
        return going.read()
    raise AssertionError("a handshake ended after one message")


def _messages(flight: bytes) -> Sequence[tuple[int, bytes]]:
    """The handshake messages of a flight, its records taken off."""
    stream, at = bytearray(), 0
    while at < len(flight):
        size = int.from_bytes(flight[at + 3 : at + 5], "big")
        stream += flight[at + 5 : at + 5 + size]
        at += 5 + size
    found, at = [], 0
    while at < len(stream):
        size = int.from_bytes(stream[at + 1 : at + 4], "big")
        found.append((stream[at], bytes(stream[at + 4 : at + 4 + size])))
        at += 4 + size
    return found


async def _record(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(5)
    return head + await reader.readexactly(int.from_bytes(head[3:5], "big"))
