"""The `tcp` kind: connecting, TLS, dialogues, and what peers can do to them."""

import asyncio
import socket
import time

import pytest

from sentinel.expression import compile_expression
from sentinel.metrics.families import KNOWN
from sentinel.probers.tcp import Tcp, TcpLine
from sentinel.transport.curl import Transport
from sentinel.words import Outcome, Secret
from tests.probers.documents import shown
from tests.transport.certificates import authority, server
from tests.transport.servers import observed, serving, silent

pytestmark = pytest.mark.needs("openssl")


def check(script, *, tls=None, needed="", seconds=5.0, **fields):
    """What the kind observes of a server on localhost that follows `script`."""

    async def main():
        async with serving(script, tls) as port, Transport() as transport:
            how = {"host_": "localhost", "port": port, "ip": "ipv4", "tls": bool(tls), **fields}
            return await observed(
                Tcp(**how), transport, seconds=seconds, needed=needed, TOKEN="t0psecret"
            )

    return asyncio.run(main())


def greeting(*parts, hold_s=0.0):
    """Say the parts at once."""

    async def script(reader, writer):
        for part in parts:
            writer.write(part)
            await writer.drain()
        await asyncio.sleep(hold_s)

    return script


async def mail(reader, writer):
    """As much of an SMTP server as a dialogue needs."""
    writer.write(b"220-welcome\r\n220 mail.acme.example ESMTP\r\n")
    heard = await reader.readline()
    writer.write(b"221 bye\r\n" if heard == b"QUIT\r\n" else b"500 what?\r\n")
    await writer.drain()


SMTP = (TcpLine(expect="^220 ", send="QUIT\r"), TcpLine(expect="^221 "))


def holds(source, observation):
    return compile_expression(source, Tcp.NAMES).evaluate(observation.values)


def test_a_connection_is_enough():
    observation = check(silent)

    assert (None, "", "127.0.0.1") == (
        observation.outcome,
        observation.reason,
        observation.address,
    )
    assert ["resolve", "connect", "tls", "talk"] == list(observation.phases)


def test_a_dialogue_is_had_line_by_line():
    observation = check(mail, lines=SMTP)

    assert "" == observation.reason
    assert holds('banner == "220-welcome" && body.contains("221 bye")', observation)
    assert ("QUIT\r", True) == (
        observation.evidence.request,
        "ESMTP" in observation.evidence.response,
    )


@pytest.mark.parametrize(
    ("script", "reason", "regex"),
    [
        (greeting(b"554 no service\r\n"), "unexpected_line", 1),
        (greeting(b"x" * 200_000, hold_s=5), "unexpected_line", 1),
        (greeting(b"short\n" * 40_000, hold_s=5), "unexpected_line", 1),
        (greeting(), "unexpected_line", 1),
        (silent, "timeout", 0),
        (greeting(b"220-and so on", hold_s=60), "timeout", 0),
    ],
)
def test_a_line_that_does_not_come_has_its_reason(script, reason, regex):
    observation = check(script, lines=SMTP, seconds=0.5 if reason == "timeout" else 5.0)

    assert (Outcome.failed, reason) == (observation.outcome, observation.reason)
    assert regex == observation.metrics["probe_failed_due_to_regex"]
    assert "^220 " in observation.text


def test_a_last_line_without_an_end_counts():
    assert "" == check(greeting(b"+PONG"), lines=(TcpLine(expect=r"\+PONG"),)).reason


def test_the_banner_is_waited_for_only_when_it_is_named():
    observation = check(greeting(b"SSH-2.0-OpenSSH_9.2\r\n", hold_s=60), needed="banner")

    assert holds('banner.startsWith("SSH-2.0")', observation)
    assert b"" == check(silent, needed="timing").evidence.body


def test_nobody_listening_is_refused():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))

        async def main():
            async with Transport() as transport:
                prober = Tcp("127.0.0.1", taken.getsockname()[1])
                return await observed(prober, transport)

        observation = asyncio.run(main())

    assert ("connect_refused", True) == (observation.reason, observation.network)


def test_a_dialogue_over_tls_with_its_certificate():
    observation = check(mail, tls=server("good"), ca_file=authority(), lines=SMTP)

    assert "" == observation.reason
    assert holds("certificate.verified && certificate.days_left > 14.0", observation)
    assert {"TLS 1.3": 1} == observation.metrics["probe_tls_version_info"]
    own = {family.name for family in Tcp("a", 1).METRICS}
    assert observation.metrics.keys() <= KNOWN.keys() | own


@pytest.mark.parametrize(
    ("name", "fields", "reason"),
    [
        ("expired", {}, "certificate_expired"),
        ("other", {}, "certificate_name"),
        ("other", {"server_name": "other.example"}, ""),
        ("good", {"ca_file": ""}, "certificate_untrusted"),
        ("expired", {"verify": False}, ""),
    ],
)
def test_certificates_are_verified_as_over_https(name, fields, reason):
    observation = check(mail, tls=server(name), **{"ca_file": authority(), **fields})

    assert reason == observation.reason
    assert "CN=localhost" in observation.evidence.facts["certificates"][0]["subject"]


async def echo(reader, writer):
    """Say a number, then every line back."""
    writer.write(b"* hello 42 from shop\r\n")
    while line := await reader.readline():
        writer.write(b"you said " + line)
        await writer.drain()


def test_what_patterns_caught_is_sent_seen_and_shown():
    greeted = TcpLine(
        expect=r"hello (\d+) from (?P<who>\w+)",
        send=r"\1 \g<who> \0 \9 \g<none>|",
        labels={"number": r"\1", "who": r"\g<who>"},
    )
    observation = check(echo, lines=(greeted, TcpLine(expect="said (?P<back>.*)")))

    assert "42 shop hello 42 from shop  |" == observation.values["captured"]["back"]
    assert holds('captured.who == "shop" && int("42") == 42', observation)
    assert {("42", "shop"): 1} == observation.metrics["probe_expect_info"]


def test_labels_of_several_turns_are_one_family():
    turns = (
        TcpLine(expect=r"hello (\d+)", send="x", labels={"number": r"\1"}),
        TcpLine(expect="said (.)", labels={"back": r"\1"}),
    )
    prober = Tcp("a", 1, lines=turns)

    assert ("back", "number") == prober.METRICS[1].labels
    assert {("", "42"): 1, ("x", ""): 1} == check(echo, lines=turns).metrics["probe_expect_info"]
    alone = check(echo, lines=turns[:1])
    assert {"42": 1} == alone.metrics["probe_expect_info"]


def test_bytes_are_awaited_and_sent_as_they_are():
    async def script(reader, writer):
        writer.write(b"\x00\x0a\xff")
        await writer.drain()
        writer.write(b"\xfe!" if await reader.readexactly(2) == b"\x01\x0a" else b"")
        await writer.drain()

    turns = (
        TcpLine(expect_bytes="0a ff", send_bytes="01 0A"),
        TcpLine(expect_bytes="fe"),
        TcpLine(expect="^!$"),
    )
    assert "" == check(script, lines=turns).reason

    missed = check(script, lines=(TcpLine(expect_bytes="0a ff", send_bytes="0101"), *turns[1:]))
    assert ("unexpected_bytes", "closed; not the bytes fe") == (missed.reason, missed.text)
    assert (1, 0) == (
        missed.metrics["probe_failed_due_to_bytes"],
        missed.metrics["probe_failed_due_to_regex"],
    )


def test_what_is_secret_is_sent_and_not_shown():
    said = TcpLine(expect="hello", secret_send=Secret("AUTH {env:TOKEN}"))
    observation = check(echo, lines=(said, TcpLine(expect="said AUTH t0psecret")))

    assert ("", "***") == (observation.reason, observation.evidence.request)


def starttls(context, *, early=b"", hold_s=0.0):
    """Agree to TLS, and after a while go on over it; `early` is said in plain text before."""

    async def script(reader, writer):
        writer.write(b"220 ready\r\n")
        await reader.readline()
        writer.transport.pause_reading()  # what comes from here on is for TLS
        writer.write(b"220 go ahead\r\n" + early)
        await writer.drain()
        await asyncio.sleep(hold_s)
        await writer.start_tls(context)
        heard = await reader.readline()
        writer.write(b"secretly " + heard)
        await writer.drain()

    return script


UPGRADE = (
    TcpLine(expect="^220 ", send="STARTTLS\r"),
    TcpLine(expect="^220 ", starttls=True),
    TcpLine(send="hi\r"),
    TcpLine(expect="^secretly hi$"),
)


def test_a_dialogue_goes_on_over_tls():
    observation = check(starttls(server("good")), ca_file=authority(), lines=UPGRADE)

    assert "" == observation.reason
    assert holds("certificate.verified && timing.tls_s > 0.0", observation)
    assert {"TLS 1.3": 1} == observation.metrics["probe_tls_version_info"]
    assert observation.duration_s == pytest.approx(sum(observation.phases.values()))


def test_a_second_of_tls_is_counted_once():
    started = time.monotonic()
    script = starttls(server("good"), hold_s=0.2)
    observation = check(script, ca_file=authority(), lines=UPGRADE)

    assert "" == observation.reason
    assert observation.phases["tls"] >= 0.2
    assert observation.duration_s <= time.monotonic() - started


@pytest.mark.parametrize(
    ("name", "early", "reason"),
    [
        ("expired", b"", "certificate_expired"),
        ("other", b"", "certificate_name"),
        ("good", b"250 injected\r\n", "protocol_error"),
    ],
)
def test_tls_that_begins_badly_ends_the_dialogue(name, early, reason):
    script = starttls(server(name), early=early)
    observation = check(script, ca_file=authority(), lines=UPGRADE)

    assert (Outcome.failed, reason) == (observation.outcome, observation.reason)
    assert ("certificates" in observation.evidence.facts) == (not early)


@pytest.mark.parametrize(
    ("turns", "fields", "wrong"),
    [
        ([{"send": "a", "send_bytes": "00"}], {}, "one of"),
        ([{"labels": {"a": "b"}}], {}, "expect"),
        ([{"starttls": True}], {"tls": True}, "already"),
        ([{"starttls": True}, {"starttls": True}], {}, "already"),
        ([{"expect_bytes": "0"}], {}, "hex"),
    ],
)
def test_a_turn_that_makes_no_sense_is_refused_when_it_is_declared(turns, fields, wrong):
    with pytest.raises(ValueError, match=wrong):
        Tcp("a", 1, lines=tuple(TcpLine(**turn) for turn in turns), **fields)


def test_a_pattern_that_is_none_is_refused_when_it_is_declared():
    with pytest.raises(ValueError, match="RE2"):
        Tcp("a", 1, lines=(TcpLine(expect="(?<=a)b"),))


def test_nothing_stays_open():
    async def main():
        async with serving(mail) as port, Transport() as transport:
            await observed(Tcp("127.0.0.1", port, lines=SMTP), transport)
            return transport.under_way

    assert 0 == asyncio.run(main())


def test_what_the_pages_show_can_be_declared():
    assert {"tcp"} == {probe.kind for probe in shown("tcp").values()}
