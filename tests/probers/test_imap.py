"""The `imap` kind against a real Dovecot, and against servers that say the wrong thing."""

import asyncio
import getpass
import grp
import os
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sentinel.expression import compile_expression
from sentinel.metrics.families import KNOWN
from sentinel.probers.imap import Imap, _date
from sentinel.transport.curl import Transport
from sentinel.words import Outcome, Secret
from tests.probers.daemons import free_ports, running
from tests.probers.documents import shown
from tests.transport.certificates import authority, folder
from tests.transport.servers import NOW, observed, serving

pytestmark = [pytest.mark.needs("dovecot-imapd", "openssl"), pytest.mark.slow]
PASSWORD = Secret("env:TOKEN")
NOBODY = 65534

CONFIGURATION = """
base_dir = {base}/run
log_path = {base}/log
protocols = imap
listen = 127.0.0.1
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{key}
auth_mechanisms = {mechanisms}
mail_location = maildir:{base}/mail/%u
first_valid_uid = 1
service imap-login {{
  inet_listener imap {{
    port = {plain}
  }}
  inet_listener imaps {{
    port = {tls}
  }}
}}
passdb {{
  driver = static
  args = password=t0psecret
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={base}/mail/%u
}}
{rights}
"""
OWN_RIGHTS = """
default_internal_user = {me}
default_internal_group = {mine}
default_login_user = {me}
service anvil {{
  chroot =
}}
service imap-login {{
  chroot =
}}
"""


def mailboxes(base: Path, uid: int) -> None:
    """Three mails for the monitor, the newest of them an hour old, one of them seen."""
    inbox = base / "mail" / "monitor"
    for name in ("cur", "new", "tmp"):
        (inbox / name).mkdir(parents=True)
    for number, where in enumerate(("cur/1.a:2,S", "new/2.b", "new/3.c")):
        mail = inbox / where
        mail.write_bytes(b"Subject: order\r\n\r\nOne mug.\r\n")
        arrived = (NOW - timedelta(hours=3 - number)).timestamp()
        os.utime(mail, (arrived, arrived))
    if os.getuid() == 0:
        for path in (base / "mail", *(base / "mail").rglob("*")):
            os.chown(path, uid, uid)


def own_rights() -> str:
    """Where nobody is root, Dovecot is all its users itself."""
    return OWN_RIGHTS.format(me=getpass.getuser(), mine=grp.getgrgid(os.getgid()).gr_name)


def serve(base: Path, *, mechanisms: str = "plain login"):
    """Dovecot in this folder; its ports, and what to run."""
    root = os.getuid() == 0
    uid, gid = (NOBODY, NOBODY) if root else (os.getuid(), os.getgid())
    base.chmod(0o755)
    mailboxes(base, uid)
    plain, tls = free_ports(2)
    written = base / "dovecot.conf"
    written.write_text(
        CONFIGURATION.format(
            base=base,
            certificate=folder() / "good.pem",
            key=folder() / "good.key",
            mechanisms=mechanisms,
            plain=plain,
            tls=tls,
            uid=uid,
            gid=gid,
            rights="" if root else own_rights(),
        )
    )
    how = running("dovecot-imapd", ["-F", "-c", written], ports=[plain, tls], folder=base)
    return {"plain": plain, "tls": tls}, how


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[str, int]]:
    """A Dovecot on ``plain`` (with STARTTLS) and on ``tls``."""
    with tempfile.TemporaryDirectory() as name:
        listening, how = serve(Path(name))
        with how:
            yield listening


def check(port, *, needed="", seconds=5.0, **fields):
    async def main():
        async with Transport() as transport:
            how = {"host_": "localhost", "port": port, "ip": "ipv4", "ca_file": authority()}
            return await observed(
                Imap(**{**how, **fields}),
                transport,
                seconds=seconds,
                needed=needed,
                TOKEN="t0psecret",
            )

    return asyncio.run(main())


def holds(source, observation):
    return compile_expression(source, Imap.NAMES).evaluate(observation.values)


SIGNED = {"user": "monitor", "password": PASSWORD}


def test_a_greeting_and_its_capabilities(ports):
    observation = check(ports["plain"])

    assert ("", None) == (observation.reason, observation.outcome)
    assert holds('banner.startsWith("Dovecot") && "STARTTLS" in capabilities', observation)
    assert 0.0 < observation.values["timing"]["banner_s"] < 5.0
    assert observation.metrics.keys() <= KNOWN.keys() | {each.name for each in Imap.METRICS}


@pytest.mark.parametrize("way", [{"starttls": True}, {"tls": True}])
def test_it_signs_in_over_tls_and_looks(ports, way):
    port = ports["tls" if "tls" in way else "plain"]
    observation = check(port, mailbox="INBOX", **way, **SIGNED)

    assert "" == observation.reason, observation.text
    assert holds("count == 3 && unseen == 2 && newest_age_s == 3600.0", observation)
    assert holds("certificate.verified && certificate.days_left > 14.0", observation)
    told = observation.metrics
    assert (3, 2) == (told["probe_imap_mails"], told["probe_imap_unseen_mails"])
    hour_ago = (NOW - timedelta(hours=1)).timestamp()
    assert hour_ago == told["probe_imap_newest_mail_timestamp_seconds"]
    asked = observation.evidence.request.splitlines()
    assert ["AUTHENTICATE PLAIN ***", 'STATUS "INBOX" (UNSEEN)', 'EXAMINE "INBOX"'] == asked[-4:-1]


def test_looking_changes_nothing(ports):
    first = check(ports["tls"], tls=True, mailbox="INBOX", **SIGNED)
    again = check(ports["tls"], tls=True, mailbox="INBOX", **SIGNED)

    assert first.values["unseen"] == again.values["unseen"] == 2


def test_an_empty_mailbox_has_no_newest_mail(ports):
    observation = check(ports["tls"], tls=True, mailbox="INBOX", **{**SIGNED, "user": "newcomer"})

    assert holds("count == 0 && newest_age_s == -1.0", observation)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({**SIGNED, "mailbox": 'No "such" \\ box'}, "mailbox_missing"),
        ({"ca_file": ""}, "certificate_untrusted"),
        ({"server_name": "other.example"}, "certificate_name"),
        (
            {"user": "monitor", "password": Secret("wrong")},
            "auth_failed",
        ),  # the last: Dovecot then lets us wait
    ],
)
def test_each_step_has_its_reason(ports, fields, reason):
    observation = check(ports["plain"], starttls=True, **fields)

    assert (Outcome.failed, reason) == (observation.outcome, observation.reason)
    assert "t0psecret" not in observation.evidence.request


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        (SIGNED, "only over TLS"),
        ({"user": "a", "tls": True}, "together"),
        ({"tls": True, "starttls": True}, "leave out"),
        ({"mailbox": "INBOX"}, "user"),
    ],
)
def test_what_makes_no_sense_is_refused_when_it_is_declared(fields, wrong):
    with pytest.raises(ValueError, match=wrong):
        Imap("a", **fields)


def answering(*replies, hold_s=0.0):
    """Say each reply, after each line that was heard, with its tag for ``@``; then hold the line."""

    async def script(reader, writer):
        tag = b""
        for reply in replies:
            writer.write(reply.replace(b"@", tag))
            await writer.drain()
            tag = (await reader.readline()).partition(b" ")[0]
        await asyncio.sleep(hold_s)

    return script


def against(script, *, seconds=5.0, **fields):
    async def main():
        async with serving(script) as port, Transport() as transport:
            return await observed(Imap("127.0.0.1", port, **fields), transport, seconds=seconds)

    return asyncio.run(main())


HELLO = b"* OK ready\r\n"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (answering(b"* BYE too busy\r\n"), "unexpected_reply"),
        (answering(b"220 mail.acme.example ESMTP\r\n"), "protocol_error"),
        (answering(HELLO, b"@ BAD what?\r\n"), "unexpected_reply"),
        (answering(HELLO, b"* x\r\n" * 2000, hold_s=60), "protocol_error"),
        (answering(HELLO, b"* {5}\r\nabcde" * 30, hold_s=60), "protocol_error"),
        (answering(HELLO, b"* {9999999}\r\nx", hold_s=60), "body_too_large"),
        (answering(b"* OK " + b"x" * 100_000, hold_s=60), "protocol_error"),
        (answering(HELLO), "truncated"),
        (answering(), "empty_reply"),
        (answering(HELLO, hold_s=60), "timeout"),
    ],
)
def test_who_says_the_wrong_thing_has_a_reason(script, reason):
    observation = against(script, seconds=0.3 if reason == "timeout" else 5.0)

    assert (Outcome.failed, reason) == (observation.outcome, observation.reason)
    assert observation.text


def test_capabilities_are_heard_whatever_stands_between():
    told = b"* {4}\r\n@@\r\n x\r\n* CAPABILITY imap4rev1 Starttls\r\n@ OK done\r\n"

    assert ["IMAP4REV1", "STARTTLS"] == against(answering(HELLO, told)).values["capabilities"]


def test_tls_that_does_not_begin_is_a_reason():
    offered = b"* CAPABILITY IMAP4rev1 STARTTLS\r\n@ OK\r\n"
    unoffered = against(answering(HELLO, b"@ OK\r\n"), starttls=True)
    refused = against(answering(HELLO, offered, b"@ NO not now\r\n"), starttls=True)
    injected = against(answering(HELLO, offered, b"@ OK go\r\n* x\r\n"), starttls=True)

    assert ["starttls_missing", "starttls_missing", "protocol_error"] == [
        each.reason for each in (unoffered, refused, injected)
    ]


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("17-Jul-1996 02:44:25 -0700", datetime(1996, 7, 17, 9, 44, 25, tzinfo=UTC)),
        (" 1-jan-2026 00:00:00 +0000", datetime(2026, 1, 1, tzinfo=UTC)),
        ("31-Feb-2026 00:00:00 +0000", None),
        ("17-Xyz-1996 02:44:25 -0700", None),
        ("01-Jan-0001 00:00:00 +2300", None),
        ("", None),
    ],
)
def test_a_date_is_read_or_is_none(text, at):
    assert at == _date(text)


def test_what_the_pages_show_can_be_declared():
    assert {"imap"} == {probe.kind for probe in shown("imap").values()}
