"""Pings: read from a URL, kept in order, bounded."""

from datetime import timedelta

import pytest

from sentinel.engine.pings import add_ping, pings_from_json, pings_to_json, read_ping
from sentinel.kinds import Pings
from tests.monitor.builders import NOON


@pytest.mark.parametrize(
    ("rest", "what", "exit_code"),
    [
        ("", "success", None),
        ("/start", "start", None),
        ("fail", "fail", None),
        ("log/", "log", None),
        ("0", "success", 0),
        ("137", "fail", 137),
    ],
)
def test_the_rest_of_the_path_says_what_a_ping_means(rest: str, what: str, exit_code: int | None):
    assert Pings(NOON, what, exit_code) == read_ping(rest, at=NOON)


@pytest.mark.parametrize("rest", ["256", "-1", "1e2", "²", "done", "0/0", "0000"])
def test_other_paths_mean_nothing(rest: str):
    assert read_ping(rest, at=NOON) is None


def later(seconds: int, what: str = "success") -> Pings:
    return Pings(NOON + timedelta(seconds=seconds), what)


def test_at_most_a_hundred_are_kept_newest_last_whatever_order_they_come_in():
    pings: tuple[Pings, ...] = ()
    for seconds in [*range(0, 150, 2), *range(1, 150, 2)]:
        pings = add_ping(pings, later(seconds))
    assert tuple(later(seconds) for seconds in range(50, 150)) == pings


def test_log_lines_do_not_push_out_the_last_success():
    pings = add_ping((), later(0))
    for seconds in range(1, 300):
        pings = add_ping(pings, later(seconds, "log"))
    assert later(0) == pings[0]


def test_they_survive_storage():
    pings = (later(0, "start"), Pings(NOON + timedelta(seconds=1), "fail", 2))
    assert pings == pings_from_json(pings_to_json(pings))
