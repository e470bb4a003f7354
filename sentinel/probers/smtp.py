"""Mail servers that take mail: SMTP (RFC 5321), with STARTTLS (RFC 3207) and AUTH (RFC 4954)."""

import base64
import re
from dataclasses import dataclass
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
"""The reason when a step was answered with another code than it should be."""
STARTTLS_MISSING = "starttls_missing"
"""The reason when the server does not offer STARTTLS, or does not begin it."""
AUTH_MISSING = "auth_missing"
"""The reason when the server offers neither PLAIN nor LOGIN."""
AUTH_FAILED = "auth_failed"
"""The reason when user and password were refused."""
SENDER_REFUSED = "sender_refused"
"""The reason when the server would not take mail from the sender."""
RECIPIENT_REFUSED = "recipient_refused"
"""The reason when the server would not take mail for the recipient."""

_PORTS = Ports(25, 465)
_MOST_LINES = 100
_REPLY = re.compile(rb"([2-5]\d\d)(?:([ -])(.*))?")
_SIZE = re.compile(r"[0-9]{1,20}")  # RFC 1870, 4
_ADDRESS = r"^[^\s<>\x00-\x1f\x7f]*$"
_JUDGED = frozenset({"recipient_code", "recipient_text"})


@dataclass(frozen=True, slots=True)
class Smtp:
    """Greets a mail server, and may go on over TLS, sign in, and ask whether it would take a mail.

    No mail is ever sent: with `recipient` the envelope is offered (`MAIL FROM`, `RCPT TO`) and
    taken back. A password is given only over TLS. The greeting must be 220 and each step well
    answered; the reasons are `unexpected_reply`, `starttls_missing`, `auth_missing`,
    `auth_failed`, `sender_refused` and `recipient_refused`, the text being the server's. A
    recipient that an expectation asks about (`recipient_code`) is for it to judge.

    Expectations may use `banner` (the greeting without its code), `capabilities` (what EHLO
    offered, name in upper case to parameters; over TLS: offered there), `max_size_bytes` (of a
    mail; 0: not said), `code` and `reply` (the last ones), `recipient_code`, `recipient_text`,
    `timing` (also `banner_s`, from the connection to the greeting), `certificate` (with TLS) and
    `address`.
    """

    KIND: ClassVar[str] = "smtp"
    NAMES: ClassVar[Declaration] = {
        **CONNECTION_NAMES,
        "timing": {**TIMING, "banner_s": "double"},
        "banner": "string",
        "capabilities": "map",
        "max_size_bytes": "int",
        "code": "int",
        "reply": "string",
        "recipient_code": "int",
        "recipient_text": "string",
    }
    METRICS: ClassVar[tuple[MetricFamily, ...]] = (
        MetricFamily("probe_smtp_status_code", "Code of the last reply"),
        MetricFamily("probe_smtp_banner_seconds", "Time from the connection to the greeting"),
    )

    host_: str = host_key("mail.acme.example")
    port: int | None = port_key(_PORTS, example=587)
    helo: str = key(
        "The name we greet with (EHLO).",
        default="sentinel.invalid",
        pattern=r"^[A-Za-z0-9._:\[\]-]{1,255}$",
        examples=["monitor.acme.example"],
    )
    starttls: bool = key("Go on over TLS after EHLO.", default=False)
    tls: bool = tls_key()
    user: str = user_key()
    password: Secret | None = password_key("env:MAIL_PASSWORD")
    sender: str = key(
        "The sender of the mail that is asked about; empty: a bounce's.",
        default="",
        maxLength=254,
        pattern=_ADDRESS,
        examples=["monitor@acme.example"],
    )
    recipient: str = key(
        "Ask whether a mail for this address would be taken.",
        default="",
        maxLength=254,
        pattern=_ADDRESS,
        examples=["orders@acme.example"],
    )
    verify: bool = verify_key()
    ca_file: str = ca_file_key()
    cert_file: str = cert_file_key()
    key_file: str = key_file_key()
    server_name: str = server_name_key()
    ip: Literal["any", "ipv4", "ipv6"] = ip_key()

    def __post_init__(self) -> None:
        check_login(self)
        if self.sender and not self.recipient:
            raise ValueError("`sender` needs a `recipient`")

    def host(self) -> str:
        """The host that is connected to."""
        return self.host_.lower()

    async def observe(self, world: ProbeWorld) -> Observation:
        """Connect once, greet, ask, and part."""
        return await talked(self, world, _PORTS, lambda connection: _Talk(self, connection, world))


class _Talk:
    """A conversation under way."""

    def __init__(self, declared: Smtp, connection: Connection, world: ProbeWorld) -> None:
        self._declared = declared
        self._connection = connection
        self._world = world
        self._lines = Lines(connection, world.deadline)
        self._sent: list[str] = []
        self._capabilities: dict[str, str] = {}
        self._own: dict[str, Any] = {}
        self._banner_s: float | None = None
        self._code = 0
        self._reply: list[str] = []
        self.ended: Ended | None = None

    async def have(self) -> None:
        """Every step that is declared. Raises Ended."""
        declared, started = self._declared, self._world.transport.now()
        await self._hear("the greeting")
        self._banner_s = self._world.transport.now() - started
        self._own["banner"] = "\n".join(self._reply)
        self._must(220, UNEXPECTED, "the greeting")
        await self._greet()
        if declared.starttls:
            await self._secure()
        if declared.user:
            await self._sign_in()
        if declared.recipient:
            await self._offer()

    async def part(self) -> None:
        """Say goodbye, and do not wait for the answer: it would say nothing of the server's health."""
        if self._code and self._connection.exchange.reason is None:
            await self._connection.send(b"QUIT\r\n", self._world.deadline)

    async def _greet(self) -> None:
        await self._ask(f"EHLO {self._declared.helo}")
        if self._code in (500, 502, 504):  # a server of before 1995
            await self._ask(f"HELO {self._declared.helo}")
        self._must(250, UNEXPECTED, "EHLO")
        offered = (line.partition(" ") for line in self._reply[1:])
        self._capabilities = {name.upper(): more.strip() for name, _, more in offered}

    async def _secure(self) -> None:
        if "STARTTLS" not in self._capabilities:
            raise Ended(STARTTLS_MISSING, "the server does not offer STARTTLS")
        await self._ask("STARTTLS")
        self._must(220, STARTTLS_MISSING, "STARTTLS")
        waiting = self._lines.waiting
        await secured(self._connection, self._declared, self._world, waiting=waiting)
        await self._greet()

    async def _sign_in(self) -> None:
        declared = self._declared
        assert declared.password is not None
        password = self._world.secrets.reveal(declared.password)
        offered = self._capabilities.get("AUTH", "").upper().split()
        if "PLAIN" in offered:
            both = f"\0{declared.user}\0{password}"
            await self._ask(f"AUTH PLAIN {_encoded(both)}", shown="AUTH PLAIN ***")
        elif "LOGIN" in offered:
            await self._ask("AUTH LOGIN")
            self._must(334, AUTH_FAILED, "AUTH")
            await self._ask(_encoded(declared.user), shown="***")
            self._must(334, AUTH_FAILED, "the user")
            await self._ask(_encoded(password), shown="***")
        else:
            named = " ".join(offered) or "nothing"
            raise Ended(AUTH_MISSING, f"to sign in the server offers {named}, not PLAIN or LOGIN")
        self._must(235, AUTH_FAILED, "AUTH")

    async def _offer(self) -> None:
        """Would it be taken? RSET takes it back."""
        await self._ask(f"MAIL FROM:<{self._declared.sender}>")
        self._must(250, SENDER_REFUSED, "MAIL FROM")
        await self._ask(f"RCPT TO:<{self._declared.recipient}>")
        self._own["recipient_code"] = self._code
        self._own["recipient_text"] = "\n".join(self._reply)
        if not self._world.needed & _JUDGED and self._code not in (250, 251):
            raise self._refused(RECIPIENT_REFUSED, "RCPT TO")
        await self._ask("RSET")
        self._must(250, UNEXPECTED, "RSET")

    async def _ask(self, command: str, *, shown: str = "") -> None:
        """Say one line, and hear the reply. Raises Ended."""
        self._sent.append(shown or command)
        await self._lines.send(command.encode() + b"\r\n")
        await self._hear(f"a reply to {(shown or command).partition(' ')[0]}")

    async def _hear(self, awaited: str) -> None:
        """One reply, all its lines."""
        texts: list[str] = []
        for _ in range(_MOST_LINES):
            line = await self._lines.line(awaited)
            found = _REPLY.fullmatch(line)
            if found is None:
                shown = shortened(line.decode("utf-8", "replace"), 100)
                raise Ended(
                    Reason.protocol_error, f"`{shown}` is no line of SMTP; awaited: {awaited}"
                )
            texts.append((found[3] or b"").decode("utf-8", "replace"))
            if found[2] != b"-":
                self._code, self._reply = int(found[1]), texts
                return
        raise Ended(Reason.protocol_error, f"a reply of more than {_MOST_LINES} lines")

    def _must(self, code: int, reason: str, step: str) -> None:
        if self._code != code:
            raise self._refused(reason, step)

    def _refused(self, reason: str, step: str) -> Ended:
        said = shortened(" ".join(self._reply), 500)
        return Ended(reason, f"{step} was answered with {self._code} {said}")

    def observed(self, talk_s: float) -> Observation:
        """What it came to."""
        size = self._capabilities.get("SIZE", "")
        own = {
            "banner": "",
            "capabilities": self._capabilities,
            "max_size_bytes": int(size) if _SIZE.fullmatch(size) else 0,
            "code": self._code,
            "reply": "\n".join(self._reply),
            **self._own,
        }
        timing: dict[str, float] = {}
        metrics: dict[str, float] = {"probe_smtp_status_code": self._code}
        samples: tuple[Sample, ...] = ()
        if self._banner_s is not None:
            timing["banner_s"] = metrics["probe_smtp_banner_seconds"] = self._banner_s
            samples = (Sample("timing.banner_s", self._banner_s, "s"),)
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
            samples=samples,
            metrics=metrics,
        )


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
