"""A stream that may be gzip, unfolded piece by piece and never beyond a limit."""

import zlib
from collections.abc import Iterator
from typing import Any

from sentinel.transport.rows import Unreadable

PIECE = 64 * 1024
"""Bytes that are unfolded at a time."""


class Unfolder:
    """Bytes as they are, or unfolded when the first ones are gzip's; several members follow on."""

    def __init__(self, max_bytes: int) -> None:
        self._left = max_bytes
        self._gzip: Any = None
        self._begun = False
        self._head = b""

    def take(self, piece: bytes) -> Iterator[bytes]:
        """Pieces of at most 64 KiB. Raises Unreadable beyond the limit, or when it is no gzip."""
        if not self._begun:
            self._head += piece
            if len(self._head) < 4:
                return
            piece = self._begin()
        if self._gzip is None:
            yield from self._counted(piece)
            return
        while piece:
            try:
                unfolded = self._gzip.decompress(piece, PIECE)
            except zlib.error as error:
                raise Unreadable("malformed", f"its compression is broken: {error}") from error
            if unfolded:
                yield from self._counted(unfolded)
            piece = self._gzip.unconsumed_tail
            if self._gzip.eof and self._gzip.unused_data:
                piece, self._gzip = self._gzip.unused_data, zlib.decompressobj(wbits=31)

    def end(self) -> Iterator[bytes]:
        """What was held back. Raises Unreadable when a gzip stops in the middle."""
        if not self._begun and self._head:
            yield from self._counted(self._begin())
        if self._gzip is not None and not self._gzip.eof:
            raise Unreadable("truncated", "its compressed stream stops in the middle")

    def _begin(self) -> bytes:
        self._begun = True
        if self._head.startswith(b"\x1f\x8b"):
            self._gzip = zlib.decompressobj(wbits=31)
        if self._head.startswith(b"PK\x03\x04"):
            raise Unreadable("archive", "it is a zip archive; publish it plain or as gzip")
        return self._head

    def _counted(self, piece: bytes) -> Iterator[bytes]:
        self._left -= len(piece)
        if self._left < 0:
            raise Unreadable("too_large", "it is larger than `max_bytes`")
        yield piece
