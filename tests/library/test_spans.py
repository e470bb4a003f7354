"""The small notations."""

import re
from datetime import UTC, date, datetime, time, timedelta

import pytest

from sentinel.library import spans
from sentinel.oncall.rotation import Turn, TurnUnit


@pytest.mark.parametrize(
    ("text", "expected"),
    [("500ms", 0.5), ("10s", 10), ("1.5m", 90), ("2h", 7200), ("1d", 86400), ("1w", 604800)],
)
def test_a_span_is_read_in_seconds(text: str, expected: float) -> None:
    assert expected == spans.seconds(text)


@pytest.mark.parametrize(
    "text", ["999999999.999999999m", "99999.9w", "999.999y", "999999999s", "999999999ms", "99999d"]
)
def test_the_longest_spans_lead_from_any_day_of_a_document_to_a_day(text: str) -> None:
    assert re.search(spans.SPAN, text)
    assert not re.search(spans.SPAN, f"9{text}")
    span = timedelta(seconds=spans.seconds(text))
    for day in ("1970-01-01", "2999-12-31"):
        assert re.search(spans.DATE, day)
        at = datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=UTC)
        assert (at - span).astimezone(UTC) < at < (at + span).astimezone(UTC)


@pytest.mark.parametrize("text", ["10", "s", "1 h", "-1s", "1h30m"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a span of time"):
        spans.seconds(text)


@pytest.mark.parametrize(
    ("span_s", "expected"), [(0.5, "0.5s"), (90, "90s"), (300, "5m"), (7200, "2h"), (604800, "1w")]
)
def test_a_span_is_written_as_people_do(span_s: float, expected: str) -> None:
    assert expected == spans.written(span_s)


def test_turns_windows_days_and_dates() -> None:
    assert Turn(1, TurnUnit.month) == spans.turn("1mo", active_days=False)
    assert Turn(12, TurnUnit.hour) == spans.turn("12h", active_days=False)
    assert (3, 5) == spans.count_of("3 of 5")
    assert (3, 86400.0) == spans.runs_in("3 in 24h")
    assert time(0, 0) == spans.clock("24:00")
    assert {5, 6, 0} == spans.days("Sat-Mon")
    assert {2} == spans.days("Wed")
    assert date(2026, 12, 24) == spans.day("2026-12-24")
    assert datetime(2026, 1, 5, 9) == spans.wall("2026-01-05 09:00")
