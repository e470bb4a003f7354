"""Heartbeats: others tell us that they live. The address is the secret (rule 19).

``/ping/SECRET`` says success, ``/start`` begins a run, ``/fail`` fails it, ``/log`` only
notes, ``/N`` is an exit code. ``/ping/ID`` with the probe's id works from loopback only.
"""

import hmac

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from sentinel.engine.node import Node
from sentinel.engine.pings import read_ping
from sentinel.errors import SecretMissing
from sentinel.web.auth import is_local
from sentinel.words import Secret


async def ping(request: Request) -> Response:
    """Take a ping; 404 for a secret nobody declared. While the journal is away it counts, and 503
    asks for it again, since this process may not live to record it."""
    node: Node = request.app.state.node
    probe = _probe(node, request.path_params["secret"], local=is_local(request))
    ping = read_ping(request.path_params.get("what", ""), at=node.clock.now())
    if probe is None or ping is None:
        return PlainTextResponse("no such heartbeat\n", 404)
    node.watcher.ping(probe, ping)
    if node.blind.blind_since is not None:
        return PlainTextResponse(f"{node.unready()}\n", 503, {"retry-after": "5"})
    return PlainTextResponse("OK\n")


def _probe(node: Node, secret: str, *, local: bool) -> str | None:
    """The heartbeat this secret belongs to; compared in constant time, every one of them."""
    found = None
    for probe in node.present.policy.probes.values():
        if probe.kind != "heartbeat":
            continue
        if local and probe.id == secret:
            found = probe.id
        declared = getattr(probe.prober, "secret", None)
        if isinstance(declared, Secret) and _same(node, declared, secret):
            found = probe.id
    return found


def _same(node: Node, declared: Secret, given: str) -> bool:
    try:
        return hmac.compare_digest(node.secrets.reveal(declared), given)
    except SecretMissing:
        return False
