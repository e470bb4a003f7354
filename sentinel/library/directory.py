"""Whose shops they are, who serves them, and from where: clients, vendors, locations, teams,
users, calendars. Their values, and how they are read."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sentinel.library import pieces, spans
from sentinel.library.declared import Declared
from sentinel.library.reading import At
from sentinel.library.shape import Schema
from sentinel.monitor.objective import Objective, Promise
from sentinel.words import Place

ROLES = ("viewer", "responder", "admin")


@dataclass(frozen=True, slots=True)
class Service:
    """A part of a client's shop. `tier` 1 is the most important, 0 unknown; `objectives` is what is
    promised, at most one of each kind."""

    id: str
    tier: int = 0
    objectives: tuple[Objective, ...] = ()


@dataclass(frozen=True, slots=True)
class Client:
    """Whose shop it is."""

    id: str
    name: str
    timezone: str = "UTC"
    services: Mapping[str, Service] = field(default_factory=dict)
    place: Place = Place("", 0, 0)


@dataclass(frozen=True, slots=True)
class Vendor:
    """A third party. `statuspage` is the root of its status page, empty when it has none; `contacts`
    are mail addresses, telephone numbers and URLs by role and medium; `availability` is a ratio of 1."""

    id: str
    name: str
    statuspage: str = ""
    components: tuple[str, ...] = ()
    contacts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    availability: float = 0.0
    place: Place = Place("", 0, 0)


@dataclass(frozen=True, slots=True)
class Location:
    """Where checks run from."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Team:
    """People who keep something right, and what they know."""

    id: str
    people: tuple[str, ...]
    skills: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may sign in; `roles` of viewer, responder, admin."""

    id: str
    person: str = ""
    roles: tuple[str, ...] = ("viewer",)


_PERCENT = pieces.number("Percent of the time", 99.9, exclusiveMinimum=0, maximum=100)
_PROMISED = {"exclusiveMinimum": 0, "maximum": 99.999}
"""Of an objective, which leaves something to spend."""
SHORTEST_S, LONGEST_S = 86400.0, 90 * 86400.0
OBJECTIVE: Schema = pieces.entry(
    {
        "availability": pieces.number(
            "Percent of the time in which checks find the service usable", 99.9, **_PROMISED
        ),
        "latency": pieces.entry(
            {
                "under": pieces.span("How fast a good check must be", "800ms"),
                "share": pieces.number("Percent of the time in which it is", 99, **_PROMISED),
            },
            "How fast it is promised to be",
            "under",
            "share",
        ),
        "window": pieces.span("Over how long, from 1d to 90d", "30d"),
        "maintenance": pieces.one_of(
            "Whether time in declared maintenance counts", "excluded", "counted"
        ),
        "alert": pieces.switch("Whether to alert when it is spent too fast; true unless said"),
    },
    "What is promised",
    "availability",
)
CLIENT: Schema = pieces.entry(
    {
        "name": pieces.text("The name that people use", "Acme Oy"),
        "timezone": pieces.timezone("Where the client is"),
        "services": pieces.mapped(
            pieces.entry(
                {
                    "tier": pieces.whole("1 is the most important", 1, minimum=1, maximum=9),
                    "objective": OBJECTIVE,
                },
                "A part of the shop",
            ),
            "The parts of the shop",
            propertyNames=pieces.ID_NAMES,
        ),
    },
    "Whose shop it is",
)
VENDOR: Schema = pieces.entry(
    {
        "name": pieces.text("The name that people use", "AcmePay"),
        "status": pieces.entry(
            {
                "statuspage": pieces.url(
                    "The root of its status page", "https://status.acmepay.example"
                ),
                "at": pieces.identifier("Instead: one of the site's addresses", "status"),
                "components": pieces.listed(
                    pieces.text("A component's name", "API"),
                    "The components that matter; without it all",
                ),
            },
            "Where it says how it is",
        ),
        "contacts": pieces.mapped(
            pieces.mapped(
                {"type": "string"},
                "Ways to reach them",
                examples=[{"mail": "support@acmepay.example"}],
            ),
            "Whom to ask, by role",
        ),
        "sla": pieces.entry({"availability": _PERCENT}, "What it promises", "availability"),
    },
    "A third party",
)
LOCATION: Schema = pieces.entry(
    {"name": pieces.text("The name that people use", "Frankfurt")}, "Where checks run from"
)
TEAM: Schema = pieces.entry(
    {
        "people": pieces.listed(
            pieces.identifier("One of `people:`", "ana"), "Who is in it", minItems=1
        ),
        "skills": pieces.listed(pieces.text("A skill", "psp"), "What they know"),
    },
    "People who keep something right",
    "people",
)
USER: Schema = pieces.entry(
    {
        "person": pieces.identifier("Who it is, one of `people:`", "ana"),
        "roles": pieces.listed(
            pieces.one_of("What they may do", *ROLES), "What they may do", minItems=1
        ),
    },
    "Somebody who may sign in",
)
CALENDAR: Schema = pieces.entry(
    {"dates": pieces.listed(pieces.date("A local date"), "The dates", maxItems=4000)},
    "Dates on which something is different",
    "dates",
)


def read_client(declared: Declared) -> Client:
    """The client; what is wrong has been said."""
    body = declared.sound
    services = {
        name: _service(name, each, declared) for name, each in body.get("services", {}).items()
    }
    zone = (declared.at / "timezone").timezone(body.get("timezone", "UTC"))
    return Client(declared.id, body.get("name", declared.id), zone, services, declared.place)


def _service(name: str, body: Mapping[str, Any], client: Declared) -> Service:
    at = client.at / "services" / name / "objective"
    return Service(
        name, body.get("tier", 0), _objectives(client.id, name, body.get("objective"), at)
    )


def _objectives(
    client: str, service: str, body: Mapping[str, Any] | None, at: At
) -> tuple[Objective, ...]:
    if not body or "availability" not in body:
        return ()
    window_s = spans.seconds(body.get("window", "30d"))
    if not SHORTEST_S <= window_s <= LONGEST_S:
        (at / "window").wrong(f"`{body['window']}` is no window of an objective", "from 1d to 90d")
    promised = Objective(
        client,
        service,
        Promise.availability,
        round(body["availability"] / 100, 9),
        window_s,
        counts_maintenance=body.get("maintenance") == "counted",
        alerts=body.get("alert", True),
    )
    latency = body.get("latency", {})
    if not {"under", "share"} <= latency.keys():
        return (promised,)
    under_s, share = spans.seconds(latency["under"]), round(latency["share"] / 100, 9)
    return promised, replace(promised, promise=Promise.latency, share=share, under_s=under_s)


def read_vendor(declared: Declared) -> Vendor:
    """The vendor; what is wrong has been said."""
    body, place = declared.sound, declared.at / "status"
    status = body.get("status", {})
    return Vendor(
        id=declared.id,
        name=body.get("name", declared.id),
        statuspage=_statuspage(status, place),
        components=tuple(status.get("components", ())),
        contacts=body.get("contacts", {}),
        availability=body.get("sla", {}).get("availability", 0) / 100,
        place=declared.place,
    )


def _statuspage(status: Mapping[str, Any], at: At) -> str:
    if "at" not in status:
        return str(status.get("statuspage", ""))
    return (at / "at").address(status["at"])


def read_location(declared: Declared) -> Location:
    return Location(declared.id, declared.sound.get("name", declared.id))


def read_team(declared: Declared) -> Team:
    """The team; what is wrong has been said."""
    people = tuple(declared.sound.get("people", ()))
    for index, each in enumerate(people):
        (declared.at / "people" / index).named("people", each)
    return Team(declared.id, people, tuple(declared.sound.get("skills", ())))


def read_user(declared: Declared) -> User:
    """The user; what is wrong has been said."""
    body = declared.sound
    if "person" in body:
        (declared.at / "person").named("people", body["person"])
    return User(declared.id, body.get("person", ""), tuple(body.get("roles", ("viewer",))))


def read_calendar(declared: Declared) -> frozenset[str]:
    """The dates, as text; what is wrong has been said."""
    found: set[str] = set()
    for index, each in enumerate(declared.sound.get("dates", ())):
        try:
            found.add(spans.day(each).isoformat())
        except ValueError as error:
            (declared.at / "dates" / index).wrong(str(error))
    return frozenset(found)
