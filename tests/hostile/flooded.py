"""A child's program: a flood from another process, faster than anybody reads, against one check. It
prints what came of it, and is a process of its own because it may never end.

    python -m tests.hostile.flooded (HelloRequest | tickets | rows) WAY
"""

import asyncio
import json
import multiprocessing
import socket
import ssl
import sys
from contextlib import suppress

from sentinel.transport.curl import Transport
from tests.hostile.handshakes import HANDSHAKE, record
from tests.hostile.suite import check
from tests.hostile.targets import LANES, OVER_TLS, WAYS
from tests.hostile.wire_cases import BEGUN, COLUMN, DECLARED, LET_IN, ROW
from tests.transport import certificates

TIMEOUT_S = 2.0
POSTGRES = "sql postgresql"


def hello_requests(peer: socket.socket) -> None:
    """Ask for a handshake while there is one, again and again (RFC 5246, 7.4.1.1)."""
    peer.recv(65536)
    many = record(HANDSHAKE, bytes(4)) * 5_000
    while True:
        peer.sendall(many)


def tickets(peer: socket.socket) -> None:
    """Finish the handshake, and then never stop sending session tickets."""
    context = certificates.server("good")
    context.num_tickets = 200_000
    with context.wrap_socket(peer, server_side=True) as secured:
        secured.recv(1)


def rows(peer: socket.socket) -> None:
    """Let anybody in, take the query, and never come to the last row."""
    for answer in (LET_IN, BEGUN, DECLARED, COLUMN):
        peer.recv(65536)
        peer.sendall(answer)
    while True:
        peer.sendall(ROW * 5_000)


FLOODS = {"HelloRequest": hello_requests, "tickets": tickets, "rows": rows}


def agreed(flood: str, way: str, peer: socket.socket) -> None:
    """PostgreSQL asks in plain text whether to go on over TLS."""
    if way == POSTGRES:
        peer.recv(65536)
        peer.sendall(b"N" if flood == "rows" else b"S")


def serve(listening: socket.socket, flood: str, way: str) -> None:
    """Flood whoever comes, until they leave and nobody else comes."""
    listening.settimeout(10.0)
    while True:
        try:
            peer, _ = listening.accept()
        except TimeoutError:
            return
        with suppress(OSError, ssl.SSLError), peer:
            agreed(flood, way, peer)
            FLOODS[flood](peer)


async def main(port: int, way: str) -> dict[str, object]:
    """One check, and the longest time in which nothing else of the loop ran."""
    async with Transport(lane=LANES.get(way, "auto")) as transport:
        held_s, last = 0.0, transport.now()

        async def beat() -> None:
            nonlocal held_s, last
            while True:
                await asyncio.sleep(0.01)
                held_s, last = max(held_s, transport.now() - last), transport.now()

        beating = asyncio.create_task(beat())
        began = transport.now()
        prober = {**WAYS, **OVER_TLS}[way](port)
        observation = await check(prober, transport, seconds=TIMEOUT_S)
        beating.cancel()
        took_s = transport.now() - began
        said = {"reason": str(observation.reason), "text": observation.text}
        return {**said, "took_s": took_s, "held_s": max(held_s, transport.now() - last)}


def flooded(flood: str, way: str) -> dict[str, object]:
    """The flood comes from a process of its own: a library that holds the interpreter while it reads
    would keep a thread from sending."""
    certificates.folder()  # made here, so that both trust the same
    with socket.create_server(("127.0.0.1", 0)) as listening:
        alone = multiprocessing.get_context("fork")
        server = alone.Process(target=serve, args=(listening, flood, way), daemon=True)
        server.start()
        try:
            return asyncio.run(main(listening.getsockname()[1], way))
        finally:
            server.kill()
            server.join()


if __name__ == "__main__":
    print(json.dumps(flooded(*sys.argv[1:])))
