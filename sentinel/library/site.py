"""``site:`` the one document about the installation as a whole, and ``maintenance:``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

from sentinel.incident.policy import Grouping
from sentinel.labels import check
from sentinel.library import pieces, spans
from sentinel.library.declared import Declared
from sentinel.library.modules_site import BLACKBOX, SiteBlackbox, read_blackbox
from sentinel.library.probes import check_schedule
from sentinel.library.reading import At
from sentinel.library.shape import Schema
from sentinel.monitor.silence import Maintenance
from sentinel.oncall.escalation import Fallback
from sentinel.words import Place, Severity

DEFAULT_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
MOST_BUCKETS = 30


@dataclass(frozen=True, slots=True)
class Keep:
    """How long what is measured is kept: results of checks, their rollups (the longest that any
    resolution asks for), and evidence. Facts are kept for ever."""

    results_for: timedelta = timedelta(days=7)
    rollups_for: timedelta = timedelta(days=730)
    evidence_for: timedelta = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Site:
    """The installation. `unmatched` is an escalation's id; `addresses` are those declared, with
    ``--address`` in their place; `intake_allow` are networks whose senders need no token."""

    unmatched: str
    fallback: Fallback
    url: str = ""
    addresses: Mapping[str, str] = field(default_factory=dict)
    severity_of: Mapping[str, Severity] = field(default_factory=dict)
    group: Grouping = Grouping()
    keep: Keep = Keep()
    intake_allow: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    """Upper bounds, in seconds, of the histograms of durations; none: no histograms are shown."""
    blackbox: SiteBlackbox | None = None
    place: Place = Place("", 0, 0)


_KEPT = pieces.span("How long", "7d", "2y")
SITE: Schema = pieces.entry(
    {
        "url": pieces.url(
            "Where people reach Sentinel; links in messages lead there",
            "https://sentinel.acme.example",
        ),
        "addresses": pieces.mapped(
            pieces.url("An address", "https://shop.acme.example"),
            "Addresses by name: probes write `at: shop`, and `--address shop=URL` replaces one",
            propertyNames=pieces.ID_NAMES,
        ),
        "unmatched": pieces.reference(
            "Who is paged when no playbook matches, or none pages", "escalation/storefront"
        ),
        "fallback": pieces.entry(
            {
                "page": pieces.listed(
                    pieces.reference("Who", "person/ops-lead"), "Who is paged at last", minItems=1
                ),
                "every": pieces.span("How often, until somebody acknowledges", "15m"),
            },
            "Who is paged when an escalation is spent",
            "page",
        ),
        "severity_of": pieces.mapped(
            pieces.severity("The severity here"),
            "Severities of alerts from outside, by the word they use; absent ones are errors",
            examples=[{"page": "critical", "P1": "critical", "ticket": "warning"}],
        ),
        "group": pieces.entry(
            {
                "by": pieces.listed(
                    pieces.text("A label, or urgency", "client", minLength=1),
                    "Labels",
                    minItems=1,
                    maxItems=8,
                ),
                "fill": pieces.mapped(
                    pieces.text(
                        "A word, or label/NAME for another label's value",
                        "label/alertname",
                        minLength=1,
                    ),
                    "What stands for a missing label",
                ),
                "reopen_within": pieces.span("How soon a return reopens", "30m"),
            },
            "Which alerts share an incident",
        ),
        "keep": pieces.entry(
            {
                "samples": pieces.mapped(
                    _KEPT,
                    "How long each resolution is kept",
                    propertyNames={
                        "pattern": "^(raw|[0-9]+(m|h|d))$",
                        "errorMessage": "not a resolution, write raw, 5m or 1h",
                    },
                ),
                "evidence": _KEPT,
                "facts": pieces.one_of("The record is never shortened", "forever"),
            },
            "How long things are kept",
        ),
        "metrics": pieces.entry(
            {
                "histograms": pieces.switch(
                    "Show a histogram of each probe's durations, with exemplars in OpenMetrics"
                ),
                "buckets": pieces.listed(
                    pieces.number("Seconds", 0.1, exclusiveMinimum=0, maximum=3600),
                    "Upper bounds of its buckets, ascending",
                    minItems=1,
                    maxItems=MOST_BUCKETS,
                    examples=[[0.1, 0.5, 1, 5]],
                ),
            },
            "What `/metrics` shows beside the last check",
        ),
        "intake": pieces.entry(
            {
                "allow": pieces.listed(
                    pieces.text("A network", "10.0.0.0/8"), "Networks whose senders need no token"
                )
            },
            "Who may send alerts",
        ),
        "blackbox": BLACKBOX,
    },
    "The installation as a whole",
    "unmatched",
    "fallback",
)

MAINTENANCE: Schema = pieces.entry(
    {
        "match": pieces.MATCHERS,
        "cron": pieces.cron("When it begins", "0 3 * * 2"),
        "timezone": pieces.timezone("Whose clock the cron means"),
        "lasts": pieces.span("How long it lasts", "45m"),
        "automation": pieces.one_of(
            "What playbooks may still change meanwhile", "paused", "allowed"
        ),
        "reason": pieces.text("Why", "weekly deploy"),
    },
    "A window in which alerts are muted",
    "match",
    "cron",
    "lasts",
)


def read_site(declared: Declared, addresses: Mapping[str, str]) -> Site | None:
    """The site; None, and said, when it says not who is paged. `addresses` are already resolved."""
    at, body = declared.at, declared.sound
    if "unmatched" in body:
        (at / "unmatched").reference(body["unmatched"], "escalation")
    fallback = _fallback(body.get("fallback"), at / "fallback")
    _check_networks(body.get("intake", {}).get("allow", ()), at / "intake" / "allow")
    group = _group(body.get("group", {}), at / "group")
    blackbox = read_blackbox(body.get("blackbox"), at / "blackbox")
    severity_of = {word: Severity[each] for word, each in body.get("severity_of", {}).items()}
    if fallback is None or "unmatched" not in body:
        return None
    return Site(
        unmatched=body["unmatched"].partition("/")[2],
        fallback=fallback,
        url=body.get("url", "").rstrip("/"),
        addresses=addresses,
        severity_of=severity_of,
        group=group,
        keep=_keep(body.get("keep", {})),
        intake_allow=tuple(body.get("intake", {}).get("allow", ())),
        buckets=_buckets(body.get("metrics", {}), at / "metrics"),
        blackbox=blackbox,
        place=declared.place,
    )


def _buckets(value: Mapping[str, Any], at: At) -> tuple[float, ...]:
    """The buckets' bounds where histograms are asked for."""
    buckets = tuple(map(float, value.get("buckets", DEFAULT_BUCKETS)))
    if list(buckets) != sorted(set(buckets)):
        (at / "buckets").wrong("the buckets do not ascend", "write them like [0.1, 0.5, 1, 5]")
    return buckets if value.get("histograms") else ()


def _fallback(value: Any, at: At) -> Fallback | None:
    if not value:
        return None
    for index, each in enumerate(value["page"]):
        (at / "page" / index).reference(each, "person", "rotation", "team")
    return Fallback(tuple(value["page"]), spans.seconds(value.get("every", "15m")))


def _check_networks(networks: Sequence[str], at: At) -> None:
    for index, each in enumerate(networks):
        try:
            ip_network(each)
        except ValueError as error:
            (at / index).wrong(f"`{each}` is not a network: {error}", "write it like 10.0.0.0/8")


def _group(value: Mapping[str, Any], at: At) -> Grouping:
    default = Grouping()
    by = tuple(value.get("by", default.by))
    for label in value.get("fill", {}):
        if label not in by:
            (at / "fill" / label).unknown(label, by, "one of the labels in `by:`")
    within_s = spans.seconds(value["reopen_within"]) if "reopen_within" in value else None
    return Grouping(
        by, value.get("fill", {}), default.reopen_within_s if within_s is None else within_s
    )


def _keep(value: Mapping[str, Any]) -> Keep:
    default = Keep()
    samples = {name: _for(each) for name, each in value.get("samples", {}).items()}
    results_for = samples.pop("raw", default.results_for)
    rollups_for = max(samples.values(), default=default.rollups_for)
    evidence_for = _for(value["evidence"]) if "evidence" in value else default.evidence_for
    return Keep(results_for, rollups_for, evidence_for)


def _for(text: str) -> timedelta:
    return timedelta(seconds=spans.seconds(text))


def read_maintenance(declared: Declared) -> Maintenance | None:
    """The window; None, and said, when something it cannot be without is wrong."""
    at, body = declared.at, declared.sound
    zone = (at / "timezone").timezone(body.get("timezone", "UTC"))
    if not {"match", "cron", "lasts"} <= body.keys():
        return None
    check_schedule(body["cron"], at / "cron")
    matchers = {
        label: each if isinstance(each, str) else tuple(each)
        for label, each in body["match"].items()
    }
    try:
        check(matchers)
    except ValueError as error:
        (at / "match").wrong(f"this matches nothing: {error}", "write a regular expression of RE2")
    return Maintenance(
        id=declared.id,
        matchers=matchers,
        cron=body["cron"],
        timezone=zone,
        lasts_s=spans.seconds(body["lasts"]),
        automation_allowed=body.get("automation") == "allowed",
        reason=body.get("reason", ""),
        place=declared.place,
    )
