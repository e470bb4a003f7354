"""PostgreSQL for the kind `sql`, by psycopg.

The query is declared as a cursor in a transaction that only reads, by the extended protocol, which
takes one statement: it can neither end that transaction nor bring a second statement along. Rows
are fetched in small groups. The server itself ends the query shortly before the deadline; a server
that does not even do that has its connection cut at the deadline. Over the network a relay stands
between libpq and the server, which may say so much and no more; a socket of this machine is libpq's
own to read.
"""

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import suppress

import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo
from psycopg.rows import tuple_row

from sentinel.probers.pgpass import kept_password
from sentinel.probers.sqlrows import MARGIN_S, MOST_ROWS, Answered, Asked
from sentinel.transport.reasons import NETWORK, Reason
from sentinel.transport.relay import Relay

MOST_WORDS = 256 * 1024
"""Bytes that a server may say until it has let us in, and then until it has taken the query: a
handshake of TLS has some thousand. What libpq keeps of short answers is twenty times as long."""
MOST_RECEIVED = 4 << 20
"""Bytes that it may say from then on, rows that are not kept among them."""

_GROUP = 50
_FETCH = b"FETCH FORWARD %d FROM sentinel" % _GROUP
_TO_END_S = 0.2
_SSLMODE = {"off": "disable", "prefer": "prefer", "require": "require", "verify": "verify-full"}

Connection = AsyncConnection[tuple[object, ...]]


async def ask(asked: Asked, now: Callable[[], float]) -> Answered:
    """Ask one query, until `asked.deadline` at most. Never raises for what the server does."""
    if asked.host.startswith("/"):
        return await _within(asked, now, None)
    async with Relay(asked.host, asked.port, asked.deadline, most_bytes=MOST_WORDS) as relay:
        opened = relay.opened
        if opened.socket is None:
            answered = Answered(opened.reason or "", opened.text, address=opened.address)
            answered.phases["connect"] = sum(opened.phases.values())
        else:
            answered = await _within(asked, now, relay)
            answered.address = opened.address
            answered.phases["connect"] += sum(opened.phases.values())
            if relay.flooded and answered.reason != Reason.timeout:
                answered.reason, answered.text = _flooded(relay)
        answered.network = answered.reason in NETWORK
        return answered


def _flooded(relay: Relay) -> tuple[str, str]:
    if relay.allowed_bytes == MOST_RECEIVED:
        return Reason.body_too_large, f"the server said more than {MOST_RECEIVED >> 20} MiB"
    text = f"the server said more than {MOST_WORDS >> 10} KiB before it took the query"
    return Reason.protocol_error, text


async def _within(asked: Asked, now: Callable[[], float], relay: Relay | None) -> Answered:
    """Ask until the deadline, then cut the connection."""
    answered = Answered(phases={"connect": 0.0})
    held: list[Connection] = []
    asking = asyncio.ensure_future(_ask(asked, answered, held, now, relay))
    try:
        await asyncio.wait({asking}, timeout=max(asked.deadline - now(), 0.0))
        if not asking.done():
            answered.reason, answered.text = Reason.timeout, "no answer within the timeout"
            answered.network = True
            if relay is not None:
                relay.cut()
            for connection in held:
                _cut(connection)  # psycopg would go on for ten seconds trying to cancel
            if held:
                await asyncio.wait({asking}, timeout=_TO_END_S)
    finally:
        asking.cancel()
        await asyncio.wait({asking}, timeout=_TO_END_S)
    return answered


async def _ask(
    asked: Asked,
    answered: Answered,
    held: list[Connection],
    now: Callable[[], float],
    relay: Relay | None,
) -> None:
    started, phase = now(), "connect"
    try:
        connection = await AsyncConnection.connect(
            _conninfo(asked, relay), autocommit=True, row_factory=tuple_row
        )
        held.append(connection)
        answered.phases[phase] = now() - started
        answered.encrypted = connection.pgconn.ssl_in_use
        started, phase = now(), "query"
        if relay is not None:
            relay.allow(MOST_WORDS)
        left_ms = max(1, int((asked.deadline - started - MARGIN_S) * 1000))
        await connection.execute(
            f"BEGIN READ ONLY; SET LOCAL statement_timeout = {left_ms}".encode()
        )
        await _declare(connection, asked.query)
        if relay is not None:
            relay.allow(MOST_RECEIVED)
        await _read(connection, answered)
    except (psycopg.Error, OSError) as error:
        if not answered.reason:
            _explain(error, answered, connected=bool(held))
    finally:
        answered.phases[phase] = now() - started
        for each in held:
            await each.close()


def _conninfo(asked: Asked, relay: Relay | None) -> str:
    """libpq's parameters. Of the machine's own settings none is asked but for a password that is not
    given; what it verifies of the server is `host`, wherever it connects to."""
    given = {
        "host": asked.host,
        "port": str(asked.port),
        "user": asked.user,
        "password": asked.password,
        "dbname": asked.database,
        "sslmode": _SSLMODE[asked.tls],
        "sslrootcert": asked.ca_file or ("system" if asked.tls == "verify" else ""),
        "sslcert": asked.cert_file,
        "sslkey": asked.key_file,
        "application_name": "sentinel",
        "client_encoding": "utf8",
    }
    if relay is not None:
        host, port = relay.address
        given |= {"hostaddr": host, "port": str(port)}
        if not asked.password and "PGPASSWORD" not in os.environ:
            given["password"] = kept_password(
                host=asked.host, port=asked.port, database=asked.database, user=asked.user
            )
    return make_conninfo(**{name: value for name, value in given.items() if value})


async def _declare(connection: Connection, query: str) -> None:
    declared = b"DECLARE sentinel NO SCROLL CURSOR FOR " + query.encode()
    await connection.execute(declared, binary=True)  # binary: by the extended protocol


async def _read(connection: Connection, answered: Answered) -> None:
    """The rows, one at a time: what is not kept is not held either."""
    cursor = connection.cursor()
    for _ in range(MOST_ROWS // _GROUP + 1):
        count = 0
        async for values in cursor.stream(_FETCH):
            count += 1
            if not answered.truncated:
                answered.take([column.name for column in cursor.description or ()], values)
        if count < _GROUP or answered.truncated:
            return


def _cut(connection: Connection) -> None:
    """End the connection's socket; whoever waits for it is told at once."""
    with suppress(OSError, psycopg.Error):
        copy = socket.socket(fileno=os.dup(connection.pgconn.socket))
        with copy:
            copy.shutdown(socket.SHUT_RDWR)


def _explain(error: Exception, answered: Answered, *, connected: bool) -> None:
    said = str(error).strip()
    answered.text = said.splitlines()[-1 if not connected else 0] if said else type(error).__name__
    answered.code = getattr(error, "sqlstate", None) or ""
    if answered.code:
        answered.reason = _of_state(answered.code)
    elif connected:
        lost = isinstance(error, psycopg.OperationalError)
        answered.reason = Reason.reset if lost else "query_failed"
    else:
        answered.reason = _of_connecting(said)
    answered.network = answered.reason in NETWORK


def _of_state(code: str) -> str:
    """The reason for an SQLSTATE (PostgreSQL documentation, appendix A)."""
    match code:
        case "57014":  # query_canceled: by the statement_timeout that we set
            return Reason.timeout
        case "25006":
            return "write_refused"
        case "55P03" | "40P01":
            return "locked"
        case _ if code[:2] == "28":
            return "login_refused"
        case _ if code[:2] in ("53", "57", "3D"):
            return "server_refused"
        case _ if code[:2] == "08":
            return Reason.reset
        case _:
            return "query_failed"


_CONNECTING = (
    ("password authentication failed", "login_refused"),
    ("no password supplied", "login_refused"),
    ("authentication failed", "login_refused"),
    ("pg_hba.conf", "login_refused"),
    ('FATAL:  role "', "login_refused"),
    ("certificate verify failed", Reason.certificate_untrusted),
    ("does not match host name", Reason.certificate_name),
    ("FATAL:", "server_refused"),
    ("Connection refused", Reason.connect_refused),
    ("Name or service not known", Reason.dns_failed),
    ("Temporary failure in name resolution", Reason.dns_failed),
    ("No address associated", Reason.dns_failed),
    ("failed to resolve host", Reason.dns_failed),
    ("timeout expired", Reason.connect_timeout),
    ("unreachable", Reason.connect_unreachable),
    ("No route to host", Reason.connect_unreachable),
    ("SSL", Reason.tls_failed),
    ("closed the connection unexpectedly", Reason.reset),
    ("Connection reset", Reason.reset),
)
"""libpq gives no code before the server has answered, only words."""


def _of_connecting(said: str) -> str:
    return next((reason for words, reason in _CONNECTING if words in said), "server_refused")
