"""Certificates: what every address of a name presents, and how long it will do."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal

from msgspec.structs import replace

from sentinel.expression import Declaration
from sentinel.kinds import ProbeWorld, key
from sentinel.monitor.probe import Evidence, MetricFamily, Observation, Sample
from sentinel.probers.chains import (
    VERSION_TOO_OLD,
    Presented,
    chain_values,
    refined,
)
from sentinel.probers.spoken import (
    FAMILIES,
    Named,
    ca_file_key,
    host_key,
    ip_key,
    server_name_key,
    verify_key,
)
from sentinel.transport.connection import Connection
from sentinel.transport.lines import Ended, Lines
from sentinel.transport.lookup import Address, Unfound
from sentinel.transport.reasons import NETWORK, OURS
from sentinel.transport.resolve import has_route
from sentinel.transport.shown import (
    CERTIFICATE_NAMES,
    address_metrics,
    certificate_values,
    facts_of,
    tls_metrics,
)
from sentinel.transport.starttls import PORTS, Asking, asked_for_tls
from sentinel.transport.wire import Exchange
from sentinel.words import Outcome

MOST_ADDRESSES = 32
_AT_ONCE = 8
_VERSIONS = ("TLS 1.0", "TLS 1.1", "TLS 1.2", "TLS 1.3")


@dataclass(frozen=True, slots=True)
class Tls:
    """Speaks TLS with every address of a name, and holds each certificate chain against the name.

    Each address is a result of its own and the worst decides: one that is not well, else the one
    whose chain expires first. So a certificate that was renewed on three of four servers is found.
    An address that this machine itself has no way to (IPv6, mostly) is skipped, unless there is no
    other. At most 32 addresses are looked at.

    A chain is verified with what was presented and with the trusted authorities, and nothing else:
    a server that leaves out an intermediate certificate has `chain_incomplete`, though browsers mend
    it. With `starttls` the protocol is asked to go on over TLS first.

    Expectations may use `certificate`, `chain` (`length`, `complete`, `ordered`, `self_signed`,
    `root_sent`), `version` (`TLS 1.3`), `cipher`, `alpn` (the protocol agreed on), `addresses` (each
    with `address`, `ok`, `reason`, `skipped`, `version`, `days_left`, `chain_days_left`,
    `fingerprint`), `same` (all present the same certificate), `timing` and `address`.
    """

    KIND: ClassVar[str] = "tls"
    NAMES: ClassVar[Declaration] = {
        "certificate": CERTIFICATE_NAMES,
        "chain": {
            "length": "int",
            "complete": "bool",
            "ordered": "bool",
            "self_signed": "bool",
            "root_sent": "bool",
        },
        "version": "string",
        "cipher": "string",
        "alpn": "string",
        "addresses": "list",
        "same": "bool",
        "timing": {
            "total_s": "double",
            "resolve_s": "double",
            "connect_s": "double",
            "talk_s": "double",
            "tls_s": "double",
        },
        "address": "string",
    }
    METRICS: ClassVar[tuple[MetricFamily, ...]] = (
        MetricFamily(
            "probe_tls_address_success",
            "Displays whether or not each address of the name is well",
            ("address",),
        ),
        MetricFamily(
            "probe_tls_address_cert_expiry",
            "When the chain that each address presents expires, in unixtime",
            ("address",),
        ),
        MetricFamily(
            "probe_tls_duration_seconds",
            "Duration of connecting and of the TLS handshake by phase",
            ("phase",),
        ),
    )

    host_: str = host_key("shop.acme.example")
    port: int = key(
        "Port to connect to; 443, or that of `starttls`, when not given.",
        default=0,
        minimum=0,
        maximum=65535,
    )
    starttls: Literal["", Asking] = key(
        "Ask this protocol to go on over TLS.", default="", examples=["smtp"]
    )
    min_version: Literal["1.0", "1.1", "1.2", "1.3"] = key(
        "The oldest version of TLS that is well. 1.2 is the oldest that is offered, unless an older "
        "one is named here.",
        default="1.2",
    )
    alpn: tuple[str, ...] = key(
        "Protocols to offer, best first.", default=(), maxItems=16, examples=[["h2", "http/1.1"]]
    )
    verify: bool = verify_key()
    ca_file: str = ca_file_key()
    cert_file: str = key("PEM file with a client certificate.", default="")
    key_file: str = key("PEM file with its key, where that is another.", default="")
    server_name: str = server_name_key()
    addresses: Literal["all", "first"] = key("Which addresses of the name count.", default="all")
    ip: Literal["any", "ipv4", "ipv6"] = ip_key()

    def host(self) -> str:
        """The host that is connected to."""
        return self.host_.lower()

    async def observe(self, world: ProbeWorld) -> Observation:
        """One handshake with each address."""
        transport = world.transport
        port = self.port or (PORTS[self.starttls] if self.starttls else 443)
        started = transport.now()
        found = await transport.lookup.find(self.host_, port, world.deadline, ip=FAMILIES[self.ip])
        resolve_s = transport.now() - started
        if isinstance(found, Unfound):
            phases = {"resolve": resolve_s}
            exchange = Exchange(self.host_, found.reason, found.text, phases=phases)
            shown = [Presented("", exchange, found.reason, found.text)]
        else:
            most = 1 if self.addresses == "first" else MOST_ADDRESSES
            shown = await self._each(found[:most], world)
        duration_s = transport.now() - started
        return _observed(self, shown, resolve_s, duration_s, world.now)

    async def _each(self, addresses: Sequence[Address], world: ProbeWorld) -> list[Presented]:
        """Every address, some at a time. Those that we have no way to count only when all are so."""
        gate = asyncio.Semaphore(_AT_ONCE)
        reachable = {one.ip for one in addresses if has_route(one)}

        async def one_of(address: Address) -> Presented:
            if reachable and address.ip not in reachable:
                exchange = Exchange(self.host_, address=address.ip)
                text = "this machine has no way to it"
                return Presented(address.ip, exchange, text=text, skipped=True)
            async with gate:
                return await self._presented(address, world)

        return list(await asyncio.gather(*map(one_of, addresses)))

    async def _presented(self, address: Address, world: ProbeWorld) -> Presented:
        deadline, now = world.deadline, world.transport.now
        connection = await world.transport.connect(address.ip, address.port, deadline)
        try:
            began = now()
            reason, text = await self._asked(connection, deadline)
            talk_s = now() - began
            if not reason and connection.exchange.reason is None:
                await self._secured(connection, deadline)
            if not reason:
                reason, text = self._judged(connection.exchange)
            return Presented(
                address.ip,
                connection.exchange,
                reason,
                text,
                connection.protocol,
                talk_s=talk_s,
            )
        finally:
            connection.close()

    async def _asked(self, connection: Connection, deadline: float) -> tuple[str, str]:
        """Ask to go on over TLS, where that must be asked; why it may not."""
        if not self.starttls or connection.exchange.reason is not None:
            return "", ""
        try:
            await asked_for_tls(Lines(connection, deadline), self.starttls)
        except Ended as ended:
            return ended.reason, ended.text
        return "", ""

    async def _secured(self, connection: Connection, deadline: float) -> None:
        await connection.start_tls(
            server_name=self.server_name or self.host_,
            deadline=deadline,
            verify=self.verify,
            ca_file=self.ca_file,
            cert_file=self.cert_file,
            key_file=self.key_file,
            alpn=self.alpn,
            minimum=f"TLS {self.min_version}" if self.min_version < "1.2" else "",
        )

    def _judged(self, exchange: Exchange) -> tuple[str, str]:
        """The reason and a sentence; empty when it is well."""
        if exchange.reason is not None:
            return refined(exchange)
        if _VERSIONS.index(exchange.tls_version) < _VERSIONS.index(f"TLS {self.min_version}"):
            return VERSION_TOO_OLD, f"{exchange.tls_version} was agreed on"
        return "", ""


def _worst(shown: Sequence[Presented], now: datetime) -> Presented:
    """The first that is not well, else the one whose chain expires first."""
    failing = [one for one in shown if one.reason]
    if failing:
        return failing[0]
    return min((one for one in shown if not one.skipped), key=lambda one: one.days_left(now))


def _values(
    shown: Sequence[Presented], worst: Presented, timing: Mapping[str, float], now: datetime
) -> Named:
    exchange = worst.exchange
    makers: dict[str, Callable[[], Any]] = {
        "chain": lambda: chain_values(exchange),
        "version": lambda: exchange.tls_version,
        "cipher": lambda: exchange.tls_cipher,
        "alpn": lambda: worst.protocol,
        "addresses": lambda: [one.values(now) for one in shown],
        "same": lambda: (
            len({one.certificates[0].fingerprint for one in shown if one.certificates}) == 1
        ),
        "timing": lambda: timing,
        "address": lambda: worst.address,
    }
    if exchange.certificates:
        makers["certificate"] = lambda: certificate_values(exchange, now)
    return Named(makers)


def _observed(
    tls: Tls, shown: Sequence[Presented], resolve_s: float, duration_s: float, now: datetime
) -> Observation:
    worst = _worst(shown, now)
    timed = worst.exchange.phases
    phases = {"resolve": resolve_s, "connect": timed.get("connect", 0.0)}
    phases |= {"talk": worst.talk_s, "tls": timed.get("tls", 0.0)}
    exchange = replace(worst.exchange, phases=phases)
    samples = [Sample("timing.total_s", duration_s, "s")]
    if exchange.certificates:
        leaf = exchange.certificates[0]
        samples.append(Sample("certificate.days_left", leaf.days_left(now), "d"))
        samples.append(Sample("certificate.chain_days_left", worst.days_left(now), "d"))
    timing = {f"{name}_s": seconds for name, seconds in phases.items()} | {"total_s": duration_s}
    failed = Outcome.unknown if worst.reason in OURS else Outcome.failed
    return Observation(
        values=_values(shown, worst, timing, now),
        duration_s=duration_s,
        reason=worst.reason,
        text=_text(shown, worst, now),
        network=worst.reason in NETWORK,
        outcome=failed if worst.reason else None,
        phases=phases,
        address=worst.address,
        samples=samples,
        evidence=_evidence(tls, shown, worst, exchange, now),
        metrics=_metrics(shown, exchange, phases),
    )


def _text(shown: Sequence[Presented], worst: Presented, now: datetime) -> str:
    if worst.reason:
        well = sum(1 for one in shown if not one.reason and not one.skipped)
        others = f" ({well} of {len(shown)} addresses are well)" if len(shown) > 1 else ""
        return f"{worst.address}: {worst.text}{others}" if worst.address else worst.text
    looked_at = sum(1 for one in shown if not one.skipped)
    return f"{looked_at} well, the first chain expires in {worst.days_left(now):.1f} days"


def _evidence(
    tls: Tls, shown: Sequence[Presented], worst: Presented, exchange: Exchange, now: datetime
) -> Evidence:
    facts = facts_of(exchange)
    facts["addresses"] = [one.values(now) | {"text": one.text} for one in shown]
    if worst.certificates:
        facts["chain"] = chain_values(exchange)
    asked = f"TLS with {tls.host_} as {tls.server_name or tls.host_}"
    return Evidence(request=f"{asked} after {tls.starttls}" if tls.starttls else asked, facts=facts)


def _metrics(
    shown: Sequence[Presented], exchange: Exchange, phases: Mapping[str, float]
) -> dict[str, Any]:
    looked_at = [one for one in shown if one.address and not one.skipped]
    return {
        **address_metrics(exchange),
        **tls_metrics(exchange),
        "probe_tls_duration_seconds": phases,
        "probe_tls_address_success": {one.address: not one.reason for one in looked_at},
        "probe_tls_address_cert_expiry": {
            one.address: min(each.not_after for each in one.certificates).timestamp()
            for one in looked_at
            if one.certificates
        },
    }
