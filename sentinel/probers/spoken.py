"""What every kind that talks over one raw connection declares and shows alike."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from sentinel.expression import Declaration
from sentinel.kinds import ProbeWorld, key
from sentinel.monitor.probe import Evidence, Later, Observation, Sample
from sentinel.transport.connection import Connection
from sentinel.transport.lines import Ended
from sentinel.transport.reasons import NETWORK, Reason
from sentinel.transport.shown import (
    CERTIFICATE_NAMES,
    EVIDENCE_BODY,
    address_metrics,
    certificate_values,
    facts_of,
    tls_metrics,
)
from sentinel.transport.wire import Exchange, IpVersion
from sentinel.words import Outcome, Secret, shortened

FAMILIES: Mapping[str, IpVersion] = {"any": "any", "ipv4": "4", "ipv6": "6"}
TIMING: Mapping[str, Any] = {
    "total_s": "double",
    "resolve_s": "double",
    "connect_s": "double",
    "tls_s": "double",
    "talk_s": "double",
}
_TIMED = {"resolve": "resolve_s", "connect": "connect_s", "tls": "tls_s"}
CONNECTION_NAMES: Declaration = {
    "timing": TIMING,
    "certificate": CERTIFICATE_NAMES,
    "address": "string",
}
"""What expectations of each such kind may use besides its own names."""


@dataclass(frozen=True, slots=True)
class Ports:
    """A protocol's usual ports: in plain text, and over TLS from the beginning."""

    plain: int
    tls: int


def host_key(*examples: str) -> Any:
    """Whom to connect to."""
    return key("Host name or address to connect to.", examples=list(examples))


def port_key(ports: Ports, *, example: int) -> Any:
    """Where, when it is not the usual port; the field's type is ``int | None``."""
    return key(
        f"Port to connect to; {ports.plain}, with `tls` {ports.tls}.",
        default=None,
        minimum=1,
        maximum=65535,
        examples=[example],
    )


def tls_key() -> Any:
    """Whether it is TLS at once."""
    return key("Speak TLS from the beginning.", default=False)


def user_key() -> Any:
    """Who signs in, where a password is given over TLS only."""
    return key("Sign in as this user, over TLS only.", default="", examples=["monitor"])


def password_key(example: str) -> Any:
    """With what; the field's type is ``Secret | None``."""
    return key("Password, by reference.", default=None, examples=[example])


def verify_key() -> Any:
    """Whether a certificate must be good."""
    return key("Refuse a certificate that cannot be verified.", default=True)


def ca_file_key() -> Any:
    """Whom to trust."""
    return key("PEM file of the authorities to trust instead of the system's.", default="")


def cert_file_key() -> Any:
    """Who we are."""
    return key("PEM file of a client certificate.", default="")


def key_file_key() -> Any:
    """Its key."""
    return key("PEM file of its key, when it is not in the same file.", default="")


def server_name_key() -> Any:
    """The certificate's name, where it is not the host's."""
    return key("Name to ask for and to verify, when it is not the host's.", default="")


def ip_key() -> Any:
    """Which addresses; the field's type is ``Literal["any", "ipv4", "ipv6"]``."""
    return key("Which addresses to use.", default="any")


class Wanted(Protocol):
    """The fields of a kind that say whom to connect to, and how its certificate is verified."""

    @property
    def host_(self) -> str: ...
    @property
    def verify(self) -> bool: ...
    @property
    def ca_file(self) -> str: ...
    @property
    def cert_file(self) -> str: ...
    @property
    def key_file(self) -> str: ...
    @property
    def server_name(self) -> str: ...
    @property
    def ip(self) -> Literal["any", "ipv4", "ipv6"]: ...


class WantedTls(Wanted, Protocol):
    """Those of a kind with a usual port in plain text and another over TLS."""

    @property
    def port(self) -> int | None: ...
    @property
    def tls(self) -> bool: ...


class WantedLogin(Protocol):
    """Those of a kind that signs in over TLS only."""

    @property
    def starttls(self) -> bool: ...
    @property
    def tls(self) -> bool: ...
    @property
    def user(self) -> str: ...
    @property
    def password(self) -> Secret | None: ...


def check_login(wanted: WantedLogin) -> None:
    """Raises ValueError for fields that do not go together."""
    if wanted.tls and wanted.starttls:
        raise ValueError("`tls` speaks TLS from the beginning: leave out `starttls`")
    if bool(wanted.user) != (wanted.password is not None):
        raise ValueError("`user` and `password` go together")
    if wanted.user and not (wanted.tls or wanted.starttls):
        raise ValueError("a password is given only over TLS: add `starttls` or `tls`")


def opened(wanted: Wanted, world: ProbeWorld, *, port: int, tls: bool) -> Awaitable[Connection]:
    """A connection as the kind's fields want it; look at its `exchange.reason` before using it."""
    ip = FAMILIES[wanted.ip]
    if not tls:
        return world.transport.connect(wanted.host_, port, world.deadline, ip=ip)
    return world.transport.connect(
        wanted.host_,
        port,
        world.deadline,
        tls=True,
        verify=wanted.verify,
        ca_file=wanted.ca_file,
        cert_file=wanted.cert_file,
        key_file=wanted.key_file,
        server_name=wanted.server_name,
        ip=ip,
    )


async def secured(
    connection: Connection, wanted: Wanted, world: ProbeWorld, *, waiting: bytes
) -> None:
    """Go on over TLS, after the peer agreed to. Raises Ended.

    `waiting` is what came and was not read: plain text that was said after the agreement would
    count as said over TLS, so it ends the conversation (the "STARTTLS injection" of 2011 and 2021).
    """
    if waiting:
        raise Ended(Reason.protocol_error, "plain text came between the agreement to TLS and TLS")
    lost = await connection.start_tls(
        server_name=wanted.server_name or wanted.host_,
        deadline=world.deadline,
        verify=wanted.verify,
        ca_file=wanted.ca_file,
        cert_file=wanted.cert_file,
        key_file=wanted.key_file,
    )
    if lost is not None:
        raise Ended(lost, connection.exchange.text)


class Talked:
    """Measures a talk over a connection, without what TLS within it took, which is a phase of its own."""

    def __init__(self, connection: Connection, world: ProbeWorld) -> None:
        self._connection = connection
        self._now = world.transport.now
        self._started = self._now()
        self._before_s = connection.exchange.duration_s

    def seconds(self) -> float:
        """Since it began."""
        tls_s = self._connection.exchange.duration_s - self._before_s
        return max(0.0, self._now() - self._started - tls_s)


class Talk(Protocol):
    """A conversation of steps, under way: its kind's own."""

    ended: Ended | None
    """Why it ended early."""

    async def have(self) -> None:
        """Every step that is declared. Raises Ended."""
        ...

    async def part(self) -> None:
        """Say goodbye, and wait for no answer."""
        ...

    def observed(self, talk_s: float) -> Observation:
        """What it came to, after so many seconds."""
        ...


async def had(talk: Talk, connection: Connection, world: ProbeWorld) -> Observation:
    """Have the conversation where connecting went well, part, and see what it came to."""
    watch = Talked(connection, world)
    try:
        if connection.exchange.reason is None:
            await talk.have()
    except Ended as ended:
        talk.ended = ended
    finally:
        talk_s = watch.seconds()
        await talk.part()
        connection.close()
    return talk.observed(talk_s)


async def talked(
    wanted: WantedTls, world: ProbeWorld, ports: Ports, begin: Callable[[Connection], Talk]
) -> Observation:
    """Connect, have the conversation that `begin` makes, part, and see what it came to."""
    port = wanted.port or (ports.tls if wanted.tls else ports.plain)
    connection = await opened(wanted, world, port=port, tls=wanted.tls)
    return await had(begin(connection), connection, world)


class Named(Mapping[str, Any]):
    """Names that expectations use, each computed when it is asked for, and once."""

    __slots__ = ("_kept", "_makers")

    def __init__(
        self, makers: Mapping[str, Callable[[], Any]], known: Mapping[str, Any] | None = None
    ) -> None:
        """`known` are names that need no computing."""
        self._makers = makers
        self._kept: dict[str, Any] = dict(known or ())

    def __getitem__(self, name: str) -> Any:
        try:
            return self._kept[name]
        except KeyError:
            made = self._kept[name] = self._makers[name]()
            return made

    def __iter__(self) -> Iterator[str]:
        return iter({**self._makers, **self._kept})

    def __len__(self) -> int:
        return len({**self._makers, **self._kept})


def values_of(
    exchange: Exchange,
    own: Mapping[str, Any],
    *,
    talk_s: float,
    now: datetime,
    timing: Mapping[str, float] | None = None,
    made: Mapping[str, Callable[[], Any]] | None = None,
) -> Mapping[str, Any]:
    """The kind's own values with `CONNECTION_NAMES`; `timing` adds to what is measured anyway,
    `made` are values that cost something to make."""
    phases = exchange.phases
    measured = {each: phases[phase] for phase, each in _TIMED.items() if phase in phases}
    measured["talk_s"] = talk_s
    measured["total_s"] = exchange.duration_s + talk_s
    if timing:
        measured |= timing
    known = {"timing": measured, "address": exchange.address, **own}
    makers = dict(made) if made else {}
    if exchange.pems:
        makers["certificate"] = lambda: certificate_values(exchange, now)
    return Named(makers, known) if makers else known


def observation(
    exchange: Exchange,
    values: Mapping[str, Any],
    *,
    now: datetime,
    talk_s: float,
    reason: str = "",
    text: str = "",
    sent: str = "",
    received: bytes = b"",
    facts: Mapping[str, Any] | None = None,
    samples: tuple[Sample, ...] = (),
    metrics: Mapping[str, Any] | None = None,
) -> Observation:
    """What a conversation comes to. `reason` is why it ended early, unless connecting failed; `sent`
    and `received` are evidence, secrets already left out of `sent`."""
    why = exchange.reason or reason
    outcome = None
    if why:
        ours = exchange.ours or why == Reason.invalid_request
        outcome = Outcome.unknown if ours else Outcome.failed
    duration_s = exchange.duration_s + talk_s
    measured = [Sample("timing.total_s", duration_s, "s"), *samples]
    if exchange.pems and exchange.certificates:
        days_left = exchange.certificates[0].days_left(now)
        measured.append(Sample("certificate.days_left", days_left, "d"))
    shown = address_metrics(exchange)
    if exchange.pems:
        shown |= tls_metrics(exchange)
    if metrics:
        shown |= metrics
    return Observation(
        values=values,
        duration_s=duration_s,
        reason=why,
        text=exchange.text or text or "connected",
        network=why in NETWORK,
        outcome=outcome,
        phases={**exchange.phases, "talk": talk_s},
        address=exchange.address,
        samples=measured,
        evidence=Later(
            lambda: Evidence(
                request=sent,
                response=shortened(received.decode("utf-8", "replace").rstrip("\r"), EVIDENCE_BODY),
                facts={**facts_of(exchange), **(facts or {})},
            )
        ),
        metrics=shown,
    )
