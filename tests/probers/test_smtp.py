"""The `smtp` kind against a real SMTP server, and against servers that say the wrong thing."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from aiosmtpd.handlers import Sink
from aiosmtpd.smtp import SMTP, AuthResult

from sentinel.expression import compile_expression
from sentinel.metrics.families import KNOWN
from sentinel.probers.smtp import Smtp
from sentinel.transport.curl import Transport
from sentinel.words import Outcome, Secret
from tests.probers.documents import shown
from tests.transport.certificates import authority, server
from tests.transport.servers import observed, serving

pytestmark = pytest.mark.needs("openssl")
PASSWORD = Secret("env:TOKEN")


class Post(Sink):
    """Takes mail for `orders` from anybody but `spam`."""

    mails = 0

    async def handle_MAIL(self, server, session, envelope, address, options):
        envelope.mail_from = address
        return "550 no" if address.startswith("spam") else "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if not address.startswith("orders"):
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        Post.mails += 1
        return "250 OK"


def let_in(server, session, envelope, mechanism, sent):
    right = (sent.login, sent.password) == (b"monitor", b"t0psecret")
    return AuthResult(success=right, handled=False)


@asynccontextmanager
async def mail_server(*, tls=None, implicit=None, **how):
    loop = asyncio.get_running_loop()
    signing = {"authenticator": let_in, "auth_require_tls": True} if tls else {}

    def make():
        return SMTP(
            Post(), hostname="mail.acme.example", loop=loop, tls_context=tls, **signing, **how
        )

    running = await loop.create_server(make, "127.0.0.1", 0, ssl=implicit)
    async with running:
        yield running.sockets[0].getsockname()[1]


def check(*, seconds=5.0, needed="", side=None, **fields):
    async def main():
        async with mail_server(**(side or {})) as port, Transport() as transport:
            how = {"host_": "localhost", "port": port, "ip": "ipv4", "ca_file": authority()}
            return await observed(
                Smtp(**{**how, **fields}),
                transport,
                seconds=seconds,
                needed=needed,
                TOKEN="t0psecret",
            )

    return asyncio.run(main())


def holds(source, observation):
    return compile_expression(source, Smtp.NAMES).evaluate(observation.values)


def test_a_greeting_and_its_capabilities():
    observation = check(side={"data_size_limit": 5000})

    assert ("", None) == (observation.reason, observation.outcome)
    assert holds('banner.startsWith("mail.acme.example") && code == 250', observation)
    assert holds('max_size_bytes == 5000 && "SIZE" in capabilities', observation)
    assert 0.0 < observation.values["timing"]["banner_s"] < 5.0
    own = {each.name for each in Smtp.METRICS}
    assert own <= observation.metrics.keys() <= KNOWN.keys() | own


def test_it_goes_on_over_tls_and_signs_in():
    observation = check(
        side={"tls": server("good")}, starttls=True, user="monitor", password=PASSWORD
    )

    assert ("", 235) == (observation.reason, observation.metrics["probe_smtp_status_code"])
    assert holds('certificate.verified && capabilities.AUTH.contains("PLAIN")', observation)
    assert observation.evidence.request.endswith("STARTTLS\nEHLO sentinel.invalid\nAUTH PLAIN ***")
    assert observation.duration_s == pytest.approx(sum(observation.phases.values()))


def test_a_server_without_plain_is_signed_in_to_with_login():
    side = {"tls": server("good"), "auth_exclude_mechanism": ["PLAIN"]}
    right = check(side=side, starttls=True, user="monitor", password=PASSWORD)
    wrong = check(side=side, starttls=True, user="monitor", password=Secret("x"))

    assert ["", "auth_failed"] == [right.reason, wrong.reason]
    assert right.evidence.request.endswith("AUTH LOGIN\n***\n***")


def test_tls_from_the_beginning():
    observation = check(side={"implicit": server("good")}, tls=True)

    assert "" == observation.reason
    assert holds("certificate.days_left > 14.0 && timing.tls_s > 0.0", observation)


@pytest.mark.parametrize(
    ("side", "fields", "reason"),
    [
        ({}, {"starttls": True}, "starttls_missing"),
        ({"tls": "expired"}, {"starttls": True}, "certificate_expired"),
        ({"tls": "other"}, {"starttls": True, "server_name": "other.example"}, ""),
        ({"tls": "good"}, {"starttls": True, "user": "a", "password": PASSWORD}, "auth_failed"),
        (
            {"tls": "good", "auth_exclude_mechanism": ["PLAIN", "LOGIN"]},
            {"starttls": True, "user": "a", "password": PASSWORD},
            "auth_missing",
        ),
        ({}, {"recipient": "orders@acme.example"}, ""),
        ({}, {"recipient": "nobody@acme.example"}, "recipient_refused"),
        ({}, {"recipient": "orders@acme.example", "sender": "spam@x.example"}, "sender_refused"),
        ({"tls": "good", "require_starttls": True}, {"recipient": "orders@a"}, "sender_refused"),
    ],
)
def test_each_step_has_its_reason(side, fields, reason):
    if "tls" in side:
        side = {**side, "tls": server(side["tls"])}
    observation = check(side=side, **fields)

    assert reason == observation.reason
    assert observation.outcome == (Outcome.failed if reason else None)
    assert "QUIT" not in observation.evidence.request


def test_a_recipient_that_an_expectation_names_is_its_to_judge():
    observation = check(needed="recipient_code", recipient="nobody@acme.example")

    assert "" == observation.reason
    assert holds('recipient_code == 550 && recipient_text.contains("no such")', observation)


def test_no_mail_is_sent():
    before = Post.mails
    observation = check(recipient="orders@acme.example")

    asked = observation.evidence.request.splitlines()
    assert ["MAIL FROM:<>", "RCPT TO:<orders@acme.example>", "RSET"] == asked[1:]
    assert before == Post.mails


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"user": "a", "password": PASSWORD}, "only over TLS"),
        ({"user": "a", "tls": True}, "together"),
        ({"password": PASSWORD, "tls": True}, "together"),
        ({"tls": True, "starttls": True}, "leave out"),
        ({"sender": "a@b"}, "recipient"),
    ],
)
def test_what_makes_no_sense_is_refused_when_it_is_declared(fields, wrong):
    with pytest.raises(ValueError, match=wrong):
        Smtp("a", **fields)


def answering(*replies, hold_s=0.0):
    """Say each reply, after each line that was heard; then perhaps hold the line."""

    async def script(reader, writer):
        for reply in replies:
            writer.write(reply)
            await writer.drain()
            await reader.readline()
        await asyncio.sleep(hold_s)

    return script


def against(script, *, seconds=5.0, **fields):
    async def main():
        async with serving(script) as port, Transport() as transport:
            return await observed(Smtp("127.0.0.1", port, **fields), transport, seconds=seconds)

    return asyncio.run(main())


GREETED = (b"220 a\r\n", b"250-a\r\n250 STARTTLS\r\n")


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (answering(b"554 no service\r\n"), "unexpected_reply"),
        (answering(b"220 a\r\n", b"421 too busy\r\n"), "unexpected_reply"),
        (answering(b"SSH-2.0-OpenSSH_9.2\r\n"), "protocol_error"),
        (answering(b"220-a\r\n" * 200, hold_s=60), "protocol_error"),
        (answering(b"220 " + b"x" * 100_000, hold_s=60), "protocol_error"),
        (answering(b"220 a\r\n"), "truncated"),
        (answering(), "empty_reply"),
        (answering(hold_s=60), "timeout"),
        (answering(b"220 a\r\n", hold_s=60), "timeout"),
    ],
)
def test_who_says_the_wrong_thing_has_a_reason(script, reason):
    observation = against(script, seconds=0.3 if reason == "timeout" else 5.0)

    assert (Outcome.failed, reason) == (observation.outcome, observation.reason)
    assert observation.text


def test_tls_that_does_not_begin_is_a_reason():
    refused = against(answering(*GREETED, b"454 not now\r\n"), starttls=True)
    injected = against(answering(*GREETED, b"220 go\r\n250 injected\r\n"), starttls=True)
    mute = against(answering(*GREETED, b"220 go\r\n", hold_s=60), starttls=True, seconds=0.5)

    assert ["starttls_missing", "protocol_error"] == [refused.reason, injected.reason]
    assert (Outcome.failed, "timeout") == (mute.outcome, mute.reason)


def test_a_server_of_before_ehlo_is_greeted_as_it_knows():
    observation = against(answering(b"220 a\r\n", b"500 what?\r\n", b"250 hello\r\n"))

    assert ("", {}) == (observation.reason, observation.values["capabilities"])
    assert observation.evidence.request.endswith("HELO sentinel.invalid")


def test_what_the_pages_show_can_be_declared():
    assert {"smtp"} == {probe.kind for probe in shown("smtp").values()}
