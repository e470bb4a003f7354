"""What plug-ins print, by the rules of the Monitoring Plugins Development Guidelines."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sentinel.probers.perfdata import MOST, Datum, Threshold, printed


def datum(text):
    (only,) = printed(f"OK|{text}").data
    return only


def test_text_long_text_and_both_places_of_perfdata():
    said = printed("DISK OK - free | /=1MB;5;10\nfirst\nsecond | /boot=2MB\n/home=3MB\n/var=4MB")

    assert ("DISK OK - free", "first\nsecond") == (said.text, said.long_text)
    assert ["/", "/boot", "/home", "/var"] == [each.label for each in said.data]


def test_numbers_come_in_base_units_with_their_thresholds():
    assert Datum(
        "rta", 0.25, "s", Threshold(0, 0.5), Threshold(0, 1.0), min=0.0, max=None
    ) == datum("rta=250ms;500;1000;0;")
    assert Datum("used", 3 * 1024.0**2, "B", max=1024.0**3) == datum("used=3MB;;;;1024")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10", Threshold(0, 10)),
        ("10:", Threshold(10, math.inf)),
        ("~:10", Threshold(-math.inf, 10)),
        ("10:20", Threshold(10, 20)),
        ("@10:20", Threshold(10, 20, inside=True)),
        ("abc", None),
        ("", None),
    ],
)
def test_ranges(text, expected):
    assert expected == datum(f"x=1;{text}").warn


@pytest.mark.parametrize(
    ("text", "label", "value", "unit"),
    [
        ("'/srv/my files'=1%", "/srv/my files", 1.0, "%"),
        ("'it''s'=1", "it's", 1.0, ""),
        ("requests=12c", "requests", 12.0, "c"),
        ("load1=0,480", "load1", 0.48, ""),
        ("tiny=1.5e-05s", "tiny", 1.5e-05, "s"),
        ("temperature=-4C", "temperature", -4.0, "C"),
        ("none=U", "none", None, ""),
    ],
)
def test_labels_and_values_of_the_field(text, label, value, unit):
    found = datum(text)

    assert (label, value, unit) == (found.label, found.value, found.unit)


def test_what_is_no_datum_is_counted_and_the_rest_stays():
    said = printed("OK | a=1 nonsense b=x c=2;;;; 'open=3 d=4")

    assert ["a", "c", "d"] == [each.label for each in said.data]
    assert 3 == said.malformed


def test_of_two_labels_alike_the_first_counts():
    assert 1.0 == datum("a=1 a=2").value


def test_an_endless_list_is_cut():
    assert MOST == len(printed("OK|" + " ".join(f"l{n}={n}" for n in range(9000))).data)


@given(st.text(alphabet="|'=;:@~U0123456789.,eE+- \nabkMBs%c\u2028\x00", max_size=300))
@example("OK|" + "'" * 5000)
@example("OK|" + "' " * 5000)
@example("OK|a=" + "9" * 5000)
def test_nothing_raises_and_every_number_is_finite(text):
    said = printed(text)

    assert all(each.value is None or math.isfinite(each.value) for each in said.data)
    assert all(math.isfinite(n) for each in said.data for n in each.limits().values())


@given(
    st.text(min_size=1, max_size=40).filter(lambda t: t.isprintable() and not set("|=") & set(t)),
    st.floats(min_value=-1e30, max_value=1e30, allow_nan=False),
)
def test_what_is_written_by_the_rules_is_read(label, value):
    quoted = label.replace("'", "''")
    found = datum(f"'{quoted}'={value!r};1:2;~:3;0;9")

    assert (label, value) == (found.label, found.value)
    assert {"warn": 2.0, "crit": 3.0, "min": 0.0, "max": 9.0} == found.limits()
