"""The `redis` kind against real Redis servers: a master over both wires, and its replica."""

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sentinel.expression import compile_expression
from sentinel.metrics.families import KNOWN
from sentinel.probers.redis import READING, Redis, facts
from sentinel.transport.curl import Transport
from sentinel.words import Outcome, Secret
from tests.children import wait_for
from tests.probers.daemons import free_ports, running
from tests.probers.documents import shown
from tests.transport.certificates import authority, folder
from tests.transport.servers import observed, serving

pytestmark = [pytest.mark.needs("redis-server", "openssl"), pytest.mark.slow]

COMMON = ["--bind", "127.0.0.1", "--save", "", "--repl-diskless-sync-delay", "0"]
MONITOR = ["--user", "monitor", "on", ">t0psecret", "~*", "+ping", "+llen", "+info"]
PASSWORD = Secret("env:TOKEN")


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[str, int]]:
    """A master on ``plain`` and ``tls``, and on ``replica`` its replica, linked."""
    plain, tls, replica = free_ports(3)
    pair = ["--tls-cert-file", folder() / "good.pem", "--tls-key-file", folder() / "good.key"]
    secured = ["--tls-port", tls, *pair, "--tls-ca-cert-file", authority()]
    open_to_all = ["--tls-auth-clients", "no"]
    follows = ["--replicaof", "127.0.0.1", plain]
    with tempfile.TemporaryDirectory() as name:
        first, second = Path(name, "master"), Path(name, "replica")
        first.mkdir()
        second.mkdir()
        words = ["--port", plain, *COMMON, *secured, *open_to_all, *MONITOR]
        copying = ["--port", replica, *COMMON, *follows]
        with (
            running("redis-server", words, ports=[plain, tls], folder=first),
            running("redis-server", copying, ports=[replica], folder=second),
        ):
            wait_for(lambda: check(replica, needed="link_up").values["link_up"], 15.0)
            yield {"plain": plain, "tls": tls, "replica": replica}


def check(port, *, needed="", seconds=5.0, **fields):
    async def main():
        async with Transport() as transport:
            how = {"host_": "localhost", "port": port, "ip": "ipv4", **fields}
            return await observed(
                Redis(**how), transport, seconds=seconds, needed=needed, TOKEN="t0psecret"
            )

    return asyncio.run(main())


def holds(source, observation):
    return compile_expression(source, Redis.NAMES).evaluate(observation.values)


def test_a_pong_is_enough(ports):
    observation = check(ports["plain"])

    assert ("", "PONG", "127.0.0.1") == (
        observation.reason,
        observation.text,
        observation.address,
    )
    assert 0.0 < observation.values["timing"]["ping_s"] < 5.0
    assert "PING" == observation.evidence.request


def test_facts_are_asked_for_when_they_are_named(ports):
    named = check(ports["plain"], needed="role")
    unnamed = check(ports["plain"])

    assert holds('role == "master" && replicas == 1 && link_up && version >= "5"', named)
    assert holds("used_memory_bytes > 1000 && int(facts.hz) > 0 && lag_s >= 0.0", named)
    assert named.metrics.keys() <= KNOWN.keys() | {each.name for each in Redis.METRICS}
    assert {each.name for each in Redis.METRICS} <= named.metrics.keys()
    assert ("PING\nINFO", "PING") == (named.evidence.request, unnamed.evidence.request)


def test_a_replica_says_how_far_it_is_behind(ports):
    observation = check(ports["replica"], needed="lag_s")

    assert holds('role == "slave" && link_up && lag_s >= 0.0 && lag_s < 60.0', observation)
    assert 0 == observation.metrics["probe_redis_master"]


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        (("LLEN", "orders"), 0),
        (("echo", "a b\r\nFLUSHALL"), "a b\r\nFLUSHALL"),
        (("GET", "nothing"), None),
        (("MGET", "a", "b"), [None, None]),
        (("config", "get", "maxclients"), ["maxclients", "10000"]),
    ],
)
def test_a_command_has_its_reply(ports, command, reply):
    observation = check(ports["plain"], command=command, needed="reply")

    assert ("", reply) == (observation.reason, observation.values["reply"])


@pytest.mark.parametrize("command", [("FLUSHALL",), ("SET", "a", "b"), ("CONFIG", "SET"), ("",)])
def test_a_command_that_may_write_is_refused_when_it_is_declared(command):
    with pytest.raises(ValueError, match="commands that only read"):
        Redis("a", command=command)


def test_the_server_agrees_that_the_commands_only_read(ports):
    assert "write" in _flags(ports["plain"], ("COMMAND", "INFO", "set"))
    for known in sorted(READING):
        words = known.split()
        asked = ("COMMAND", "INFO", "|".join(words).lower())
        flags = _flags(ports["plain"], asked)
        assert "write" not in flags, known


def _flags(port, asked):
    """What a server says of a command: the flags of its first description."""

    async def main():
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"".join([b"*3\r\n", *(b"$%d\r\n%b\r\n" % (len(w), w) for w in _b(asked))]))
        await writer.drain()
        said = await asyncio.wait_for(reader.readuntil(b"\r\n"), 5)
        said += await asyncio.wait_for(reader.read(65536), 5)
        writer.close()
        await writer.wait_closed()
        return said.decode()

    return asyncio.run(main())


def _b(words):
    return [word.encode() for word in words]


def test_a_user_signs_in_and_may_do_what_it_may(ports):
    allowed = check(ports["plain"], user="monitor", password=PASSWORD, command=("LLEN", "x"))
    barred = check(ports["plain"], user="monitor", password=PASSWORD, command=("GET", "x"))
    refused = check(ports["plain"], user="monitor", password=Secret("wrong"))

    assert ["", "not_allowed", "auth_failed"] == [
        each.reason for each in (allowed, barred, refused)
    ]
    assert "AUTH monitor ***\nPING\nLLEN x" == allowed.evidence.request
    assert (Outcome.failed, False) == (refused.outcome, refused.network)
    assert "WRONGPASS" in refused.text


def test_an_error_is_a_reason_in_the_servers_words(ports):
    observation = check(ports["plain"], database=9999)

    assert ("error_reply", "ERR DB index is out of range") == (
        observation.reason,
        observation.text,
    )


@pytest.mark.parametrize(
    ("fields", "reason"), [({}, ""), ({"ca_file": ""}, "certificate_untrusted")]
)
def test_over_tls_the_certificate_is_verified(ports, fields, reason):
    observation = check(ports["tls"], tls=True, **{"ca_file": authority(), **fields})

    assert reason == observation.reason
    assert "CN=localhost" in observation.evidence.facts["certificates"][0]["subject"]


def test_plain_text_to_a_server_that_wants_tls_fails(ports):
    assert check(ports["tls"]).reason in ("empty_reply", "reset")


def against(script, *, seconds=2.0, **fields):
    async def main():
        async with serving(script) as port, Transport() as transport:
            prober = Redis("127.0.0.1", port, **fields)
            return await observed(prober, transport, seconds=seconds)

    return asyncio.run(main())


def saying(*replies, hold_s=0.0):
    async def script(reader, writer):
        for reply in replies:
            await reader.read(1000)
            writer.write(reply)
            await writer.drain()
        await asyncio.sleep(hold_s)

    return script


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (saying(hold_s=60), "timeout"),
        (saying(b""), "empty_reply"),
        (saying(b"+PONGS\r\n", hold_s=60), "error_reply"),
        (saying(b"-LOADING Redis is loading the dataset in memory\r\n"), "error_reply"),
        (saying(b"-NOAUTH Authentication required.\r\n"), "auth_failed"),
        (saying(b"220 mail.acme.example ESMTP\r\n"), "protocol_error"),
        (saying(b"*4000000000\r\n", hold_s=60), "protocol_error"),
    ],
)
def test_who_does_not_answer_as_redis_does_has_a_reason(script, reason):
    observation = against(script, seconds=0.3 if reason == "timeout" else 5.0)

    assert (Outcome.failed, reason) == (observation.outcome, observation.reason)
    assert "probe_redis_ping_seconds" not in observation.metrics


def test_an_old_server_refuses_a_password_with_a_plain_error():
    old = saying(b"-ERR invalid password\r\n")

    assert "auth_failed" == against(old, password=Secret("x")).reason


def test_facts_are_read_whatever_is_missing():
    assert {"role": "", "lag_s": -1.0, "lag_bytes": -1, "facts": {}}.items() <= facts("").items()
    told = facts(
        "# Replication\r\nrole:master\r\nmaster_repl_offset:500\r\n"
        "slave0:ip=10.0.0.1,port=6379,state=online,offset=480,lag=1\r\n"
        "slave1:ip=10.0.0.2,port=6379,state=online,offset=100,lag=7\r\nused_memory:--\r\n"
    )
    assert (7.0, 400, 0) == (told["lag_s"], told["lag_bytes"], told["used_memory_bytes"])
    down = facts("role:slave\r\nmaster_link_status:down\r\nmaster_last_io_seconds_ago:-1")
    assert (False, -1.0) == (down["link_up"], down["lag_s"])


def test_a_user_without_a_password_is_refused_when_it_is_declared():
    with pytest.raises(ValueError, match="password"):
        Redis("a", user="monitor")


def test_what_the_pages_show_can_be_declared():
    assert {"redis"} == {probe.kind for probe in shown("redis").values()}
