"""A body in chunks (RFC 9112, 7.1), decoded as libcurl decodes it, with its words for what is wrong.

What follows a chunk's size on its line is passed over; a line may end in a bare line feed.
"""

import re
from collections.abc import Callable
from enum import Enum, auto

from sentinel.transport.heads import TOO_LARGE, Tally, Wrong, checked
from sentinel.transport.reasons import Reason

MOST_TRAILER = 4093
"""Bytes of a trailer, without the line's end."""

_DIGITS = re.compile(rb"[0-9A-Fa-f]*")
_LINE = re.compile(rb"[^\r\n]*")
_SMALL = re.compile(rb"([0-9A-Fa-f]{1,4})\r\n")
_MOST_DIGITS = 17
_LARGEST = (1 << 63) - 1
_CR, _LF = 0x0D, 0x0A


class _At(Enum):
    """Where in the coding the next byte is."""

    size = auto()
    size_line = auto()
    content = auto()
    content_end = auto()
    trailer = auto()
    trailer_end = auto()
    next_trailer = auto()
    last = auto()


class Chunks:
    """A decoder. `take` what comes until it says that the body is complete."""

    def __init__(self, keep: Callable[[bytes], None], tally: Tally) -> None:
        """`keep` is given the content piece by piece; `tally` counts trailers with the headers."""
        self._keep = keep
        self._tally = tally
        self._at = _At.size
        self._digits = b""
        self._left = 0
        self._trailer = b""

    def take(self, received: bytes) -> bool:
        """Read on; whether the body is complete. Raises Wrong, and what `keep` raises."""
        at, end = 0, len(received)
        while at < end:  # every turn reads a byte or changes the state towards the end
            byte = received[at]
            match self._at:
                case _At.size:
                    at = self._whole(received, at) or self._size(received, at)
                case _At.size_line:
                    at = received.find(b"\n", at) + 1
                    if not at:
                        return False
                    self._at = _At.content if self._left else _At.trailer
                case _At.content:
                    piece = received[at : at + self._left]
                    at += len(piece)
                    self._left -= len(piece)
                    self._at = _At.content if self._left else _At.content_end
                    self._keep(piece)
                case _At.content_end:
                    at += 1
                    self._go_on(byte, _At.size, passed=byte == _CR)
                case _At.trailer:
                    at = self._read_trailer(received, at)
                case _At.trailer_end:
                    at += 1
                    self._go_on(byte, _At.next_trailer)
                case _At.next_trailer:
                    at += byte == _CR
                    self._at = _At.last if byte in (_CR, _LF) else _At.trailer
                case _At.last:
                    self._go_on(byte, _At.last)
                    return True
        return False

    def _whole(self, received: bytes, at: int) -> int:
        """Take a regular chunk that has come whole in one step, since a hostile server sends a
        million of one byte; where it ends, or 0: it must be read step by step."""
        found = None if self._digits else _SMALL.match(received, at)
        if found is None or not (size := int(found[1], 16)):
            return 0
        begin = found.end()
        end = begin + size + 2
        if received[begin + size : end] != b"\r\n":
            return 0
        self._keep(received[begin : end - 2])
        return end

    def _size(self, received: bytes, at: int) -> int:
        found = _DIGITS.match(received, at)
        assert found is not None
        self._digits += found[0]
        if len(self._digits) > _MOST_DIGITS:
            text = f"chunk hex-length longer than {_MOST_DIGITS}"
            raise Wrong(Reason.protocol_error, text)
        at = found.end()
        if at == len(received):
            return at
        if not self._digits:
            text = f"chunk hex-length char not a hex digit: {received[at]:#x}"
            raise Wrong(Reason.protocol_error, text)
        self._left = int(self._digits, 16)
        if self._left > _LARGEST:
            text = f"invalid chunk size: '{self._digits.decode()}'"
            raise Wrong(Reason.protocol_error, text)
        self._digits = b""
        self._at = _At.size_line
        return at

    def _read_trailer(self, received: bytes, at: int) -> int:
        found = _LINE.match(received, at)
        assert found is not None
        self._trailer += found[0]
        if len(self._trailer) > MOST_TRAILER:
            raise Wrong(Reason.headers_too_large, f"{TOO_LARGE}Out of memory in chunked-encoding")
        at = found.end()
        if at == len(received):
            return at
        if not self._trailer:  # the line of the end
            self._at = _At.next_trailer
            return at
        self._counted(self._trailer)
        self._trailer = b""
        self._at = _At.trailer_end
        return at + (received[at] == _CR)

    def _counted(self, trailer: bytes) -> None:
        checked(trailer)
        if b":" not in trailer:
            raise Wrong(Reason.protocol_error, "Header without colon")
        self._tally.line()
        self._tally.size(len(trailer) + 2)

    def _go_on(self, byte: int, following: _At, *, passed: bool = False) -> None:
        """A line feed leads on; what is passed over does not; all else is wrong."""
        if byte == _LF:
            self._at = following
        elif not passed:
            raise Wrong(Reason.protocol_error, "Malformed encoding found in chunked-encoding")
