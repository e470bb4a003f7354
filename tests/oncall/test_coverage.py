"""Holes are found before a page falls through them."""

from datetime import date, timedelta

import pytest

from sentinel.oncall.coverage import (
    Change,
    Finding,
    Hole,
    Roll,
    covered_ratio,
    diff,
    findings,
    gaps,
)
from sentinel.oncall.escalation import Escalation, Level
from sentinel.oncall.person import Away, Person
from sentinel.oncall.rotation import Rotation
from sentinel.oncall.schedule import shifts
from sentinel.words import Span
from tests.oncall.builders import at, layer, override, person, rotation, window

BEGIN = at("2026-01-05T00:00Z")
END = BEGIN + timedelta(days=14)
PEOPLE = {each: person(each) for each in ("ana", "bo", "lead")}
WHOLE = rotation(layer("ana bo", "2026-01-05T00:00"))
OFFICE = rotation(layer("ana bo", "2026-01-05T00:00", only=(window("09:00", "17:00", frozenset(range(5))),)))  # fmt: skip


def escalation(*pages: str) -> Escalation:
    return Escalation("e", tuple(Level(tuple(page.split())) for page in pages))


def found(
    declared: Rotation, *pages: str, people: dict[str, Person] | None = None
) -> tuple[Finding, ...]:
    escalations = {"e": escalation(*pages)} if pages else {}
    return findings(Roll({"x": declared}, escalations, people or PEOPLE), BEGIN, END)


def test_a_covered_rotation_has_no_findings():
    assert found(WHOLE, "rotation/x", "rotation/x+1", "person/lead") == ()


def test_a_gap_is_found_with_its_first_span():
    (finding,) = found(OFFICE)
    assert (Hole.gap, "rotation/x") == (finding.hole, finding.about)
    assert Span(BEGIN, at("2026-01-05T09:00Z")) == finding.span
    assert finding.sentence.startswith(
        "nobody is on call for 256 h, first from 2026-01-05 00:00 to 2026-01-05 09:00 UTC"
    )


def test_a_gap_with_somebody_to_page_is_no_finding():
    declared = Rotation("x", "UTC", OFFICE.layers, on_gap=("person/lead",))
    assert found(declared, "rotation/x", "person/lead") == ()


def test_a_person_away_makes_a_gap():
    away = {**PEOPLE, "ana": person("ana", away=(Away(date(2026, 1, 7), date(2026, 1, 8)),))}
    (finding,) = found(WHOLE, people=away)
    assert Span(at("2026-01-07T00:00Z"), at("2026-01-09T00:00Z")) == finding.span


@pytest.mark.parametrize(
    ("level", "words", "pages"),
    [
        (2, "whoever is next in turn was paged before", ["rotation/alone", "rotation/alone+1"]),
        (
            3,
            "whoever is next in turn was paged before",
            ["rotation/x", "rotation/x+1", "rotation/x+1"],
        ),
        (1, "what it names is not declared", ["person/gone", "person/lead"]),
        (2, "no contact method reaches whom it names", ["person/lead", "person/mute"]),
    ],
)
def test_a_level_that_can_never_page_anybody_is_found(level: int, words: str, pages: list[str]):
    alone = rotation(layer("ana", "2026-01-05T00:00"))
    roll = Roll(
        {"alone": alone, "x": WHOLE},
        {"e": escalation(*pages)},
        PEOPLE | {"mute": Person("mute", "")},
    )
    (finding,) = [each for each in findings(roll, BEGIN, END) if each.hole is Hole.empty_level]
    assert (level, None) == (finding.level, finding.span)
    assert f"level {level} pages nobody ever: {words}" == finding.sentence


def test_a_level_that_is_empty_for_a_time_is_found_with_that_time():
    removed = override("2026-01-06T00:00Z", "2026-01-07T00:00Z", replace="ana")
    declared = rotation(*WHOLE.layers, overrides=(removed,))
    holes = [each for each in found(declared, "person/lead", "rotation/x") if each.level]
    day = Span(at("2026-01-06T00:00Z"), at("2026-01-07T00:00Z"))
    assert [(2, day)] == [(each.level, each.span) for each in holes]
    assert "from 2026-01-06 00:00 to 2026-01-07 00:00 UTC: nobody is on call" in holes[0].sentence


def test_an_empty_time_is_one_span_whatever_else_changes_meanwhile():
    removed = override("2026-01-06T00:00Z", "2026-01-08T00:00Z", replace="ana")
    holed = rotation(*WHOLE.layers, overrides=(removed,))
    daily = rotation(layer("ana bo", "2026-01-05T12:00", "1d"))
    declared = escalation("rotation/daily", "rotation/x")
    roll = Roll({"daily": daily, "x": holed}, {"e": declared}, PEOPLE)
    (finding,) = [each for each in findings(roll, BEGIN, END) if each.level]
    assert Span(at("2026-01-06T00:00Z"), at("2026-01-08T00:00Z")) == finding.span


def test_somebody_whom_nothing_reaches_is_found():
    (finding,) = found(WHOLE, people={**PEOPLE, "mute": Person("mute", "Mu Te")})
    assert (Hole.no_method, "person/mute") == (finding.hole, finding.about)
    assert finding.sentence.startswith("nothing reaches Mu Te at high and low urgency")


def test_coverage_is_a_share_and_never_not_a_number():
    ratio = covered_ratio(shifts(OFFICE, BEGIN, BEGIN + timedelta(days=7)))
    assert 40 / 168 == pytest.approx(ratio)
    assert covered_ratio(()) == 0
    assert covered_ratio(shifts(WHOLE, BEGIN, END)) == 1


def test_a_shift_covers_its_start_and_not_its_end():
    nine, five = at("2026-01-05T09:00Z"), at("2026-01-05T17:00Z")
    assert gaps(shifts(OFFICE, nine, five)) == ()
    assert gaps(shifts(OFFICE, five, five + timedelta(hours=1))) == (Span(five, five + timedelta(hours=1)),)  # fmt: skip


def test_a_difference_names_every_moved_shift_and_only_those():
    roll = Roll({"x": WHOLE}, {}, PEOPLE)
    swap = override("2026-01-06T00:00Z", "2026-01-07T00:00Z", replace="ana", with_="bo")
    other = Roll({"x": WHOLE}, {}, PEOPLE, overrides={"x": (swap,)})
    expected = Change(at("2026-01-06T00:00Z"), at("2026-01-07T00:00Z"), ("ana",), ("bo",))
    assert (expected,) == diff(roll, other, "x", BEGIN, END)
    assert diff(roll, roll, "x", BEGIN, END) == ()


def test_a_rotation_that_goes_leaves_nobody():
    week = BEGIN + timedelta(days=7)
    gone = diff(Roll({"x": WHOLE}, {}, PEOPLE), Roll({}, {}, PEOPLE), "x", BEGIN, END)
    assert (Change(BEGIN, week, ("ana",), ()), Change(week, END, ("bo",), ())) == gone
