"""Signed links in messages: short, bound to a delivery, a person and an action, and they expire.

A link is ``/a/`` and 43 characters: 16 bytes of what it is for and a 128-bit HMAC-SHA-256 of
them, in URL-safe base64. Opening it changes nothing; the page it shows has the button (rule
19). The key lives beside the store, readable by its owner only.
"""

import base64
import hmac
import os
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from sentinel.words import CROCKFORD

VALID_FOR = timedelta(days=3)
_SHAPE = struct.Struct(">BII7s")


@dataclass(frozen=True, slots=True)
class Link:
    """What a link is for. `action` is ``page`` or ``approval``; `expires_at` is aware UTC."""

    delivery: str
    person: str
    action: str
    expires_at: datetime


_ACTIONS = ("page", "approval")


def load_key(path: Path) -> bytes:
    """The signing key at `path`, 32 bytes, made there (mode 0600) when missing."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        key = os.urandom(32)
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(key)
        return key


def sign(key: bytes, link: Link) -> str:
    """The token of a link."""
    packed = _SHAPE.pack(
        _ACTIONS.index(link.action),
        int(link.expires_at.timestamp()),
        _person_number(link.person),
        _number(link.delivery).to_bytes(7, "big"),
    )
    return _token(packed + _mac(key, packed, link.person))


def read(key: bytes, token: str, people: Iterable[str]) -> Link | None:
    """What a token is for; None when it was not signed by us for one of these people. Whether it has
    expired is for the caller to see, so that the page can say so."""
    try:
        raw = base64.urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
        action, expires, number, delivery = _SHAPE.unpack(raw[: _SHAPE.size])
    except (ValueError, struct.error):
        return None
    if _token(raw) != token:
        return None  # base64 has more than one spelling of the same bytes; ours is the only link
    packed, mac = raw[: _SHAPE.size], raw[_SHAPE.size :]
    for person in people:
        if _person_number(person) == number and hmac.compare_digest(mac, _mac(key, packed, person)):
            named = _text(int.from_bytes(delivery, "big"))
            expires_at = datetime.fromtimestamp(expires, UTC)
            return Link(named, person, _ACTIONS[action], expires_at)
    return None


def _token(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _mac(key: bytes, packed: bytes, person: str) -> bytes:
    return hmac.digest(key, packed + person.encode(), "sha256")[:16]


def _person_number(person: str) -> int:
    return int.from_bytes(sha256(person.encode()).digest()[:4], "big")


def _number(delivery: str) -> int:
    """A delivery's ten characters as a number below 2**50."""
    number = 0
    for character in delivery:
        number = number * 32 + CROCKFORD.index(character)
    return number


def _text(number: int) -> str:
    return "".join(CROCKFORD[(number >> (5 * place)) & 31] for place in range(9, -1, -1))
