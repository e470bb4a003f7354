"""What is shown of an answer: dates as servers write them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from sentinel.transport.shown import http_date

EAST = timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)),
        ("Sunday, 06-Nov-94 08:49:37 GMT", datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)),
        ("6 Nov 1994 08:49:37 +0200", datetime(1994, 11, 6, 8, 49, 37, tzinfo=EAST)),
        ("6 Nov 1994 08:49:37 -0000", datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        ("Mon, 01 Jan 2026 00:00:00 -99999999999999999999", None),
        ("Mon, 31 Feb 2026 00:00:00 GMT", None),
        ("yesterday", None),
        ("", None),
        pytest.param(" " * 100_000, None, id="long"),
    ],
)
def test_a_date_is_read_or_it_is_none(text: str, expected: datetime | None) -> None:
    assert expected == http_date(text)
