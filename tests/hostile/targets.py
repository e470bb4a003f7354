"""A prober of each kind, aimed at a port of loopback where something sick listens.

Each is declared so that as much as possible of what a server says is read: dialogues, facts,
listings, rows. `WAYS` are the ways in which a kind can meet a server: over which lane, with or
without TLS, asking which protocol.
"""

from collections.abc import Callable, Mapping
from typing import Any

from sentinel.expression import compile_expression
from sentinel.kinds import Prober
from sentinel.monitor.probe import Expectation
from sentinel.probers.dns import Dns
from sentinel.probers.domain import Domain
from sentinel.probers.feed import Feed
from sentinel.probers.ftp import Ftp
from sentinel.probers.grpc import Grpc
from sentinel.probers.http import Http
from sentinel.probers.imap import Imap
from sentinel.probers.journey import Journey, JourneyStep
from sentinel.probers.mqtt import Mqtt
from sentinel.probers.promql import Promql
from sentinel.probers.redis import Redis
from sentinel.probers.sftp import Sftp
from sentinel.probers.smtp import Smtp
from sentinel.probers.sql import Sql
from sentinel.probers.ssh import Ssh
from sentinel.probers.tcp import Tcp, TcpLine
from sentinel.probers.tls import Tls
from sentinel.probers.vendor_status import VendorStatus
from sentinel.probers.websocket import Websocket, WebsocketTurn
from sentinel.words import Secret
from tests.transport.certificates import authority

HOST = "127.0.0.1"
MOST_FEED = 1 << 20
PASSWORD = Secret("env:PASSWORD")

Aim = Callable[[int], Prober]

OUTSIDE = frozenset({"body", "json", "html", "headers", "capture"})


def _journey(port: int, **how: Any) -> Journey:
    whole = compile_expression("status == 200", Http.NAMES, outside=OUTSIDE)
    page = Http(url="/", compression="any", **how)
    base = f"{'https' if how else 'http'}://{HOST}:{port}"
    return Journey((JourneyStep("home", page, (Expectation(whole),)),), base=base)


def _https(port: int) -> str:
    return f"https://{HOST}:{port}/"


def _http(port: int) -> str:
    return f"http://{HOST}:{port}/"


WAYS: Mapping[str, Aim] = {
    "http": lambda port: Http(url=_http(port)),
    "http own lane": lambda port: Http(url=_http(port)),
    "http compressed": lambda port: Http(url=_http(port), compression="any"),
    "http2": lambda port: Http(url=_http(port), http_version="2"),
    "journey": _journey,
    "feed": lambda port: Feed(url=_http(port), max_bytes=MOST_FEED),
    "vendor_status": lambda port: VendorStatus(url=_http(port)),
    "promql": lambda port: Promql(url=_http(port), query="up"),
    "domain": lambda port: Domain("shop.example", server=_http(port)),
    "tcp": lambda port: Tcp(HOST, port, lines=(TcpLine(expect="^ready (?P<name>.*)"),)),
    "tcp bytes": lambda port: Tcp(HOST, port, lines=(TcpLine(expect_bytes="4a 00 00"),)),
    "dns": lambda port: Dns("shop.example", servers=(f"{HOST}:{port}",), protocol="tcp"),
    "grpc": lambda port: Grpc(HOST, port),
    "websocket": lambda port: Websocket(
        f"ws://{HOST}:{port}/", ping=True, messages=(WebsocketTurn(expect="welcome"),)
    ),
    "redis": lambda port: Redis(HOST, port, info=True, command=("LLEN", "orders")),
    "smtp": lambda port: Smtp(HOST, port, recipient="orders@shop.example"),
    "imap": lambda port: Imap(HOST, port),
    "mqtt": lambda port: Mqtt(HOST, port, topic="shop/doors"),
    "ssh": lambda port: Ssh(HOST, port),
    "sftp": lambda port: Sftp(HOST, "monitor", "/x", port=port, password=PASSWORD, verify=False),
    "ftp": lambda port: Ftp(HOST, "/out", pattern="*.csv", port=port),
    "sql postgresql": lambda port: Sql(f"postgresql://monitor@{HOST}:{port}/shop", "select 1"),
    "sql mysql": lambda port: Sql(f"mysql://monitor@{HOST}:{port}/shop", "select 1"),
    "tls": lambda port: Tls(HOST, port, ca_file=authority()),
}
"""What each is called in the tables; its first word is the kind."""

OVER_TLS: Mapping[str, Aim] = {
    "http": lambda port: Http(url=_https(port), ca_file=authority()),
    "http own lane": lambda port: Http(url=_https(port), ca_file=authority()),
    "http2": lambda port: Http(url=_https(port), http_version="2", ca_file=authority()),
    "journey": lambda port: _journey(port, ca_file=authority()),
    "tcp": lambda port: Tcp(
        HOST, port, tls=True, ca_file=authority(), lines=(TcpLine(expect="^ready"),)
    ),
    "dns": lambda port: Dns(
        "shop.example",
        servers=(f"{HOST}:{port}",),
        protocol="tls",
        ca_file=authority(),
        server_name="localhost",
    ),
    "grpc": lambda port: Grpc(HOST, port, tls=True, ca_file=authority()),
    "websocket": lambda port: Websocket(f"wss://{HOST}:{port}/", ca_file=authority()),
    "redis": lambda port: Redis(HOST, port, tls=True, ca_file=authority()),
    "smtp": lambda port: Smtp(HOST, port, tls=True, ca_file=authority()),
    "imap": lambda port: Imap(HOST, port, tls=True, ca_file=authority()),
    "mqtt": lambda port: Mqtt(HOST, port, tls=True, ca_file=authority()),
    "ftp": lambda port: Ftp(
        HOST, "/out", pattern="*.csv", port=port, tls="implicit", ca_file=authority()
    ),
    "tls": lambda port: Tls(HOST, port, ca_file=authority()),
}
"""The same over TLS from the first byte on, with the authority of the tests trusted."""

LANES = {"http own lane": "own", "http": "curl"}
"""Which lane a way forces; the others take what they would."""
