"""A feed is read to its end at flat memory, judged by its rows, and compared with its past."""

import asyncio
import subprocess
import sys
import textwrap
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from sentinel.kinds import ProbeWorld
from sentinel.monitor.probe import Observation
from sentinel.probers.feed import Feed
from sentinel.transport.curl import Transport
from sentinel.words import Outcome, Secret
from tests.probers import feeds
from tests.probers.conftest import NOW, Shelf, Vault, observed, served

DAY = timedelta(days=1)


def a_shelf(feed: feeds.Feed = feeds.Feed(), written_as: str = "xml", **headers: str) -> Shelf:  # noqa: B008
    body = b"".join(feeds.FORMATS[written_as](feed))
    return Shelf(body=body, headers={name.replace("_", "-"): v for name, v in headers.items()})


def google(shelf: Shelf, *, after: Observation | None = None, **how: Any) -> Observation:
    kept = after.keep if after is not None else None
    return observed(lambda url: Feed(url=url, profile="google"), shelf, kept=kept, **how)


@pytest.mark.parametrize("written_as", ["xml", "csv", "tsv", "jsonl"])
def test_every_format_says_the_same(written_as: str) -> None:
    seen = google(a_shelf(written_as=written_as))
    assert (seen.reason, seen.values["items"], seen.values["invalid"]) == ("", 200, 0)
    assert seen.values["price"]["currencies"] == ["EUR"]
    assert seen.values["status"] == 200
    assert set(seen.values) == {*Feed.NAMES, "currencies"}


def test_bad_rows_are_counted_and_shown() -> None:
    seen = google(a_shelf(feeds.Feed(broken="price")))
    assert (seen.values["invalid"], seen.values["invalid_ratio"]) == (20, 0.1)
    assert seen.values["reasons"] == {"price_invalid": 20}
    assert seen.evidence.facts["rows"][0] == {
        "line": 3,
        "id": "SKU00000000",
        "problems": ["price_invalid"],
    }


def test_duplicates_are_counted_and_named() -> None:
    seen = google(a_shelf(feeds.Feed(broken="duplicate"), "csv"))
    assert seen.values["duplicates"] == 20
    assert "SKU00000008" in seen.evidence.facts["duplicate_ids"]


@pytest.mark.parametrize("written_as", ["xml", "csv", "jsonl"])
def test_a_cut_feed_is_truncated_and_never_learnt_from(written_as: str) -> None:
    seen = google(a_shelf(feeds.Feed(broken="truncate"), written_as))
    assert (seen.reason, seen.outcome) == ("truncated", Outcome.failed)
    assert "probe_feed_items" not in seen.metrics


def test_bytes_in_another_encoding_are_said() -> None:
    assert google(a_shelf(feeds.Feed(broken="utf8"))).reason == "bad_encoding"
    assert google(a_shelf(feeds.Feed(broken="utf8"), "csv")).values["reasons"] == {"bad_utf8": 20}


@pytest.mark.parametrize(
    ("shelf", "reason"),
    [
        (Shelf(body=b""), "empty"),
        (Shelf(body=b"<rss><channel></channel></rss>"), "no_items"),
        (Shelf(body=b"id,title\n"), "no_items"),
        (Shelf(body=b"<html><p>We are closed</html>"), "malformed"),
        (Shelf(status="404 Not Found", body=b"gone"), "unexpected_status"),
        (Shelf(status="302 Found", headers={"Location": "ftp://a.example/"}), "redirect_refused"),
        (Shelf(body=b"<rss>", stalls=True), "timeout"),
    ],
)
def test_what_is_no_feed_says_why(shelf: Shelf, reason: str) -> None:
    assert google(shelf, timeout_s=1.0).reason == reason


def test_too_large_a_feed_is_not_read() -> None:
    seen = observed(lambda url: Feed(url=url, max_bytes=1000), a_shelf())
    assert seen.reason == "too_large"


def test_a_renamed_column_is_named() -> None:
    shelf = a_shelf(written_as="csv")
    shelf.body = shelf.body.replace(b"image_link", b"picture", 1)
    assert google(shelf).values["missing_columns"] == ["image_link"]


def test_the_same_rows_under_a_new_date_have_not_changed() -> None:
    first = google(a_shelf(feeds.Feed()))
    again = google(
        a_shelf(feeds.Feed(built="Mon, 02 Mar 2026 05:00:00 +0000")), after=first, now=NOW + DAY
    )
    other = google(a_shelf(feeds.Feed(seed=2)), after=first, now=NOW + DAY)
    assert (again.values["changed"], other.values["changed"]) == (False, True)
    assert again.changed_at == first.changed_at
    assert other.changed_at == NOW + DAY


def test_the_first_feed_ever_seen_is_as_old_as_it_says() -> None:
    seen = google(a_shelf())
    assert seen.changed_at == datetime(2026, 3, 1, 5, 0, tzinfo=UTC)
    assert seen.values["age_s"] == 7 * 3600


def test_counts_are_held_against_the_last_good_one() -> None:
    first = google(a_shelf(feeds.Feed(items=200)))
    seen = google(a_shelf(feeds.Feed(items=150, first=20)), after=first, now=NOW + DAY)
    assert seen.values["change_ratio"] == -0.25
    assert seen.values["removed_ratio"] == 0.25
    assert seen.values["added_ratio"] == 0.0


def test_a_brand_that_vanished_is_named() -> None:
    first = google(a_shelf())
    seen = google(a_shelf(feeds.Feed(brand="Acme")), after=first)
    assert sorted(seen.values["groups_gone"]) == ["Nordik", "Volta"]


def test_prices_in_cents_are_seen() -> None:
    first = google(a_shelf())
    cents = feeds.Feed(price=lambda number, price: price * 100 if number % 4 == 0 else price)
    seen = google(a_shelf(cents), after=first)
    assert (seen.values["price"]["changed_ratio"], seen.values["price"]["jumps"]) == (0.25, 50)


def test_what_another_document_learnt_is_not_remembered() -> None:
    first = google(a_shelf())
    seen = observed(lambda url: Feed(url=url, id="gtin"), a_shelf(), kept=first.keep)
    assert (seen.values["change_ratio"], seen.values["removed_ratio"]) == (0.0, 0.0)
    assert observed(lambda url: Feed(url=url), a_shelf(), kept=b"other version").reason == ""


def test_not_modified_is_as_good_as_read() -> None:
    shelf = a_shelf(ETag='"1"')

    async def main() -> tuple[Observation, Observation]:
        async with Transport() as transport, served(shelf):
            feed = Feed(url=shelf.url, profile="google")
            world = ProbeWorld(NOW, transport.now() + 10, transport, Vault())
            first = await feed.observe(world)
            shelf.status, shelf.body = "304 Not Modified", b""
            later = replace(world, now=NOW + timedelta(hours=1), kept=first.keep)
            return first, await feed.observe(later)

    first, again = asyncio.run(main())

    assert 'If-None-Match: "1"' in shelf.heads[1]
    assert (again.reason, again.values["items"], again.values["changed"]) == ("", 200, False)
    assert again.changed_at == first.changed_at


@pytest.mark.parametrize(("hours", "asks"), [(1, True), (25, False)])
def test_a_feed_is_read_whole_once_a_day(hours: int, asks: bool) -> None:
    shelf = a_shelf(ETag='"1"')

    async def main() -> None:
        async with Transport() as transport, served(shelf):
            world = ProbeWorld(NOW, transport.now() + 10, transport, Vault())
            first = await Feed(url=shelf.url).observe(world)
            later = replace(world, now=NOW + timedelta(hours=hours), kept=first.keep)
            await Feed(url=shelf.url).observe(later)

    asyncio.run(main())

    assert ("If-None-Match" in shelf.heads[1]) is asks


def test_what_is_kept_is_small_whatever_the_feed_says() -> None:
    header = ["id", "brand", *("ö" * 90 + str(number) for number in range(200))]
    rows = [[f"{n}" * 40, "ü" * 200 + str(n), *["x"] * 200] for n in range(5_000)]
    body = "\n".join(",".join(row) for row in [header, *rows])
    seen = observed(lambda url: Feed(url=url), Shelf(body=body.encode()))
    assert seen.values["items"] == 5_000
    assert seen.keep is not None
    assert len(seen.keep) < 64 * 1024


def test_a_gzip_is_unfolded_and_a_broken_one_is_said(tmp_path: Path) -> None:
    path = feeds.write(tmp_path / "feed.xml.gz", feeds.Feed())
    whole = path.read_bytes()
    assert google(Shelf(body=whole)).values["items"] == 200
    assert google(Shelf(body=whole[:-30])).reason == "truncated"


def test_a_file_is_read(tmp_path: Path) -> None:
    path = feeds.write(tmp_path / "a feed.csv", feeds.Feed(), "csv")
    seen = observed(lambda _: Feed(url=f"file://{tmp_path}/a%20feed.csv", profile="google"))
    assert (seen.reason, seen.values["items"]) == ("", 200)
    assert seen.values["size_bytes"] == path.stat().st_size


@pytest.mark.parametrize(
    ("name", "reason"), [("gone.xml", "file_missing"), ("", "file_unreadable")]
)
def test_a_file_that_cannot_be_read_is_a_sick_feed(tmp_path: Path, name: str, reason: str) -> None:
    seen = observed(lambda _: Feed(url=f"file://{tmp_path}/{name}"))
    assert (seen.reason, seen.outcome) == (reason, Outcome.failed)


def test_credentials_go_out_and_stay_out_of_evidence() -> None:
    shelf = a_shelf()
    how = {"X-Key": Secret("{env:TOKEN}")}
    seen = observed(lambda url: Feed(url=url, secret_headers=how, query={"a b": "c&d"}), shelf)
    assert shelf.heads[0].startswith("GET /?a%20b=c%26d ")
    assert "X-Key: t0psecret" in shelf.heads[0]
    assert "t0psecret" not in seen.evidence.request


def test_last_modified_dates_a_feed_that_says_nothing() -> None:
    made = format_datetime(NOW - timedelta(hours=3), usegmt=True)
    seen = google(a_shelf(written_as="csv", Last_Modified=made))
    assert seen.values["age_s"] == 3 * 3600


@pytest.mark.slow
@pytest.mark.parametrize("written_as", ["xml", "csv", "jsonl"])
def test_memory_stays_flat_over_fifty_megabytes(tmp_path: Path, written_as: str) -> None:
    path = feeds.write(tmp_path / "feed", feeds.Feed(items=40_000, padding=1_100), written_as)
    assert path.stat().st_size > 50_000_000
    program = textwrap.dedent(
        """
        import asyncio, resource, sys
        from datetime import UTC, datetime
        from sentinel.kinds import ProbeWorld
        from sentinel.probers.feed import Feed
        from sentinel.transport.curl import Transport

        async def check(transport, path):
            world = ProbeWorld(datetime.now(UTC), transport.now() + 300, transport, None)
            return await Feed(url=f"file://{path}", profile="google").observe(world)

        async def main():
            async with Transport() as transport:
                await check(transport, sys.argv[2])
                before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
                seen = await check(transport, sys.argv[1])
                after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
                print(seen.reason or "ok", seen.values["items"], after - before)

        asyncio.run(main())
        """
    )
    small = feeds.write(tmp_path / "small", feeds.Feed(items=10), written_as)
    ran = subprocess.run(
        [sys.executable, "-c", program, path, small], capture_output=True, text=True, check=True
    )
    reason, items, grown_kib = ran.stdout.split()
    assert (reason, items) == ("ok", "40000")
    assert int(grown_kib) < 10_000
