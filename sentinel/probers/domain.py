"""When a domain expires, and whether somebody changed it: as its registry says (RDAP)."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, ClassVar
from urllib.parse import urlsplit

import msgspec
from msgspec.structs import replace

from sentinel.expression import Declaration
from sentinel.kinds import ProbeWorld, key
from sentinel.monitor.probe import Evidence, MetricFamily, Observation, Sample
from sentinel.probers.rdap import DomainFacts, ascii_name, domain_facts, server_of, shown_instant
from sentinel.transport.shown import EVIDENCE_BODY, facts_of
from sentinel.transport.wire import Exchange, Request, phrase
from sentinel.words import Outcome, Seconds, shortened

BOOTSTRAP = "https://data.iana.org/rdap/dns.json"
STANDS_FOR = timedelta(days=7)
"""How long what was last said counts, when the registry cannot be asked."""
SOON_DAYS = 14.0
_DAY_S = 86400.0
_GONE = frozenset({"pending delete", "redemption period"})
_HELD = frozenset({"client hold", "server hold", "inactive"})


class _Kept(msgspec.Struct, frozen=True):
    """What a good check keeps: the facts, when they were asked for, and of whom."""

    facts: DomainFacts
    asked_at: datetime
    server: str


@dataclass(frozen=True, slots=True)
class Domain:
    """Asks a domain's registry when it expires, and who holds it (RDAP, RFC 9083).

    Registries want to be asked seldom: what was said is used again for `ask_every`, and for seven
    days when the registry cannot be asked. The server is `server`, else the one that IANA's list
    names for the domain's ending. A registry that cannot be asked is *unknown*: it says nothing
    about the domain.

    Without `expect` a domain that has expired (`expired`), is about to be deleted
    (`pending_delete`) or is on hold (`on_hold`) fails, and one with less than 14 days left warns
    (`expiring`).

    Other reasons: the registry knows no such domain (`not_registered`, which fails), no server is
    listed for its ending (`no_server`), the registry asks us to come later (`rate_limited`), answers
    with another status (`unexpected_status`) or with what is no RDAP (`not_rdap`), or does not tell
    an end (`no_expiry`); these are unknown.

    Expectations may use `days_left`, `age_days`, `expires_at`, `registered_at` and `changed_at`
    (ISO 8601 text), `registrar`, `registrar_id` (IANA's number), `statuses` (RDAP's words, such as
    `client transfer prohibited`), `nameservers`, `nameservers_changed` (others than at the last
    good check), `signed` (DNSSEC), `asked_age_s` and `timing`.
    """

    KIND: ClassVar[str] = "domain"
    NAMES: ClassVar[Declaration] = {
        "days_left": "double",
        "age_days": "double",
        "expires_at": "string",
        "registered_at": "string",
        "changed_at": "string",
        "registrar": "string",
        "registrar_id": "string",
        "statuses": "list",
        "nameservers": "list",
        "nameservers_changed": "bool",
        "signed": "bool",
        "asked_age_s": "double",
        "timing": {"total_s": "double"},
    }
    METRICS: ClassVar[tuple[MetricFamily, ...]] = (
        MetricFamily(
            "probe_domain_expiry_timestamp_seconds", "When the domain expires, in unixtime"
        ),
        MetricFamily(
            "probe_domain_status_info", "Each status of the domain, always 1", ("status",)
        ),
        MetricFamily("probe_domain_asked_timestamp_seconds", "When the registry was last asked"),
    )

    name: str = key("The registered domain.", examples=["acme.example"])
    server: str = key(
        "The RDAP server, instead of the one that the bootstrap file names.",
        default="",
        examples=["https://rdap.registry.example/"],
    )
    bootstrap: str = key("The bootstrap file (RFC 9224).", default=BOOTSTRAP)
    ask_every: Seconds = key(
        "How long an answer is used again before the registry is asked anew.",
        default=Seconds(6 * 3600.0),
    )

    _ascii: str = field(default="", init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_ascii", ascii_name(self.name))

    def host(self) -> str:
        """The RDAP server's host, as far as it is declared; else the bootstrap file's."""
        return _host(self.server or self.bootstrap)

    async def observe(self, world: ProbeWorld) -> Observation:
        """Ask once, or remember."""
        kept = _remembered(world.kept, self._ascii)
        if kept is not None and world.now - kept.asked_at < timedelta(seconds=self.ask_every):
            return self._judged(_blank(), kept, kept, world)
        seen, said = await self._asked(world, kept)
        if isinstance(said, _Kept):
            return self._judged(seen, said, kept, world)
        reason, text = said
        stands = kept is not None and world.now - kept.asked_at < STANDS_FOR
        if kept is not None and stands and reason != "not_registered":
            return self._judged(replace(seen, text=f"{text}; as last said: "), kept, kept, world)
        failed = reason == "not_registered"
        outcome = Outcome.failed if failed else Outcome.unknown
        return replace(seen, reason=reason, text=shortened(text, 300), outcome=outcome)

    async def _asked(
        self, world: ProbeWorld, kept: _Kept | None
    ) -> tuple[Observation, _Kept | tuple[str, str]]:
        """What the registry said, or reason and text of why it said nothing."""
        server = self.server or (kept.server if kept else "")
        if not server:
            seen, listed = await _fetched(world, self.bootstrap)
            if listed.reason is not None or listed.status != 200:
                return seen, _unheard(listed)
            try:
                server = server_of(listed.body, self._ascii)
            except ValueError as error:
                return seen, ("not_rdap", str(error))
            if not server:
                return seen, ("no_server", f"no RDAP server is listed for {self._ascii}")
        seen, exchange = await _fetched(world, f"{server.rstrip('/')}/domain/{self._ascii}")
        if exchange.status == 404 and exchange.reason is None:
            return seen, ("not_registered", f"the registry knows no {self._ascii}")
        if exchange.reason is not None or exchange.status != 200:
            return seen, _unheard(exchange)
        try:
            facts = domain_facts(exchange.body)
        except ValueError as error:
            return seen, ("not_rdap", str(error))
        return seen, _Kept(facts, world.now, server)

    def _judged(
        self, seen: Observation, said: _Kept, kept: _Kept | None, world: ProbeWorld
    ) -> Observation:
        facts = said.facts
        values = _values(said, kept, world.now, seen.duration_s)
        samples = [*seen.samples]
        metrics: dict[str, Any] = {
            "probe_domain_asked_timestamp_seconds": said.asked_at.timestamp(),
            "probe_domain_status_info": dict.fromkeys(facts.statuses, 1),
        }
        if facts.expires_at is not None:
            samples.append(Sample("days_left", values["days_left"], "d"))
            metrics["probe_domain_expiry_timestamp_seconds"] = facts.expires_at.timestamp()
        reason, outcome = _verdict(facts, values.get("days_left"), world.needed)
        return replace(
            seen,
            values=values,
            reason=reason,
            outcome=outcome,
            text=shortened(seen.text + _text(facts, values), 300),
            samples=samples,
            metrics=metrics,
            keep=msgspec.json.encode(said),
        )


async def _fetched(world: ProbeWorld, url: str) -> tuple[Observation, Exchange]:
    request = Request(url, headers=(("Accept", "application/rdap+json, application/json"),))
    exchange = await world.transport.fetch(request, world.deadline)
    seen = Observation(
        values={},
        duration_s=exchange.duration_s,
        network=exchange.network,
        phases=exchange.phases,
        address=exchange.address,
        samples=[Sample("timing.total_s", exchange.duration_s, "s")],
        evidence=Evidence(
            request=request.head(),
            response=exchange.head_text(),
            body=exchange.body[:EVIDENCE_BODY],
            facts=facts_of(exchange),
        ),
    )
    return seen, exchange


def _unheard(exchange: Exchange) -> tuple[str, str]:
    if exchange.reason is not None:
        return exchange.reason, exchange.text
    if exchange.status == 429:
        after = shortened(exchange.header("retry-after"), 40)
        return "rate_limited", f"asked too often{f'; again after {after}' if after else ''}"
    return "unexpected_status", f"the status is {phrase(exchange.status)}"


def _verdict(
    facts: DomainFacts, days_left: float | None, needed: frozenset[str]
) -> tuple[str, Outcome | None]:
    if days_left is None and "days_left" in needed:
        return "no_expiry", Outcome.unknown
    if needed:
        return "", None
    statuses = set(facts.statuses)
    if statuses & _GONE:
        return "pending_delete", Outcome.failed
    if days_left is not None and days_left <= 0:
        return "expired", Outcome.failed
    if statuses & _HELD:
        return "on_hold", Outcome.failed
    if days_left is not None and days_left < SOON_DAYS:
        return "expiring", Outcome.warn
    return "", None


def _values(said: _Kept, kept: _Kept | None, now: datetime, total_s: float) -> dict[str, Any]:
    facts = said.facts
    values: dict[str, Any] = {
        "expires_at": shown_instant(facts.expires_at),
        "registered_at": shown_instant(facts.registered_at),
        "changed_at": shown_instant(facts.changed_at),
        "registrar": facts.registrar,
        "registrar_id": facts.registrar_id,
        "statuses": facts.statuses,
        "nameservers": facts.nameservers,
        "nameservers_changed": kept is not None and kept.facts.nameservers != facts.nameservers,
        "asked_age_s": max((now - said.asked_at).total_seconds(), 0.0),
        "timing": {"total_s": total_s},
    }
    if facts.expires_at is not None:
        values["days_left"] = (facts.expires_at - now).total_seconds() / _DAY_S
    if facts.registered_at is not None:
        values["age_days"] = (now - facts.registered_at).total_seconds() / _DAY_S
    if facts.signed is not None:
        values["signed"] = facts.signed
    return values


def _text(facts: DomainFacts, values: dict[str, Any]) -> str:
    """``acme.example: 41 days left, by Acme Registrar; client hold``."""
    left = f"{values['days_left']:.0f} days left" if "days_left" in values else "no expiry given"
    by = f", by {facts.registrar}" if facts.registrar else ""
    statuses = f"; {', '.join(facts.statuses)}" if facts.statuses else ""
    return f"{facts.name}: {left}{by}{statuses}"


def _blank() -> Observation:
    return Observation(values={}, duration_s=0.0)


def _remembered(kept: bytes | None, name: str) -> _Kept | None:
    """What the last good check kept, when it was of this domain and can still be read."""
    if kept is None:
        return None
    try:
        memory = msgspec.json.decode(kept, type=_Kept)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return memory if memory.facts.name in (name, "") else None


@lru_cache(maxsize=4096)
def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
