"""Name servers: what they answer, how fast, and whether it is what it was."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import Any, ClassVar, Literal

from sentinel.expression import Declaration
from sentinel.kinds import ProbeWorld, key
from sentinel.monitor.probe import Evidence, Later, MetricFamily, Observation, Sample
from sentinel.probers.answers import (
    NO_DRIFT,
    NOTHING_SAID,
    Drift,
    Heard,
    Opinion,
    drifted,
    listed,
    opinion,
    written,
)
from sentinel.transport.dns import Protocol, Server, ask, place, system_server
from sentinel.transport.dnsnames import class_number, rcode_number, type_number, wire_name
from sentinel.transport.dnswire import Question
from sentinel.transport.reasons import NETWORK, OURS
from sentinel.transport.resolve import address_hash
from sentinel.transport.shown import CERTIFICATE_NAMES, certificate_values, tls_metrics
from sentinel.transport.wire import IpVersion
from sentinel.words import Outcome

MOST_SERVERS = 32
_duration_s = attrgetter("answer.duration_s")
_PHASES = {f"{phase}_s": phase for phase in ("resolve", "connect", "tls", "request")}

_FAMILIES: Mapping[str, IpVersion] = {"any": "any", "ipv4": "4", "ipv6": "6"}
_NO_QUESTIONS = frozenset({41, 249, 250, 251, 252})  # OPT, TKEY, TSIG, IXFR, AXFR


@dataclass(frozen=True, slots=True)
class Dns:
    """Asks name servers a question, and holds the answer against what was expected.

    Each of `servers` is asked at the same time, directly and without any cache; without `servers`
    the first name server of the system's `/etc/resolv.conf`. A server is well when it answers with
    one of `rcodes` and, where that is NOERROR, with at least one record of the type that was
    asked for (any, for `ANY`). With `records` the answer must hold exactly these, in any order:
    `records: []` says that there must be none. The check fails when any server is not well; what
    it shows is then the first such server, else the first server.

    `added` and `removed` say how the answer differs from `records`, else from the last good check:
    `'!changed'` among the expectations fails a check whose answer is another than before. To accept
    the new answer, write it down as `records`, or let the expectation be a `warn`.

    Over UDP a question that stays without answer is asked `tries` times within the timeout; a
    truncated answer is asked for over TCP.

    Expectations may use `rcode`, `answers` (the data of the records of the type asked for, as in a
    zone file, but TXT without quotes), `answer`, `authority` and `additional` (records with `name`,
    `type`, `ttl`, `data`), `ttl` (the smallest of the answers), `serial` (of a SOA), `flags`
    (`authoritative`, `truncated`, `recursion_available`, `authenticated`, `checking_disabled`),
    `added`, `removed`, `changed`, `servers` (each with `server`, `ok`, `reason`, `rcode`, `serial`,
    `answers`, `time_s`), `agree` (all servers gave the same answers), `sent` (how often the
    question was), `protocol`, `timing`, `certificate` (over TLS) and `address`.
    """

    KIND: ClassVar[str] = "dns"
    NAMES: ClassVar[Declaration] = {
        "rcode": "string",
        "answers": "list",
        "answer": "list",
        "authority": "list",
        "additional": "list",
        "ttl": "int",
        "serial": "int",
        "flags": {
            "authoritative": "bool",
            "truncated": "bool",
            "recursion_available": "bool",
            "authenticated": "bool",
            "checking_disabled": "bool",
        },
        "added": "list",
        "removed": "list",
        "changed": "bool",
        "servers": "list",
        "agree": "bool",
        "sent": "int",
        "protocol": "string",
        "timing": {
            "total_s": "double",
            "resolve_s": "double",
            "connect_s": "double",
            "tls_s": "double",
            "request_s": "double",
        },
        "certificate": CERTIFICATE_NAMES,
        "address": "string",
    }
    METRICS: ClassVar[tuple[MetricFamily, ...]] = (
        MetricFamily("probe_dns_duration_seconds", "Duration of DNS request by phase", ("phase",)),
        MetricFamily(
            "probe_dns_answer_rrs",
            "Returns number of entries in the answer resource record list",
        ),
        MetricFamily(
            "probe_dns_authority_rrs",
            "Returns number of entries in the authority resource record list",
        ),
        MetricFamily(
            "probe_dns_additional_rrs",
            "Returns number of entries in the additional resource record list",
        ),
        MetricFamily(
            "probe_dns_query_succeeded",
            "Displays whether or not the query was executed successfully",
        ),
        MetricFamily("probe_dns_serial", "Returns the serial number of the zone"),
        MetricFamily("probe_dns_ttl_seconds", "The smallest time to live of the answers"),
        MetricFamily("probe_dns_changed", "1 while the answer is not what it should be or was"),
        MetricFamily(
            "probe_dns_server_success",
            "Displays whether or not each of several name servers is well",
            ("server",),
        ),
        MetricFamily(
            "probe_dns_server_duration_seconds",
            "How long each of several name servers took to answer",
            ("server",),
        ),
    )

    name: str = key("The name to ask for.", examples=["shop.acme.example", "."])
    type: str = key(
        "The record type: a name, or `TYPE` and its number.",
        default="A",
        examples=["AAAA", "MX", "SOA", "TYPE65"],
    )
    class_: str = key("The class: `IN`, `CH`, `HS`, or `CLASS` and its number.", default="IN")
    servers: tuple[str, ...] = key(
        "Name servers: names or addresses, with `:PORT` where it is not the protocol's own.",
        default=(),
        maxItems=MOST_SERVERS,
        examples=[["ns1.acme.example", "192.0.2.53:5353", "[2001:db8::53]:53"]],
    )
    protocol: Protocol = key("How to ask; `tls` is DNS over TLS.", default="udp")
    recursion: bool = key("Ask the server to ask others (RD).", default=True)
    dnssec: bool = key(
        "Ask for signatures (DO), so that AD says what was validated.", default=False
    )
    edns_size: int = key(
        "The largest UDP answer to announce; 0 leaves EDNS out.",
        default=1232,
        minimum=0,
        maximum=65535,
    )
    tries: int = key(
        "How often to ask over UDP, within the timeout.", default=2, minimum=1, maximum=10
    )
    rcodes: tuple[str, ...] = key(
        "Response codes that are well.",
        default=("NOERROR",),
        minItems=1,
        examples=[["NXDOMAIN"]],
    )
    records: tuple[str, ...] | None = key(
        "Exactly the data that must be answered, in any order.",
        default=None,
        maxItems=1000,
        examples=[["192.0.2.10", "192.0.2.11"], ["10 mail.acme.example."], []],
    )
    verify: bool = key("Refuse a certificate that cannot be verified.", default=True)
    ca_file: str = key("PEM file of the authorities to trust instead of the system's.", default="")
    server_name: str = key(
        "Name to ask for and to verify, when it is not the server's.", default=""
    )
    ip: Literal["any", "ipv4", "ipv6"] = key("Which addresses to use.", default="any")

    _asking: "_Asking" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        wire_name(self.name)
        question = Question(
            self.name,
            type_number(self.type),
            class_number(self.class_),
            recursion=self.recursion,
            edns_size=self.edns_size,
            dnssec=self.dnssec,
        )
        if question.type in _NO_QUESTIONS:
            raise ValueError(f"`{self.type}` is nothing that can be asked for in one question")
        codes = frozenset(map(rcode_number, self.rcodes))
        servers = tuple(map(self._server, self.servers))
        object.__setattr__(self, "_asking", _Asking(question, codes, servers))

    def host(self) -> str:
        """The first server; ``""`` for the system's."""
        return place(self.servers[0])[0].lower() if self.servers else ""

    async def observe(self, world: ProbeWorld) -> Observation:
        """Ask each server once."""
        asked = self._asking
        named = self.servers or (system_server(),)
        servers = asked.servers or tuple(map(self._server, named))
        if len(named) == 1:
            heard = [decisive := await self._heard(world, named[0], servers[0])]
        else:
            asking = [self._heard(world, *each) for each in zip(named, servers, strict=True)]
            heard = await asyncio.gather(*asking)
            decisive = next((each for each in heard if each.opinion.reason), heard[0])
        one, drift = decisive.opinion, NO_DRIFT
        if self.records is not None or one.keep != world.kept:
            drift = drifted(one, self.records, world.kept, asked.question)
        return _observed(self, heard, decisive, drift, world.now)

    async def _heard(self, world: ProbeWorld, name: str, server: Server) -> Heard:
        """Often it is what the server said before, and the opinion about it the same."""
        asked = self._asking
        before = asked.before.get(name, NOTHING_SAID)
        answer = await ask(world.transport, asked.question, server, world.deadline, before.message)
        if answer.message is not None and answer.message is before.message:
            return Heard(answer, before)
        new = opinion(name, answer, asked.question, codes=asked.codes, records=self.records)
        if new.message is not None and new.message.wire:
            asked.before[name] = new
        return Heard(answer, new)

    def _server(self, named: str) -> Server:
        host, port = place(named)
        return Server(
            host,
            port,
            self.protocol,
            ip=_FAMILIES[self.ip],
            tries=self.tries,
            verify=self.verify,
            ca_file=self.ca_file,
            server_name=self.server_name,
        )


@dataclass(frozen=True, slots=True)
class _Asking:
    """What the keys come to, made once: the question, the codes that are well, and who is asked
    (nobody: the system's server). `before` is what each said last, by its name."""

    question: Question
    codes: frozenset[int]
    servers: tuple[Server, ...]
    before: dict[str, Opinion] = field(default_factory=dict)


class _Seen(Mapping[str, Any]):
    """The names that expectations use."""

    __slots__ = ("_answer", "_drift", "_heard", "_now", "_one", "_timing")

    def __init__(
        self,
        heard: Sequence[Heard],
        decisive: Heard,
        drift: Drift,
        timing: Mapping[str, float],
        now: datetime,
    ) -> None:
        self._heard = heard
        self._answer = decisive.answer
        self._one = decisive.opinion
        self._drift = drift
        self._timing = timing
        self._now = now

    def __getitem__(self, name: str) -> Any:
        one, answer = self._one, self._answer
        message = one.message
        if message is None:
            raise KeyError(name)
        match name:
            case "rcode":
                return message.rcode_name
            case "answers":
                return list(one.data)
            case "answer" | "authority" | "additional":
                return listed(getattr(message, name))
            case "ttl" | "serial":
                value = getattr(one, name)
                if value is None:
                    raise KeyError(name)
                return value
            case "flags":
                return {flag: getattr(message, flag) for flag in Dns.NAMES["flags"]}
            case "added" | "removed" | "changed":
                value = getattr(self._drift, name)
                return value if isinstance(value, bool) else list(value)
            case "servers":
                return [each.values() for each in self._heard]
            case "agree":
                return (
                    len({(each.opinion.reason, each.opinion.compared) for each in self._heard}) == 1
                )
            case "sent" | "protocol" | "address":
                return getattr(answer, name)
            case "timing":
                return self._timing
            case "certificate" if answer.exchange is not None and answer.protocol == "tls":
                return certificate_values(answer.exchange, self._now)
            case _:
                raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return (name for name in Dns.NAMES if self._has(name))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _has(self, name: str) -> bool:
        match name:
            case "certificate":
                return self._answer.protocol == "tls"
            case "ttl" | "serial":
                return getattr(self._one, name) is not None
            case _:
                return self._one.message is not None


def _observed(
    dns: Dns, heard: Sequence[Heard], decisive: Heard, drift: Drift, now: datetime
) -> Observation:
    answer, one = decisive.answer, decisive.opinion
    duration_s = max(map(_duration_s, heard))
    phases, timing = answer.phases, {"total_s": duration_s}
    for name, phase in _PHASES.items():
        timing[name] = phases.get(phase, 0.0)
    samples = [Sample("timing.total_s", duration_s, "s")]
    if answer.exchange is not None and answer.exchange.certificates:
        days_left = answer.exchange.certificates[0].days_left(now)
        samples.append(Sample("certificate.days_left", days_left, "d"))
    outcome = None
    if one.reason:
        outcome = Outcome.unknown if one.reason in OURS else Outcome.failed
    return Observation(
        values=_Seen(heard, decisive, drift, timing, now),
        duration_s=duration_s,
        reason=one.reason,
        text=one.text,
        network=one.reason in NETWORK,
        outcome=outcome,
        phases=answer.phases,
        address=answer.address,
        samples=samples,
        evidence=Later(lambda: _evidence(dns, heard, decisive, drift)),
        metrics=_metrics(heard, decisive, drift),
        keep=one.keep,
    )


def _evidence(dns: Dns, heard: Sequence[Heard], decisive: Heard, drift: Drift) -> Evidence:
    server, message = decisive.opinion.server, decisive.opinion.message
    facts: dict[str, Any] = {"servers": [each.values() for each in heard]}
    if drift.changed:
        facts["added"], facts["removed"] = list(drift.added), list(drift.removed)
    if message is not None and message.edns is not None and message.edns.errors:
        facts["extended_errors"] = [list(each) for each in message.edns.errors]
    exchange = decisive.answer.exchange
    if exchange is not None and exchange.pems:
        facts |= {"certificates": exchange.chain_facts(), "verified": exchange.verified}
    asked = f"{dns.name} {dns.class_} {dns.type} @{server} over {dns.protocol}"
    return Evidence(asked, written(message) if message is not None else "", facts=facts)


def _metrics(heard: Sequence[Heard], decisive: Heard, drift: Drift) -> dict[str, Any]:
    answer, one = decisive.answer, decisive.opinion
    address, message = answer.address, one.message
    shown: dict[str, Any] = {
        "probe_dns_lookup_time_seconds": answer.phases.get("resolve", 0.0),
        "probe_ip_protocol": (6 if ":" in address else 4) if address else 0,
        "probe_ip_addr_hash": address_hash(address) if address else 0,
        "probe_dns_duration_seconds": answer.phases,
        "probe_dns_query_succeeded": int(message is not None),
        "probe_dns_answer_rrs": len(message.answer) if message is not None else 0,
        "probe_dns_authority_rrs": len(message.authority) if message is not None else 0,
        "probe_dns_additional_rrs": len(message.additional) if message is not None else 0,
        "probe_dns_changed": int(drift.changed),
    }
    if one.serial is not None:
        shown["probe_dns_serial"] = one.serial
    if one.ttl is not None:
        shown["probe_dns_ttl_seconds"] = one.ttl
    if len(heard) > 1:
        shown["probe_dns_server_success"] = {
            each.opinion.server: not each.opinion.reason for each in heard
        }
        shown["probe_dns_server_duration_seconds"] = {
            each.opinion.server: each.answer.duration_s for each in heard
        }
    if answer.exchange is not None and answer.exchange.pems:
        shown |= tls_metrics(answer.exchange)
    return shown
