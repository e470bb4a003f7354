"""Mailboxes: IMAP (RFC 3501 and 9051), with STARTTLS."""

import base64
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal

from sentinel.expression import Declaration
from sentinel.kinds import ProbeWorld, key
from sentinel.monitor.probe import MetricFamily, Observation, Sample
from sentinel.probers.spoken import (
    CONNECTION_NAMES,
    TIMING,
    Ports,
    ca_file_key,
    cert_file_key,
    check_login,
    host_key,
    ip_key,
    key_file_key,
    observation,
    password_key,
    port_key,
    secured,
    server_name_key,
    talked,
    tls_key,
    user_key,
    values_of,
    verify_key,
)
from sentinel.transport.connection import Connection
from sentinel.transport.lines import Ended, Lines
from sentinel.transport.reasons import Reason
from sentinel.words import Secret, shortened

UNEXPECTED = "unexpected_reply"
"""The reason when the server did not greet, or refused a step that it must take."""
STARTTLS_MISSING = "starttls_missing"
"""The reason when the server does not offer STARTTLS, or does not begin it."""
AUTH_MISSING = "auth_missing"
"""The reason when the server offers no way to sign in that is known here."""
AUTH_FAILED = "auth_failed"
"""The reason when user and password were refused."""
MAILBOX_MISSING = "mailbox_missing"
"""The reason when there is no such mailbox, or it may not be looked into."""

_PORTS = Ports(143, 993)
_MOST_LINES = 1000
_MOST_LITERALS = 20
_GREETING = re.compile(rb"\* (OK|PREAUTH|BYE)\b ?(?:\[[^\]]*\] ?)?(.*)", re.IGNORECASE)
_LITERAL = re.compile(rb"\{(\d{1,7})\+?\}$")
_EXISTS = re.compile(rb"\* (\d{1,10}) EXISTS$", re.IGNORECASE)
_CAPABILITY = re.compile(rb"(?:^\* |\[)CAPABILITY ([^\]\r\n]*)", re.IGNORECASE)
_INTERNALDATE = re.compile(rb'INTERNALDATE "([^"]{20,30})"', re.IGNORECASE)
_UNSEEN = re.compile(rb"\* STATUS .*\(UNSEEN (\d{1,10})\)$", re.IGNORECASE)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DATE = re.compile(r"([ \d]\d)-(\w{3})-(\d{4}) (\d\d:\d\d:\d\d) ([+-]\d{4})")
_PRINTED = r"^[ -~]*$"


@dataclass(frozen=True, slots=True)
class Imap:
    """Greets a mailbox server, and may go on over TLS, sign in, and look at one mailbox.

    The mailbox is opened for reading only (`EXAMINE`): no mail is marked, moved or fetched. A
    password is given only over TLS. The reasons are `unexpected_reply`, `starttls_missing`,
    `auth_missing`, `auth_failed` and `mailbox_missing`, the text being the server's.

    Expectations may use `banner` (the greeting), `capabilities` (list, in upper case, as last
    told), `count` and `unseen` (mails in the mailbox), `newest_age_s` (since the newest one
    arrived; -1: there is none), `timing` (also `banner_s`, from the connection to the greeting),
    `certificate` (with TLS) and `address`.
    """

    KIND: ClassVar[str] = "imap"
    NAMES: ClassVar[Declaration] = {
        **CONNECTION_NAMES,
        "timing": {**TIMING, "banner_s": "double"},
        "banner": "string",
        "capabilities": "list",
        "count": "int",
        "unseen": "int",
        "newest_age_s": "double",
    }
    METRICS: ClassVar[tuple[MetricFamily, ...]] = (
        MetricFamily("probe_imap_banner_seconds", "Time from the connection to the greeting"),
        MetricFamily("probe_imap_mails", "Number of mails in the mailbox"),
        MetricFamily("probe_imap_unseen_mails", "Number of mails that nobody has seen"),
        MetricFamily(
            "probe_imap_newest_mail_timestamp_seconds",
            "When the newest mail arrived, in unixtime",
        ),
    )

    host_: str = host_key("mail.acme.example")
    port: int | None = port_key(_PORTS, example=10143)
    starttls: bool = key("Go on over TLS after the greeting.", default=False)
    tls: bool = tls_key()
    user: str = user_key()
    password: Secret | None = password_key("env:MAIL_PASSWORD")
    mailbox: str = key(
        "The mailbox to look at, as the server lists it.",
        default="",
        maxLength=255,
        pattern=_PRINTED,
        examples=["INBOX", "Orders/New"],
    )
    verify: bool = verify_key()
    ca_file: str = ca_file_key()
    cert_file: str = cert_file_key()
    key_file: str = key_file_key()
    server_name: str = server_name_key()
    ip: Literal["any", "ipv4", "ipv6"] = ip_key()

    def __post_init__(self) -> None:
        check_login(self)
        if self.mailbox and not self.user:
            raise ValueError("a `mailbox` is looked at by a `user`")

    def host(self) -> str:
        """The host that is connected to."""
        return self.host_.lower()

    async def observe(self, world: ProbeWorld) -> Observation:
        """Connect once, greet, look, and part."""
        return await talked(self, world, _PORTS, lambda connection: _Talk(self, connection, world))


class _Talk:
    """A conversation under way."""

    def __init__(self, declared: Imap, connection: Connection, world: ProbeWorld) -> None:
        self._declared = declared
        self._connection = connection
        self._world = world
        self._lines = Lines(connection, world.deadline)
        self._sent: list[str] = []
        self._capabilities: list[str] = []
        self._own: dict[str, Any] = {"banner": ""}
        self._newest_at: datetime | None = None
        self._banner_s: float | None = None
        self.ended: Ended | None = None

    async def have(self) -> None:
        """Every step that is declared. Raises Ended."""
        declared, started = self._declared, self._world.transport.now()
        line = await self._line("the greeting")
        greeting = _GREETING.match(line)
        self._banner_s = self._world.transport.now() - started
        if greeting is None:
            raise Ended(Reason.protocol_error, f"`{_shown(line)}` is no greeting of IMAP")
        self._own["banner"] = _shown(greeting[2])
        if greeting[1].upper() == b"BYE":
            raise Ended(UNEXPECTED, f"the server said goodbye: {_shown(greeting[2])}")
        await self._ask("CAPABILITY", reason=UNEXPECTED)
        if declared.starttls:
            await self._secure()
        if declared.user and greeting[1].upper() != b"PREAUTH":
            await self._sign_in()
        if declared.mailbox:
            await self._look()

    async def part(self) -> None:
        """Say goodbye, and do not wait for the answer: it would say nothing of the server's health."""
        if self._banner_s is not None and self._connection.exchange.reason is None:
            await self._connection.send(b"z LOGOUT\r\n", self._world.deadline)

    async def _secure(self) -> None:
        if "STARTTLS" not in self._capabilities:
            raise Ended(STARTTLS_MISSING, "the server does not offer STARTTLS")
        await self._ask("STARTTLS", reason=STARTTLS_MISSING)
        waiting = self._lines.waiting
        await secured(self._connection, self._declared, self._world, waiting=waiting)
        await self._ask("CAPABILITY", reason=UNEXPECTED)  # what was said before may be a lie

    async def _sign_in(self) -> None:
        declared = self._declared
        assert declared.password is not None
        password = self._world.secrets.reveal(declared.password)
        if "AUTH=PLAIN" in self._capabilities:
            both = base64.b64encode(f"\0{declared.user}\0{password}".encode()).decode()
            command, shown = "AUTHENTICATE PLAIN", "AUTHENTICATE PLAIN ***"
            await self._ask(command, reason=AUTH_FAILED, shown=shown, then=both)
        elif "LOGINDISABLED" not in self._capabilities:
            command = f"LOGIN {_quoted(declared.user)} {_quoted(password)}"
            await self._ask(command, reason=AUTH_FAILED, shown=f"LOGIN {declared.user} ***")
        else:
            raise Ended(AUTH_MISSING, "the server allows neither AUTHENTICATE PLAIN nor LOGIN")

    async def _look(self) -> None:
        """Count the mails, and date the newest."""
        mailbox = _quoted(self._declared.mailbox)
        said = await self._ask(f"STATUS {mailbox} (UNSEEN)", reason=MAILBOX_MISSING)
        unseen = next((found for line in said if (found := _UNSEEN.match(line))), None)
        self._own["unseen"] = int(unseen[1]) if unseen else 0
        said = await self._ask(f"EXAMINE {mailbox}", reason=MAILBOX_MISSING)
        counted = [int(found[1]) for line in said if (found := _EXISTS.match(line))]
        if not counted:
            raise Ended(Reason.protocol_error, "EXAMINE was answered without a count")
        self._own["count"] = counted[-1]
        if counted[-1]:
            said = await self._ask("FETCH * (INTERNALDATE)", reason=UNEXPECTED)
            dated = (found for line in said if (found := _INTERNALDATE.search(line)))
            self._newest_at = _date(next((found[1].decode("latin-1") for found in dated), ""))
        newest = self._newest_at
        age_s = (self._world.now - newest).total_seconds() if newest else -1.0
        self._own["newest_age_s"] = max(age_s, 0.0) if newest else -1.0

    async def _ask(
        self, command: str, *, reason: str, shown: str = "", then: str = ""
    ) -> list[bytes]:
        """Say one command (and `then`, when the server wants more), and give the untagged lines that
        it is answered with. Raises Ended, with `reason` when the server refuses."""
        tag = f"a{len(self._sent)}"
        self._sent.append(shown or command)
        await self._lines.send(f"{tag} {command}\r\n".encode())
        awaited = f"an answer to {(shown or command).partition(' ')[0]}"
        said: list[bytes] = []
        for _ in range(_MOST_LINES):
            line = await self._line(awaited)
            if line.startswith(b"+") and then:
                await self._lines.send(then.encode() + b"\r\n")
                then = ""
                continue
            told = _CAPABILITY.search(line)
            if told:
                self._capabilities = told[1].decode("latin-1").upper().split()
            if not line.startswith(tag.encode() + b" "):
                said.append(line)
                continue
            if line[len(tag) + 1 :][:3].upper() in (b"OK ", b"OK"):
                return said
            raise Ended(reason, f"{self._sent[-1]} was answered with {_shown(line)}")
        raise Ended(Reason.protocol_error, f"more than {_MOST_LINES} lines; awaited: {awaited}")

    async def _line(self, awaited: str) -> bytes:
        """One line, the literals within it left out."""
        line = await self._lines.line(awaited)
        for _ in range(_MOST_LITERALS):
            literal = _LITERAL.search(line)
            if literal is None:
                return line
            await self._lines.exactly(int(literal[1]), awaited)
            line = line[: literal.start()] + await self._lines.line(awaited)
        raise Ended(Reason.protocol_error, f"a line of too many literals; awaited: {awaited}")

    def observed(self, talk_s: float) -> Observation:
        """What it came to."""
        own = {**self._own, "capabilities": self._capabilities}
        timing: dict[str, float] = {}
        metrics: dict[str, float] = {}
        samples: list[Sample] = []
        if self._banner_s is not None:
            timing["banner_s"] = metrics["probe_imap_banner_seconds"] = self._banner_s
            samples.append(Sample("timing.banner_s", self._banner_s, "s"))
        if "newest_age_s" in own:
            samples.append(Sample("count", own["count"]))
            metrics["probe_imap_mails"] = own["count"]
            metrics["probe_imap_unseen_mails"] = own["unseen"]
        if self._newest_at is not None:
            samples.append(Sample("newest_age_s", own["newest_age_s"], "s"))
            metrics["probe_imap_newest_mail_timestamp_seconds"] = self._newest_at.timestamp()
        exchange, now = self._connection.exchange, self._world.now
        return observation(
            exchange,
            values_of(exchange, own, talk_s=talk_s, now=now, timing=timing),
            now=now,
            talk_s=talk_s,
            reason=self.ended.reason if self.ended else "",
            text=self.ended.text if self.ended else str(own["banner"]),
            sent="\n".join(self._sent),
            received=bytes(self._lines.received),
            samples=tuple(samples),
            metrics=metrics,
        )


def _quoted(text: str) -> str:
    """A quoted string (RFC 9051, 4.3). Raises Ended for what none can hold."""
    if not text.isascii() or any(character < " " or character == "\x7f" for character in text):
        raise Ended(AUTH_MISSING, "only AUTHENTICATE PLAIN can carry this user or password")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _shown(line: bytes) -> str:
    return shortened(line.decode("utf-8", "replace"), 500)


def _date(text: str) -> datetime | None:
    """An INTERNALDATE (``17-Jul-1996 02:44:25 -0700``), as UTC; None when it is none. The month's
    name is English, whatever this machine speaks."""
    found = _DATE.fullmatch(text)
    if found is None or found[2].lower() not in _MONTHS:
        return None
    month = _MONTHS.index(found[2].lower()) + 1
    try:
        whole = f"{found[3]}-{month}-{found[1].strip()} {found[4]} {found[5]}"
        return datetime.strptime(whole, "%Y-%m-%d %H:%M:%S %z").astimezone(UTC)
    except (ValueError, OverflowError):
        return None
