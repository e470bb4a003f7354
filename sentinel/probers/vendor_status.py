"""What a vendor says about itself on its status page (Atlassian Statuspage, API v2)."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, ClassVar
from urllib.parse import urlsplit

import msgspec
from msgspec.structs import replace

from sentinel.expression import Declaration
from sentinel.kinds import ProbeWorld, key
from sentinel.monitor.probe import Evidence, Observation, Sample
from sentinel.transport.shown import EVIDENCE_BODY, facts_of, http_metrics
from sentinel.transport.wire import Exchange, Request, phrase
from sentinel.words import Outcome, Seconds, Secret, shortened

SUMMARY = "/api/v2/summary.json"
SHOWN = 20
"""Incidents, and names of components, that are given on."""

_MEANING = {
    "operational": "ok",
    "under_maintenance": "maintenance",
    "degraded_performance": "degraded",
    "partial_outage": "outage",
    "major_outage": "outage",
}
"""Statuspage's words for a component, the worst last. A word that is not here is a degradation."""
_OF_INDICATOR = {
    "none": "operational",
    "maintenance": "under_maintenance",
    "minor": "degraded_performance",
    "major": "partial_outage",
    "critical": "major_outage",
}
_UNHEARD = "degraded_performance"
_ORDER = tuple(_MEANING)
_OVER = frozenset({"resolved", "postmortem", "completed"})


class _Page(msgspec.Struct, frozen=True):
    name: str = ""
    updated_at: str | None = None


class _Component(msgspec.Struct, frozen=True):
    id: str
    name: str
    status: str = "operational"
    group: bool = False


class _Happening(msgspec.Struct, frozen=True):
    """An incident or a maintenance."""

    id: str = ""
    name: str = ""
    status: str = ""
    impact: str = "none"
    created_at: str | None = None
    shortlink: str | None = None
    scheduled_for: str | None = None
    scheduled_until: str | None = None
    components: list[_Component] = []


class _Status(msgspec.Struct, frozen=True):
    indicator: str
    description: str = ""


class Summary(msgspec.Struct, frozen=True):
    """The part of ``summary.json`` that is looked at."""

    page: _Page
    status: _Status
    components: list[_Component] = []
    incidents: list[_Happening] = []
    scheduled_maintenances: list[_Happening] = []


@dataclass(frozen=True, slots=True)
class VendorStatus:
    """Reads a vendor's status page: the components that matter, open incidents, maintenance.

    The page's own indicator is a blend over everything the vendor has, so name the components that
    your shop depends on; without any, the indicator counts. A page that cannot be read, that is no
    status page, that has no such component, or that is older than `stale_after`, is *unknown*: it
    says nothing about whether the vendor works. Ask the vendor's API itself with an `http` probe.

    Without `expect` an outage fails (`partial_outage`, `major_outage`), a degradation warns
    (`degraded_performance`), and maintenance is fine.

    The unknown reasons are `stale`, `no_such_component`, `not_a_status_page` and `unexpected_status`
    (the page is answered with another than 200).

    Expectations may use `status` (the worst of the components: `ok`, `maintenance`, `degraded` or
    `outage`), `components` (name to Statuspage's word, such as `partial_outage`), `indicator`
    (`none`, `minor`, `major`, `critical`), `description`, `incidents` (open ones that touch the
    components: `name`, `status`, `impact`, `started_at`, `url`), `incident_count`, `maintenance`
    (under way now), `maintenances`, `updated_age_s` (-1 when the page does not say) and `timing`.
    """

    KIND: ClassVar[str] = "vendor_status"
    NAMES: ClassVar[Declaration] = {
        "status": "string",
        "components": "map",
        "indicator": "string",
        "description": "string",
        "incidents": "list",
        "incident_count": "int",
        "maintenance": "bool",
        "maintenances": "list",
        "updated_age_s": "double",
        "timing": {"total_s": "double"},
    }

    url: str = key(
        "The root of the status page.",
        default="",
        examples=["https://status.acmepay.example"],
        reads_secrets=True,
    )
    at: str = key("Instead of `url`, an address of `site.addresses`.", default="")
    vendor: str = key(
        "Instead of `url`, the vendor whose declared status page it is.",
        default="",
        examples=["acmepay"],
    )
    components: tuple[str, ...] = key(
        "The components that matter, by name or id; without any the page's indicator counts.",
        default=(),
        examples=[["API", "Webhooks"]],
    )
    stale_after: Seconds | None = key(
        "A page that was not updated for so long says nothing any more. Only for vendors whose page "
        "is updated by a machine: others leave it alone while all is well.",
        default=None,
        examples=["1d"],
    )

    def host(self) -> str:
        """The status page's host."""
        return _host(self.url)

    async def observe(self, world: ProbeWorld) -> Observation:
        """Read the page once."""
        url = world.secrets.reveal(Secret(self.url)) if "{" in self.url else self.url
        request = Request(_summary_of(url), headers=(("Accept", "application/json"),))
        exchange = await world.transport.fetch(request, world.deadline)
        seen = Observation(
            values={},
            duration_s=exchange.duration_s,
            phases=exchange.phases,
            address=exchange.address,
            samples=[Sample("timing.total_s", exchange.duration_s, "s")],
            evidence=Evidence(
                request=request.head(),
                response=exchange.head_text(),
                body=exchange.body[:EVIDENCE_BODY],
                facts=facts_of(exchange),
            ),
            metrics=http_metrics(exchange),
        )
        summary = _summary(exchange)
        if isinstance(summary, str):
            reason = exchange.reason or (
                "not_a_status_page" if exchange.status == 200 else "unexpected_status"
            )
            return _unknown(seen, reason, summary)
        return self._judged(seen, summary, world)

    def _judged(self, seen: Observation, summary: Summary, world: ProbeWorld) -> Observation:
        chosen = chosen_components(summary, self.components)
        if isinstance(chosen, str):
            return _unknown(seen, "no_such_component", chosen)
        values = _values(summary, chosen, seen.duration_s, world.now)
        text = _text(summary, values)
        seen = replace(
            seen, values=values, text=text, metrics={**seen.metrics, **_metrics(values, chosen)}
        )
        if self.stale_after is not None and values["updated_age_s"] > self.stale_after:
            hours = values["updated_age_s"] / 3600
            return _unknown(seen, "stale", f"the page was last updated {hours:.0f} h ago")
        if world.needed:
            return seen
        worst = _worst(summary, chosen)
        match _MEANING[worst]:
            case "outage":
                return replace(seen, reason=worst, outcome=Outcome.failed)
            case "degraded":
                return replace(seen, reason=worst, outcome=Outcome.warn)
            case _:
                return seen


def _unknown(seen: Observation, reason: str, text: str) -> Observation:
    return replace(seen, reason=reason, text=text, outcome=Outcome.unknown)


def _summary_of(url: str) -> str:
    return url if url.endswith(".json") else url.rstrip("/") + SUMMARY


def _summary(exchange: Exchange) -> Summary | str:
    """The page, or why there is none."""
    if exchange.reason is not None:
        return exchange.text or str(exchange.reason)
    if exchange.status != 200:
        return f"the status page answers {phrase(exchange.status)}"
    try:
        return msgspec.json.decode(exchange.body, type=Summary)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return f"this is no Statuspage summary: {error}"


def chosen_components(summary: Summary, wanted: Sequence[str]) -> list[_Component] | str:
    """The components that are named, by name (whatever its case) or id; or which one is not there."""
    real = [component for component in summary.components if not component.group]
    chosen: list[_Component] = []
    for name in wanted:
        found = [each for each in real if name.lower() in (each.name.lower(), each.id.lower())]
        if not found:
            names = [each.name for each in real]
            near = difflib.get_close_matches(name, names, n=1)
            has = f"did you mean `{near[0]}`?" if near else "it has " + ", ".join(names[:SHOWN])
            return f"the page has no component `{name}`: {has}"
        chosen += found
    return chosen


def _values(
    summary: Summary, chosen: Sequence[_Component], duration_s: float, now: datetime
) -> Mapping[str, Any]:
    ids = {component.id for component in chosen}
    incidents = [each for each in summary.incidents if each.status not in _OVER]
    planned = [each for each in summary.scheduled_maintenances if each.status not in _OVER]
    touching = [each for each in incidents if _touches(each, ids)]
    maintenances = [each for each in planned if _touches(each, ids)]
    under_way = any(each.status in ("in_progress", "verifying") for each in maintenances)
    return {
        "status": _MEANING[_worst(summary, chosen)],
        "components": {component.name: component.status for component in chosen},
        "indicator": summary.status.indicator,
        "description": summary.status.description,
        "incidents": [_shown(each) for each in touching[:SHOWN]],
        "incident_count": len(touching),
        "maintenance": under_way,
        "maintenances": [_planned(each) for each in maintenances[:SHOWN]],
        "updated_age_s": _age_s(summary.page.updated_at, now),
        "timing": {"total_s": duration_s},
    }


def _worst(summary: Summary, chosen: Sequence[_Component]) -> str:
    """The worst word of the components; without any the one that the page's indicator stands for."""
    if not chosen:
        return _OF_INDICATOR.get(summary.status.indicator, _UNHEARD)
    words = [each.status if each.status in _MEANING else _UNHEARD for each in chosen]
    return max(words, key=_ORDER.index)


def _touches(happening: _Happening, ids: set[str]) -> bool:
    """Whether it concerns a chosen component. One that names none concerns all."""
    if not ids or not happening.components:
        return True
    return any(component.id in ids for component in happening.components)


def _shown(incident: _Happening) -> Mapping[str, Any]:
    return {
        "name": shortened(incident.name, 300),
        "status": incident.status,
        "impact": incident.impact,
        "started_at": incident.created_at or "",
        "url": incident.shortlink or "",
    }


def _planned(maintenance: _Happening) -> Mapping[str, Any]:
    return {
        "name": shortened(maintenance.name, 300),
        "status": maintenance.status,
        "from": maintenance.scheduled_for or "",
        "to": maintenance.scheduled_until or "",
    }


def _age_s(updated_at: str | None, now: datetime) -> float:
    try:
        at = datetime.fromisoformat(updated_at or "")
    except ValueError:
        return -1.0
    return max((now - at).total_seconds(), 0.0) if at.tzinfo else -1.0


def _text(summary: Summary, values: Mapping[str, Any]) -> str:
    """``API: partial outage; Elevated error rates (investigating)``."""
    bad = {name: word for name, word in values["components"].items() if word != "operational"}
    parts = [f"{name}: {word.replace('_', ' ')}" for name, word in bad.items()]
    if not values["components"]:
        parts.append(summary.status.description or summary.status.indicator)
    parts += [f"{each['name']} ({each['status']})" for each in values["incidents"][:3]]
    return "; ".join(parts) or "operational"


def _metrics(values: Mapping[str, Any], chosen: Sequence[_Component]) -> Mapping[str, Any]:
    up = {component.name: int(component.status == "operational") for component in chosen}
    shown: dict[str, Any] = {"probe_vendor_incidents_open": values["incident_count"]}
    return {**shown, "probe_vendor_component_up": up} if up else shown


@lru_cache(maxsize=4096)
def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
