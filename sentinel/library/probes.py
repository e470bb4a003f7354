"""``probes:`` things to watch."""

from collections.abc import Collection, Mapping
from typing import Any

from sentinel.expression import Declaration
from sentinel.library import pieces, spans
from sentinel.library.captures import check_captures
from sentinel.library.declared import Declared, kept
from sentinel.library.discovery import DISCOVER
from sentinel.library.expectations import EXPECTATIONS, read_expectations
from sentinel.library.fields import Building
from sentinel.library.kinded import build, find_kind, kind_properties, only_kind
from sentinel.library.matrices import MATRIX
from sentinel.library.reading import At, Lookup, Reading, Scope, scope_of
from sentinel.library.shape import Schema
from sentinel.library.widening import USE
from sentinel.localtime import check_cron
from sentinel.monitor.probe import Confirm, Deadline, Expectation, Probe, Retry
from sentinel.words import Seconds, Severity

EVERY_S = Seconds(60.0)
TIMEOUT_S = Seconds(10.0)
RECHECK_S = Seconds(10.0)
DEADLINE_NAMES: Declaration = {"overdue": "bool", "late_s": "double"}
"""What the expectations of a probe with a ``deadline:`` may name besides."""
LEAST_EVERY_S = Seconds(1.0)
OWN_LABELS = frozenset(
    {"alertname", "probe", "kind", "client", "service", "vendor", "location", "reason", "severity"}
)
"""Labels that Sentinel gives or withholds itself."""

CONFIRM = pieces.entry(
    {
        "down": {
            "type": ["integer", "string"],
            "minimum": 1,
            "maximum": 20,
            "pattern": spans.COUNT,
            "errorMessage": "not a count of checks, write it like 2 or 3 of 5",
            "description": "Failed checks that it takes to fire: 2 in a row, or 3 of 5",
            "examples": [2, "3 of 5"],
        },
        "up": pieces.whole(
            "Good checks in a row that it takes to recover", 2, minimum=1, maximum=20
        ),
        "every": pieces.span("How fast to look again while pending or recovering", "5s"),
    },
    "How many checks it takes to believe",
)

DEADLINE = pieces.entry(
    {
        "cron": pieces.cron("When new content is due", "30 5 * * 1-6"),
        "timezone": pieces.timezone("Whose clock the cron means"),
        "grace": pieces.span("How much later it may come", "20m"),
        "skip": pieces.listed(
            pieces.reference("A calendar whose dates are not due", "calendar/fi-holidays"),
            "Calendars of dates on which nothing is due",
        ),
    },
    "When content must have changed",
    "cron",
    "timezone",
)

SHARED: Mapping[str, Schema] = {
    "client": pieces.identifier("Whose shop it is, one of `clients:`", "acme"),
    "service": pieces.identifier("What it belongs to, one of the client's services", "checkout"),
    "vendor": pieces.identifier("The third party it depends on, one of `vendors:`", "acmepay"),
    "labels": pieces.mapped({"type": "string"}, "Further labels of its alerts"),
    "every": pieces.span("How often to check", "30s", "10m"),
    "timeout": pieces.span("How long a check may take, at most `every`", "10s"),
    "expect": EXPECTATIONS,
    "retry": pieces.entry(
        {
            "times": pieces.whole("Further attempts", 1, minimum=0, maximum=5),
            "after": pieces.span("How long to wait before each", "500ms"),
            "only_on": pieces.one_of("Which failures are tried again", "network", "any"),
        },
        "Trying again inside one check, within its timeout",
    ),
    "confirm": CONFIRM,
    "severity": pieces.severity("How bad it is when it fires"),
    "depends_on": pieces.listed(
        pieces.identifier("A probe", "acme-dns"), "Probes whose firing mutes this one"
    ),
    "locations": pieces.entry(
        {
            "from": pieces.listed(
                pieces.identifier("One of `locations:`", "eu"),
                "Where it is checked from",
                minItems=1,
            ),
            "agree": pieces.whole("How many of them must agree", 2, minimum=1),
        },
        "Where it is checked from",
        "from",
    ),
    "deadline": DEADLINE,
    "use": USE,
    "matrix": MATRIX,
    "discover": DISCOVER,
}
OWN_KEYS = frozenset({"matrix", "discover"})
"""Shared keys that each probe says for itself, and no ``defaults:`` for it."""


def schema(lookup: Lookup, used: Collection[str] | None = None) -> Schema:
    """A probe's schema, with the keys of every prober installed."""
    kinds = kind_properties(lookup, "probers", references=False, used=used)
    return pieces.entry({**SHARED, **kinds}, "A declared thing to watch")


def read_probe(
    declared: Declared, calendars: Mapping[str, frozenset[str]], digest: str
) -> Probe | None:
    """The probe; None, and said, when something it cannot be without is wrong."""
    at, body, reading = declared.at, declared.sound, declared.at.reading
    name = only_kind(declared.body, reading.lookup.names("probers"), at, "a probe")
    deadline = _deadline(body.get("deadline"), at / "deadline", calendars)
    every_s = _span(body, "every", EVERY_S)
    timeout_s = _span(body, "timeout", min(TIMEOUT_S, every_s))
    _check_times(every_s, timeout_s, at)
    _check_belongings(body, at)
    kind = find_kind(reading.lookup, "probers", name, at) if name else None
    prober: Any = None
    expect: tuple[Expectation, ...] = ()
    if name is not None and kind is not None:
        scope = _scope(reading, kind, deadline=deadline is not None)
        prober = build(kind, body[name], at / name, Building(scope)) if name in body else None
        expect = read_expectations(body.get("expect"), at / "expect", scope)
    if prober is not None:
        _check_prober(prober, at / str(name))
    locations, agree = _locations(body.get("locations"), at / "locations")
    if prober is None:
        return None
    return Probe(
        id=declared.id,
        prober=prober,
        every_s=every_s,
        timeout_s=timeout_s,
        expect=expect,
        retry=_retry(body.get("retry")),
        confirm=_confirm(body.get("confirm"), at / "confirm", every_s),
        severity=Severity[body.get("severity", "error")],
        client=body.get("client", ""),
        service=body.get("service", ""),
        vendor=body.get("vendor", ""),
        labels=body.get("labels", {}),
        depends_on=tuple(body.get("depends_on", ())),
        locations=locations,
        agree=agree,
        deadline=deadline,
        place=declared.place,
        digest=digest,
    )


def _span(body: Mapping[str, Any], key: str, default: Seconds) -> Seconds:
    return spans.seconds(body[key]) if key in body else default


def _check_times(every_s: Seconds, timeout_s: Seconds, at: At) -> None:
    if every_s < LEAST_EVERY_S:
        (at / "every").wrong("a probe runs once a second at most", "write 1s or more")
    if not 0 < timeout_s <= every_s:
        (at / "timeout").wrong(
            f"the timeout of {spans.written(timeout_s)} does not fit into `every`",
            f"write {spans.written(every_s)} or less",
        )


def _check_belongings(body: Mapping[str, Any], at: At) -> None:
    for key, kind in (("client", "clients"), ("vendor", "vendors")):
        if key in body:
            (at / key).named(kind, body[key])
    if "service" in body:
        _check_service(body, at)
    for index, each in kept(body.get("depends_on")):
        (at / "depends_on" / index).named("probes", each)
    for label in body.get("labels", {}):
        if label in OWN_LABELS:
            (at / "labels" / label).wrong(
                f"the label `{label}` is Sentinel's own", "choose another name", at_key=True
            )


def _check_service(body: Mapping[str, Any], at: At) -> None:
    """A service is one of its client's; without a client, one of anybody's; free where no client
    declares any."""
    services = at.reading.services
    client = body.get("client")
    known = services.get(client, frozenset()) if client else frozenset().union(*services.values())
    if known and body["service"] not in known:
        whose = f"a service of `{client}`" if client else "a service of any client"
        (at / "service").unknown(body["service"], sorted(known), whose)


def _check_prober(prober: Any, at: At) -> None:
    """What only the whole prober shows: that it has an address, and what its steps capture."""
    if getattr(prober, "url", None) == "" and not getattr(prober, "vendor", ""):
        at.wrong("neither `url:` nor `at:` is given here", "add `url:`", at_key=True)
    if hasattr(prober, "STEP_NAMES"):
        check_captures(prober, at)


def _scope(reading: Reading, kind: Any, *, deadline: bool) -> Scope:
    """What a probe's expectations may name; one object per kind, so that expressions are shared."""

    def make() -> Scope:
        declared = {**kind.NAMES, **(DEADLINE_NAMES if deadline else {})}
        return scope_of(kind, declared)

    return reading.shared(("scope", kind, deadline), make)


def _retry(value: Any) -> Retry:
    if not value:
        return Retry()
    after_s = spans.seconds(value.get("after", "500ms"))
    return Retry(value.get("times", 1), after_s, value.get("only_on", "network"))


def _confirm(value: Any, at: At, every_s: Seconds) -> Confirm:
    value = value or {}
    down = value.get("down", 2)
    some, of = spans.count_of(down) if isinstance(down, str) else (down, down)
    if not 1 <= some <= of <= 20:
        (at / "down").wrong(f"`{down}` can never be", "write some of at most 20, like 3 of 5")
    recheck_s = _span(value, "every", min(every_s, RECHECK_S))
    return Confirm(some, of, value.get("up", 2), recheck_s)


def _locations(value: Any, at: At) -> tuple[tuple[str, ...], int]:
    if not value:
        return ("local",), 1
    names_ = tuple(value["from"])
    for index, each in enumerate(names_):
        (at / "from" / index).named("locations", each)
    agree = value.get("agree", 1)
    if agree > len(names_):
        (at / "agree").wrong(
            f"{agree} of {len(names_)} locations cannot agree", f"at most {len(names_)}"
        )
    return names_, agree


def _deadline(value: Any, at: At, calendars: Mapping[str, frozenset[str]]) -> Deadline | None:
    if not value:
        return None
    zone = (at / "timezone").timezone(value["timezone"])
    check_schedule(value["cron"], at / "cron")
    skip: set[str] = set()
    for index, each in enumerate(value.get("skip", ())):
        if (at / "skip" / index).reference(each, "calendar"):
            skip |= calendars.get(each.partition("/")[2], frozenset())
    return Deadline(value["cron"], zone, _span(value, "grace", Seconds(0.0)), frozenset(skip))


def check_schedule(cron: str, at: At) -> None:
    """Say so when a cron expression cannot be read, or never comes."""
    try:
        check_cron(cron)
    except ValueError as error:
        at.wrong(str(error), "write it like 30 5 * * 1-6")
