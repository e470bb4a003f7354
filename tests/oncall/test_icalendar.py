"""The iCalendar file of shifts, read back by a library that is not ours."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar

from sentinel.oncall.icalendar import icalendar
from sentinel.oncall.schedule import Shift
from tests.oncall.builders import at

START = at("2026-01-05T09:00Z")
NAMES = {"ana": "Ana Silva; Ö, \\ and\nsons", "bo": "Bo"}


def week(number: int, *people: str) -> Shift:
    begin = START + timedelta(weeks=number)
    return Shift(begin, begin + timedelta(weeks=1), people, "all" if people else "")


def read(text: str) -> Calendar:
    found = Calendar.from_ical(text.encode())
    assert isinstance(found, Calendar)
    return found


def test_every_shift_is_an_entry_and_so_is_a_gap() -> None:
    text = icalendar(
        "shop", [week(0, "ana", "bo"), week(1), week(2, "cy")], names=NAMES, stamped_at=START
    )
    found = read(text).walk("VEVENT")
    assert [
        (START, START + timedelta(weeks=1), f"{NAMES['ana']}, Bo on call: shop"),
        (START + timedelta(weeks=1), START + timedelta(weeks=2), "Nobody on call: shop"),
        (START + timedelta(weeks=2), START + timedelta(weeks=3), "cy on call: shop"),
    ] == [(each["DTSTART"].dt, each["DTEND"].dt, str(each["SUMMARY"])) for each in found]
    assert ["on-call", "gap", "on-call"] == [
        each["CATEGORIES"].to_ical().decode() for each in found
    ]
    assert {"TRANSPARENT"} == {str(each["TRANSP"]) for each in found}


def test_made_again_the_entries_are_the_same_ones() -> None:
    shifts = [week(0, "ana"), week(1, "bo"), week(2, "ana")]
    one = read(icalendar("shop", shifts, names=NAMES, stamped_at=START)).walk("VEVENT")
    later = START + timedelta(days=3)
    two = read(icalendar("shop", shifts[1:], names={}, stamped_at=later)).walk("VEVENT")
    uids = [str(each["UID"]) for each in one]
    assert 3 == len(set(uids))
    assert uids[1:] == [str(each["UID"]) for each in two]


@given(
    st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=200)
)
def test_no_name_breaks_a_line_or_makes_it_too_long(name: str) -> None:
    text = icalendar("shop", [week(0, "ana")], names={"ana": name}, stamped_at=START)
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))
    assert "\n" not in text.replace("\r\n", "")
    (entry,) = read(text).walk("VEVENT")
    assert f"{name} on call: shop" == str(entry["SUMMARY"])
