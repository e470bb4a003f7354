"""RESP, the wire of Redis and its kin, in its version 2: every server speaks it unless asked otherwise.

The codec is here rather than in a library because a reply comes from a stranger: one line may
announce four thousand million elements, and the usual parsers make room for them at once. This one
makes room for what has come, to a depth, a count and a size.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sentinel.transport.lines import Ended, Lines
from sentinel.transport.reasons import Reason
from sentinel.words import shortened

MOST_ELEMENTS = 10_000
"""Elements of one reply, those of all its arrays together."""
MOST_DEPTH = 8
_NUMBER = re.compile(rb"-?\d{1,19}")


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error reply: `code` is its first word (``WRONGPASS``), `text` the whole line."""

    text: str

    @property
    def code(self) -> str:
        return self.text.partition(" ")[0]


Reply = str | int | None | Refusal | list["Reply"]


def packed(words: Sequence[str]) -> bytes:
    """A command as an array of bulk strings: no word can become another command."""
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        content = word.encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(content), content))
    return b"".join(parts)


async def read_reply(lines: Lines, awaited: str) -> Reply:
    """The next reply; text is UTF-8, what is none becomes U+FFFD. Raises Ended."""
    return await _Reading(lines, awaited).reply(0)


class _Reading:
    def __init__(self, lines: Lines, awaited: str) -> None:
        self._lines = lines
        self._awaited = awaited
        self._left = MOST_ELEMENTS

    async def reply(self, depth: int) -> Reply:
        line = await self._lines.line(self._awaited)
        kind, rest = line[:1], line[1:]
        match kind:
            case b"+":
                return rest.decode("utf-8", "replace")
            case b"-":
                return Refusal(rest.decode("utf-8", "replace"))
            case b":":
                return self._number(rest)
            case b"$":
                return await self._bulk(self._number(rest))
            case b"*":
                return await self._array(self._number(rest), depth)
            case _:
                raise self._wrong(f"a reply cannot begin with {_shown(line)}")

    async def _bulk(self, size: int) -> str | None:
        if size == -1:
            return None
        if size < 0:
            raise self._wrong("a string of less than nothing")
        content = await self._lines.exactly(size + 2, self._awaited)
        if content[-2:] != b"\r\n":
            raise self._wrong("a string is longer than it said")
        return content[:-2].decode("utf-8", "replace")

    async def _array(self, count: int, depth: int) -> list[Reply] | None:
        if count == -1:
            return None
        self._left -= count
        if count < 0 or depth >= MOST_DEPTH or self._left < 0:
            raise self._wrong(
                f"an array of {count} elements at depth {depth}: more than can be read"
            )
        return [await self.reply(depth + 1) for _ in range(count)]

    def _number(self, digits: bytes) -> int:
        if not _NUMBER.fullmatch(digits) or abs(int(digits)) >= 1 << 63:
            raise self._wrong(f"{_shown(digits)} is no number")
        return int(digits)

    def _wrong(self, what: str) -> Ended:
        return Ended(Reason.protocol_error, f"not Redis: {what}; awaited: {self._awaited}")


def _shown(line: bytes) -> str:
    return repr(shortened(line.decode("utf-8", "replace"), 20))
