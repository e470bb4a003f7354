"""What did not come is noticed, in time and not before, whatever the clock does."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sentinel.kinds import Pings
from sentinel.monitor.probe import Observation
from sentinel.probers.heartbeat import Heartbeat, Remembered
from sentinel.words import Outcome, Seconds
from tests.probers.conftest import NOW, observed

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
HOURLY = Heartbeat(every=Seconds(3600.0), grace=Seconds(300.0))
NIGHTLY = Heartbeat(cron="30 2 * * *", timezone="Europe/Helsinki", grace=Seconds(1200.0))


def seen(
    heartbeat: Heartbeat, *pings: tuple[timedelta, str], now: datetime = NOW, **how: Any
) -> Observation:
    """Pings are given by how long before now they came."""
    heard = [Pings(now - before, what) for before, what in pings]
    return observed(lambda _: heartbeat, now=now, pings=heard, **how)


@pytest.mark.parametrize(
    ("before", "late", "overdue"),
    [
        (timedelta(0), False, False),
        (HOUR - MINUTE, False, False),
        (HOUR + MINUTE, True, False),
        (HOUR + 5 * MINUTE, True, False),
        (HOUR + 6 * MINUTE, True, True),
    ],
)
def test_a_success_is_expected_every_so_often(before: timedelta, late: bool, overdue: bool) -> None:
    told = seen(HOURLY, (before, "success"))
    assert (told.values["late"], told.values["overdue"]) == (late, overdue)
    assert told.reason == ("overdue" if overdue else "")


def test_only_a_success_counts_as_one() -> None:
    told = seen(HOURLY, (2 * HOUR, "success"), (MINUTE, "log"), (MINUTE, "start"))
    assert (told.reason, told.outcome) == ("overdue", Outcome.failed)
    assert told.text == "a success was due 1 h ago and has not come"


def test_a_job_never_heard_of_is_expected_since_the_first_check() -> None:
    first = seen(HOURLY)
    assert (first.reason, first.values["never"]) == ("", True)
    later = seen(HOURLY, now=NOW + HOUR + 6 * MINUTE, kept=first.keep)
    assert later.reason == "overdue"


def test_a_success_is_remembered_beyond_the_pings() -> None:
    first = seen(HOURLY, (MINUTE, "success"))
    later = seen(HOURLY, (MINUTE, "log"), now=NOW + 30 * MINUTE, kept=first.keep)
    assert (later.reason, later.values["last_success_age_s"]) == ("", 31 * 60)


@pytest.mark.parametrize(
    ("now", "success", "reason"),
    [
        ("2026-03-02T00:40", "2026-03-01T00:45", ""),  # due at 00:30 UTC, within its grace
        ("2026-03-02T00:51", "2026-03-01T00:45", "overdue"),
        ("2026-03-02T00:51", "2026-03-02T00:35", ""),
        ("2026-03-03T00:31", "2026-03-01T00:45", "overdue"),  # the next one is due by now
    ],
)
def test_a_schedule_is_kept_in_its_time_zone(now: str, success: str, reason: str) -> None:
    at = datetime.fromisoformat(now).replace(tzinfo=UTC)
    before = at - datetime.fromisoformat(success).replace(tzinfo=UTC)
    assert seen(NIGHTLY, (before, "success"), now=at).reason == reason


@pytest.mark.parametrize(("minute", "reason"), [(19, ""), (21, "overdue")])
def test_a_time_that_spring_skips_is_due_right_after_the_gap(minute: int, reason: str) -> None:
    """On 2026-03-29 Helsinki goes from 03:00 to 04:00, which is 01:00 UTC."""
    skipped = Heartbeat(cron="30 3 * * *", timezone="Europe/Helsinki", grace=Seconds(1200.0))
    now = datetime(2026, 3, 29, 1, minute, tzinfo=UTC)
    assert seen(skipped, (23 * HOUR, "success"), now=now).reason == reason


def test_the_second_hour_of_autumn_asks_for_nothing_more() -> None:
    """On 2026-10-25 Helsinki has 03:30 twice, at 00:30 and 01:30 UTC."""
    doubled = Heartbeat(cron="30 3 * * *", timezone="Europe/Helsinki", grace=Seconds(1200.0))
    now = datetime(2026, 10, 25, 2, 0, tzinfo=UTC)
    assert seen(doubled, (timedelta(minutes=85), "success"), now=now).reason == ""


def test_a_failure_counts_until_a_success() -> None:
    heard = [Pings(NOW - 2 * MINUTE, "success"), Pings(NOW - MINUTE, "fail", 3)]
    told = observed(lambda _: HOURLY, pings=heard)
    assert (told.reason, told.values["exit_code"]) == ("reported_failure", 3)
    assert told.text == "the job said that it failed with exit code 3"
    well = observed(lambda _: HOURLY, pings=[*heard, Pings(NOW, "success", 0)])
    assert (well.reason, well.values["failed"]) == ("", False)


LIMITED = Heartbeat(every=Seconds(3600.0), max_duration=Seconds(1800.0))


@pytest.mark.parametrize(
    ("pings", "running", "reason"),
    [
        ([(10, "start")], 1, ""),
        ([(31, "start")], 1, "runs_too_long"),
        ([(31, "start"), (1, "success")], 0, ""),
        # the one that hangs is found behind one that came and went
        ([(40, "start"), (20, "start"), (10, "success")], 1, "runs_too_long"),
        # and is given up when one begun after its time was up succeeds
        ([(60, "start"), (20, "start"), (10, "success")], 0, ""),
        ([(20, "start"), (15, "start")], 2, ""),
    ],
)
def test_every_run_is_timed(pings: list[tuple[int, str]], running: int, reason: str) -> None:
    heard = [(50 * MINUTE, "success"), *((minutes * MINUTE, what) for minutes, what in pings)]
    told = seen(LIMITED, *heard)
    assert (told.values["running"], told.reason) == (running, reason)


def test_the_last_run_is_measured() -> None:
    told = seen(HOURLY, (20 * MINUTE, "start"), (8 * MINUTE, "success"))
    assert told.values["last_duration_s"] == 720


def test_expectations_replace_a_rule() -> None:
    told = seen(HOURLY, (2 * HOUR, "success"), needed=frozenset({"overdue"}))
    assert (told.reason, told.values["overdue"]) == ("", True)


def test_a_ping_from_the_future_is_not_heard_yet() -> None:
    assert seen(HOURLY, (2 * HOUR, "success"), (-MINUTE, "success")).reason == "overdue"


def test_metrics_say_when_it_last_succeeded() -> None:
    told = seen(HOURLY, (MINUTE, "success"))
    at = (NOW - MINUTE).timestamp()
    assert told.metrics == {
        "probe_heartbeat_overdue": 0,
        "probe_heartbeat_last_success_timestamp_seconds": at,
    }
    assert set(told.values) == set(Heartbeat.NAMES)


def test_what_another_version_kept_is_forgotten() -> None:
    assert Remembered.of(b"{}", NOW) == Remembered(NOW)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({}, "either"),
        ({"every": Seconds(60.0), "cron": "* * * * *"}, "either"),
        ({"cron": "every night"}, "five fields"),
        ({"cron": "* * * * *", "timezone": "Europe/Nowhere"}, "time zone"),
    ],
)
def test_a_wrong_document_is_refused(how: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Heartbeat(**how)
