"""MySQL and MariaDB for the kind `sql`, by PyMySQL, which blocks and therefore runs in a thread.

The query runs in a transaction that only reads, on a connection whose own limit ends it shortly
before the deadline; the driver takes one statement at a time. Since a statement that changes tables
themselves (``drop``) ends such a transaction and runs, only those that begin as reading ones do are
asked; and since ``select … into outfile`` counts as reading there, none that names such a file. At
the deadline the socket is cut.
"""

import asyncio
import re
import socket
import ssl
import struct
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from typing import Any

import pymysql
from pymysql.connections import Connection
from pymysql.cursors import SSCursor

from sentinel.probers.sqlrows import MARGIN_S, Answered, Asked
from sentinel.transport.raw import of_os_error, open_socket
from sentinel.transport.reasons import NETWORK, Reason

_READING = re.compile(
    r"[\s(]*(select|with|show|values|table|desc|describe|explain)\b", re.IGNORECASE
)
_TO_FILE = re.compile(r"\b(?:outfile|dumpfile)\b", re.IGNORECASE)
_LATE = frozenset({1969, 3024, 1317})
"""ER_STATEMENT_TIMEOUT (MariaDB), ER_QUERY_TIMEOUT (MySQL), ER_QUERY_INTERRUPTED."""
_LOGIN = frozenset({1044, 1045, 1251, 1275, 1524, 1698, 2059, 2061, 3118})
_REFUSED = frozenset({1040, 1049, 1053, 1129, 1130, 1203, 1226})
_READ_ONLY = frozenset({1290, 1792, 1836})
_LOCKED = frozenset({1205, 1213})
_LOST = frozenset({2006, 2013, 2055})


_NONSENSE = (
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    NotImplementedError,
    struct.error,
)
"""What the driver raises when it is answered with what MySQL would never say."""
MOST_RECEIVED = 8 << 20
"""Bytes that are read in one conversation: a packet may say that it has any number of parts."""


class _Bounded(Connection):  # type: ignore[misc]  # PyMySQL has no types
    """The driver's connection, which takes no more than `MOST_RECEIVED`."""

    _came = 0

    def _read_bytes(self, num_bytes: int) -> Any:
        self._came += num_bytes
        if self._came > MOST_RECEIVED:
            raise LookupError(f"more than {MOST_RECEIVED >> 20} MiB were announced")
        return super()._read_bytes(num_bytes)


async def ask(asked: Asked, now: Callable[[], float], threads: Executor) -> Answered:
    """Ask one query, until `asked.deadline` at most. Never raises for what the server does."""
    answered = Answered()
    if not _READING.match(asked.query):
        return Answered("write_refused", "the query does not begin as one that reads")
    if _TO_FILE.search(asked.query):
        return Answered("write_refused", "the query names `outfile` or `dumpfile`")
    opened = await open_socket(asked.host, asked.port, asked.deadline)
    answered.phases["connect"] = sum(opened.phases.values())
    answered.address = opened.address
    if opened.socket is None:
        answered.reason, answered.text = opened.reason or "", opened.text
        answered.network = opened.reason in NETWORK
        return answered
    sock = opened.socket
    cut = sock.dup()  # TLS takes the socket over; this one still reaches the connection
    loop = asyncio.get_running_loop()
    watch = loop.call_at(asked.deadline, _cut, cut)
    try:
        await loop.run_in_executor(threads, _ask, asked, sock, answered, now)
    finally:
        watch.cancel()
        _cut(cut)
        cut.close()
    return answered


def _cut(sock: socket.socket) -> None:
    with suppress(OSError):  # the server may have cut it before us
        sock.shutdown(socket.SHUT_RDWR)


def _ask(asked: Asked, sock: socket.socket, answered: Answered, now: Callable[[], float]) -> None:
    started, phase = now(), "connect"
    connection: Any = None
    try:
        left_s = max(asked.deadline - started, 0.001)
        connection = _Bounded(
            host=asked.host,
            user=asked.user,
            password=asked.password.encode(),
            database=asked.database or None,
            charset="utf8mb4",
            cursorclass=SSCursor,
            read_timeout=left_s,
            write_timeout=left_s,
            autocommit=True,
            program_name="sentinel",
            defer_connect=True,
            **_tls(asked),
        )
        connection.connect(sock)
        answered.encrypted = connection._secure
        answered.phases[phase] += now() - started
        started, phase = now(), "query"
        _begin(connection, asked.deadline - started - MARGIN_S)
        _read(connection, asked.query, answered)
    except _NONSENSE as error:
        answered.reason = Reason.protocol_error
        answered.text = f"what came is not MySQL's: {error or type(error).__name__}"
    except (pymysql.Error, OSError, ValueError) as error:
        _explain(error, answered, late=now() >= asked.deadline - MARGIN_S)
    finally:
        answered.phases[phase] = answered.phases.get(phase, 0.0) + now() - started
        if connection is not None:
            connection._force_close()  # a good-bye would first read all rows that are left
        sock.close()


def _tls(asked: Asked) -> dict[str, Any]:
    if asked.tls == "off":
        return {"ssl_disabled": True}
    if asked.tls == "prefer":
        return {}
    context = ssl.create_default_context(cafile=asked.ca_file or None)
    if asked.tls != "verify":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if asked.cert_file:
        context.load_cert_chain(asked.cert_file, asked.key_file or None)
    return {"ssl": context}


def _begin(connection: Any, left_s: float) -> None:
    left_s = max(left_s, 0.001)
    limit = (
        f"max_statement_time = {left_s:.3f}"
        if "MariaDB" in connection.get_server_info()
        else f"max_execution_time = {max(1, int(left_s * 1000))}"
    )
    with connection.cursor() as cursor:
        cursor.execute(f"SET SESSION {limit}")
        cursor.execute("START TRANSACTION READ ONLY")


def _read(connection: Any, query: str, answered: Answered) -> None:
    cursor = connection.cursor()
    try:
        cursor.execute(query)
        columns = [column[0] for column in cursor.description or ()]
        while row := cursor.fetchone():  # bounded by what is taken
            if not answered.take(columns, row):
                return
    finally:
        # Left to themselves, cursor and result would read all rows that are left, from __del__.
        cursor.connection = None
        if connection._result is not None:
            connection._result.unbuffered_active = False


def _explain(error: Exception, answered: Answered, *, late: bool) -> None:
    code, *said = error.args if isinstance(error, pymysql.Error) and error.args else (0, error)
    number = code if isinstance(code, int) else 0
    answered.code = str(number or "")
    answered.text = str(said[0] if said else error)
    cause = error if isinstance(error, OSError) else getattr(error, "original_exception", None)
    if late or number in _LATE:
        answered.reason = Reason.timeout
    elif isinstance(cause, OSError):
        answered.reason = of_os_error(cause)
    elif isinstance(error, pymysql.InternalError) and not number:
        answered.reason = Reason.protocol_error  # the driver's own: packets out of order
    else:
        answered.reason = _of_number(number)
    answered.network = answered.reason in NETWORK


def _of_number(number: int) -> str:
    """The reason for an error number (MySQL's and MariaDB's error references)."""
    for numbers, reason in (
        (_LOGIN, "login_refused"),
        (_REFUSED, "server_refused"),
        (_READ_ONLY, "write_refused"),
        (_LOCKED, "locked"),
        (_LOST, Reason.reset),
        ({2026}, Reason.tls_failed),
    ):
        if number in numbers:
            return reason
    return "query_failed"
