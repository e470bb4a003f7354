"""What a name server's answer is worth: whether it is well, and how it differs from another.

Records are compared by their data. Names in it are the same in upper and lower case and with or
without their final dot; addresses are the same however they are written; the strings of a TXT
record are the same however they are cut. All else is compared as written.
"""

import re
from collections.abc import Iterable, Sequence
from ipaddress import ip_address
from typing import Any

import msgspec

from sentinel.transport.dns import Answer
from sentinel.transport.dnsnames import rcode_name, type_name
from sentinel.transport.dnswire import ANY, Message, Question, Record

NO_RECORDS = "no_records"
"""The server knows the name, and has no record of the type that was asked for."""
RECORDS_DIFFER = "records_differ"
"""The answer does not hold exactly the declared records."""
MOST_REMEMBERED = 48 * 1024
"""Bytes of records that are kept for the next check; a larger answer is not compared with."""
MOST_SHOWN = 10

_NOERROR = 0
_A, _SOA, _TXT, _AAAA, _SPF = 1, 6, 16, 28, 99
_OF_NAMES = frozenset({2, 5, _SOA, 12, 15, 17, 18, 33, 36, 39, 43, 44, 47, 52, 53, 59})
"""Types in whose data upper and lower case mean the same: names, numbers and hexadecimal."""
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
_STRINGS = re.compile(rf"(?:{_STRING.pattern}\s*)+")
_ESCAPE = re.compile(rb"\\(\d{3}|.)", re.DOTALL)


class Opinion(msgspec.Struct, frozen=True):
    """What one server said, judged. `message` is None when it said nothing useful, `reason` ``""``
    when it is well. `data` of the records of the type that was asked for, `compared` the same in a
    form that can be compared; `ttl` and `serial` None where there is nothing to take them from.
    `keep` is what the next check compares with; None when it is too much, or when nothing came."""

    server: str
    message: Message | None
    reason: str
    text: str
    data: tuple[str, ...] = ()
    compared: tuple[str, ...] = ()
    ttl: int | None = None
    serial: int | None = None
    keep: bytes | None = None


NOTHING_SAID = Opinion("", None, "", "")


class Heard(msgspec.Struct, frozen=True):
    """An answer, and the opinion about it."""

    answer: Answer
    opinion: Opinion

    def values(self) -> dict[str, Any]:
        """What an expectation sees of one of `servers`."""
        opinion, message = self.opinion, self.opinion.message
        shown = {
            "server": opinion.server,
            "ok": not opinion.reason,
            "reason": opinion.reason,
            "rcode": message.rcode_name if message is not None else "",
            "answers": list(opinion.data),
            "time_s": self.answer.duration_s,
        }
        return shown if opinion.serial is None else {**shown, "serial": opinion.serial}


class Drift(msgspec.Struct, frozen=True):
    """What came into the answer and what went from it."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        return bool(self.added or self.removed)


NO_DRIFT = Drift()


class Remembered(msgspec.Struct, frozen=True):
    """What is kept of a good check: what was asked, and the data that was answered, compared."""

    asked: tuple[str, int, int]
    data: tuple[str, ...]


def opinion(
    server: str,
    answer: Answer,
    question: Question,
    *,
    codes: frozenset[int],
    records: Sequence[str] | None,
) -> Opinion:
    """Judge one server's answer. `codes` are the response codes that are well, `records` what must
    be answered (None: anything, but something)."""
    message = answer.message
    if message is None:
        return Opinion(server, None, answer.reason or "", f"{server}: {answer.text}")
    data, alike, ttl = list[str](), set[str](), None
    for one in message.answer:
        if question.type in (one.type, ANY):
            data.append(one.data)
            alike.add(_compared(one))
            ttl = one.ttl if ttl is None or one.ttl < ttl else ttl
    compared = tuple(sorted(alike))
    reason, text = _judged(message, question, compared, codes, records)
    return Opinion(
        server,
        message,
        reason,
        f"{server} {text}",
        tuple(data),
        compared,
        ttl,
        _serial(message),
        _kept(compared, question),
    )


def _judged(
    message: Message,
    question: Question,
    compared: Sequence[str],
    codes: frozenset[int],
    records: Sequence[str] | None,
) -> tuple[str, str]:
    """The reason and a sentence."""
    if message.rcode not in codes:
        errors = message.edns.errors if message.edns is not None else ()
        more = "".join(f"; extended error {code} {said}".rstrip() for code, said in errors)
        return f"rcode_{message.rcode_name.lower()}", f"answered {message.rcode_name}{more}"
    if records is not None:
        drift = _between(_declared(records, question.type), compared)
        if drift.changed:
            return RECORDS_DIFFER, f"answered other records: {_told(drift)}"
    elif not compared and message.rcode == _NOERROR:
        return NO_RECORDS, f"has no {type_name(question.type)} record of {question.name}"
    return "", f"answered {rcode_name(message.rcode)}, records: {len(compared)}"


def _serial(message: Message) -> int | None:
    """Of the first SOA that answers, else of the one that says whose zone it is."""
    for records in (message.answer, message.authority):
        for record in records:
            if record.type == _SOA:
                parts = record.data.split(" ")
                return int(parts[2]) if len(parts) > 2 and parts[2].isdigit() else None
    return None


def _remembered(content: bytes | None, question: Question) -> Remembered | None:
    """What was kept of the same question; None when nothing was."""
    if content is None:
        return None
    try:
        kept_ = msgspec.msgpack.decode(content, type=Remembered)
    except msgspec.DecodeError:  # kept by another version
        return None
    return kept_ if kept_.asked == _asked(question) else None


def _kept(data: tuple[str, ...], question: Question) -> bytes | None:
    content = msgspec.msgpack.encode(Remembered(_asked(question), data))
    return content if len(content) <= MOST_REMEMBERED else None


def _asked(question: Question) -> tuple[str, int, int]:
    return question.name.lower().rstrip("."), question.type, question.class_


def drifted(
    one: Opinion, records: Sequence[str] | None, content: bytes | None, question: Question
) -> Drift:
    """How the answer differs from what was declared, else from what was kept of the last good one."""
    if one.message is None:
        return NO_DRIFT
    if records is not None:
        return _between(_declared(records, question.type), one.compared)
    before = _remembered(content, question)
    return _between(before.data, one.compared) if before is not None else NO_DRIFT


def _between(before: Iterable[str], now: Iterable[str]) -> Drift:
    old, new = set(before), set(now)
    if old == new:
        return NO_DRIFT
    return Drift(tuple(sorted(new - old)), tuple(sorted(old - new)))


def _declared(records: Sequence[str], type_: int) -> list[str]:
    return [compared_data(record, type_) for record in records]


def _compared(record: Record) -> str:
    if record.type in (_A, _AAAA):
        return record.data  # as read from the wire it is written in one way
    return compared_data(record.presentation, record.type)


def compared_data(data: str, type_: int) -> str:
    """A record's data in the form in which it is compared."""
    if type_ in (_A, _AAAA):
        try:
            return str(ip_address(data.strip()))
        except ValueError:
            return data
    if type_ in (_TXT, _SPF):
        return _unquoted(data)
    parts = data.split()
    if type_ in _OF_NAMES:
        return " ".join(part.lower().rstrip(".") or "." for part in parts)
    return " ".join(parts)


def _unquoted(data: str) -> str:
    """``"v=spf1 " "-all"`` and ``v=spf1 -all`` are the same."""
    if not _STRINGS.fullmatch(data):
        return data
    joined = "".join(_STRING.findall(data)).encode()
    return _ESCAPE.sub(_byte, joined).decode("utf-8", "backslashreplace")


def _byte(escape: re.Match[bytes]) -> bytes:
    text = escape.group(1)
    return bytes((int(text) & 0xFF,)) if len(text) == 3 else text


def _told(drift: Drift) -> str:
    parts = []
    for word, records in (("missing", drift.removed), ("unexpected", drift.added)):
        if records:
            more = f" and {len(records) - MOST_SHOWN} more" if len(records) > MOST_SHOWN else ""
            parts.append(f"{word} {', '.join(records[:MOST_SHOWN])}{more}")
    return "; ".join(parts)


def listed(records: Sequence[Record]) -> list[dict[str, Any]]:
    """What an expectation sees of a section."""
    return [
        {"name": one.name, "type": type_name(one.type), "ttl": one.ttl, "data": one.data}
        for one in records
    ]


def written(message: Message) -> str:
    """A whole answer for evidence, as zone files write it, in the form that `dig` made usual."""
    flags = " ".join(short for short, name in _FLAGS if getattr(message, name))
    lines = [f";; {message.rcode_name}, flags: {flags or 'none'}"]
    for title in ("answer", "authority", "additional"):
        records: Sequence[Record] = getattr(message, title)
        if records:
            lines += [f";; {title}", *(record.text for record in records[:100])]
        if len(records) > 100:
            lines.append(f";; and {len(records) - 100} more")
    return "\n".join(lines)


_FLAGS = (
    ("aa", "authoritative"),
    ("tc", "truncated"),
    ("ra", "recursion_available"),
    ("ad", "authenticated"),
    ("cd", "checking_disabled"),
)
