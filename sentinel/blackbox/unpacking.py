"""Bodies that a module calls compressed: unpacked blindly, and never beyond a limit.

As in the original `compression` is a promise about the body and not about its headers: what
cannot be unpacked that way is a failure. `deflate` is the bare format (RFC 1951), as Go reads
it, also where a server wraps it as RFC 9110 asks.
"""

import zlib
from dataclasses import dataclass
from typing import Literal

import brotli

_PIECE = 64 * 1024
_GO_READS_AHEAD = 4096


@dataclass(frozen=True, slots=True)
class Unpacked:
    """`body` as far as it could be unpacked, within the limit. `problem` is ``""`` when all was well.
    `counted` is its length as the original counts it."""

    body: bytes
    counted: int
    problem: str = ""
    too_large: bool = False


def unpack(
    body: bytes, compression: Literal["gzip", "br", "deflate"], *, limit: int, whole: bool
) -> Unpacked:
    """`body` unpacked, at most `limit` bytes of it; `whole` says that it came to its end."""
    if compression == "gzip" and body[:2] != b"\x1f\x8b":
        left = max(0, len(body) - _GO_READS_AHEAD)  # what the original has not looked at yet
        return Unpacked(b"", left, "it is not gzip")
    pieces: list[bytes] = []
    size = 0
    unpacker = _Brotli() if compression == "br" else _Zlib(compression)
    for at in range(0, len(body), _PIECE):
        content, piece = body[at : at + _PIECE], b""
        while content or piece or unpacker.more():  # bounded by the limit
            try:
                piece, content = unpacker.step(content)
            except (zlib.error, brotli.error) as broken:
                return Unpacked(b"".join(pieces), size, f"it cannot be unpacked: {broken}")
            pieces.append(piece[: limit - size])
            size += len(piece)
            if size > limit:
                return Unpacked(b"".join(pieces), limit, "it is too large", too_large=True)
    problem = "" if unpacker.ended() or not whole else "its compressed stream stops in the middle"
    return Unpacked(b"".join(pieces), size, problem)


class _Zlib:
    """gzip, whose files may be joined, and bare deflate, after whose end nothing is looked at."""

    def __init__(self, compression: Literal["gzip", "deflate"]) -> None:
        self._wbits = 31 if compression == "gzip" else -15
        self._packed = zlib.decompressobj(self._wbits)

    def step(self, content: bytes) -> tuple[bytes, bytes]:
        """At most 64 KiB, and what is left of `content`."""
        if self._wbits > 0 and self._packed.eof and (content or self._packed.unused_data):
            content = self._packed.unused_data + content
            self._packed = zlib.decompressobj(self._wbits)
        piece = self._packed.decompress(content, _PIECE)
        return piece, self._packed.unconsumed_tail

    def more(self) -> bool:
        return self._packed.eof and self._wbits > 0 and bool(self._packed.unused_data)

    def ended(self) -> bool:
        return self._packed.eof


class _Brotli:
    """RFC 7932."""

    def __init__(self) -> None:
        self._packed = brotli.Decompressor()

    def step(self, content: bytes) -> tuple[bytes, bytes]:
        if self.more():
            return self._packed.process(b"", output_buffer_limit=_PIECE), content
        return self._packed.process(content, output_buffer_limit=_PIECE), b""

    def more(self) -> bool:
        return not self._packed.can_accept_more_data()

    def ended(self) -> bool:
        done: bool = self._packed.is_finished()
        return done
