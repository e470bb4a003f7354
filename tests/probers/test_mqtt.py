"""The `mqtt` kind against a real Mosquitto, and against brokers that say the wrong thing."""

import asyncio
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sentinel.expression import compile_expression
from sentinel.metrics.families import KNOWN
from sentinel.probers.mqtt import Mqtt
from sentinel.transport.curl import Transport
from sentinel.transport.mqtt import connect, publish
from sentinel.words import Outcome, Secret
from tests.probers.daemons import free_ports, running
from tests.probers.documents import shown
from tests.transport.certificates import authority, folder
from tests.transport.servers import observed, serving, silent

pytestmark = [pytest.mark.needs("mosquitto", "openssl"), pytest.mark.slow]
PASSWORD = Secret("env:TOKEN")

CONFIGURATION = """
per_listener_settings true
persistence false
{user}
listener {plain} 127.0.0.1
allow_anonymous true

listener {tls} 127.0.0.1
cafile {authority}
certfile {certificate}
keyfile {key}
allow_anonymous false
password_file {base}/passwords
acl_file {base}/rights
"""
RIGHTS = """
user monitor
topic readwrite sentinel/#
"""


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[str, int]]:
    """A broker: ``plain`` for everybody, ``tls`` for its users."""
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        base.chmod(0o755)
        plain, tls = free_ports(2)
        for file in ("passwords", "rights"):
            (base / file).write_text(RIGHTS if file == "rights" else "")
            (base / file).chmod(0o644)
        words = ["mosquitto_passwd", "-b", base / "passwords", "monitor", "t0psecret"]
        subprocess.run(words, check=True, capture_output=True, timeout=10)
        written = base / "mosquitto.conf"
        written.write_text(
            CONFIGURATION.format(
                base=base,
                plain=plain,
                tls=tls,
                authority=authority(),
                certificate=folder() / "good.pem",
                key=folder() / "good.key",
                user="user root",
            )
        )
        with running("mosquitto", ["-c", written], ports=[plain, tls], folder=base):
            _retain(plain, "shop/doors/1", b"shut")
            yield {"plain": plain, "tls": tls}


def _retain(port, topic, payload):
    """Leave a message with the broker, as another device would."""
    said = bytearray(publish(topic, payload, qos=0, number=0))
    said[0] |= 1
    with socket.create_connection(("127.0.0.1", port), 5) as device:
        device.sendall(connect("door-1", keep_alive_s=60) + said + b"\xc0\x00")
        answer = device.recv(4, socket.MSG_WAITALL) + device.recv(2, socket.MSG_WAITALL)
        assert b"\x20\x02\x00\x00\xd0\x00" == answer
        device.sendall(b"\xe0\x00")


def check(port, *, needed="", seconds=5.0, **fields):
    async def main():
        async with Transport() as transport:
            how = {"host_": "localhost", "port": port, "ip": "ipv4", "ca_file": authority()}
            return await observed(
                Mqtt(**{**how, **fields}),
                transport,
                seconds=seconds,
                needed=needed,
                TOKEN="t0psecret",
            )

    return asyncio.run(main())


def holds(source, observation):
    return compile_expression(source, Mqtt.NAMES).evaluate(observation.values)


def test_a_session_and_its_ping_are_enough(ports):
    observation = check(ports["plain"])

    assert ("", None, "in session") == (
        observation.reason,
        observation.outcome,
        observation.text,
    )
    assert 0.0 < observation.values["timing"]["ping_s"] < 5.0
    assert {"probe_mqtt_ping_seconds"} == observation.metrics.keys() - KNOWN.keys()


def test_a_retained_message_is_seen_when_it_is_named(ports):
    named = check(ports["plain"], topic="shop/doors/#", needed="message")
    unnamed = check(ports["plain"], topic="shop/doors/#")

    assert holds('message == "shut" && retained && message_topic == "shop/doors/1"', named)
    assert ("", "PUBLISH shop/doors/1 shut") == (unnamed.reason, named.evidence.response)


@pytest.mark.parametrize("qos", [0, 1])
def test_a_message_comes_back(ports, qos):
    observation = check(ports["plain"], topic="sentinel/round-trip", round_trip=True, qos=qos)

    assert "" == observation.reason
    assert 0.0 < observation.metrics["probe_mqtt_round_trip_seconds"] < 5.0
    assert holds('message.startsWith("sentinel ") && !retained', observation)
    assert {"timing.ping_s", "timing.round_trip_s"} < {each.name for each in observation.samples}


def test_two_checks_at_once_do_not_take_each_others_message(ports):
    async def main():
        async with Transport() as transport:
            how = {"port": ports["plain"], "topic": "sentinel/both", "round_trip": True}
            probers = [Mqtt("127.0.0.1", **how) for _ in range(5)]
            return await asyncio.gather(*(observed(each, transport) for each in probers))

    both = asyncio.run(main())

    assert {""} == {each.reason for each in both}
    assert 5 == len({each.values["message"] for each in both})


def test_what_others_say_there_is_not_ours_coming_back():
    async def broker(reader, writer):
        for reply in (GRANTED, b"\xd0\x00", b"\x90\x03\x00\x01\x00"):
            await reader.read(1000)
            writer.write(reply)
        ours = await reader.read(1000)
        writer.write(publish("t", b"not yours", qos=0, number=0) + ours)
        await silent(reader, writer)

    observation = against(broker, topic="t", round_trip=True)

    assert "" == observation.reason
    assert observation.values["message"].startswith("sentinel ")


def test_a_user_signs_in_over_tls(ports):
    signed = {"tls": True, "user": "monitor", "password": PASSWORD}
    observation = check(ports["tls"], topic="sentinel/x", round_trip=True, **signed)

    assert "" == observation.reason, observation.text
    assert holds("certificate.verified && certificate.days_left > 14.0", observation)
    assert "t0psecret" not in observation.evidence.request
    assert "monitor ***\nPINGREQ" in observation.evidence.request


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "auth_failed"),
        ({"user": "monitor", "password": Secret("wrong")}, "auth_failed"),
        ({"ca_file": ""}, "certificate_untrusted"),
        ({"server_name": "other.example"}, "certificate_name"),
    ],
)
def test_each_step_has_its_reason(ports, fields, reason):
    observation = check(ports["tls"], tls=True, **fields)

    assert (Outcome.failed, reason) == (observation.outcome, observation.reason)


def test_a_message_that_does_not_come_is_late(ports):
    observation = check(ports["plain"], topic="shop/silence", needed="message", seconds=0.5)

    assert ("timeout", True) == (observation.reason, observation.network)
    assert "timeout; awaited: a message on `shop/silence`" == observation.text


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"password": PASSWORD}, "user"),
        ({"round_trip": True}, "topic"),
        ({"round_trip": True, "topic": "shop/+"}, "without"),
        ({"round_trip": True, "topic": "$SYS/uptime"}, "broker's own"),
    ],
)
def test_what_makes_no_sense_is_refused_when_it_is_declared(fields, wrong):
    with pytest.raises(ValueError, match=wrong):
        Mqtt("a", **fields)


def answering(*replies, hold_s=0.0):
    """Say each reply once something was heard."""

    async def script(reader, writer):
        for reply in replies:
            await reader.read(1000)
            writer.write(reply)
            await writer.drain()
        await asyncio.sleep(hold_s)

    return script


def against(script, *, seconds=5.0, **fields):
    async def main():
        async with serving(script) as port, Transport() as transport:
            return await observed(Mqtt("127.0.0.1", port, **fields), transport, seconds=seconds)

    return asyncio.run(main())


GRANTED = b"\x20\x02\x00\x00"
FLOOD = publish("t", b"x" * 60_000, qos=0, number=0) * 20


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (answering(b"\x20\x02\x00\x05"), "auth_failed"),
        (answering(b"\x20\x02\x00\x03"), "refused"),
        (answering(b"\x20\x02\x00\x63"), "refused"),
        (answering(b"\x20\x01\x00"), "protocol_error"),
        (answering(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 9), "protocol_error"),
        (answering(b"\x30\xff\xff\xff\xff\x01", hold_s=60), "protocol_error"),
        (answering(GRANTED, b"\xd0\x00", b"\x90\x03\x00\x01\x80"), "subscription_refused"),
        (answering(GRANTED, b"\xd0\x00", b"\x90\x00"), "subscription_refused"),
        (answering(GRANTED, b"\x31\x02\x00\x05", hold_s=60), "protocol_error"),
        (answering(GRANTED, b"\x30\x03\x00\x01a" * 20_000, hold_s=60), "protocol_error"),
        (answering(GRANTED, b"\x30\xff\xff\xff\x7f", hold_s=60), "body_too_large"),
        (answering(GRANTED, FLOOD, hold_s=60), "body_too_large"),
        (answering(b""), "empty_reply"),
        (answering(GRANTED, b""), "truncated"),
        (answering(hold_s=60), "timeout"),
    ],
)
def test_who_says_the_wrong_thing_has_a_reason(script, reason):
    how = {"seconds": 0.3} if reason == "timeout" else {}
    observation = against(script, topic="t", **how)

    assert (Outcome.failed, reason) == (observation.outcome, observation.reason)
    assert observation.text


def test_what_the_pages_show_can_be_declared():
    assert {"mqtt"} == {probe.kind for probe in shown("mqtt").values()}
