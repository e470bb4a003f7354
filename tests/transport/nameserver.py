"""A name server on loopback that does exactly what a test tells it, over UDP and TCP of one port."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import dns.message
import dns.rrset

from tests.ports import bound_pair
from tests.transport.servers import serving

Answering = Callable[[bytes, str], Iterable[bytes]]
"""From a query and ``udp`` or ``tcp`` to the messages that are sent back."""


def says(*records: str, section: str = "answer", **header: Any) -> Answering:
    """Answer with these records (``name ttl class type data``) and header fields of dnspython."""

    def answering(asked: bytes, _protocol: str) -> list[bytes]:
        return [response(asked, *records, section=section, **header)]

    return answering


def response(asked: bytes, *records: str, section: str = "answer", **header: Any) -> bytes:
    """What dnspython answers to a query, as bytes. A record may name its section: ``@authority``."""
    message = dns.message.make_response(dns.message.from_wire(asked))
    for line in records:
        name, ttl, class_, kind, data = line.split(" ", 4)
        where = section
        if name.startswith("@"):
            where, _, name = name[1:].partition(":")
        rrset = dns.rrset.from_text(name, int(ttl), class_, kind, data)
        getattr(message, where).append(rrset)
    flags = header.pop("flags", 0)
    message.flags |= flags
    if "rcode" in header:
        message.set_rcode(header.pop("rcode"))
    return message.to_wire(max_size=65535)


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, answering: Answering, heard: list[tuple[str, bytes]]) -> None:
        self._answering = answering
        self._heard = heard

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, content: bytes, address: Any) -> None:
        self._heard.append(("udp", content))
        for message in self._answering(content, "udp"):
            self._transport.sendto(message, address)


@asynccontextmanager
async def names(
    answering: Answering, tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[int, list[tuple[str, bytes]]]]:
    """The port, and what was heard: (protocol, query)."""
    heard: list[tuple[str, bytes]] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = int.from_bytes(await reader.readexactly(2), "big")
        asked = await reader.readexactly(size)
        heard.append(("tcp", asked))
        for message in answering(asked, "tcp"):
            writer.write(len(message).to_bytes(2, "big") + message)
            await writer.drain()

    tcp, udp = bound_pair()
    async with serving(script, tls, bound=tcp) as port:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: _Udp(answering, heard), sock=udp)
        try:
            yield port, heard
        finally:
            transport.close()
            await asyncio.sleep(0)
