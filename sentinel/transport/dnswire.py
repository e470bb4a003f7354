"""DNS messages: a question as bytes, an answer as values (RFC 1035, 4; EDNS: RFC 6891).

Strict and bounded, since anybody may answer: every length is held against the message, records
are at most `MOST_RECORDS`, pointers lead backwards only, and `parse` raises nothing but
`WireError`. `is_answer` says whether bytes answer what was asked, before anything in them is
believed (RFC 5452).
"""

import struct
from dataclasses import dataclass, field

import msgspec

from sentinel.transport.dnsnames import (
    Known,
    WireError,
    class_name,
    rcode_name,
    read_name,
    type_name,
    wire_name,
)
from sentinel.transport.rdata import joined, presented

MOST_RECORDS = 2000
"""Records in one message; a message of 64 KiB with more was not meant to be read."""
_USUAL = 512
"""Bytes of an answer that may be remembered."""
ANY = 255

_HEADER = struct.Struct("!HHHHHH")
_FIXED = struct.Struct("!HHIH")
_RESPONSE, _TRUNCATED, _RECURSE = 0x8000, 0x0200, 0x0100
_AUTHORITATIVE, _RECURSES, _AUTHENTIC, _UNCHECKED = 0x0400, 0x0080, 0x0020, 0x0010
_OPCODE = 0x7800
_DNSSEC_OK = 0x8000
_OPT, _TXT, _SPF = 41, 16, 99
_EXTENDED_ERROR = 15
_MAY_LACK_QUESTION = frozenset({1, 2, 4, 5})  # FORMERR, SERVFAIL, NOTIMP, REFUSED


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked. `type` and `class_` are numbers (`dnsnames.type_number`).

    `edns_size` is the largest UDP answer that is announced, 0 leaves EDNS out. `dnssec` asks for
    signatures (DO, which needs EDNS), `checking_disabled` for data that failed validation.
    """

    name: str
    type: int = 1
    class_: int = 1
    recursion: bool = True
    edns_size: int = 0
    dnssec: bool = False
    checking_disabled: bool = False
    _wire: bytes = field(default=b"", init=False, repr=False, compare=False)
    """A query without its id, once it was asked for."""


class Record(msgspec.Struct, frozen=True):
    """One resource record. `ttl` is in seconds; `data` in presentation form, but for TXT, whose
    strings are joined and not quoted: ``v=spf1 -all``. `presentation` has the quotes."""

    name: str
    type: int
    class_: int
    ttl: int
    data: str
    presentation: str

    @property
    def text(self) -> str:
        """The line of a zone file, its fields parted by tabs as blackbox_exporter prints it."""
        kind = f"{class_name(self.class_)}\t{type_name(self.type)}"
        return f"{self.name}\t{self.ttl}\t{kind}\t{self.presentation}"


class Edns(msgspec.Struct, frozen=True):
    """The OPT record of an answer. `errors` are its extended errors (RFC 8914), code and text."""

    version: int
    size: int
    dnssec: bool
    errors: tuple[tuple[int, str], ...] = ()


class Message(msgspec.Struct, frozen=True):
    """An answer. `rcode` includes the upper bits of EDNS; the OPT record is `edns`, and is not
    among `additional`. `wire` is the message without its id, ``b""`` for an unusually long one."""

    flags: int
    rcode: int
    answer: tuple[Record, ...] = ()
    authority: tuple[Record, ...] = ()
    additional: tuple[Record, ...] = ()
    edns: Edns | None = None
    wire: bytes = b""

    @property
    def rcode_name(self) -> str:
        return rcode_name(self.rcode)

    @property
    def authoritative(self) -> bool:
        return bool(self.flags & _AUTHORITATIVE)

    @property
    def truncated(self) -> bool:
        return bool(self.flags & _TRUNCATED)

    @property
    def recursion_available(self) -> bool:
        return bool(self.flags & _RECURSES)

    @property
    def authenticated(self) -> bool:
        return bool(self.flags & _AUTHENTIC)

    @property
    def checking_disabled(self) -> bool:
        return bool(self.flags & _UNCHECKED)


def _written(question: Question) -> bytes:
    """A query without its id."""
    flags = (_RECURSE if question.recursion else 0) | (
        _UNCHECKED if question.checking_disabled else 0
    )
    size = max(question.edns_size, 512) if question.edns_size or question.dnssec else 0
    head = struct.pack("!HHHHH", flags, 1, 0, 0, 1 if size else 0)
    asked = wire_name(question.name) + struct.pack("!HH", question.type, question.class_)
    if not size:
        return head + asked
    more = _DNSSEC_OK if question.dnssec else 0
    return head + asked + b"\0" + _FIXED.pack(_OPT, size, more, 0)


def query(question: Question, *, id: int) -> bytes:
    """The bytes that ask it. Raises WireError for a name that cannot be asked for."""
    wire = question._wire
    if not wire:
        wire = _written(question)
        object.__setattr__(question, "_wire", wire)  # a cache, of what never changes
    return id.to_bytes(2, "big") + wire


def is_answer(asked: bytes, came: bytes) -> bool:
    """Whether `came` answers the query `asked`: its id, a response, to a query, and the same
    question but for upper and lower case. Where a server could not even read the question it may
    leave it out; a truncated answer keeps it."""
    if len(came) < 12 or came[:2] != asked[:2]:
        return False
    _, flags, questions, answers, authorities, _ = _HEADER.unpack_from(came)
    if not flags & _RESPONSE or flags & _OPCODE:
        return False
    if questions == 0:
        return flags & 0xF in _MAY_LACK_QUESTION and not answers and not authorities
    if questions != 1:
        return False
    end = _question_end(asked)
    same = came[12:end]
    return same == asked[12:end] or (
        same[:-4].lower() == asked[12 : end - 4].lower() and same[-4:] == asked[end - 4 : end]
    )


def _question_end(asked: bytes) -> int:
    at = 12
    while asked[at]:  # our own bytes: a name that `wire_name` made
        at += asked[at] + 1
    return at + 5


def parse(message: bytes) -> Message:
    """Read a whole message. Raises WireError, and nothing else, for one that is none."""
    if len(message) < 12:
        raise WireError("shorter than a header")
    _, flags, questions, *counts = _HEADER.unpack_from(message)
    if questions > 1 or sum(counts) > MOST_RECORDS:
        raise WireError("more questions or records than are read")
    known: Known = {}
    at = 12
    if questions:
        _, at = read_name(message, 12, known)
        at += 4
        if at > len(message):
            raise WireError("the question is cut short")
    sections: list[tuple[Record, ...]] = []
    edns: Edns | None = None
    rcode = flags & 0xF
    for count in counts:
        records = []
        for _ in range(count):
            record, at, optional = _record(message, at, known)
            if optional is not None:
                if edns is not None:
                    raise WireError("two OPT records")
                edns = optional[0]
                rcode |= optional[1] << 4
            elif record is not None:
                records.append(record)
        sections.append(tuple(records))
    answer, authority, additional = sections
    wire = message[2:] if len(message) <= _USUAL else b""
    return Message(flags, rcode, answer, authority, additional, edns, wire)


def _record(
    message: bytes, at: int, known: Known
) -> tuple[Record | None, int, tuple[Edns, int] | None]:
    """The record at `at`, or the EDNS facts with the upper bits of the response code; and where
    the next record begins."""
    name, at = read_name(message, at, known)
    if at + 10 > len(message):
        raise WireError("a record is cut short")
    type_, class_, ttl, size = _FIXED.unpack_from(message, at)
    at += 10
    end = at + size
    if end > len(message):
        raise WireError("a record is longer than its message")
    if type_ == _OPT:
        return None, end, (_edns(message[at:end], class_, ttl), ttl >> 24)
    shown = presented(message, at, end, known, (type_, class_))
    data = shown
    if type_ in (_TXT, _SPF) and not shown.startswith("\\#"):
        data = joined(message, at, end).decode("utf-8", "backslashreplace")
    return Record(name, type_, class_, ttl, data, shown), end, None


def _edns(content: bytes, size: int, ttl: int) -> Edns:
    errors = []
    at = 0
    while at < len(content):
        if at + 4 > len(content):
            raise WireError("an EDNS option is cut short")
        code, length = struct.unpack_from("!HH", content, at)
        value = content[at + 4 : at + 4 + length]
        at += 4 + length
        if at > len(content):
            raise WireError("an EDNS option is longer than its record")
        if code == _EXTENDED_ERROR and length >= 2:
            text = value[2:].decode("utf-8", "replace").rstrip("\0")
            errors.append((int.from_bytes(value[:2], "big"), text))
    return Edns(ttl >> 16 & 0xFF, size, bool(ttl & _DNSSEC_OK), tuple(errors[:16]))
