"""Facts of files, for the kinds that look at them on servers."""

from datetime import UTC, datetime, timedelta

import pytest

from sentinel.probers.filefacts import FILE_METRICS, FILE_NAMES, File, Files, fits, refused_path

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def file(name, size, hours=None):
    return File(name, size, None if hours is None else NOW - timedelta(hours=hours))


def test_of_several_files_the_newest_counts():
    files = Files([file("a", 10, 5), file("b", 30, 1), file("c", 20, 9)], "*")
    values = files.values(NOW)

    assert (3, 60, 30, 3600.0) == tuple(
        values[name] for name in ("count", "total_bytes", "size_bytes", "age_s")
    )
    assert ("b", "c") == (values["newest"]["name"], values["oldest"]["name"])
    assert "3 files, newest b: 30 bytes, 60.0 min old" == files.text(NOW)
    assert set(FILE_NAMES) == set(values)
    assert {family.name for family in FILE_METRICS} == set(files.metrics(NOW))


def test_what_the_server_does_not_say_is_left_out():
    values = Files([file("a", 10)]).values(NOW)

    assert (10, False) == (values["size_bytes"], "age_s" in values)


def test_a_clock_ahead_of_ours_is_no_negative_age():
    assert 0.0 == Files([file("a", 1, -3)]).values(NOW)["age_s"]


@pytest.mark.parametrize(
    ("files", "needed", "reason"),
    [
        (Files(()), "", "no_such_file"),
        (Files(()), "age_s", "no_such_file"),
        (Files(()), "exists", ""),
        (Files((), "*.csv"), "", "no_files"),
        (Files((), "*.csv"), "count", ""),
        (Files((file("a", 1),)), "age_s", ""),
    ],
)
def test_nothing_there_is_a_reason_unless_it_is_looked_at(files, needed, reason):
    assert reason == files.verdict(frozenset(needed.split()))


@pytest.mark.parametrize(
    ("name", "pattern", "fitting"),
    [
        ("orders-1.xml", "orders-*.xml", True),
        ("ORDERS-1.xml", "orders-*.xml", False),
        (".hidden", "*", False),
        (".hidden", ".*", True),
    ],
)
def test_patterns(name, pattern, fitting):
    assert fitting is fits(name, pattern)


@pytest.mark.parametrize(
    ("path", "pattern"), [("", ""), ("/a\r\nDELE b", ""), ("/a", "b/*"), ("/a/", "")]
)
def test_what_is_no_path_is_refused(path, pattern):
    assert refused_path(path, pattern)
