"""A document as it stands in a file, shape checked, before it becomes a value.

Where its shape is wrong, the wrong parts are taken out (the key alone; where that is not enough,
the list item or the whole key around it), so that the readers can still say what else is wrong,
all at once.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sentinel.library.places import Path
from sentinel.library.reading import At
from sentinel.library.shape import Misshape, Shape
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


def note(misshapes: Sequence[Misshape], at: At) -> None:
    """Say every misshape of a document, at its place in it."""
    for each in misshapes:
        place = at
        for key in each.path:
            place = place / key
        if each.expression:
            place.unquoted(each.message)
        else:
            place.wrong(each.message, each.hint, at_key=each.at_key)


def checked(declared: Declared, shape: Shape) -> Declared:
    """The document with its misshapes said, and taken out of what is read on."""
    misshapes = shape.misshapes(declared.body)
    if not misshapes:
        return declared
    note(misshapes, declared.at)
    paths = [each.path for each in misshapes]
    smaller = without_keys(declared.body, paths)
    left = [each.path for each in shape.misshapes(smaller)]
    sound = without_items(smaller, left)
    return Declared(declared.kind, declared.id, declared.body, sound, declared.at, declared.place)


def canonical(body: Any) -> bytes:
    """The bytes that a digest is taken of: sorted keys, no spaces, UTF-8."""
    return json.dumps(
        body, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def digest_of(body: Any) -> str:
    """SHA-256 of the canonical body, 64 hexadecimal digits."""
    return hashlib.sha256(canonical(body)).hexdigest()


def without_keys(body: Body, paths: Iterable[Path]) -> Body:
    """A copy of the body without the innermost key on each path. What stands under ``expect`` is
    left alone: there an item can be wrong without its list being wrong."""
    copy: Body = _copied(body)
    for path in paths:
        keys = [index for index, part in enumerate(path) if isinstance(part, str)]
        if keys and path[0] != "expect":
            _remove(copy, path[: keys[-1] + 1])
    return copy


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(each) for key, each in value.items()}
    return [_copied(each) for each in value] if isinstance(value, list) else value


def _remove(value: Any, path: Path) -> None:
    for part in path[:-1]:
        inside = isinstance(value, dict) and part in value
        if not (inside or (isinstance(value, list) and isinstance(part, int))):
            return  # gone already, with something around it
        value = value[part]
    if isinstance(value, dict):
        value.pop(path[-1], None)


def without_items(body: Body, paths: Iterable[Path]) -> Body:
    """The body without the list item on each path, where a list holds mappings or expectations,
    else without the whole key. A path of no length is about the body itself (a missing key), and
    takes out nothing."""
    sound = dict(body)
    items: dict[str, set[int]] = {}
    for path in paths:
        if not path or path[0] not in body:
            continue
        key, index = str(path[0]), path[1] if len(path) > 1 else ""
        if isinstance(index, int) and (key == "expect" or isinstance(body[key][index], dict)):
            items.setdefault(key, set()).add(index)
        else:
            sound.pop(key, None)
    for key in items.keys() & sound.keys():
        sound[key] = [_Gone if i in items[key] else each for i, each in enumerate(sound[key])]
    return sound


class _Gone:
    """Stands in a list for an item whose shape was wrong, so that indices keep their places."""


def kept(values: Any) -> list[tuple[int, Any]]:
    """The items of a list whose shape is right, with their indices."""
    return [(index, each) for index, each in enumerate(values or ()) if each is not _Gone]
