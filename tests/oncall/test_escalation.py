"""Whom a level means now, and why it means nobody."""

import json

import pytest

from sentinel.oncall.escalation import (
    Escalation,
    Level,
    Resolved,
    Roster,
    people_of,
    resolve_level,
)
from sentinel.oncall.person import Person, RuleStep
from sentinel.oncall.rotation import Override
from sentinel.words import Secret, Urgency
from tests.oncall.builders import at, layer, override, person, rotation

NOW = at("2026-01-06T12:00Z")
PEOPLE = {
    **{each: person(each) for each in ("ana", "bo", "kim", "lead")},
    "mute": Person("mute", "Mute"),
    "lost": Person(
        "lost",
        "Lost",
        methods={"mail": Secret("env:M")},
        rules={Urgency.high: (RuleStep("pigeon"),)},
    ),
}
ROTATIONS = {
    "shop": rotation(layer("ana bo kim", "2026-01-05T00:00")),
    "pair": rotation(layer("ana", "2026-01-05T00:00"), layer("bo", "2026-01-05T00:00", id="too")),
    "empty": rotation(layer("ana", "2027-01-01T00:00", valid=("2027-01-01T00:00", "")), on_gap=("person/lead", "team/two")),
    "hole": rotation(layer("ana", "2027-01-01T00:00", valid=("2027-01-01T00:00", ""))),
    "ring": rotation(layer("ana", "2027-01-01T00:00", valid=("2027-01-01T00:00", "")), on_gap=("rotation/ring", "rotation/empty", "rotation/shop")),
    "climb": rotation(layer("ana", "2027-01-01T00:00", valid=("2027-01-01T00:00", "")), on_gap=("escalation/leads",)),
    "quiet": rotation(layer("mute", "2026-01-05T00:00")),
}  # fmt: skip
ESCALATIONS = {"leads": Escalation("leads", (Level(("person/lead",)), Level(("person/kim",))))}


def resolved(
    *page: str,
    paged: str = "",
    urgency: Urgency = Urgency.high,
    overrides: tuple[Override, ...] = (),
) -> Resolved:
    return resolve_level(
        Level(page),
        at=NOW,
        rotations=ROTATIONS,
        people=PEOPLE,
        teams={"two": ("bo", "kim"), "nobody": ()},
        urgency=urgency,
        paged=frozenset(paged.split()),
        overrides={"shop": overrides},
        escalations=ESCALATIONS,
    )


@pytest.mark.parametrize(
    ("expected", "page"),
    [
        ("lead", "person/lead"),
        ("ana", "rotation/shop"),
        ("ana bo", "rotation/pair"),
        ("bo", "rotation/shop+1"),
        ("kim", "rotation/shop+2"),
        ("bo kim", "team/two"),
        ("lead bo kim", "rotation/empty"),
        ("ana", "rotation/ring"),
        ("lead", "rotation/climb"),
        ("ana bo kim", "rotation/shop team/two person/ana"),
        ("lead", "rotation/quiet person/lead"),
    ],
)
def test_references_name_people_in_order_each_once(expected: str, page: str):
    found = resolved(*page.split())
    assert (tuple(expected.split()), "") == (found.people, found.reason)


@pytest.mark.parametrize(
    ("reason", "page", "paged"),
    [
        ("gap", "rotation/hole", ""),
        ("gap", "rotation/hole+1", ""),
        ("no_method", "person/mute", ""),
        ("no_method", "rotation/quiet", ""),
        ("no_method", "person/lost", ""),
        ("all_paged", "rotation/shop+1", "ana bo kim"),
        ("all_paged", "rotation/quiet+1", ""),
        ("unknown", "person/nobody", ""),
        ("unknown", "team/nobody", ""),
        ("unknown", "rotation/nobody", ""),
        ("unknown", "escalation/nobody", ""),
    ],
)
def test_an_empty_level_says_why(reason: str, page: str, paged: str):
    found = resolved(page, paged=paged)
    assert ((), reason) == (found.people, found.reason)


def test_who_was_paged_is_passed_over_only_by_the_next_in_turn():
    assert resolved("rotation/shop", paged="ana").people == ("ana",)
    assert resolved("rotation/shop+1", paged="ana bo").people == ("kim",)


def test_a_rule_that_names_no_method_is_out_of_reach_at_that_urgency_only():
    assert resolved("person/lost", urgency=Urgency.low).people == ("lost",)


def test_because_tells_who_by_which_layer_and_override():
    swap = override("2026-01-06T00:00Z", "2026-01-07T00:00Z", replace="ana", with_="kim", order=7)
    found = resolved("rotation/shop", "rotation/shop+1", "person/mute", overrides=(swap,))
    expected = {
        "rotation/shop": {"people": ["kim"], "layer": "main", "overrides": ["o7"]},
        "rotation/shop+1": {"people": ["bo"], "layer": "main", "overrides": ["o7"]},
        "no_method": ["mute"],
    }
    assert (expected, ("kim", "bo")) == (found.because, found.people)
    assert expected == json.loads(json.dumps(found.because))


def test_because_tells_who_stands_in_for_a_gap():
    expected = {"people": [], "layer": "", "overrides": [], "on_gap": ["lead", "bo", "kim"]}
    assert {"rotation/empty": expected} == resolved("rotation/empty").because


def test_an_approver_needs_no_contact_method():
    roster = Roster(NOW, ROTATIONS, PEOPLE, {}, {})
    assert people_of(["rotation/quiet", "person/lead"], roster) == ("mute", "lead")
