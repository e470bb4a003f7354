"""Locations agree, and a location that sees nothing accuses nobody else."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sentinel.monitor.agreement import (
    Clear,
    Firing,
    Seen,
    WaitUntil,
    blind,
    fold_locations,
    is_suspect,
)
from sentinel.monitor.verdict import VerdictState
from sentinel.words import Severity
from tests.monitor.builders import NOON, a_probe, after

HERE = frozenset({"local"})
CONFIRMED = NOON + timedelta(minutes=2)


def firing(*, network: bool = False, late: int = 0, degraded: bool = False) -> VerdictState:
    state = after("oww" if degraded else "off", network=network)
    assert state.started_at is not None
    return replace(state, started_at=state.started_at + timedelta(seconds=late))


def everywhere(agree: int, **keys: object):  # type: ignore[no-untyped-def]
    return a_probe(locations=("eu", "us", "ap"), agree=agree, **keys)


def test_one_location_is_enough_unless_more_must_agree():
    states = {"eu": firing(), "us": after("oooo"), "ap": after("oof")}
    assert isinstance(fold_locations(everywhere(1), states, CONFIRMED), Firing)
    assert Clear() == fold_locations(everywhere(2), states, CONFIRMED)
    both = {**states, "us": firing(late=5)}
    agreed = fold_locations(everywhere(2), both, CONFIRMED)
    assert isinstance(agreed, Firing)
    assert CONFIRMED + timedelta(seconds=5) == agreed.started_at
    assert ("eu", "us") == agreed.locations


@given(
    st.dictionaries(
        st.sampled_from(["eu", "us", "ap", "gone"]),
        st.sampled_from(["", "o", "of", "off", "offo", "ou"]),
    ),
    st.integers(1, 5),
)
def test_it_fires_when_as_many_as_agree_fire_and_the_unknown_ones_say_nothing(
    letters: dict[str, str], agree: int
):
    states = {place: after(each) for place, each in letters.items()}
    fires = [
        place for place, each in letters.items() if each in ("off", "offo") and place != "gone"
    ]
    verdict = fold_locations(everywhere(agree), states, CONFIRMED)
    assert (len(fires) >= min(agree, 3)) == isinstance(verdict, Firing)


def test_a_warning_alerts_as_warning_and_a_full_failure_as_declared():
    probe = everywhere(2, severity=Severity.critical)
    one_full = {"eu": firing(), "us": firing(degraded=True)}
    verdict = fold_locations(probe, one_full, CONFIRMED)
    assert isinstance(verdict, Firing)
    assert (Severity.warning, True) == (verdict.severity, verdict.degraded)
    full = fold_locations(probe, {"eu": firing(), "us": firing()}, CONFIRMED)
    assert isinstance(full, Firing)
    assert (Severity.critical, False) == (full.severity, full.degraded)
    quiet = a_probe(severity=Severity.info)
    lowest = fold_locations(quiet, {"local": firing(degraded=True)}, CONFIRMED)
    assert isinstance(lowest, Firing)
    assert Severity.info == lowest.severity


def test_a_firing_leaves_at_once_when_nothing_says_that_the_location_is_blind():
    assert isinstance(fold_locations(a_probe(), {"local": firing(network=True)}, CONFIRMED), Firing)
    own_fault = fold_locations(a_probe(), {"local": firing()}, CONFIRMED, suspect=HERE)
    assert isinstance(own_fault, Firing)


def test_a_firing_for_a_network_reason_waits_ten_seconds_where_others_fail_too():
    states = {"local": firing(network=True)}
    until = CONFIRMED + timedelta(seconds=10)
    assert WaitUntil(until) == fold_locations(a_probe(), states, CONFIRMED, suspect=HERE)
    assert isinstance(fold_locations(a_probe(), states, until, suspect=HERE), Firing)
    present = fold_locations(a_probe(), states, CONFIRMED, suspect=HERE, firing_since=NOON)
    assert isinstance(present, Firing)
    assert NOON == present.started_at


def test_a_blind_location_accuses_only_of_what_is_not_the_network():
    states = {"local": firing(network=True)}
    assert Clear() == fold_locations(a_probe(), states, CONFIRMED, HERE)
    assert isinstance(fold_locations(a_probe(), {"local": firing()}, CONFIRMED, HERE), Firing)


def test_another_host_failing_for_the_network_makes_a_location_suspect():
    sick, well = after("of", network=True), after("o")
    assert is_suspect("shop", [("shop", sick), ("feeds", sick)])
    assert not is_suspect("shop", [("shop", sick), ("feeds", well), ("", sick)])
    assert not is_suspect("shop", [("feeds", after("of"))])
    assert not is_suspect("shop", [("feeds", after("offo", network=True))])


def seen(unreachable: int, reachable: int, *, hosts: int = 3, age_s: int = 0) -> list[Seen]:
    at = NOON - timedelta(seconds=age_s)
    down = [Seen(f"down-{i % hosts}", at, True) for i in range(unreachable)]
    return down + [Seen(f"up-{i}", at, False) for i in range(reachable)]


@pytest.mark.parametrize(
    ("expected", "unreachable", "reachable", "hosts"),
    [
        (True, 3, 2, 3),
        (False, 2, 2, 2),
        (False, 4, 0, 3),
        (True, 5, 0, 3),
        (False, 5, 4, 3),
        (True, 6, 4, 3),
        (False, 20, 2, 2),
    ],
)
def test_blind_is_sixty_percent_of_at_least_five_on_at_least_three_hosts(
    expected: bool, unreachable: int, reachable: int, hosts: int
):
    assert expected == blind(seen(unreachable, reachable, hosts=hosts), NOON)


def test_blindness_looks_back_one_minute_and_passes_over_probes_without_a_host():
    assert blind(seen(5, 0, age_s=60), NOON)
    assert not blind(seen(5, 0, age_s=61), NOON)
    assert not blind([Seen("", NOON, True)] * 9, NOON)


def test_a_blind_location_sees_again_below_forty_percent():
    assert blind(seen(4, 6), NOON, already=True)
    assert not blind(seen(3, 6), NOON, already=True)
    assert not blind([], NOON, already=True)


def test_a_firing_says_when_its_first_bad_check_was_due():
    eu = replace(firing(), failing_since_at=NOON + timedelta(minutes=1))
    us = replace(firing(late=5), failing_since_at=NOON)
    agreed = fold_locations(everywhere(2), {"eu": eu, "us": us}, CONFIRMED)
    assert isinstance(agreed, Firing)
    assert NOON == agreed.failing_since_at
