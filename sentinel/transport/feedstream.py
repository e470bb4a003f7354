"""A product feed as it comes over the wire: bytes in, a tally out."""

import asyncio
from datetime import datetime
from typing import Any, Protocol

from sentinel.monitor.products import Profile, problems
from sentinel.transport.rows import Reader, Row, Unreadable, reader_for
from sentinel.transport.tally import Tally
from sentinel.transport.unfold import Unfolder

SLICE = 16 * 1024
"""Bytes that are read between two turns of the loop: a millisecond of work, so that no other check
starts late because of a large feed."""

EVIDENCE_BODY = 4 * 1024


class Asked(Protocol):
    """What a document says about how the feed is written."""

    @property
    def format(self) -> str: ...
    @property
    def delimiter(self) -> str: ...
    @property
    def item(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def group(self) -> str: ...
    @property
    def max_bytes(self) -> int: ...


class Reading:
    """Bytes in, a tally out."""

    def __init__(self, asked: Asked, rules: Profile, now: datetime) -> None:
        self._asked = asked
        self._now = now
        self._rules = rules
        self._unfolder = Unfolder(asked.max_bytes)
        self.reader: Reader | None = None
        self.tally = Tally(asked.id, asked.group)
        self.first = b""

    async def take(self, chunk: bytes) -> None:
        """Read on, giving way to others after each slice. Raises Unreadable."""
        for start in range(0, len(chunk), SLICE):
            for piece in self._unfolder.take(chunk[start : start + SLICE]):
                self._read(piece)
                await asyncio.sleep(0)

    def end(self) -> None:
        """The last rows. Raises Unreadable when it stopped in the middle, or is empty."""
        for piece in self._unfolder.end():
            self._read(piece)
        if self.reader is None:
            raise Unreadable("empty", "there is nothing in it")
        self._count(self.reader.end())
        if not self.tally.items:
            raise Unreadable("no_items", "it can be read, and has no items")

    def _read(self, piece: bytes) -> None:
        if len(self.first) < EVIDENCE_BODY:
            self.first += piece[: EVIDENCE_BODY - len(self.first)]
        if self.reader is None:
            asked = self._asked
            self.reader = reader_for(
                asked.format, piece, item=asked.item, delimiter=asked.delimiter
            )
        self._count(self.reader.take(piece))

    def _count(self, rows: list[Row]) -> None:
        for row in rows:
            codes = [row.problem] if row.problem else []
            if row.fields:
                codes += problems(row.fields, self._rules, self._now)
            self.tally.add(row.line, row.fields, codes)

    def missing_columns(self) -> list[str]:
        """Required fields that the header, or the first item, does not have at all."""
        columns = self.reader.columns if self.reader else ()
        return [name for name in self._rules.required if name not in columns] if columns else []

    def counted(self, size_bytes: int) -> dict[str, Any]:
        """What the rows alone say; remembered for a server that says *not modified*."""
        tally = self.tally
        return {
            "items": tally.items,
            "invalid": tally.invalid,
            "invalid_ratio": tally.invalid / tally.items if tally.items else 0.0,
            "duplicates": tally.duplicates()[0],
            "size_bytes": size_bytes,
            "reasons": dict(tally.reasons.most_common(50)),
            "columns": list(self.reader.columns[:50]) if self.reader else [],
            "missing_columns": self.missing_columns(),
            "currencies": sorted(tally.currencies),
        }
