"""A document as it stands in a file, shape checked, before it becomes a value.

Where its shape is wrong, the wrong parts (the whole list item, or the whole key) are taken
out, so that the readers can still say what else is wrong, all at once.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sentinel.library.places import Path
from sentinel.library.reading import At
from sentinel.words import Place

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Declared:
    """One document. `body` has its file's defaults in it; `sound` is what of it has the right
    shape, the same object when all has."""

    kind: str
    id: str
    body: Body
    sound: Body
    at: At
    place: Place

    @property
    def whole(self) -> bool:
        """Whether nothing had to be taken out."""
        return self.sound is self.body


def canonical(body: Any) -> bytes:
    """The bytes that a digest is taken of: sorted keys, no spaces, UTF-8."""
    return json.dumps(
        body, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def digest_of(body: Any) -> str:
    """SHA-256 of the canonical body, 64 hexadecimal digits."""
    return hashlib.sha256(canonical(body)).hexdigest()


def without(body: Body, paths: Iterable[Path]) -> Body:
    """The body without what holds these paths: the first list item on the way, else the key.
    A path of no length is about the body itself (a missing key), and takes out nothing."""
    sound = dict(body)
    items: dict[str, set[int]] = {}
    for path in paths:
        if len(path) > 1 and isinstance(path[1], int) and isinstance(body.get(str(path[0])), list):
            items.setdefault(str(path[0]), set()).add(path[1])
        elif path:
            sound.pop(str(path[0]), None)
    for key, indices in items.items():
        if key in sound:
            sound[key] = [_Gone if i in indices else each for i, each in enumerate(sound[key])]
    return sound


class _Gone:
    """Stands in a list for an item whose shape was wrong, so that indices keep their places."""


def kept(values: Any) -> list[tuple[int, Any]]:
    """The items of a list whose shape is right, with their indices."""
    return [(index, each) for index, each in enumerate(values or ()) if each is not _Gone]
