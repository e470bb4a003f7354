"""Local time: wall clocks over the nights on which clocks change.

The oracle walks every minute and applies the two sentences of the module's docstring. cronsim,
which follows Debian's cron, is the second opinion where it is right: not on Lord Howe (half an
hour) and not for jobs of intervals in zones whose gap begins at midnight, where it fires once
at the gap's end or loses the rest of the day.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.localtime import (
    MAX_CRON,
    check_cron,
    cron_after,
    cron_before,
    local_date,
    resolve,
    wall,
    zone,
)

NIGHTS = (
    ("America/New_York", "2026-03-08"),
    ("America/New_York", "2026-11-01"),
    ("Europe/Helsinki", "2026-03-29"),
    ("Europe/Helsinki", "2026-10-25"),
    ("America/St_Johns", "2026-03-08"),
    ("America/St_Johns", "2026-11-01"),
)
ODD_NIGHTS = (
    ("Australia/Lord_Howe", "2026-04-05"),
    ("Australia/Lord_Howe", "2026-10-04"),
    ("Africa/Cairo", "2024-04-26"),
    ("Africa/Cairo", "2026-10-29"),
    ("Asia/Beirut", "2026-03-29"),
    ("America/Santiago", "2026-04-05"),
    ("America/Santiago", "2026-09-06"),
    ("Atlantic/Azores", "2026-10-25"),
    ("Pacific/Apia", "2011-12-30"),
)
MINUTE = timedelta(minutes=1)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("expected", "clock", "timezone"),
    [
        ("2026-03-08T07:00Z", "2026-03-08T02:30", "America/New_York"),
        ("2026-03-08T07:00Z", "2026-03-08T02:59:59.5", "America/New_York"),
        ("2026-03-08T07:00Z", "2026-03-08T03:00", "America/New_York"),
        ("2026-03-08T06:59Z", "2026-03-08T01:59", "America/New_York"),
        ("2026-11-01T05:30Z", "2026-11-01T01:30", "America/New_York"),
        ("2026-11-01T07:00Z", "2026-11-01T02:00", "America/New_York"),
        ("2020-10-03T15:30Z", "2020-10-04T02:15", "Australia/Lord_Howe"),
        ("2024-04-25T22:00Z", "2024-04-26T00:00", "Africa/Cairo"),
        ("2024-04-25T22:00Z", "2024-04-26T00:59", "Africa/Cairo"),
        ("2011-12-30T10:00Z", "2011-12-30T12:00", "Pacific/Apia"),
        ("2026-06-01T00:00Z", "2026-06-01T00:00", "UTC"),
    ],
)
def test_a_wall_clock_is_its_first_occurrence_or_the_end_of_the_gap(
    expected: str, clock: str, timezone: str
):
    assert utc(expected) == resolve(datetime.fromisoformat(clock), timezone)


@given(
    st.sampled_from(NIGHTS + ODD_NIGHTS),
    st.integers(min_value=-2000, max_value=2000),
    st.integers(min_value=0, max_value=300),
)
@settings(max_examples=200, deadline=None)
def test_resolving_keeps_order_and_shows_the_clock_where_it_exists(
    night: tuple[str, str], minutes: int, more: int
):
    timezone, day = night
    clock = datetime.fromisoformat(day) + minutes * MINUTE
    at = resolve(clock, timezone)
    assert at <= resolve(clock + more * MINUTE, timezone)
    shown = wall(at, timezone).replace(tzinfo=None)
    assert clock <= shown
    if shown != clock:
        assert wall(at - timedelta(seconds=1), timezone).replace(tzinfo=None) < clock


def test_a_date_is_local():
    assert date(2026, 3, 2) == local_date(utc("2026-03-01T14:00Z"), "Australia/Sydney")


def firings(
    cron: str, timezone: str, since: datetime, until: datetime, *, most: int = 100
) -> list[datetime]:
    found: list[datetime] = []
    at = cron_after(cron, timezone, since)
    while at is not None and at <= until and len(found) < most:
        found.append(at)
        at = cron_after(cron, timezone, at)
    return found


@pytest.mark.parametrize(
    ("expected", "cron", "timezone", "day"),
    [
        (["03:00-04:00"], "30 2 * * *", "America/New_York", "2026-03-08"),
        (["01:30-04:00"], "30 1 * * *", "America/New_York", "2026-11-01"),
        (["03:00-04:00"], "0,30 2 * * *", "America/New_York", "2026-03-08"),
        (
            ["00:00-05:00", "04:00-04:00", "06:00-04:00"],
            "0 */2 * * 0",
            "America/New_York",
            "2026-03-08",
        ),
        ([], "*/20 2 * * *", "America/New_York", "2026-03-08"),
        (
            ["01:00-04:00", "01:30-04:00", "01:00-05:00", "01:30-05:00"],
            "*/30 1 * * *",
            "America/New_York",
            "2026-11-01",
        ),
        (
            ["01:00-04:00", "02:00-05:00", "03:00-05:00"],
            "0 1-3 * * *",
            "America/New_York",
            "2026-11-01",
        ),
        (["01:00+03:00"], "0 0 * * *", "Asia/Beirut", "2026-03-29"),
        (["02:30+11:00"], "15 2 * * *", "Australia/Lord_Howe", "2026-10-04"),
    ],
)
def test_schedules_fire_as_debians_cron_does(
    expected: list[str], cron: str, timezone: str, day: str
):
    morning = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(timezone))
    since = morning.astimezone(UTC) - timedelta(seconds=1)
    fired = firings(cron, timezone, since, since + timedelta(hours=6))
    assert expected == [
        wall(at, timezone).isoformat()[11:16] + wall(at, timezone).isoformat()[-6:] for at in fired
    ]


@pytest.mark.parametrize(
    ("expected", "cron"),
    [
        ("2026-11-01T01:50-04:00", "50 1 * * *"),
        ("2026-11-01T01:30-04:00", "30 * * * *"),
        ("2026-11-01T01:00-05:00", "*/30 1 * * *"),
        ("2026-11-01T01:05-04:00", "5 1 * * *"),
    ],
)
def test_the_last_firing_may_show_a_later_clock_than_now(expected: str, cron: str):
    second_pass = utc("2026-11-01T01:10-05:00")
    assert utc(expected) == cron_before(cron, "America/New_York", second_pass)


def values(field: str, low: int, high: int) -> set[int]:
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        begin, end = (low, high) if span == "*" else (int(first), int(last or first))
        found |= set(range(begin, end + 1, int(step or 1)))
    return found


def every_minute(cron: str, timezone: str, since: datetime, until: datetime) -> Iterator[datetime]:
    """The oracle: walk the minutes, with a day to warm up, and ask each whether it fires."""
    minute, hour, _, _, weekday = cron.split()
    minutes, hours, weekdays = values(minute, 0, 59), values(hour, 0, 23), values(weekday, 0, 6)
    there, intervals = ZoneInfo(timezone), "*" in (minute[0], hour[0])

    def named(clock: datetime) -> bool:
        return (
            clock.minute in minutes and clock.hour in hours and clock.isoweekday() % 7 in weekdays
        )

    at, shown_before, seen = since - timedelta(hours=26), None, set[datetime]()
    while at <= until:
        clock = at.astimezone(there).replace(tzinfo=None, fold=0)
        due = [clock]
        if not intervals:
            skipped = clock if shown_before is None else shown_before + MINUTE
            while skipped < clock:
                due.append(skipped)
                skipped += MINUTE
            due = [each for each in due if each not in seen]
            seen.update(due)
        if at > since and any(map(named, due)):
            yield at
        shown_before, at = clock, at + MINUTE


def fields(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high).map(str)
    return st.one_of(
        st.just("*"),
        st.sampled_from([2, 3, 4, 6] if high < 30 else [5, 7, 15, 20, 30]).map("*/{}".format),
        number,
        number,
        st.lists(number, min_size=2, max_size=3, unique=True).map(",".join),
        st.tuples(st.integers(low, high - 1), st.integers(1, 3)).map(
            lambda span: f"{span[0]}-{min(high, sum(span))}"
        ),
    )


CRONS = st.builds(
    "{} {} * * {}".format,
    fields(0, 59),
    st.one_of(fields(0, 5), fields(0, 23)),
    st.sampled_from(["*", "*", "0", "0-5"]),
)


@pytest.mark.slow
@given(st.sampled_from(NIGHTS + ODD_NIGHTS), CRONS, st.integers(0, 1500), st.integers(1, 1499))
@settings(max_examples=60, deadline=None)
def test_firings_are_those_of_the_minute_by_minute_oracle(
    night: tuple[str, str], cron: str, ahead: int, later: int
):
    timezone, day = night
    since = datetime.fromisoformat(day).replace(tzinfo=UTC) - ahead * MINUTE
    until = since + timedelta(hours=25)
    expected = list(every_minute(cron, timezone, since, until))
    probe = since + later * MINUTE + timedelta(seconds=30)
    following = [at for at in expected if at > probe]
    before = [at for at in expected if at <= probe]
    assert expected[:40] == firings(cron, timezone, since, until, most=40)
    if following:
        assert following[0] == cron_after(cron, timezone, probe)
    if before:
        assert before[-1] == cron_before(cron, timezone, probe)
        assert before[-1] == cron_before(cron, timezone, before[-1])


@pytest.mark.slow
@given(st.sampled_from(NIGHTS), CRONS, st.integers(0, 1500))
@settings(max_examples=40, deadline=None)
def test_firings_are_those_of_cronsim_where_the_clock_moves_an_hour_by_night(
    night: tuple[str, str], cron: str, ahead: int
):
    timezone, day = night
    since = datetime.fromisoformat(day).replace(tzinfo=UTC) - ahead * MINUTE
    simulated = CronSim(cron, since.astimezone(zone(timezone)))
    at = since
    for _ in range(15):
        expected = next(simulated).astimezone(UTC)
        after = cron_after(cron, timezone, at)
        assert expected == after
        at = expected


def test_what_is_not_due_for_four_years_never_fires():
    assert cron_after("0 0 29 2 *", "UTC", utc("2096-03-01T00:00Z")) is None
    assert utc("2028-02-29T00:00Z") == cron_after("0 0 29 2 *", "UTC", utc("2026-01-01T00:00Z"))
    assert cron_before("0 0 29 2 *", "UTC", utc("2104-02-28T00:00Z")) is None


@pytest.mark.parametrize(
    ("message", "cron"),
    [
        ("five fields", "* * * *"),
        ("five fields", "0 * * * * *"),
        ("five fields", "@daily"),
        ("at most 200 characters", "1," * 100 + "1 * * * *"),
        ("`61 .*` is no cron expression", "61 * * * *"),
        ("hour: `H` and `R` are not known", "0 H * * *"),
        ("minute: `H` and `R` are not known", "r(0-5) 1 * * *"),
        ("day: write `1` for `1-1`", "0 0 1-1 * *"),
        ("minute: a step is 1 to 59, not 100", "*/100 * * * *"),
        ("minute: a step is 1 to 59, not 0", "*/0 * * * *"),
        ("is no cron expression", "١ * * * *"),
    ],
)
def test_a_schedule_that_nobody_can_mean_is_refused(message: str, cron: str):
    with pytest.raises(ValueError, match=message):
        check_cron(cron)
    with pytest.raises(ValueError, match=message):
        cron_after(cron, "UTC", utc("2026-01-01T00:00Z"))


def test_a_day_that_never_comes_is_a_mistake_and_never_fires():
    with pytest.raises(ValueError, match=r"`0 0 31 2 [*]` never fires: there is no such day"):
        check_cron("0 0 31 2 *")
    assert cron_after("0 0 31 2 *", "UTC", utc("2026-01-01T00:00Z")) is None
    assert cron_before("0 0 31 2 *", "UTC", utc("2026-01-01T00:00Z")) is None


def test_names_of_days_and_months_are_read():
    check_cron("30 5 * mar-oct mon-sat")
    assert len("30 5 * mar-oct mon-sat") < MAX_CRON


@pytest.mark.parametrize("timezone", ["Europe/Helsingfors", "", "../UTC", "/etc/localtime", "\0"])
def test_an_unknown_zone_is_named(timezone: str):
    with pytest.raises(ValueError, match="there is no time zone"):
        zone(timezone)
