"""Hashes that tie a stream's facts together: nobody can change one and not be seen.

For each fact ``h`` is the SHA-256 of the canonical JSON array ``[prev, stream, version,
type, v, occurred_at, recorded_at, data, text hash]``: instants as integer microseconds UTC,
`data` as the very text that is stored, the text hash ``SHA-256(salt + text)`` in
hexadecimal, and `prev` the hash of the fact before (64 zeros for the first). Anybody can
recompute it from an export with a dozen lines of any language.

Redaction deletes a fact's text and salt and keeps the text hash, so the chain still
verifies; without the salt the hash tells nothing, not even of a short or guessable text.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec

from sentinel.timeline import codec
from sentinel.timeline.facts import Fact, Recorded

FIRST_PREV = "0" * 64
"""What the first fact of a stream follows."""

SALT_BYTES = 16


@dataclass(frozen=True, slots=True)
class Sealed:
    """A fact as stored. Instants are microseconds UTC; `text` is canonical JSON; `text` and `salt`
    are None once redacted. Versions count from 1."""

    stream: str
    version: int
    type: str
    v: int
    occurred_at: int
    recorded_at: int
    data: str
    text: str | None
    salt: bytes | None
    text_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class Broken:
    """Where a stream's chain does not hold, and why."""

    stream: str
    version: int
    what: str

    def __str__(self) -> str:
        return f"{self.stream} version {self.version}: {self.what}"


def seal(
    fact: Fact, *, stream: str, version: int, prev: str, recorded_at: datetime, salt: bytes
) -> Sealed:
    """The fact as it will be stored after `prev`. `salt` is 16 random bytes."""
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt has {SALT_BYTES} bytes, not {len(salt)}")
    type_, v, data = codec.encode(fact.what)
    text = codec.canonical(dict(fact.text))
    bare = Sealed(
        stream=stream,
        version=version,
        type=type_,
        v=v,
        occurred_at=codec.micros(fact.occurred_at),
        recorded_at=codec.micros(recorded_at),
        data=data,
        text=text,
        salt=salt,
        text_hash=_text_hash(salt, text),
        hash="",
    )
    return replace(bare, hash=fact_hash(bare, prev))


def fact_hash(sealed: Sealed, prev: str) -> str:
    """The hash that this fact must have after `prev`."""
    head = [prev, sealed.stream, sealed.version, sealed.type, sealed.v]
    head += [sealed.occurred_at, sealed.recorded_at]
    opened = json.dumps(head, separators=(",", ":"), ensure_ascii=False)[:-1]
    array = f'{opened},{sealed.data},"{sealed.text_hash}"]'
    return hashlib.sha256(array.encode()).hexdigest()


def redacted(sealed: Sealed) -> Sealed:
    """The fact without its text and salt; its hash stays right."""
    return replace(sealed, text=None, salt=None)


def read(sealed: Sealed) -> Recorded:
    """The fact as rooms see it. Raises ``codec.FactUnreadable``; checks no hash."""
    return Recorded(
        stream=sealed.stream,
        version=sealed.version,
        what=codec.decode(sealed.type, sealed.v, sealed.data),
        occurred_at=codec.instant(sealed.occurred_at),
        recorded_at=codec.instant(sealed.recorded_at),
        text=None if sealed.text is None else msgspec.json.decode(sealed.text),
        hash=sealed.hash,
    )


def verify(records: Iterable[Sealed]) -> list[Broken]:
    """What is broken in one stream's facts, given from its first, in order; empty: all holds.

    Goes on after a broken fact with the hash that is stored, so that one change is one finding.
    """
    broken: list[Broken] = []
    prev, expected = FIRST_PREV, 1
    for record in records:
        faults = _faults(record, expected, prev)
        broken += [Broken(record.stream, record.version, what) for what in faults]
        prev, expected = record.hash, record.version + 1
    return broken


def _faults(record: Sealed, expected: int, prev: str) -> list[str]:
    faults = []
    if record.version != expected:
        faults.append(f"version {expected} was expected here")
    if not hmac.compare_digest(fact_hash(record, prev), record.hash):
        faults.append("its hash does not follow from its bytes and its predecessor")
    if (record.text is None) != (record.salt is None):
        faults.append("text and salt must be there together, or both be redacted")
    elif (
        record.text is not None
        and record.salt is not None
        and _text_hash(record.salt, record.text) != record.text_hash
    ):
        faults.append("its text is not the one that was sealed")
    return faults


def _text_hash(salt: bytes, text: str) -> str:
    return hashlib.sha256(salt + text.encode()).hexdigest()
