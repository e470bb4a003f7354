"""The head of an HTTP/1.1 answer, line by line, as libcurl reads it.

Servers in the field break the grammar of RFC 9112 in many ways, and what counts as an answer is
what clients take for one. So the rule is libcurl's behaviour, with its limits and its words for
what is wrong: a check must say the same of a server whichever lane it took.
(`tests/transport/test_lanes.py` asks both about the same few hundred answers.)
"""

import re
from contextlib import suppress
from dataclasses import dataclass

from sentinel.transport.reasons import Reason
from sentinel.words import shortened

MOST_LINE = 100 * 1024
"""A line, with its end, is shorter than this."""
MOST_BYTES = 300 * 1024
"""Bytes of all heads of an answer, and its trailers, together."""
MOST_LINES = 5000
"""Headers and trailers of an answer, in all."""
TOO_LARGE = "the response head is too large: "

_PREFIX = b"HTTP/"
_STATUS = re.compile(rb"HTTP/1\.([01])[ \t](\d{3})")
_NEWER = re.compile(rb"HTTP/([23])[ \t]\d{3}")
_FRAMED = re.compile(rb"(?i)(content-length|transfer-encoding):(.*)", re.DOTALL)
_LARGEST = (1 << 63) - 1
_MOST_DIGITS = len(str(_LARGEST))
_BLANK = b" \t"
_END = b"\r\n"


class Wrong(Exception):
    """The answer is none: the reason, and libcurl's sentence."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.reason = reason
        self.text = text


@dataclass(slots=True)
class Tally:
    """What an answer's heads and trailers came to so far."""

    lines: int = 0
    size_bytes: int = 0

    def line(self) -> None:
        """One header or trailer more. Raises Wrong."""
        self.lines += 1
        if self.lines > MOST_LINES:
            text = f"{TOO_LARGE}Too many response headers, {MOST_LINES} is max"
            raise Wrong(Reason.headers_too_large, text)

    def size(self, size_bytes: int) -> None:
        """So many bytes more. Raises Wrong."""
        self.size_bytes += size_bytes
        if self.size_bytes > MOST_BYTES:
            text = f"Too large response headers: {self.size_bytes} > {MOST_BYTES}"
            raise Wrong(Reason.headers_too_large, TOO_LARGE + text)


@dataclass(slots=True)
class Framing:
    """How long the body is: its length, or chunks, or until the connection is closed."""

    chunked: bool = False
    said: int | None = None
    _overridden: bool = False

    @property
    def length(self) -> int | None:
        """The body's length; None when it is told in another way, or not at all."""
        return None if self._overridden else self.said

    def header(self, name: bytes, value: bytes, *, without_body: bool) -> None:
        """Take in Content-Length or Transfer-Encoding (any case). Where no body follows whatever is
        said (HEAD), its coding is nobody's concern. Raises Wrong."""
        if name[:1] in b"cC":
            self._content_length(value)
        elif not without_body:
            self._transfer_encoding(value)

    def _content_length(self, value: bytes) -> None:
        """A length twice, or a list of it, is taken when all are the same (RFC 9112, 6.3); one that
        no number can hold says nothing."""
        for part in value.split(b","):
            digits = part.strip()
            if not digits.isdigit():
                raise Wrong(Reason.protocol_error, "Invalid Content-Length: value")
            digits = digits.lstrip(b"0") or b"0"  # Python reads no number of thousands of digits
            if len(digits) > _MOST_DIGITS or int(digits) > _LARGEST:
                return
            if self.said not in (None, int(digits)):
                raise Wrong(Reason.protocol_error, "Invalid Content-Length: value")
            self.said = int(digits)

    def _transfer_encoding(self, value: bytes) -> None:
        """It overrides a length (RFC 9112, 6.1). Compression is not understood as a transfer coding."""
        self._overridden = True
        last = False
        for part in value.split(b","):
            coding = part.strip()
            match coding.lower():
                case b"":
                    continue
                case b"chunked":
                    self.chunked = last = True
                case _ if last:
                    text = f"A Transfer-Encoding ({_shown(coding)}) was listed after chunked"
                    raise Wrong(Reason.decode_error, text)
                case b"identity":
                    continue
                case _:
                    text = f"Unsolicited Transfer-Encoding ({_shown(coding)}) found"
                    raise Wrong(Reason.decode_error, text)


class Heads:
    """The heads of an answer: those of 1xx answers, which are passed over, and the one that counts.

    `status` and `version` are the last head's, `head` its lines as far as they came, folded ones
    unfolded (RFC 9112, 5.2). 101 ends the heads: what follows is not HTTP any more.
    """

    def __init__(self, *, without_body: bool) -> None:
        self.status = 0
        self.version = ""
        self.lines: list[bytes] = []
        self.framing = Framing()
        self.tally = Tally()
        self._buffer = bytearray()
        self._looked = 0
        self._begun = False
        self._folded = b""
        self._without_body = without_body

    @property
    def interim(self) -> bool:
        """Whether the answer itself is still to come."""
        return 100 <= self.status < 200 and self.status != 101

    def take(self, received: bytes) -> bytes | None:
        """Read on; what came behind the heads when they are complete, else None. Raises Wrong."""
        buffer = self._buffer
        buffer += received
        while buffer or not self._begun:  # bounded by the bytes
            if not self._begun:
                self._no_other_protocol()
            end = buffer.find(b"\n", self._looked) + 1
            if not end or self._may_go_on(end):
                self._looked = max(end - 1, 0) if end else len(buffer)
                if len(buffer) + len(self._folded) >= MOST_LINE:
                    raise Wrong(Reason.headers_too_large, TOO_LARGE)
                return None
            line = bytes(buffer[:end])
            del buffer[:end]
            self._looked = 0
            if self._line(line):
                return bytes(buffer)
        return None

    def end(self) -> None:
        """The connection was closed before the heads were complete. Raises Wrong, always: the end
        says more than what may be wrong with the last line, which is then left out."""
        line = bytes(self._buffer)
        if self._begun and line.endswith(b"\n"):
            self._buffer.clear()
            with suppress(Wrong):
                self._line(line)
        if not self.status or self.interim:
            raise Wrong(Reason.empty_reply, "Empty reply from server")
        raise Wrong(Reason.truncated, "the connection was closed within the response head")

    def _no_other_protocol(self) -> None:
        """The first bytes already tell, so that nobody waits for a line that never ends."""
        first = bytes(self._buffer[: len(_PREFIX)])
        if first.upper() != _PREFIX[: len(first)]:
            raise Wrong(
                Reason.protocol_error,
                "Invalid status line" if self.status else "Received HTTP/0.9 when not allowed",
            )

    def _may_go_on(self, end: int) -> bool:
        """Whether the byte behind a header line, which says if the next one continues it, is still
        to come."""
        if end < len(self._buffer) or not self._begun:
            return False
        return bool(self._folded) or bytes(self._buffer[:end]).strip(_END) != b""

    def _line(self, line: bytes) -> bool:
        """One line, its end included; whether it was the last. Raises Wrong."""
        if self._folded:
            line, self._folded = self._folded + line.lstrip(_BLANK), b""
        if len(line) >= MOST_LINE:
            raise Wrong(Reason.headers_too_large, TOO_LARGE)
        blank = line in (b"\r\n", b"\n")
        if self._begun and not blank and self._buffer.startswith((b" ", b"\t")):
            self._folded = line.rstrip(_END).rstrip(_BLANK) + b" "
            return False
        checked(line)
        if not self._begun:
            self._status_line(line)
        elif not blank:
            self._header(line)
        self.lines.append(line)
        self.tally.size(len(line))
        return blank and self._ended()

    def _status_line(self, line: bytes) -> None:
        found = _STATUS.match(line)
        if found is not None:
            self.version, self.status = f"1.{found[1].decode()}", int(found[2])
        elif line.startswith(b"HTTP/1"):
            raise Wrong(Reason.protocol_error, "Unsupported HTTP/1 subversion in response")
        elif (newer := _NEWER.match(line)) is not None:
            text = f"Version mismatch (from HTTP/1 to HTTP/{newer[1].decode()})"
            raise Wrong(Reason.protocol_error, text)
        elif line.startswith(_PREFIX) and not line.startswith((b"HTTP/2", b"HTTP/3")):
            raise Wrong(Reason.protocol_error, "Unsupported HTTP version in response")
        else:  # what is no better than a prefix counts as the oldest version's good answer
            self.version, self.status = "1.0", 200
        self._begun = True
        self.lines.clear()
        self.framing = Framing()

    def _header(self, line: bytes) -> None:
        if b":" not in line:
            raise Wrong(Reason.protocol_error, "Header without colon")
        framed = _FRAMED.match(line)
        if framed is not None and framed_by(self.status):
            self.framing.header(framed[1], framed[2], without_body=self._without_body)
        self.tally.line()

    def _ended(self) -> bool:
        """The head is complete; whether it was the last. Raises Wrong."""
        if self.status < 100:
            raise Wrong(Reason.protocol_error, "Unsupported response code in HTTP response")
        self._begun = not self.interim
        return self._begun


def checked(line: bytes) -> None:
    """Raises Wrong for bytes that no line may hold (RFC 9110, 5.5)."""
    if b"\0" in line:
        raise Wrong(Reason.protocol_error, "NUL byte in header")
    if b"\r" in line.removesuffix(b"\n").removesuffix(b"\r"):
        raise Wrong(Reason.protocol_error, "Carriage return found in header")


def framed_by(status: int) -> bool:
    """Whether the headers of an answer of this status say how long its body is (RFC 9112, 6.3)."""
    return status >= 200 and status not in (204, 304)


def _shown(coding: bytes) -> str:
    return shortened(coding.decode("iso-8859-1"), 100)
