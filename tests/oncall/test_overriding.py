"""What people may ask of a rota at run time, and what ending it leaves as it was."""

from typing import Any

import pytest

from sentinel.oncall.overriding import (
    MOST,
    NoOverride,
    Wish,
    ended,
    turns_changed,
    wanted,
)
from sentinel.oncall.rotation import Override
from tests.oncall.builders import at, layer, override, person, rotation

ROTA = rotation(layer("ana bo", "2026-01-05 09:00"))
"""Ana in the week from 5 January, Bo in the next."""
PEOPLE = {name: person(name) for name in ("ana", "bo", "cy")}
NOW = at("2026-01-06T12:00Z")
BOTH = {"replace": "ana", "with_": "bo"}


def ask(
    begin: str | None, end: str, *, present: tuple[Override, ...] = (), **who: Any
) -> Override | NoOverride:
    wish = Wish(at(begin) if begin else None, at(end), **who)
    return wanted(wish, ROTA, id="new", by="cy", people=PEOPLE, present=present, now=NOW)


def test_without_a_beginning_it_begins_now_and_is_the_last_created() -> None:
    earlier = override("2026-01-06T00:00Z", "2026-01-09T00:00Z", **BOTH, order=1_000_007)
    made = ask(None, "2026-01-07T09:00Z", replace="ana", with_="cy", present=(earlier,))
    assert isinstance(made, Override)
    assert (NOW, 1_000_008, "cy") == (made.from_at, made.order, made.by)
    assert (("bo",), ("cy",)) == turns_changed(
        ROTA, [earlier], [earlier, made], people=PEOPLE, now=NOW
    )


def test_what_would_have_begun_in_the_past_begins_now() -> None:
    made = ask("2026-01-06T00:00Z", "2026-01-07T09:00Z", **BOTH)
    assert isinstance(made, Override)
    assert made.from_at == NOW


@pytest.mark.parametrize(
    ("begin", "end", "who", "reason"),
    [
        (None, "2026-01-07T09:00Z", {}, "nobody_named"),
        (None, "2026-01-07T09:00Z", {"replace": "ana", "with_": "ana"}, "same_person"),
        (None, "2026-01-07T09:00Z", {"replace": "ana", "with_": "dee"}, "unknown_person"),
        ("2026-01-08T09:00Z", "2026-01-07T09:00Z", BOTH, "backwards"),
        ("2026-01-06T09:00Z", "2026-01-06T12:00Z", BOTH, "past"),
        (None, "2027-02-01T09:00Z", BOTH, "too_long"),
        (None, "2026-01-07T09:00Z", {"replace": "bo", "with_": "ana"}, "no_turn"),
        (None, "2026-01-07T09:00Z", {"replace": "cy"}, "no_turn"),
    ],
)
def test_what_cannot_be_or_would_change_nothing_is_refused(
    begin: str | None, end: str, who: dict[str, str], reason: str
) -> None:
    came_to = ask(begin, end, **who)
    assert isinstance(came_to, NoOverride)
    assert reason == came_to.reason


def test_there_are_only_so_many_to_come() -> None:
    many = tuple(
        override("2026-01-07T00:00Z", "2026-01-07T01:00Z", with_="bo") for _ in range(MOST)
    )
    came_to = ask(None, "2026-01-07T09:00Z", with_="bo", present=many)
    assert isinstance(came_to, NoOverride)
    assert came_to.reason == "too_many"


def test_ending_leaves_the_past_as_it_was() -> None:
    begun = override("2026-01-06T00:00Z", "2026-01-09T00:00Z", **BOTH, order=1)
    coming = override("2026-01-08T00:00Z", "2026-01-09T00:00Z", **BOTH, order=2)
    (left,) = ended(ended((begun, coming), "o1", NOW), "o2", NOW)
    assert (begun.from_at, NOW) == (left.from_at, left.to_at)
    assert (left,) == ended((left,), "o1", at("2026-01-06T18:00Z"))
