"""Redis, Valkey and whatever else speaks RESP."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from sentinel.expression import Declaration
from sentinel.kinds import ProbeWorld, key
from sentinel.monitor.probe import MetricFamily, Observation, Sample
from sentinel.probers.spoken import (
    CONNECTION_NAMES,
    TIMING,
    ca_file_key,
    cert_file_key,
    host_key,
    ip_key,
    key_file_key,
    observation,
    opened,
    password_key,
    server_name_key,
    tls_key,
    values_of,
    verify_key,
)
from sentinel.transport.connection import Connection
from sentinel.transport.lines import Ended, Lines
from sentinel.transport.resp import Refusal, Reply, packed, read_reply
from sentinel.words import Secret, shortened

AUTH_FAILED = "auth_failed"
"""The reason when the password was refused, or is missing."""
NOT_ALLOWED = "not_allowed"
"""The reason when the user may not do what was asked."""
ERROR_REPLY = "error_reply"
"""The reason when the server answered with any other error; the text is its own."""
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_CODES = {
    "WRONGPASS": AUTH_FAILED,
    "NOAUTH": AUTH_FAILED,
    "NOPERM": NOT_ALLOWED,
}

_FACTS: Declaration = {
    "role": "string",
    "version": "string",
    "replicas": "int",
    "link_up": "bool",
    "lag_s": "double",
    "lag_bytes": "int",
    "used_memory_bytes": "int",
    "max_memory_bytes": "int",
    "clients": "int",
    "uptime_s": "int",
    "facts": "map",
}
"""What INFO tells."""

_ONE = """
BITCOUNT DBSIZE ECHO EXISTS EXPIRETIME GET GETBIT GETRANGE HEXISTS HGET HGETALL HLEN HMGET HSTRLEN
INFO LASTSAVE LINDEX LLEN LRANGE MGET PEXPIRETIME PING PTTL ROLE SCARD SISMEMBER STRLEN TIME TTL
TYPE XLEN XPENDING XRANGE XREVRANGE ZCARD ZCOUNT ZRANGE ZRANK ZSCORE
"""
_TWO = """
ACL WHOAMI|CLUSTER INFO|CLUSTER NODES|CLUSTER SLOTS|CONFIG GET|LATENCY LATEST|MEMORY USAGE
MODULE LIST|OBJECT ENCODING|OBJECT IDLETIME|PUBSUB NUMSUB|PUBSUB NUMPAT|SENTINEL CKQUORUM
SENTINEL GET-MASTER-ADDR-BY-NAME|SENTINEL MASTER|SENTINEL MASTERS|SENTINEL REPLICAS
SLOWLOG LEN|XINFO STREAM|XINFO GROUPS|XINFO CONSUMERS
"""
READING = frozenset(_ONE.split()) | frozenset(_TWO.strip().replace("\n", "|").split("|"))
"""Commands that only read, and are done when they have answered."""


@dataclass(frozen=True, slots=True)
class Redis:
    """Signs in where asked, pings, and may ask for facts and for one command's reply.

    The server must answer `PONG`. Facts (`INFO`) are asked when an expectation names one, or with
    `info: true`. `command` is one that only reads; its reply is `reply`. An error that the server
    answers with is the reason `auth_failed`, `not_allowed` or `error_reply`, with its own words.

    Expectations may use `reply` (text, whole number, list or null), the facts `role` (`master` or
    `slave`), `version`, `replicas` (connected), `link_up` (a replica hears its master; always true
    on a master), `lag_s` (on a replica: since it heard from its master; on a master: the most that
    a replica is behind; -1: unknown), `lag_bytes` (on a master: the same in bytes), `clients`,
    `used_memory_bytes`, `max_memory_bytes` (0: no limit), `uptime_s` and `facts` (every field of
    INFO, as text), and `timing` (also `ping_s`), `certificate` (with `tls`) and `address`.
    """

    KIND: ClassVar[str] = "redis"
    NAMES: ClassVar[Declaration] = {
        **CONNECTION_NAMES,
        "timing": {**TIMING, "ping_s": "double"},
        "reply": "dyn",
        **_FACTS,
    }
    METRICS: ClassVar[tuple[MetricFamily, ...]] = (
        MetricFamily("probe_redis_ping_seconds", "Time from PING to PONG in seconds"),
        MetricFamily("probe_redis_master", "1 when the server is a master, 0 when a replica"),
        MetricFamily("probe_redis_connected_replicas", "Number of connected replicas"),
        MetricFamily("probe_redis_connected_clients", "Number of connected clients"),
        MetricFamily("probe_redis_used_memory_bytes", "Memory that the server has allocated"),
        MetricFamily(
            "probe_redis_replication_lag_seconds",
            "Seconds that a replica is behind; on a master the most of its replicas",
        ),
    )

    host_: str = host_key("cache.acme.example", "10.0.0.7")
    port: int = key("Port to connect to.", default=6379, minimum=1, maximum=65535)
    user: str = key("User name; without it, the default user.", default="", examples=["monitor"])
    password: Secret | None = password_key("env:REDIS_PASSWORD")
    database: int = key("Number of the database.", default=0, minimum=0, maximum=65535)
    command: tuple[str, ...] = key(
        "A command that only reads, word by word.",
        default=(),
        maxItems=20,
        examples=[["LLEN", "orders:new"], ["GET", "feed:last_run"]],
    )
    info: bool = key("Ask for facts even if no expectation names one.", default=False)
    tls: bool = tls_key()
    verify: bool = verify_key()
    ca_file: str = ca_file_key()
    cert_file: str = cert_file_key()
    key_file: str = key_file_key()
    server_name: str = server_name_key()
    ip: Literal["any", "ipv4", "ipv6"] = ip_key()

    def __post_init__(self) -> None:
        words = tuple(word.upper() for word in self.command[:2])
        if words and words[0] not in READING and " ".join(words) not in READING:
            raise ValueError(
                f"`{' '.join(self.command[:2])}` is not among the commands that only read: "
                + ", ".join(sorted(READING))
            )
        if self.user and self.password is None:
            raise ValueError("`user` needs a `password`")

    def host(self) -> str:
        """The host that is connected to."""
        return self.host_.lower()

    async def observe(self, world: ProbeWorld) -> Observation:
        """Connect once, and ask."""
        connection = await opened(self, world, port=self.port, tls=self.tls)
        talk = _Talk(connection, world)
        started = world.transport.now()
        try:
            if connection.exchange.reason is None:
                await talk.have(self)
        except Ended as ended:
            talk.ended = ended
        finally:
            connection.close()
        return talk.observed(world.transport.now() - started)


class _Talk:
    """A conversation under way."""

    def __init__(self, connection: Connection, world: ProbeWorld) -> None:
        self._exchange = connection.exchange
        self._lines = Lines(connection, world.deadline)
        self._world = world
        self._sent: list[str] = []
        self._own: dict[str, Any] = {}
        self._ping_s: float | None = None
        self.ended: Ended | None = None

    async def have(self, declared: Redis) -> None:
        """Sign in, ping, ask. Raises Ended."""
        if declared.password is not None:
            secret = self._world.secrets.reveal(declared.password)
            names = (declared.user,) if declared.user else ()
            await self._ask("AUTH", *names, secret, shown=" ".join(("AUTH", *names, "***")))
        if declared.database:
            await self._ask("SELECT", str(declared.database))
        started = self._world.transport.now()
        if await self._ask("PING") != "PONG":
            raise Ended(ERROR_REPLY, "PING was not answered with PONG")
        self._ping_s = self._world.transport.now() - started
        if declared.info or self._world.needed & _FACTS.keys():
            answer = await self._ask("INFO")
            self._own |= facts(answer if isinstance(answer, str) else "")
        if declared.command:
            self._own["reply"] = _plain(await self._ask(*declared.command))

    async def _ask(self, *words: str, shown: str = "") -> Reply:
        """One command and its reply. Raises Ended, also for an error reply."""
        told = shown or " ".join(words)
        self._sent.append(told)
        await self._lines.send(packed(words))
        reply = await read_reply(self._lines, f"a reply to {words[0]}")
        if isinstance(reply, Refusal):
            reason = _CODES.get(reply.code, ERROR_REPLY)
            if words[0] == "AUTH" and reply.code == "ERR":  # servers before version 6
                reason = AUTH_FAILED
            raise Ended(reason, shortened(reply.text, 500))
        return reply

    def observed(self, talk_s: float) -> Observation:
        """What it came to."""
        samples: list[Sample] = []
        metrics: dict[str, float] = {}
        timing: dict[str, float] = {}
        if self._ping_s is not None:
            timing["ping_s"] = metrics["probe_redis_ping_seconds"] = self._ping_s
            samples.append(Sample("timing.ping_s", self._ping_s, "s"))
        if "facts" in self._own:
            metrics |= _metrics(self._own)
            samples.append(Sample("used_memory_bytes", self._own["used_memory_bytes"], "B"))
            samples.append(Sample("clients", self._own["clients"]))
            if self._own["lag_s"] >= 0:
                samples.append(Sample("lag_s", self._own["lag_s"], "s"))
        now = self._world.now
        return observation(
            self._exchange,
            values_of(self._exchange, self._own, talk_s=talk_s, now=now, timing=timing),
            now=now,
            talk_s=talk_s,
            reason=self.ended.reason if self.ended else "",
            text=self.ended.text if self.ended else "PONG",
            sent="\n".join(self._sent),
            received=bytes(self._lines.received),
            samples=tuple(samples),
            metrics=metrics,
        )


def facts(text: str) -> dict[str, Any]:
    """The fields of INFO that matter, and all of them under ``facts``."""
    info: dict[str, str] = {}
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if colon and not line.startswith("#"):
            info[name] = value
    role = info.get("role", "")
    behind_s, behind_bytes = _behind(info)
    return {
        "role": role,
        "version": info.get("redis_version", ""),
        "replicas": _whole(info, "connected_slaves"),
        "link_up": role != "slave" or info.get("master_link_status") == "up",
        "lag_s": float(behind_s),
        "lag_bytes": behind_bytes,
        "used_memory_bytes": _whole(info, "used_memory"),
        "max_memory_bytes": _whole(info, "maxmemory"),
        "clients": _whole(info, "connected_clients"),
        "uptime_s": _whole(info, "uptime_in_seconds"),
        "facts": info,
    }


def _behind(info: Mapping[str, str]) -> tuple[int, int]:
    """Seconds and bytes that replication is behind; -1 where nothing is known."""
    if info.get("role") == "slave":
        return _whole(info, "master_last_io_seconds_ago", -1), -1
    replicas = [
        dict(part.partition("=")[::2] for part in value.split(","))
        for name, value in info.items()
        if name[:5] == "slave" and name[5:].isdigit()
    ]
    if not replicas:
        return -1, -1
    here = _whole(info, "master_repl_offset")
    return (
        max(_whole(replica, "lag", -1) for replica in replicas),
        max(here - _whole(replica, "offset") for replica in replicas),
    )


def _whole(fields: Mapping[str, str], name: str, missing: int = 0) -> int:
    value = fields.get(name, "")
    return int(value) if _WHOLE.fullmatch(value) else missing


def _metrics(own: Mapping[str, Any]) -> dict[str, float]:
    shown = {
        "probe_redis_master": int(own["role"] == "master"),
        "probe_redis_connected_replicas": own["replicas"],
        "probe_redis_connected_clients": own["clients"],
        "probe_redis_used_memory_bytes": own["used_memory_bytes"],
    }
    if own["lag_s"] >= 0:
        shown["probe_redis_replication_lag_seconds"] = own["lag_s"]
    return shown


def _plain(reply: Reply) -> Any:
    """A reply as expressions see it; an error inside a list is its text."""
    if isinstance(reply, list):
        return [_plain(each) for each in reply]
    return reply.text if isinstance(reply, Refusal) else reply
