"""A secret goes to the server and nowhere else, even when the server sends it back.

Each kind talks to a real listener that says all it was told. What the kind saw then goes the way of
every check: a watcher judges it and commits, a responder opens the incident, metrics are scraped.
"""

import asyncio
import base64
import logging
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote
from zlib import decompress
from zlib import error as ZlibError

import asyncssh
import grpc as grpcio
import pytest
from grpc_health.v1 import health, health_pb2_grpc
from msgspec.structs import replace

from sentinel.engine.deciding import Decisions
from sentinel.engine.folds import Folds
from sentinel.engine.present import Present
from sentinel.engine.redaction import Redactor, secret_values
from sentinel.engine.responder import Responder, ensure_standing_rows
from sentinel.expression import compile_expression
from sentinel.kinds import ProbeWorld
from sentinel.monitor.probe import Confirm, Expectation, MetricFamily, Observation, Probe
from sentinel.monitor.verdict import Verdict
from sentinel.playbook.playbook import Reference
from sentinel.probers.command import Command
from sentinel.probers.feed import Basic as FeedBasic
from sentinel.probers.feed import Feed
from sentinel.probers.ftp import Ftp
from sentinel.probers.grpc import Grpc
from sentinel.probers.http import Http
from sentinel.probers.http_signing import Basic as HttpBasic
from sentinel.probers.imap import Imap
from sentinel.probers.journey import Journey, JourneyStep
from sentinel.probers.mqtt import Mqtt
from sentinel.probers.promql import Promql, PromqlBasic
from sentinel.probers.redis import Redis
from sentinel.probers.sftp import Sftp
from sentinel.probers.smtp import Smtp
from sentinel.probers.sql import Sql
from sentinel.probers.tcp import Tcp, TcpLine
from sentinel.probers.tls import Tls
from sentinel.probers.vendor_status import VendorStatus
from sentinel.probers.websocket import Websocket
from sentinel.testing import ManualClock
from sentinel.transport.curl import Transport
from sentinel.words import Outcome, Secret
from tests.engine.kernel import policy
from tests.engine.watching import NOON, Journal, watching
from tests.transport import certificates
from tests.transport.servers import Secrets, observed, serving

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


class Echo(grpcio.ServerInterceptor):
    """A gRPC server that says back what came with the request."""

    def intercept_service(self, continuation: Any, details: Any) -> Any:
        told = dict(details.invocation_metadata)["x-shop"]

        def refuse(request: Any, context: Any) -> None:
            context.set_trailing_metadata((("x-echo", told),))
            context.abort(grpcio.StatusCode.UNAUTHENTICATED, f"what is {told}?")

        return grpcio.unary_unary_rpc_method_handler(refuse)


@contextmanager
def grpc_server() -> Iterator[int]:
    with ThreadPoolExecutor(2) as threads:
        server = grpcio.server(threads, interceptors=[Echo()])
        health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield port
        finally:
            server.stop(None).wait()


class Door(asyncssh.SSHServer):
    """Lets everybody in, and remembers by what."""

    said: ClassVar[list[str]] = []

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        self.said.append(password)
        return True


class Files(asyncssh.SFTPServer):
    """Has no file, and says what it was told."""

    def lstat(self, path: bytes) -> asyncssh.SFTPAttrs:
        raise asyncssh.SFTPFailure(f"what is {Door.said[-1]}?")

    stat = lstat


@asynccontextmanager
async def sftp_server() -> AsyncIterator[int]:
    key = asyncssh.generate_private_key("ssh-ed25519")
    server = await asyncssh.listen(
        "127.0.0.1", 0, server_factory=Door, server_host_keys=[key], sftp_factory=Files
    )
    try:
        yield server.get_port()
    finally:
        server.close()
        await server.wait_closed()


async def postgres(reader: Any, writer: Any) -> None:
    """Wants the password in the clear (protocol 3.0: ``R`` 3), and quotes it in its refusal."""
    await reader.readexactly(8)
    writer.write(b"N")  # no TLS here
    size = int.from_bytes(await reader.readexactly(4), "big")
    await reader.readexactly(size - 4)
    writer.write(b"R" + (8).to_bytes(4, "big") + (3).to_bytes(4, "big"))
    size = int.from_bytes((await reader.readexactly(5))[1:], "big")
    password = (await reader.readexactly(size - 4)).rstrip(b"\0")
    told = b"SFATAL\0VFATAL\0C28P01\0Mwhat is " + password + b"?\0\0"
    writer.write(b"E" + (len(told) + 4).to_bytes(4, "big") + told)
    await writer.drain()


STARTTLS = lines(
    "220 hello\r\n", "250-hello\r\n250 STARTTLS\r\n", refusal="454 what is {secret}?\r\n"
)


def journey(port: int) -> Journey:
    """Two pages: the first takes what was said, the second sends it on."""
    names = {**Http.NAMES, **Journey.STEP_NAMES}
    outside = frozenset({"headers", "capture"})
    taken = compile_expression('headers["x-echo"]', names, outside=outside)
    again = compile_expression("capture.said", Journey.STEP_NAMES, outside=outside)
    base = f"http://127.0.0.1:{port}"
    refused = Expectation(compile_expression("status == 200", names))
    return Journey(
        (
            JourneyStep("first", Http(path=("a",), bearer=SECRET), (), {"said": taken}),
            JourneyStep("again", Http(path=("b",), query={"q": Reference(again)}), (refused,)),
        ),
        base=base,
    )


def column(folder: Path) -> Sql:
    """A table with a column called as another document's secret."""
    file = folder / "shop.db"
    with closing(sqlite3.connect(file)) as shop, shop:
        shop.execute(f'create table t ("{PLAIN}" integer)')
        shop.execute("insert into t values (7)")
    return Sql(url=f"sqlite://{file}", query="select * from t")


KINDS |= {
    "grpc": (
        grpc_server,
        lambda port: Grpc("127.0.0.1", port, ip="ipv4", secret_metadata={"x-shop": SECRET}),
    ),
    "sftp": (
        sftp_server,
        lambda port: Sftp(
            "127.0.0.1", "monitor", "/a", port=port, password=SECRET, verify=False
        ),
    ),
    "sql": (
        postgres,
        lambda port: Sql(
            url=f"postgresql://monitor:{{env:CANARY}}@127.0.0.1:{port}/shop", query="select 1"
        ),
    ),
    "tls": (STARTTLS, lambda port: Tls("127.0.0.1", port, starttls="smtp")),
    "journey": (http, journey),
}  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """What a prober saw, seen again by a watcher."""

    prober: Any
    observation: Observation
    KIND: ClassVar[str] = "seen"
    NAMES: ClassVar[Mapping[str, Any]] = {}

    @property
    def METRICS(self) -> tuple[MetricFamily, ...]:
        families: tuple[MetricFamily, ...] = getattr(self.prober, "METRICS", ())
        return families

    def host(self) -> str:
        return ""

    async def observe(self, world: ProbeWorld) -> Observation:
        return self.observation


async def look(named: str) -> tuple[Any, Observation]:
    """One check of a listener that says back what it is told."""
    listener, make = KINDS[named]
    secured = certificates.server("good") if named in ("imap", "smtp") else None
    async with AsyncExitStack() as stack:
        transport = await stack.enter_async_context(Transport())
        if listener is grpc_server:
            port = stack.enter_context(listener())
        elif listener is sftp_server:
            port = await stack.enter_async_context(listener())
        else:
            port = await stack.enter_async_context(serving(listener, secured))
        prober = make(port)
        return prober, await observed(prober, transport, CANARY=PLAIN)


async def known(prober: Any, seen: Observation, file: Path) -> str:
    """All that a node knows of it once it was checked, failed, and opened an incident."""
    source = 'headers["x-echo"] == ""' if "headers" in prober.NAMES else "timing.total_s < 0.0"
    expect = ()
    if not seen.reason:
        that = compile_expression(source, prober.NAMES, outside=frozenset({"headers"}))
        expect = (Expectation(that),)
    if seen.outcome is Outcome.unknown:
        seen = replace(seen, outcome=Outcome.failed)  # an incident is opened of no other
    probe = Probe(
        "canary", Seen(prober, seen), expect=expect, confirm=Confirm(1, 1, 1), labels={"a": "b"}
    )
    journal = Journal.open(file)
    assert isinstance(journal, Journal)
    journal.changes = []
    secrets = {*secret_values([prober], Secrets(CANARY=PLAIN)), PLAIN}
    clock = ManualClock(NOON, busy=lambda: journal.busy)
    async with watching([probe], journal=journal, clock=clock, secrets=secrets) as watch:
        present = Present(policy(probes={probe.id: probe}))
        decisions = Decisions(journal, watch.clock, present, Folds())
        await decisions.run([], ensure_standing_rows)
        await watch.until(Verdict.firing, "canary")
        await Responder(decisions, iter(["00000001"])).turn()
        page = watch.metrics.exposition().body.decode()
        told = await journal.view(
            lambda view: [str(each) for each in view.read("incident/00000001")]
        )
    await journal.close()
    assert told
    return "\n".join([page, *told, *stored(file)])


def stored(file: Path) -> Iterator[str]:
    """Every value of every table."""
    with closing(sqlite3.connect(file)) as database:
        for (table,) in database.execute("select name from sqlite_master where type = 'table'"):
            for row in database.execute(f'select * from "{table}"'):
                yield from map(readable, row)


def readable(value: Any) -> str:
    """A cell as text; evidence is packed by zlib."""
    if not isinstance(value, bytes):
        return str(value)
    with suppress(ZlibError):  # what is not packed is as it is
        value = decompress(value)
    return value.decode("utf-8", "replace")


def holds(text: str) -> bool:
    """Whether a text shows the secret, as it is or as it travels."""
    pair = base64.b64encode(f"monitor:{PLAIN}".encode()).decode()
    return any(form in text for form in (PLAIN, quote(PLAIN, safe=""), pair))


@pytest.mark.parametrize("named", KINDS)
def test_a_secret_that_is_sent_back_is_not_kept(
    named: str, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    async def story() -> tuple[Any, Observation, str]:
        prober, seen = await look(named)
        return prober, seen, await known(prober, seen, tmp_path / "sentinel.db")

    with caplog.at_level(logging.DEBUG):
        prober, seen, text = asyncio.run(story())

    evidence = seen.evidence
    said = f"{seen.text} {evidence.request} {evidence.response} {evidence.body!r} {evidence.facts}"
    assert holds(said) or named == "mqtt"  # it was sent back
    assert not holds(text)
    assert PLAIN not in evidence.request or "{env:" in prober.url
    assert not holds(f"{prober!r} {caplog.text}")


def test_a_column_called_like_a_secret_is_not_kept(tmp_path: Path) -> None:
    async def story() -> tuple[Observation, str]:
        prober = column(tmp_path)
        async with Transport() as transport:
            seen = await observed(prober, transport)
        return seen, await known(prober, seen, tmp_path / "sentinel.db")

    seen, text = asyncio.run(story())

    assert holds(str(seen.metrics))
    assert holds(str(seen.samples))
    assert not holds(text)
    assert 'probe_sql_value{client="",column="***"' in text


CUT = {"imap": 500, "smtp": 500, "ftp": 300, "redis": 500}
"""Kinds that quote a refusal, and how many characters of it."""


@pytest.mark.parametrize("named", CUT)
def test_of_a_secret_that_is_cut_in_two_no_half_is_kept(
    named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = {"imap": "{tag} NO ", "smtp": "535 ", "ftp": "530 ", "redis": "-ERR "}[named]
    greeting = {
        "imap": ("* OK hello\r\n", "* CAPABILITY IMAP4rev1\r\n{tag} OK done\r\n"),
        "smtp": ("220 hello\r\n", "250-hello\r\n250 AUTH PLAIN\r\n"),
        "ftp": ("220 hello\r\n",),
        "redis": ("",),
    }[named]
    texts = []
    for least in range(CUT[named] - 30, CUT[named]):
        told = lines(*greeting, refusal=f"{begun}{'a' * least}{{secret}}\r\n")
        monkeypatch.setitem(KINDS, named, (told, KINDS[named][1]))
        _, seen = asyncio.run(look(named))
        texts.append(seen.text)
    redactor = Redactor([PLAIN])
    halves = [text for text in texts if PLAIN not in text and PLAIN[:4] in text]

    assert halves
    assert all(text.endswith(("…", "`")) for text in halves)
    assert not [text for text in halves if PLAIN[:4] in redactor.text(text)]
