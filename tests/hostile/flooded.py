"""A child's program: a flood of TLS messages from another thread, faster than anybody reads, against
one check. It prints what came of it, and is a process of its own because it may never end.

    python -m tests.hostile.flooded (HelloRequest | tickets) WAY
"""

import asyncio
import json
import socket
import ssl
import sys
import threading
from contextlib import suppress

from sentinel.transport.curl import Transport
from tests.hostile.handshakes import HANDSHAKE, record
from tests.hostile.suite import check
from tests.hostile.targets import LANES, OVER_TLS
from tests.transport import certificates

TIMEOUT_S = 2.0


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


FLOODS = {"HelloRequest": hello_requests, "tickets": tickets}


def serve(listening: socket.socket, flood: str) -> None:
    """Flood whoever comes, until they leave."""
    while True:
        peer, _ = listening.accept()
        with suppress(OSError, ssl.SSLError), peer:
            FLOODS[flood](peer)


async def main(flood: str, way: str) -> dict[str, object]:
    """One check, and the longest time in which nothing else of the loop ran."""
    listening = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, args=(listening, flood), daemon=True).start()
    async with Transport(lane=LANES.get(way, "auto")) as transport:
        held_s, last = 0.0, transport.now()

        async def beat() -> None:
            nonlocal held_s, last
            while True:
                await asyncio.sleep(0.01)
                held_s, last = max(held_s, transport.now() - last), transport.now()

        beating = asyncio.create_task(beat())
        began = transport.now()
        prober = OVER_TLS[way](listening.getsockname()[1])
        observation = await check(prober, transport, seconds=TIMEOUT_S)
        beating.cancel()
        took_s = transport.now() - began
        said = {"reason": str(observation.reason), "text": observation.text}
        return {**said, "took_s": took_s, "held_s": max(held_s, transport.now() - last)}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(*sys.argv[1:]))))
