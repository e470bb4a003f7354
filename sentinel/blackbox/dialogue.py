"""`query_response`: what is expected and said over a connection, entry by entry.

Lines are read until one fits `expect`, as by Go's line scanner: a line is at most 64 KiB, its end
is ``\\n`` or ``\\r\\n``, and the last one needs none. `expect_bytes` takes exactly as many bytes as
it has, from where the lines ended. Then `send` and ``\\n`` are sent, with what `expect` captured
in the place of ``${1}`` or ``${name}``; then TLS begins where `starttls` says so.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from sentinel.blackbox.check import Check
from sentinel.blackbox.matching import expanded, found, readable
from sentinel.blackbox.module import Exchanged
from sentinel.blackbox.reasons import Because
from sentinel.transport.connection import Connection
from sentinel.transport.reasons import Reason

LONGEST_LINE = 64 * 1024
MOST_RECEIVED = 1 << 20
"""Bytes that are read in one probe, in all, while lines do not fit."""

StartTls = Callable[[], Awaitable[str]]
"""Secures the connection; the reason when that failed."""


class Dialogue:
    """One talk over an open connection."""

    def __init__(self, check: Check, connection: Connection, start_tls: StartTls) -> None:
        self._check = check
        self._connection = connection
        self._start_tls = start_tls
        self._rest = bytearray()
        self._received = 0
        self._closed = False

    async def have(self, entries: Sequence[Exchanged]) -> str:
        """Take every entry in turn; the reason why one did not come about."""
        for number, entry in enumerate(entries):
            self._check.notes.debug("Processing query response entry", entry_number=number)
            reason = await self._take(entry)
            if reason:
                return reason
        return ""

    async def _take(self, entry: Exchanged) -> str:
        send = entry.send
        if entry.expect:
            match, reason = await self._expect(entry)
            if match is None:
                return reason
            send = expanded(send, match)
        if entry.expect_bytes:
            reason = await self._expect_bytes(entry.expect_bytes.encode())
            if reason:
                return reason
        if send:
            self._check.notes.debug("Sending line", line=send)
            lost = await self._connection.send(send.encode() + b"\n", self._check.deadline)
            if lost is not None:
                self._check.notes.error("Failed to send", err=lost)
                return lost
        if entry.starttls:
            self._rest.clear()  # what came in clear must not be taken for a secured answer
            return await self._start_tls()
        return ""

    async def _expect(self, entry: Exchanged) -> tuple[Any | None, str]:
        gauges, notes = self._check.gauges, self._check.notes
        line: bytes | None = b""
        while True:  # bounded by the deadline and by what is read
            line, reason = await self._line()
            if line is None:
                break
            content = readable(line)
            notes.debug("Read line", line=content)
            match = found(entry.expect, content)
            if match:
                notes.debug("Regexp matched", regexp=entry.expect, line=content)
                gauges.set("probe_failed_due_to_regex", 0)
                label(self._check, entry, match)
                return match, ""
        if reason:
            notes.error("Error reading from connection", err=reason)
            return None, reason
        gauges.set("probe_failed_due_to_regex", 1)
        notes.error("Regexp did not match", regexp=entry.expect)
        return None, Because.unexpected_line

    async def _line(self) -> tuple[bytes | None, str]:
        """The next line without its end; None when there is none any more, with the reason when the
        connection broke or the line is too long."""
        searched = 0
        while True:  # bounded by the line's length
            end = self._rest.find(b"\n", searched)
            if 0 <= end < LONGEST_LINE or (self._closed and self._rest):
                end = end if end >= 0 else len(self._rest)
                line = bytes(self._rest[:end]).removesuffix(b"\r")
                del self._rest[: end + 1]
                return line, ""
            if self._closed:
                return None, ""
            if len(self._rest) >= LONGEST_LINE:
                return None, Because.unexpected_line
            searched = len(self._rest)
            lost = await self._read()
            if lost:
                return None, lost

    async def _read(self) -> str:
        """Read on; the reason when the connection broke or too much came."""
        await asyncio.sleep(0)  # a peer that never stops must not keep the loop from others
        chunk = await self._connection.receive(self._check.deadline)
        if isinstance(chunk, Reason):
            return chunk
        self._closed = not chunk
        self._received += len(chunk)
        self._rest += chunk
        return Because.unexpected_line if self._received > MOST_RECEIVED else ""

    async def _expect_bytes(self, expected: bytes) -> str:
        gauges, notes = self._check.gauges, self._check.notes
        while len(self._rest) < len(expected) and not self._closed:  # bounded by what is expected
            lost = await self._read()
            if lost:
                notes.error("Error reading from connection", err=lost)
                return lost
        content = bytes(self._rest[: len(expected)])
        del self._rest[: len(expected)]
        if len(content) < len(expected):
            notes.error("Read less data than expected", expected=expected, bytes=content)
            return Because.unexpected_bytes
        gauges.set("probe_failed_due_to_bytes", int(content != expected))
        if content != expected:
            notes.error("Bytes did not match", expected=expected, bytes=content)
            return Because.unexpected_bytes
        notes.debug("Bytes matched", expected=expected, bytes=content)
        return ""


def label(check: Check, entry: Exchanged, match: Any) -> None:
    """``probe_expect_info``, where an entry has labels."""
    if entry.labels:
        labels = {name: expanded(value, match) for name, value in entry.labels}
        check.gauges.set("probe_expect_info", 1, **labels)
