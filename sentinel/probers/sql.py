"""A query to a database: PostgreSQL, MySQL, MariaDB or SQLite.

The drivers stand in files of their own, since each is an extra: what is not installed is said of
the document that asks for it, with the ``pip install`` that mends it.
"""

import asyncio
import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, ClassVar

from sentinel.expression import Declaration
from sentinel.kinds import ProbeWorld, Secrets, key
from sentinel.monitor.probe import Evidence, MetricFamily, Observation, Sample
from sentinel.probers import sqlite_rows
from sentinel.probers.sqlrows import Answered, Asked, Tls
from sentinel.probers.sqlurl import DatabaseUrl, database_url
from sentinel.transport.reasons import Reason
from sentinel.words import Outcome, Secret, shortened

MISSING: dict[str, str] = {}
"""Engine to what its driver lacks, and how to get it."""

try:
    from sentinel.probers import postgres_rows
except ModuleNotFoundError as missing:
    MISSING["postgresql"] = f"the package `{missing.name}`: pip install 'sentinel[postgres]'"
try:
    from sentinel.probers import mysql_rows
except ModuleNotFoundError as missing:
    MISSING["mysql"] = f"the package `{missing.name}`: pip install 'sentinel[mysql]'"

_THREADS = ThreadPoolExecutor(max_workers=16, thread_name_prefix="sentinel-sql")
"""For the drivers that block. Each call ends at its check's deadline."""

_HUNG_S = 0.2
"""What SQLite may take beyond the deadline to say so, before its disk counts as hung."""
_SHOWN = 20
"""Rows in the evidence, and columns that become samples."""


@dataclass(frozen=True, slots=True)
class Sql:
    """Asks a database one query, and looks at its rows and its time.

    The query runs in a transaction that only reads, as one statement, under a time limit that the
    server itself keeps; it is given up at the probe's timeout. Give the probe a user of its own
    that may read what the query reads and nothing else: a function that the query calls may do
    what its user may do. A SQLite file is opened for reading.

    Other reasons are `login_refused`, `server_refused` (too many connections, no such database),
    `query_failed`, `locked` (another transaction held what the query reads) and, of a SQLite file,
    `no_such_file` and `open_failed`. A query that would write is unknown (`write_refused`).

    At most 1,000 rows and 64 KiB are taken. Expectations may use `value` (the first column of the
    first row), `row` (the first row, by column), `rows` (all of them), `count`, `truncated` (there
    were more), `timing`, `encrypted` (over TLS) and `address`. Exact numbers come as numbers, times
    as ISO 8601 text. When an expectation names `value` or `row` and there is none, the reason is
    `no_rows`.
    """

    KIND: ClassVar[str] = "sql"
    NAMES: ClassVar[Declaration] = {
        "value": "dyn",
        "row": "map",
        "rows": "list",
        "count": "int",
        "truncated": "bool",
        "timing": {"total_s": "double", "connect_s": "double", "query_s": "double"},
        "encrypted": "bool",
        "address": "string",
    }
    METRICS: ClassVar[tuple[MetricFamily, ...]] = (
        MetricFamily("probe_sql_duration_seconds", "Duration of the query by phase", ("phase",)),
        MetricFamily("probe_sql_rows", "Rows that the query gave"),
        MetricFamily("probe_sql_value", "Numbers in the first row of the result", ("column",)),
    )

    url: str = key(
        "The database: `postgresql://user@host:5432/name`, `mysql://…`, `mariadb://…` or "
        "`sqlite:///absolute/path`. `{env:NAME}` may stand in the user and password places.",
        examples=["postgresql://monitor:{env:ORDERS_DB_PASSWORD}@db.acme.example/orders"],
        reads_secrets=True,
    )
    query: str = key(
        "One statement that reads.",
        examples=["select count(*) as waiting from orders where state = 'new'"],
        minLength=1,
        maxLength=20_000,
    )
    tls: Tls = key(
        "`prefer` encrypts where the server can, `require` always, `verify` also verifies the "
        "certificate and its name, `off` never.",
        default="prefer",
    )
    ca_file: str = key("PEM file of the authorities to trust instead of the system's.", default="")
    cert_file: str = key("PEM file of a client certificate.", default="")
    key_file: str = key("PEM file of its key.", default="")

    _place: DatabaseUrl | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.url:
            return  # a problem that has been said
        place = database_url(self.url)
        if place.engine in MISSING:
            raise ValueError(f"`{self.url.partition(':')[0]}:` needs {MISSING[place.engine]}")
        if not self.query.strip() or "\0" in self.query:
            raise ValueError("`query` holds no statement")
        object.__setattr__(self, "_place", place)

    def host(self) -> str:
        """The database's host; none for a file or a socket of this machine."""
        host = self._place.host if self._place else ""
        return "" if host.startswith("/") else host.lower()

    async def observe(self, world: ProbeWorld) -> Observation:
        """Ask once."""
        if self._place is None:
            return Observation({}, 0.0, "invalid_request", "no database", outcome=Outcome.unknown)
        asked = self._asked(self._place, world.secrets, world.deadline)
        answered = await _ask(self._place.engine, asked, world)
        if not answered.reason and not answered.rows and world.needed & {"value", "row"}:
            answered.reason, answered.text = "no_rows", "the query gave no row"
        return _observed(answered, self.query)

    def _asked(self, place: DatabaseUrl, secrets: Secrets, deadline: float) -> Asked:
        def revealed(text: str) -> str:
            return secrets.reveal(Secret(text)) if "{" in text else text

        return Asked(
            database=place.database,
            query=self.query,
            deadline=deadline,
            host=place.host,
            port=place.port,
            user=revealed(place.user),
            password=revealed(place.password),
            tls=self.tls,
            ca_file=self.ca_file,
            cert_file=self.cert_file,
            key_file=self.key_file,
        )


async def _ask(engine: str, asked: Asked, world: ProbeWorld) -> Answered:
    now = world.transport.now
    match engine:
        case "postgresql":
            return await postgres_rows.ask(asked, now)
        case "mysql":
            return await mysql_rows.ask(asked, now, _THREADS)
        case _:
            loop = asyncio.get_running_loop()
            try:
                async with asyncio.timeout_at(asked.deadline + _HUNG_S):
                    return await loop.run_in_executor(_THREADS, sqlite_rows.ask, asked, now)
            except TimeoutError:
                return Answered(Reason.timeout, "the file's disk does not answer")


def _observed(answered: Answered, query: str) -> Observation:
    total_s = sum(answered.phases.values())
    first = answered.rows[0] if answered.rows else {}
    numbers = {name: number for name, number in first.items() if _is_number(number)}
    numbers = dict(list(numbers.items())[:_SHOWN])
    samples = [Sample("timing.total_s", total_s, "s")]
    samples += [Sample(f"row.{name}", float(number)) for name, number in numbers.items()]
    metrics: dict[str, Any] = {"probe_sql_duration_seconds": dict(answered.phases)}
    if not answered.reason:
        metrics["probe_sql_rows"] = len(answered.rows)
        metrics["probe_sql_value"] = numbers
    unsaid = answered.reason in ("write_refused", Reason.client_failed)
    outcome = Outcome.unknown if unsaid else Outcome.failed
    return Observation(
        values=_values(answered, first, total_s),
        duration_s=total_s,
        reason=answered.reason,
        text=shortened(answered.text, 300) or _said(answered),
        network=answered.network,
        outcome=outcome if answered.reason else None,
        phases=answered.phases,
        address=answered.address,
        samples=samples,
        evidence=Evidence(
            request=query,
            facts={
                "code": answered.code,
                "encrypted": answered.encrypted,
                "rows": [dict(row) for row in answered.rows[:_SHOWN]],
                "count": len(answered.rows),
                "truncated": answered.truncated,
            },
        ),
        metrics=metrics,
    )


def _values(answered: Answered, first: Mapping[str, Any], total_s: float) -> Mapping[str, Any]:
    timing = {f"{phase}_s": seconds for phase, seconds in answered.phases.items()}
    values: dict[str, Any] = {
        "rows": answered.rows,
        "count": len(answered.rows),
        "truncated": answered.truncated,
        "timing": {"connect_s": 0.0, "query_s": 0.0, **timing, "total_s": total_s},
        "encrypted": answered.encrypted,
        "address": answered.address,
    }
    if answered.rows:
        values |= {"row": first, "value": next(iter(first.values()), None)}
    return values


def _said(answered: Answered) -> str:
    """``1 row: waiting = 3``."""
    count = len(answered.rows)
    rows = f"{count}{' or more' if answered.truncated else ''} {'row' if count == 1 else 'rows'}"
    shown = ", ".join(f"{name} = {value}" for name, value in (answered.rows or [{}])[0].items())
    return shortened(f"{rows}: {shown}", 300) if shown else rows


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)
