"""Product feeds over http(s) or from a file: complete, on time, valid, and like yesterday's."""

import asyncio
import base64
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Any, ClassVar, Literal
from urllib.parse import quote, unquote, urlencode, urlsplit

from sentinel.expression import Declaration
from sentinel.kinds import ProbeWorld, Secrets, key
from sentinel.monitor.feedmemory import (
    Remembered,
    compared,
    remember,
    samples_of,
    text_of,
    values_of,
)
from sentinel.monitor.probe import Evidence, Observation
from sentinel.monitor.products import REQUIRED, Profile, instant_of
from sentinel.transport.feedstream import EVIDENCE_BODY, Reading
from sentinel.transport.reasons import Reason
from sentinel.transport.rows import Unreadable
from sentinel.transport.shown import facts_of, http_date, http_metrics
from sentinel.transport.wire import Exchange, Request, phrase
from sentinel.words import Outcome, Secret

FILE_PIECE = 256 * 1024
FULL_EVERY = timedelta(hours=24)
"""A feed is read whole at least this often, however unchanged its server calls it."""


@dataclass(frozen=True, slots=True)
class Basic:
    """Credentials of HTTP's basic scheme (RFC 7617)."""

    user: str = key("User name.", examples=["monitor"])
    password: Secret = key("Password, by reference.", examples=["env:FEED_PASSWORD"])


@dataclass(frozen=True, slots=True)
class Feed:
    """Reads a product feed row by row, whatever its size, in a few megabytes of memory.

    XML (RSS 2.0 and Atom, such as Google Merchant's), delimited text and JSON lines are read,
    plain or as gzip. With `profile: google` each row is held against Google's product data
    specification; a row that breaks a rule is invalid, and the rule is counted in `reasons`.

    The feed is compared with that of the last good check. *Content* is its rows: a feed that was
    written again with a new date and the same rows has not changed, which is what the probe's
    `deadline` looks at. `added_ratio`, `removed_ratio` and `price` are exact up to 2,048 ids and
    within about 2 points beyond. Nothing is learnt from a failing check.

    Without `expect` a feed is good when it can be read to its end and has items.

    A feed that cannot be read has a reason of its own: `unexpected_status`, `too_large`, `malformed`,
    `truncated`, `empty`, `no_items`, `bad_encoding`, `archive` (a ZIP),
    `doctype` and `too_deep`, and of a file `file_missing`, `file_denied` and `file_unreadable`.

    Expectations may use `items`, `invalid`, `invalid_ratio`, `duplicates` (rows whose id came
    before), `size_bytes`, `age_s` (since the feed says it was made, else since Last-Modified or the
    file's time), `changed`, `unchanged_s`, `change_ratio` (items over those of the last good check,
    minus one), `weekday_ratio` (over the median of this weekday), `added_ratio`, `removed_ratio`,
    `groups_gone` (brands of 10 items and more that have none now), `price` (`zero`, `currencies`,
    `changed_ratio`, `jumps` by a factor of 100, `change_median`), `reasons`, `columns`,
    `missing_columns`, `status`, `overdue` and `late_s` (with a `deadline`) and `timing`.
    """

    KIND: ClassVar[str] = "feed"
    NAMES: ClassVar[Declaration] = {
        "items": "int",
        "invalid": "int",
        "invalid_ratio": "double",
        "duplicates": "int",
        "size_bytes": "int",
        "age_s": "double",
        "changed": "bool",
        "unchanged_s": "double",
        "change_ratio": "double",
        "weekday_ratio": "double",
        "added_ratio": "double",
        "removed_ratio": "double",
        "groups_gone": "list",
        "price": {
            "zero": "int",
            "currencies": "list",
            "changed_ratio": "double",
            "jumps": "int",
            "change_median": "double",
        },
        "reasons": "map",
        "columns": "list",
        "missing_columns": "list",
        "status": "int",
        "overdue": "bool",
        "late_s": "double",
        "timing": {"total_s": "double"},
    }

    url: str = key(
        "Where it is: `https://…`, `http://…` or `file:///…`. `{env:NAME}` may stand in a user, "
        "password or token place.",
        default="",
        examples=["https://feeds.acme.example/google.xml.gz", "file:///srv/feeds/google.xml"],
        reads_secrets=True,
    )
    at: str = key("Instead of `url`, an address of `site.addresses`.", default="")
    path: tuple[str, ...] = key("Pieces appended to the URL's path, each encoded.", default=())
    query: Mapping[str, str] = key(
        "Query parameters appended to the URL, each encoded.", default_factory=dict
    )
    profile: Literal["none", "google"] = key(
        "The rules that each row is held against.", default="none"
    )
    format: Literal["auto", "xml", "csv", "tsv", "jsonl"] = key(
        "How it is written; auto looks at its first bytes.", default="auto"
    )
    delimiter: str = key("Of `csv`; found in the header when not given.", default="", maxLength=1)
    item: str = key("The XML element of one row; `item` or `entry` when not given.", default="")
    id: str = key("The field that identifies a row.", default="id")
    required: tuple[str, ...] = key(
        "Fields that every row must have, beside those of the profile.",
        default=(),
        examples=[["brand", "gtin"]],
    )
    currencies: tuple[str, ...] = key(
        "Currencies that prices may have; any of ISO 4217 when not given.",
        default=(),
        examples=[["EUR"]],
    )
    group: str = key("The field to count by.", default="brand", examples=["product_type"])
    timezone: str = key("Whose weekdays count.", default="UTC", examples=["Europe/Helsinki"])
    max_bytes: int = key(
        "The largest feed that is read, unfolded.", default=4 << 30, minimum=1, maximum=64 << 30
    )
    conditional: bool = key(
        "Ask for it only when it changed (ETag, Last-Modified); it is read whole once a day.",
        default=True,
    )
    headers: Mapping[str, str] = key("Request headers.", default_factory=dict)
    secret_headers: Mapping[str, Secret] = key(
        "Request headers that are secrets.", default_factory=dict
    )
    basic: Basic | None = key("Sign in with the basic scheme.", default=None)
    bearer: Secret | None = key("Sign in with a bearer token.", default=None)
    verify: bool = key("Refuse a certificate that cannot be verified.", default=True)
    ca_file: str = key("PEM file of the authorities to trust instead of the system's.", default="")

    def host(self) -> str:
        """The host it is fetched from; ``""`` for a file."""
        return _host(self.url)

    async def observe(self, world: ProbeWorld) -> Observation:
        """Read it once, to its end or to the deadline."""
        remembered = Remembered.of(world.kept, self.settings())
        reading = Reading(self, self.rules(), world.now)
        started = world.transport.now()
        seen = Seen()
        try:
            if urlsplit(self.url).scheme == "file":
                seen = await _from_file(self, world, reading)
            else:
                seen = await _from_http(self, world, reading, remembered)
            if not seen.reason and not seen.unmodified:
                reading.end()
        except Unreadable as unreadable:
            seen = replace(seen, reason=unreadable.reason, text=str(unreadable))
        seen = replace(seen, duration_s=world.transport.now() - started)
        return concluded(self, world.now, seen, reading, remembered)

    def settings(self) -> str:
        """How rows are read and judged, as a digest: what was learnt otherwise is not remembered."""
        written = (self.profile, self.format, self.delimiter, self.item)
        ruled = (self.id, self.required, self.currencies, self.group)
        return sha256(repr((written, ruled)).encode()).hexdigest()[:16]

    def place(self) -> str:
        """Where it comes from, as a digest: a server's *not modified* speaks of one address."""
        return sha256(repr((self.url, self.path, self.query)).encode()).hexdigest()[:16]

    def rules(self) -> Profile:
        """What each row is held against."""
        google = self.profile == "google"
        named = (self.id, *(REQUIRED if google else ()), *self.required)
        return Profile(tuple(dict.fromkeys(named)), frozenset(self.currencies), google)


@dataclass(frozen=True, slots=True)
class Seen:
    """How the reading went, whatever was read."""

    reason: str = ""
    text: str = ""
    network: bool = False
    ours: bool = False
    unmodified: bool = False
    size_bytes: int = 0
    made_at: datetime | None = None
    exchange: Exchange | None = None
    request: str = ""
    duration_s: float = 0.0


async def _from_http(
    feed: Feed, world: ProbeWorld, reading: Reading, remembered: Remembered
) -> Seen:
    request = _request(feed, world.secrets, world.now, remembered)
    exchange = await world.transport.fetch(request, world.deadline, sink=reading.take)
    seen = Seen(
        size_bytes=exchange.size_bytes,
        made_at=http_date(exchange.header("last-modified")),
        exchange=exchange,
        request=request.head(),
    )
    if exchange.reason is not None:
        reason = "too_large" if exchange.reason is Reason.body_too_large else exchange.reason
        ours = exchange.ours or exchange.reason is Reason.invalid_request
        text = exchange.text
        return replace(seen, reason=reason, text=text, network=exchange.network, ours=ours)
    if exchange.status == 304 and remembered.values:
        return replace(seen, unmodified=True)
    if exchange.status != 200:
        text = f"the status is {phrase(exchange.status)}"
        return replace(seen, reason="unexpected_status", text=text)
    return seen


def _request(feed: Feed, secrets: Secrets, now: datetime, remembered: Remembered) -> Request:
    """The request on the wire. Raises SecretMissing."""
    url = secrets.reveal(Secret(feed.url)) if "{" in feed.url else feed.url
    headers = dict(feed.headers)
    if feed.conditional and _is_fresh(remembered, feed.place(), now):
        if remembered.etag:
            headers["If-None-Match"] = remembered.etag
        if remembered.last_modified:
            headers["If-Modified-Since"] = remembered.last_modified
    headers |= {name: secrets.reveal(value) for name, value in feed.secret_headers.items()}
    if feed.basic is not None:
        pair = f"{feed.basic.user}:{secrets.reveal(feed.basic.password)}"
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    if feed.bearer is not None:
        headers["Authorization"] = f"Bearer {secrets.reveal(feed.bearer)}"
    return Request(
        _extended(url, feed.path, feed.query),
        headers=tuple(headers.items()),
        verify=feed.verify,
        ca_file=feed.ca_file,
        body_limit=feed.max_bytes,
        private=frozenset(name.lower() for name in feed.secret_headers),
    )


def _is_fresh(remembered: Remembered, place: str, now: datetime) -> bool:
    full_at = remembered.full_at
    return remembered.place == place and full_at is not None and now - full_at < FULL_EVERY


def _extended(url: str, path: tuple[str, ...], query: Mapping[str, str]) -> str:
    if not path and not query:
        return url
    split = urlsplit(url)
    whole = (
        "/".join([split.path.rstrip("/"), *(quote(p, safe="") for p in path)])
        if path
        else split.path
    )
    asked = "&".join(part for part in (split.query, urlencode(query, quote_via=quote)) if part)
    return split._replace(path=whole, query=asked).geturl()


async def _from_file(feed: Feed, world: ProbeWorld, reading: Reading) -> Seen:
    path = unquote(urlsplit(feed.url).path)
    try:
        async with asyncio.timeout(max(world.deadline - world.transport.now(), 0.0)):
            return await _read_file(path, reading)
    except TimeoutError:
        return Seen(reason="timeout", text=f"`{path}` was not read to its end in time")
    except OSError as error:
        reason = {FileNotFoundError: "file_missing", PermissionError: "file_denied"}
        text = f"`{path}`: {error.strerror or error}"
        return Seen(reason=reason.get(type(error), "file_unreadable"), text=text)


async def _read_file(path: str, reading: Reading) -> Seen:
    """In a thread, a piece at a time: a file system may hang as a server may."""
    descriptor = await asyncio.to_thread(os.open, path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise OSError(f"`{path}` is no regular file")
        while piece := await asyncio.to_thread(os.read, descriptor, FILE_PIECE):
            await reading.take(piece)
    finally:
        os.close(descriptor)
    made_at = datetime.fromtimestamp(about.st_mtime, UTC)
    return Seen(size_bytes=about.st_size, made_at=made_at, request=f"file {path}")


def concluded(
    feed: Feed, now: datetime, seen: Seen, reading: Reading, remembered: Remembered
) -> Observation:
    """Everything that was read, beside what is remembered, as an observation."""
    made_at = _said(reading.reader.published if reading.reader else "") or seen.made_at
    counts = None if seen.unmodified else reading.tally.counts()
    beside = compared(remembered, counts, now, timezone=feed.timezone, made_at=made_at)
    counted = dict(remembered.values) if seen.unmodified else reading.counted(seen.size_bytes)
    exchange = seen.exchange
    status = exchange.status if exchange else 0
    values = values_of(counted, beside, status=status, made_at=made_at, now=now)
    values["timing"] = {"total_s": seen.duration_s}
    kept = remember(
        remembered,
        counts,
        beside.learnt,
        values=counted,
        etag=exchange.header("etag") if exchange else "",
        last_modified=exchange.header("last-modified") if exchange else "",
        place=feed.place(),
        now=now,
    )
    failed = Outcome.unknown if seen.ours else Outcome.failed
    return Observation(
        values=values,
        duration_s=seen.duration_s,
        reason=seen.reason,
        text=seen.text or text_of(values),
        network=seen.network,
        outcome=failed if seen.reason else None,
        phases=exchange.phases if exchange else {},
        address=exchange.address if exchange else "",
        samples=[] if seen.reason else samples_of(values),
        evidence=_evidence(seen, reading, values),
        metrics=_metrics(seen, values),
        keep=kept.to_bytes(),
        changed_at=beside.changed_at,
    )


def _evidence(seen: Seen, reading: Reading, values: Mapping[str, Any]) -> Evidence:
    """Bad rows by line and id, what they have, and how the feed begins."""
    facts = facts_of(seen.exchange) if seen.exchange else {}
    names = ("items", "invalid", "reasons", "columns", "missing_columns", "price", "groups_gone")
    counts = {name: values[name] for name in names}
    return Evidence(
        request=seen.request,
        response=seen.exchange.head_text() if seen.exchange else "",
        body=reading.first or (seen.exchange.body[:EVIDENCE_BODY] if seen.exchange else b""),
        facts={
            **facts,
            **counts,
            "rows": reading.tally.samples,
            "duplicate_ids": list(reading.tally.duplicates()[1]),
        },
    )


def _metrics(seen: Seen, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """A feed that was not read to its end has no count."""
    wire = http_metrics(seen.exchange) if seen.exchange else {}
    if seen.reason:
        return wire
    return {
        **wire,
        "probe_feed_items": values["items"],
        "probe_feed_invalid_items": values["invalid"],
        "probe_feed_size_bytes": values["size_bytes"],
        "probe_feed_change_ratio": values["change_ratio"],
    }


def _said(text: str) -> datetime | None:
    """When the feed says that it was made: RFC 822 in RSS, ISO 8601 in Atom."""
    return (http_date(text) or instant_of(text)) if text else None


@lru_cache(maxsize=4096)
def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
