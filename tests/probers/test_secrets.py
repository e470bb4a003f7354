"""A secret goes to the server and nowhere else, even when the server sends it back."""

import asyncio
import base64
import logging
from collections.abc import Callable
from typing import Any

import pytest

from sentinel.engine.evidence import canonical, render
from sentinel.engine.redaction import Redactor, clean_result, secret_values
from sentinel.monitor.probe import CheckResult, Evidence, Later, Observation
from sentinel.probers.command import Command
from sentinel.probers.feed import Basic as FeedBasic
from sentinel.probers.feed import Feed
from sentinel.probers.ftp import Ftp
from sentinel.probers.http import Http
from sentinel.probers.http_signing import Basic as HttpBasic
from sentinel.probers.imap import Imap
from sentinel.probers.mqtt import Mqtt
from sentinel.probers.promql import Promql, PromqlBasic
from sentinel.probers.redis import Redis
from sentinel.probers.smtp import Smtp
from sentinel.probers.tcp import Tcp, TcpLine
from sentinel.probers.vendor_status import VendorStatus
from sentinel.probers.websocket import Websocket
from sentinel.transport.curl import Transport
from sentinel.words import Outcome, Secret
from tests.transport import certificates
from tests.transport.servers import NOW, Secrets, observed, serving

PLAIN = "c4nary/+?&=x7"
"""For what goes into a header, or into IMAP's quoted string."""
SECRET = Secret("{env:CANARY}")
ECHO = 'echo "CRITICAL: $PASSWORD | $PASSWORD=1"; echo "$PASSWORD" >&2; exit 2'


async def http(reader: Any, writer: Any) -> None:
    """Says back all of the request, and what was hidden in it by base64."""
    head = await reader.readuntil(b"\r\n\r\n")
    pair = base64.b64encode(f"monitor:{PLAIN}".encode()).decode()
    told = f"you sent {PLAIN}, that is {pair}: ".encode() + head
    writer.write(b"HTTP/1.1 500 No\r\nX-Echo: %s\r\n" % PLAIN.encode())
    writer.write(b"Content-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(told), told))
    await writer.drain()


def lines(*greeting: str, refusal: str) -> Callable[..., Any]:
    """Greets with the first of `greeting` and answers line by line with the others, then refuses
    each line with its own words."""

    async def script(reader: Any, writer: Any) -> None:
        writer.write(greeting[0].encode())
        left = list(greeting[1:])
        while line := await reader.readline():
            said = line.decode().strip()
            tag = said.partition(" ")[0]
            answer = left.pop(0) if left else refusal
            writer.write(answer.format(tag=tag, said=said, secret=PLAIN).encode())
            await writer.drain()

    return script


async def raw(reader: Any, writer: Any) -> None:
    """Says back what comes, and breaks off."""
    writer.write(b"-ERR " + (await reader.read(4096)).replace(b"\r\n", b" ") + b"\r\n")
    await writer.drain()


IMAP = lines(
    "* OK hello\r\n",
    "* CAPABILITY IMAP4rev1\r\n{tag} OK done\r\n",
    refusal="{tag} NO what is `{said}` or {secret}?\r\n",
)
SMTP = lines(
    "220 hello\r\n",
    "250-hello\r\n250 AUTH PLAIN\r\n",
    refusal="535 what is `{said}` or {secret}?\r\n",
)
FTP = lines("220 hello\r\n", refusal="530 what is `{said}` or {secret}?\r\n")
KINDS: dict[str, tuple[Any, Callable[[int], Any]]] = {
    "http bearer": (http, lambda port: Http(url=f"http://127.0.0.1:{port}/", bearer=SECRET)),
    "http basic": (
        http,
        lambda port: Http(url=f"http://127.0.0.1:{port}/", basic=HttpBasic("monitor", SECRET)),
    ),
    "http header": (
        http,
        lambda port: Http(url=f"http://127.0.0.1:{port}/", secret_headers={"X-Shop": SECRET}),
    ),
    "http url": (http, lambda port: Http(url=f"http://127.0.0.1:{port}/a?shop={{env:CANARY}}")),
    "feed": (
        http,
        lambda port: Feed(url=f"http://127.0.0.1:{port}/", basic=FeedBasic("monitor", SECRET)),
    ),
    "promql": (
        http,
        lambda port: Promql(
            url=f"http://127.0.0.1:{port}/", query="up", basic=PromqlBasic("monitor", SECRET)
        ),
    ),
    "vendor_status": (
        http,
        lambda port: VendorStatus(url=f"http://127.0.0.1:{port}/{{env:CANARY}}"),
    ),
    "websocket": (
        http,
        lambda port: Websocket(url=f"ws://127.0.0.1:{port}/", secret_headers={"X-Shop": SECRET}),
    ),
    "redis": (raw, lambda port: Redis(host_="127.0.0.1", port=port, password=SECRET)),
    "mqtt": (
        raw,
        lambda port: Mqtt(host_="127.0.0.1", port=port, user="monitor", password=SECRET),
    ),
    "tcp": (
        raw,
        lambda port: Tcp(
            host_="127.0.0.1",
            port=port,
            lines=(TcpLine(secret_send=SECRET), TcpLine(expect="^never$")),
        ),
    ),
    "ftp": (FTP, lambda port: Ftp(host_="127.0.0.1", port=port, path="/a", password=SECRET)),
    "imap": (
        IMAP,
        lambda port: Imap(
            host_="127.0.0.1", port=port, tls=True, verify=False, user="monitor", password=SECRET
        ),
    ),
    "smtp": (
        SMTP,
        lambda port: Smtp(
            host_="127.0.0.1", port=port, tls=True, verify=False, user="monitor", password=SECRET
        ),
    ),
    "command": (
        raw,
        lambda _: Command(argv=("/bin/sh", "-c", ECHO), env={"PASSWORD": SECRET}),
    ),
}


def told(seen: Observation) -> Evidence:
    """The evidence, made."""
    return seen.evidence.whole() if isinstance(seen.evidence, Later) else seen.evidence


def stored(prober: Any, seen: Observation) -> str:
    """What a node keeps of a failed check: its result, and its evidence."""
    redactor = Redactor(secret_values([prober], Secrets(CANARY=PLAIN)))
    result = CheckResult(
        "probe", "here", NOW, NOW, seen.duration_s, Outcome.failed, seen.reason, seen.text,
        seen.network, (), seen.phases, (),
    )  # fmt: skip
    cleaned = clean_result(result, redactor)
    return cleaned.text + canonical(render(seen, cleaned, redactor)).decode()


@pytest.mark.parametrize("named", KINDS)
def test_a_secret_that_is_sent_back_is_not_kept(
    named: str, caplog: pytest.LogCaptureFixture
) -> None:
    script, make = KINDS[named]
    secured = certificates.server("good") if named in ("imap", "smtp") else None

    async def main() -> tuple[Any, Observation]:
        async with Transport() as transport, serving(script, secured) as port:
            prober = make(port)
            return prober, await observed(prober, transport, CANARY=PLAIN)

    with caplog.at_level(logging.DEBUG):
        prober, seen = asyncio.run(main())

    assert seen.reason or seen.outcome or seen.values["status"] == 500
    assert PLAIN in f"{seen.text} {told(seen)}" or named == "mqtt"  # it was sent back
    assert PLAIN not in stored(prober, seen)
    assert PLAIN not in seen.evidence.request or "{env:" in prober.url
    assert PLAIN not in f"{prober!r} {caplog.text}"
