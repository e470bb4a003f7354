"""An HTTP/1.1 answer without sockets: bytes go in, and what they come to is known at every moment.

Most answers have a head that comes in one piece and is as plain as `_regular` wants it; the lines
of all others are read one by one (`transport.heads`), to the same end.
"""

import re

from sentinel.transport.chunks import Chunks
from sentinel.transport.heads import Framing, Heads, Tally, Wrong, framed_by
from sentinel.transport.reasons import Reason

_STATUS = re.compile(rb"HTTP/1\.([01])[ \t]([2-9]\d\d)")
_MOST_REGULAR = 16 * 1024
"""A head up to this size exceeds no limit of `transport.heads`."""
_MOST_DIGITS = 18
_MOST_PIECES = 256
"""Joining a list costs a hundred bytes a piece, and a hostile server sends chunks of one byte."""


class Answer:
    """An answer that is being read: `feed` what comes, `close` when no more does, until `done`.

    `reason` is why it did not come to its end, if so, with a `text`; what came before stays:
    `status` and `version` (of the last head), `head` (without those of 1xx answers before it),
    `body`, and its `size_bytes` on the wire, without chunks' own.
    """

    __slots__ = (
        "_chunks",
        "_heads",
        "_left",
        "_limit",
        "_many",
        "_without_body",
        "done",
        "head",
        "pieces",
        "reason",
        "size_bytes",
        "status",
        "text",
        "version",
    )

    def __init__(self, *, method: str, limit: int) -> None:
        """`limit`: the bytes of a body that are kept; one more is `body_too_large`."""
        self.status = 0
        self.version = ""
        self.head = b""
        self.pieces: list[bytes] = []
        self._many = bytearray()
        self.size_bytes = 0
        self.reason: Reason | None = None
        self.text = ""
        self.done = False
        self._limit = limit
        self._without_body = method == "HEAD"
        self._heads: Heads | None = None
        self._left: int | None = None
        self._chunks: Chunks | None = None

    @property
    def body(self) -> bytes:
        """The body as far as it came, at most `limit` bytes."""
        if self._many:
            return bytes(self._many) + b"".join(self.pieces)
        return self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces)

    @property
    def begun(self) -> bool:
        """Whether a status line has come."""
        return bool(self.status or (self._heads is not None and self._heads.status))

    @property
    def missing(self) -> int:
        """How many bytes of the body are still to come; 0 when that is not known."""
        return self._left or 0

    def feed(self, received: bytes) -> None:
        """Take in what came. Must not be called when done, nor with nothing."""
        try:
            if self.head:
                self._read(received)
            elif self._heads is None:
                self._begin(received)
            else:
                self._go_on(self._heads, received)
        except Wrong as wrong:
            self._fail(wrong)

    def close(self) -> None:
        """The connection was closed; now it is done."""
        try:
            if not self.head:
                heads = self._heads or Heads(without_body=self._without_body)
                try:
                    heads.end()
                finally:
                    self._adopt(heads)
            elif self._chunks is not None:
                text = "transfer closed with outstanding read data remaining"
                raise Wrong(Reason.truncated, text)
            elif self._left:
                text = f"end of response with {self._left} bytes missing"
                raise Wrong(Reason.truncated, text)
            self.done = True
        except Wrong as wrong:
            self._fail(wrong)

    def stop(self) -> None:
        """Nothing more will be fed; why not is said elsewhere. What came is kept, as ever."""
        self._chunks = None
        if self._heads is not None:
            self._adopt(self._heads)

    def _begin(self, received: bytes) -> None:
        """The first bytes: with luck a whole head that nothing is odd about."""
        end = received.find(b"\r\n\r\n", 0, _MOST_REGULAR) + 4
        found = _STATUS.match(received)
        framing = _regular(received[:end]) if found is not None and end > 4 else None
        if framing is None or found is None:
            self._heads = Heads(without_body=self._without_body)
            self._go_on(self._heads, received)
            return
        self.version, self.status = "1.1" if found[1] == b"1" else "1.0", int(found[2])
        self.head = received[:end]
        self._frame(framing, None)
        if not self.done and end < len(received):
            self._read(received[end:])

    def _go_on(self, heads: Heads, received: bytes) -> None:
        try:
            rest = heads.take(received)
        except Wrong:
            self._adopt(heads)
            raise
        if rest is None:
            return
        self._adopt(heads)
        self._heads = None
        self._frame(heads.framing, heads.tally)
        if rest and not self.done:
            self._read(rest)

    def _adopt(self, heads: Heads) -> None:
        """What is known of the last head."""
        self.status, self.version = heads.status, heads.version
        self.head = b"".join(heads.lines)

    def _frame(self, framing: Framing, tally: Tally | None) -> None:
        """The heads are complete: from here on there is a body, or none."""
        if self.status == 101:
            if self._without_body:
                raise Wrong(Reason.empty_reply, "Empty reply from server")
        elif self._without_body or not framed_by(self.status):
            self.done = True
        elif framing.chunked:
            counted = tally or Tally(self.head.count(b"\n") - 2, len(self.head))
            self._chunks = Chunks(self._keep, counted)
        else:
            self._left = framing.length
            self.done = framing.length == 0

    def _read(self, received: bytes) -> None:
        if self._chunks is not None:
            self.done = self._chunks.take(received)
            if self.done:
                self._chunks = None  # it holds us: nobody shall have to collect a circle
        elif self._left is None:
            self._keep(received)
        else:
            if len(received) > self._left:
                received = received[: self._left]
            self._left -= len(received)
            self._keep(received)
            self.done = self._left == 0

    def _keep(self, piece: bytes) -> None:
        """Keep a piece of the body. Raises Wrong beyond the limit."""
        room = self._limit - self.size_bytes
        self.size_bytes += len(piece)
        if len(piece) > room:
            self.pieces.append(piece[:room])
            text = f"the body is larger than {self._limit} bytes"
            raise Wrong(Reason.body_too_large, text)
        self.pieces.append(piece)
        if len(self.pieces) > _MOST_PIECES:
            self._many += b"".join(self.pieces)
            self.pieces.clear()

    def _fail(self, wrong: Wrong) -> None:
        self.reason, self.text, self.done = wrong.reason, wrong.text, True
        self._chunks = None


def _regular(head: bytes) -> Framing | None:
    """How a body is framed by a head that is as regular as most are; None when it is not. It is so
    with all lines ended by CR LF, none continued, each with a colon, no byte that is not allowed,
    and no more than one plain Content-Length."""
    ends = head.count(b"\r\n")
    if not head.count(b"\r") == head.count(b"\n") == ends or b"\0" in head:
        return None
    if b"\n " in head or b"\n\t" in head:
        return None
    if [line for line in head.split(b"\r\n")[1:-2] if b":" not in line]:
        return None
    lower = head.lower()
    if b"\ntransfer-encoding:" in lower:
        return None
    _, _, after = lower.partition(b"\ncontent-length:")
    if not after:
        return Framing()
    digits = after[: after.index(b"\r")].strip(b" \t")
    if not digits.isdigit() or len(digits) > _MOST_DIGITS or b"\ncontent-length:" in after:
        return None
    return Framing(said=int(digits))
