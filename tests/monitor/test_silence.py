"""Who mutes, and when no longer."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.monitor.silence import (
    Maintenance,
    Parent,
    Silence,
    automation_paused,
    maintenance_active,
    muted_by,
    occurrences,
    parent_of,
)
from sentinel.words import Seconds, Span
from tests.monitor.builders import NOON, after

LABELS = {"alertname": "acme-home", "client": "acme", "service": "storefront"}
MINUTE = timedelta(minutes=1)


def a_silence(**keys: object) -> Silence:
    return Silence(
        **{  # type: ignore[arg-type]
            "id": "s1",
            "matchers": {"client": "acme"},
            "from_at": NOON,
            "to_at": NOON + 10 * MINUTE,
            "by": "ana",
            "reason": "known",
            **keys,
        }
    )


def a_maintenance(**keys: object) -> Maintenance:
    return Maintenance(
        **{  # type: ignore[arg-type]
            "id": "deploy",
            "matchers": {"client": "acme", "service": ("storefront", "checkout")},
            "cron": "0 3 * * 2",
            "timezone": "Europe/Helsinki",
            "lasts_s": Seconds(45 * 60),
            **keys,
        }
    )


def parent(**keys: object) -> Parent:
    defaults = {"probe": "acme-dns", "sick": False, "recovered_at": None, "interval_s": 60.0}
    return Parent(**{**defaults, **keys})  # type: ignore[arg-type]


def test_a_silence_mutes_from_its_start_until_before_its_end():
    moments = [NOON - MINUTE, NOON, NOON + 10 * MINUTE - MINUTE / 60, NOON + 10 * MINUTE]
    muted = [muted_by(LABELS, at, [a_silence()], []) for at in moments]
    assert ["", "silence/s1", "silence/s1", ""] == muted


def test_a_silence_of_somebody_else_mutes_nothing():
    other = a_silence(matchers={"client": "acme", "service": "feed"})
    assert not muted_by(LABELS, NOON, [other], [])


@pytest.mark.parametrize(
    ("day", "start"),
    [
        (datetime(2026, 3, 3, tzinfo=UTC), datetime(2026, 3, 3, 1, 0, tzinfo=UTC)),
        (datetime(2026, 7, 7, tzinfo=UTC), datetime(2026, 7, 7, 0, 0, tzinfo=UTC)),
    ],
)
def test_a_maintenance_follows_the_wall_clock_of_its_zone(day: datetime, start: datetime):
    window = Span(start, start + 45 * MINUTE)
    assert window == maintenance_active(a_maintenance(), start)
    assert window == maintenance_active(a_maintenance(), window.to_at - MINUTE)
    assert maintenance_active(a_maintenance(), start - MINUTE) is None
    assert maintenance_active(a_maintenance(), window.to_at) is None


@given(
    st.sampled_from(["0 3 * * 2", "*/20 * * * *", "30 2 * * *"]),
    st.integers(1, 90),
    st.integers(0, 14 * 24 * 60),
    st.integers(1, 3 * 24 * 60),
)
def test_the_occurrences_of_a_span_are_those_its_instants_lie_in(
    cron: str, lasts_min: int, after_min: int, long_min: int
):
    """In the two weeks around a change of clocks, where 02:30 is missing once."""
    window = a_maintenance(cron=cron, lasts_s=Seconds(60.0 * lasts_min))
    from_at = datetime(2026, 3, 22, tzinfo=UTC) + after_min * MINUTE
    to_at = from_at + long_min * MINUTE
    found = occurrences(cron, window.timezone, window.lasts_s, from_at=from_at, to_at=to_at)
    assert sorted(found, key=lambda span: span.from_at, reverse=True) == list(found)
    assert all(span.from_at < to_at and from_at < span.to_at for span in found)
    for at in (from_at, from_at + long_min / 2 * MINUTE, to_at - MINUTE):
        active = maintenance_active(window, at)
        assert (active is not None) == any(at in span for span in found)
        assert active is None or active in found


def test_a_maintenance_mutes_and_pauses_write_steps_unless_automation_is_allowed():
    during = datetime(2026, 3, 3, 1, 10, tzinfo=UTC)
    expected = "maintenance/deploy"
    assert expected == muted_by(LABELS, during, [], [a_maintenance()])
    assert expected == automation_paused(LABELS, during, [a_maintenance()])
    assert not automation_paused(LABELS, during, [a_maintenance(automation_allowed=True)])
    assert not automation_paused(LABELS, NOON, [a_maintenance()])
    assert not automation_paused({**LABELS, "service": "feed"}, during, [a_maintenance()])


def test_a_dependency_mutes_while_its_parent_is_sick_and_one_interval_longer():
    expected = "dependency/acme-dns"
    assert expected == muted_by(LABELS, NOON, [], [], [parent(sick=True)])
    assert not muted_by(LABELS, NOON, [], [], [parent()])
    recovered = parent(recovered_at=NOON)
    assert expected == muted_by(LABELS, NOON + MINUTE - MINUTE / 60, [], [], [recovered])
    assert not muted_by(LABELS, NOON + MINUTE, [], [], [recovered])


@pytest.mark.parametrize(
    ("letters", "sick"), [("o", False), ("of", True), ("off", True), ("offo", True), ("ou", False)]
)
def test_a_parent_is_sick_while_any_location_is_not_believed_to_be_well(letters: str, sick: bool):
    together = parent_of("acme-dns", [after("o"), after(letters)], Seconds(30.0))
    assert sick == together.sick


def test_a_parent_recovered_when_its_last_location_did():
    states = [after("offoo"), after("offofoo"), after("o")]
    assert NOON + 6 * MINUTE == parent_of("acme-dns", states, Seconds(30.0)).recovered_at


def test_a_silence_is_named_before_a_maintenance_and_that_before_a_dependency():
    during = datetime(2026, 3, 3, 1, 10, tzinfo=UTC)
    silence = a_silence(from_at=during, to_at=during + MINUTE)
    mutes = ([silence], [a_maintenance()], [parent(sick=True)])
    assert muted_by(LABELS, during, *mutes) == f"silence/{silence.id}"
    assert muted_by(LABELS, during + MINUTE, *mutes).startswith("maintenance/")
