"""``rotations:`` and ``escalations:`` whose turn it is, and who is paged next."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sentinel.library import pieces, spans
from sentinel.library.declared import Declared, kept
from sentinel.library.reading import At
from sentinel.library.secrets import literal_secret
from sentinel.library.shape import Schema
from sentinel.localtime import resolve
from sentinel.oncall.escalation import Escalation, Level
from sentinel.oncall.rotation import Layer, Override, Rotation, Turn, Window
from sentinel.words import Seconds, Secret

ACK_WITHIN_S = Seconds(300.0)
PAGED = ("rotation", "person", "team")

_WINDOW = pieces.entry(
    {
        "days": {
            "type": ["string", "array"],
            "pattern": spans.DAYS,
            "errorMessage": "not a day of the week, write Mon, Mon-Fri or [Mon, Wed]",
            "items": {
                "type": "string",
                "pattern": spans.DAYS,
                "errorMessage": "not a day of the week, write Mon, Mon-Fri or [Mon, Wed]",
            },
            "description": "The days on which the window begins; without it every day",
            "examples": ["Mon-Fri", ["Sat", "Sun"]],
        },
        "from": pieces.clock("When it begins", "08:00"),
        "to": pieces.clock(
            "When it ends; at or before its beginning means on the next day", "16:00"
        ),
    },
    "A time of day, on the layer's own clock",
    "from",
    "to",
)
_LAYER = pieces.entry(
    {
        "id": pieces.identifier("What the layer is called", "sydney"),
        "timezone": pieces.timezone("The clock of its handoffs; the rotation's where not given"),
        "people": pieces.listed(
            pieces.identifier("One of `people:`", "ana"),
            "Who takes turns, in order",
            minItems=1,
            maxItems=200,
        ),
        "turn": {
            "type": "string",
            "pattern": spans.TURN,
            "errorMessage": "not the length of a turn, write it like 12h, 1d, 1w or 1mo",
            "description": "How long one person's turn is",
            "examples": ["1w", "12h"],
        },
        "turns": pieces.one_of("Which days a turn counts", "all-days", "active-days"),
        "anchor": pieces.wall(
            "A moment at which the first person's turn begins, on the layer's clock"
        ),
        "rank": pieces.whole(
            "A higher rank wins, equal rank is on call together; default the index", 1
        ),
        "only": pieces.listed(_WINDOW, "When somebody is on call; without it always", maxItems=50),
        "valid": pieces.entry(
            {
                "from": pieces.wall("The first moment"),
                "to": pieces.wall("The first moment no more"),
            },
            "From when until when the layer exists",
        ),
    },
    "People in turn",
    "id",
    "people",
    "anchor",
)
_OVERRIDE = pieces.entry(
    {
        "from": pieces.wall("When it begins, on the rotation's clock", "2026-02-03 18:00"),
        "to": pieces.wall("When it ends", "2026-02-04 09:00"),
        "replace": pieces.identifier("Who is replaced, or removed", "ana"),
        "with": pieces.identifier("Who stands in, or is added", "bo"),
        "reason": pieces.text("Why", "swap"),
    },
    "A change for a time",
    "from",
    "to",
)
ROTATION: Schema = pieces.entry(
    {
        "timezone": pieces.timezone("The clock of overrides, and of layers that name none"),
        "layers": pieces.listed(_LAYER, "People in turn", minItems=1, maxItems=50),
        "overrides": pieces.listed(
            _OVERRIDE, "Changes for a time; of two, the later in the list wins"
        ),
        "on_gap": pieces.listed(
            pieces.reference("Who is paged when nobody is on call", "person/ops-lead"),
            "Who is paged when nobody is on call",
        ),
    },
    "Whose turn it is",
    "layers",
)
ESCALATION: Schema = pieces.entry(
    {
        "levels": pieces.listed(
            pieces.entry(
                {
                    "page": pieces.listed(
                        pieces.reference(
                            "Who is paged", "rotation/storefront", "rotation/storefront+1"
                        ),
                        "Who is paged",
                        minItems=1,
                        maxItems=50,
                    ),
                    "ack_within": pieces.span("How long until the next level", "5m"),
                    "tell": pieces.listed(
                        pieces.secret("An Apprise URL", "env:OPS_CHAT"),
                        "Who is told without being paged",
                        maxItems=20,
                    ),
                },
                "One level",
                "page",
            ),
            "Who is paged first, and who next",
            minItems=1,
            maxItems=20,
        ),
        "repeat": pieces.whole(
            "How many times in all, before the site's fallback", 3, minimum=1, maximum=100
        ),
        "page_again_after_ack": pieces.span("How long an acknowledgement holds", "2h"),
    },
    "Who is paged first, and who next",
    "levels",
)


def read_rotation(declared: Declared, digest: str) -> Rotation:
    """The rotation; what is wrong has been said."""
    at, body = declared.at, declared.sound
    zone = (at / "timezone").timezone(body.get("timezone", "UTC"))
    layers = [
        _layer(each, at / "layers" / index, zone=zone, rank=index)
        for index, each in kept(body.get("layers"))
    ]
    for index, each in enumerate(body.get("on_gap", ())):
        (at / "on_gap" / index).reference(each, "person", "escalation", "team")
    seen: set[str] = set()
    for index, each in kept(body.get("layers")):
        if each["id"] in seen:
            (at / "layers" / index / "id").wrong(
                f"a layer `{each['id']}` stands here a second time", "rename one"
            )
        seen.add(each["id"])
    return Rotation(
        id=declared.id,
        timezone=zone,
        layers=tuple(layer for layer in layers if layer is not None),
        overrides=_overrides(body.get("overrides"), at / "overrides", declared.id, zone),
        on_gap=tuple(body.get("on_gap", ())),
        place=declared.place,
        digest=digest,
    )


def _layer(body: Mapping[str, Any], at: At, *, zone: str, rank: int) -> Layer | None:
    if "timezone" in body:
        zone = (at / "timezone").timezone(body["timezone"])
    for index, each in enumerate(body["people"]):
        (at / "people" / index).named("people", each)
    anchor = at.wall("anchor", body)
    valid, place = body.get("valid", {}), at / "valid"
    valid_from = place.wall("from", valid) if "from" in valid else None
    valid_to = place.wall("to", valid) if "to" in valid else None
    if valid_from and valid_to and valid_to <= valid_from:
        (place / "to").wrong("the layer ends before it begins", "write a later moment")
    if anchor is None:
        return None
    turn = spans.turn(body.get("turn", "1w"), active_days=body.get("turns") == "active-days")
    return Layer(
        id=body["id"],
        people=tuple(body["people"]),
        timezone=zone,
        anchor=anchor,
        turn=_checked(turn, at),
        rank=body.get("rank", rank),
        only=tuple(_window(each) for each in body.get("only", ())),
        valid_from=valid_from,
        valid_to=valid_to,
    )


def _checked(turn: Turn, at: At) -> Turn:
    if turn.active_days and turn.unit.value != "day":
        (at / "turns").wrong("active days are counted in days", "write `turn:` like 1d or 5d")
    return turn


def _window(body: Mapping[str, Any]) -> Window:
    declared = body.get("days", "Mon-Sun")
    listed: Sequence[str] = [declared] if isinstance(declared, str) else declared
    days = frozenset().union(*(spans.days(each) for each in listed))
    return Window(days, spans.clock(body["from"]), spans.clock(body["to"]))


def _overrides(values: Any, at: At, rotation: str, zone: str) -> tuple[Override, ...]:
    found = []
    for index, each in kept(values):
        place = at / index
        for key in ("replace", "with"):
            if key in each:
                (place / key).named("people", each[key])
        if "replace" not in each and "with" not in each:
            place.wrong("this override changes nobody", "give it `replace:`, `with:` or both")
        begins, ends = place.wall("from", each), place.wall("to", each)
        if begins is None or ends is None:
            continue
        if ends <= begins:
            (place / "to").wrong("this override ends before it begins", "write a later moment")
        found.append(
            Override(
                from_at=_instant(begins, zone),
                to_at=_instant(ends, zone),
                replace=each.get("replace", ""),
                with_=each.get("with", ""),
                reason=each.get("reason", ""),
                order=index,
                id=f"{rotation}/{index}",
            )
        )
    return tuple(found)


def _instant(wall: datetime, zone: str) -> datetime:
    try:
        return resolve(wall, zone)
    except ValueError:  # the zone's own problem has been said
        return wall.replace(tzinfo=UTC)


def read_escalation(declared: Declared, digest: str) -> Escalation:
    """The escalation; what is wrong has been said."""
    at, body = declared.at, declared.sound
    levels = []
    for index, each in kept(body.get("levels")):
        place = at / "levels" / index
        for i, reference in enumerate(each["page"]):
            (place / "page" / i).reference(reference, *PAGED)
        within_s = spans.seconds(each["ack_within"]) if "ack_within" in each else ACK_WITHIN_S
        levels.append(
            Level(tuple(each["page"]), within_s, _told(each.get("tell", ()), place / "tell"))
        )
    return Escalation(
        id=declared.id,
        levels=tuple(levels),
        repeat=body.get("repeat", 1),
        page_again_after_ack_s=spans.seconds(body.get("page_again_after_ack", "0s")),
        place=declared.place,
        digest=digest,
    )


def _told(values: Sequence[str], at: At) -> tuple[Secret, ...]:
    for index, each in enumerate(values):
        literal = literal_secret(each)
        if literal:
            (at / index).finding(literal, "write env:NAME or file:PATH in its place")
    return tuple(Secret(each) for each in values)
