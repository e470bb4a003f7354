"""Fact values to the bytes that are stored and hashed, and back.

A fact's *type* is its class's name, its *v* the version of that class's shape. Its data is
canonical JSON: sorted keys, no spaces, UTF-8. Severities are integers, other closed sets
their text, and every key that ends in ``_at`` and holds an integer is an instant in
microseconds UTC (Unix epoch), an aware datetime in Python. That holds for declared fields
and, at any depth, inside ``because``; what came from outside as JSON (``outputs``) is
never read as instants, so that a vendor's ``expires_at: 1700000000`` stays the number it was.

What JSON cannot hold is written as what it can: NaN and infinities as null, lone
surrogates as U+FFFD, an instant at a key without ``_at`` as RFC 3339 text.

An old version is lifted one step at a time by a pure function from data to data. A
released fact's golden file (``tests/timeline/golden``) shows that its bytes can be read
for ever.
"""

import json
import math
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from sentinel.errors import ChainBroken
from sentinel.timeline.facts import AnyFact

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Data = dict[str, Any]
Lifter = Callable[[Data], Data]
"""Takes the data of version v and returns that of v + 1."""


class FactUnreadable(ChainBroken):
    """A stored fact has a type, version or shape that this Sentinel does not know."""


def micros(at: datetime) -> int:
    """An aware instant as microseconds since the Unix epoch. Raises TypeError for a naive one."""
    span = at - EPOCH
    return (span.days * 86_400 + span.seconds) * 1_000_000 + span.microseconds


def instant(count: int) -> datetime:
    """Microseconds since the Unix epoch as an aware datetime, UTC. Raises OverflowError past year 9999."""
    return EPOCH + timedelta(microseconds=count)


def as_text(value: object) -> object:
    """What `canonical` writes for a value that has no JSON form: an instant as RFC 3339 text."""
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in JSON")


def canonical(value: Any, otherwise: Callable[[object], object] = as_text) -> str:
    """The canonical JSON text of a value of JSON types: sorted keys, no spaces, not escaped.

    Floats are written as Python's shortest repr, non-finite ones as null. `otherwise` gives what
    stands for a value that JSON has not, or raises TypeError.
    """
    try:
        text = _dumps(value, otherwise)
        text.encode()
    except ValueError:  # not finite, or no UTF-8
        return _dumps(_scrubbed(value), otherwise)
    return text


@dataclass(frozen=True, slots=True)
class _Shape:
    """How one fact class is written: which fields are instants, and which hold them within."""

    kind: type
    version: int
    instants: tuple[str, ...]
    within: tuple[str, ...]
    sequences: tuple[str, ...]


class Codec:
    """Writes and reads the facts of `kinds`; `lifters` raise (type, v) to v + 1."""

    def __init__(
        self, kinds: Iterable[type], lifters: Mapping[tuple[str, int], Lifter] | None = None
    ) -> None:
        self._lifters = dict(lifters or {})
        versions: dict[str, int] = {}
        for name, version in self._lifters:
            versions[name] = max(versions.get(name, 1), version + 1)
        self._shapes = {
            kind.__name__: _shape(kind, versions.get(kind.__name__, 1)) for kind in kinds
        }

    @property
    def types(self) -> tuple[str, ...]:
        """The names of all types it knows, sorted."""
        return tuple(sorted(self._shapes))

    def encode(self, what: object) -> tuple[str, int, str]:
        """A fact's type, version and canonical data. Raises TypeError for what is no fact of ours."""
        name = type(what).__name__
        shape = self._shapes.get(name)
        if shape is None:
            raise TypeError(f"{name} is not a fact that this codec knows")
        data = msgspec.to_builtins(what, builtin_types=(datetime,), order="deterministic")
        for key in shape.instants:
            if data[key] is not None:
                data[key] = micros(data[key])
        for key in shape.within:
            data[key] = _instants_out(data[key])
        return name, shape.version, canonical(data)

    def decode(self, type_: str, version: int, data: str | bytes) -> AnyFact:
        """The fact that was stored. Raises FactUnreadable for an unknown type, a version from a
        later Sentinel, and data that does not fit."""
        shape = self._shapes.get(type_)
        if shape is None or not 1 <= version <= shape.version:
            raise FactUnreadable(f"no fact {type_} v{version} is known to this Sentinel")
        try:
            fields = msgspec.json.decode(data)
            for step in range(version, shape.version):
                fields = self._lifters[type_, step](fields)
            for key in shape.instants:
                count = fields.get(key)
                if count is not None:
                    fields[key] = instant(count)
            for key in shape.within:
                fields[key] = _instants_in(fields.get(key, {}))
            for key in shape.sequences:
                fields[key] = _tuples(fields.get(key, {}))
            fact: AnyFact = msgspec.convert(fields, shape.kind, builtin_types=(datetime,))
        except (msgspec.MsgspecError, ArithmeticError, TypeError, ValueError, KeyError) as wrong:
            raise FactUnreadable(f"{type_} v{version} cannot be read: {wrong}") from wrong
        return fact


def _shape(kind: type, version: int) -> _Shape:
    hints = typing.get_type_hints(kind)
    return _Shape(
        kind,
        version,
        tuple(key for key, hint in hints.items() if datetime in (hint, *typing.get_args(hint))),
        tuple(key for key in hints if key == "because"),
        tuple(key for key in hints if key == "matchers"),
    )


def _dumps(value: Any, otherwise: Callable[[object], object]) -> str:
    return json.dumps(
        value,
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
        allow_nan=False,
        default=otherwise,
    )


def _scrubbed(value: Any) -> Any:
    """The value without what JSON or UTF-8 cannot hold."""
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case float() if not math.isfinite(value):
            return None
        case Mapping():
            return {_scrubbed(key): _scrubbed(item) for key, item in value.items()}
        case list() | tuple():
            return [_scrubbed(item) for item in value]
    return value


def _instants_out(value: Any) -> Any:
    match value:
        case dict():
            return {
                key: micros(item)
                if isinstance(item, datetime) and str(key).endswith("_at")
                else _instants_out(item)
                for key, item in value.items()
            }
        case list():
            return [_instants_out(item) for item in value]
    return value


def _instants_in(value: Any) -> Any:
    match value:
        case dict():
            return {
                key: instant(item)
                if type(item) is int and key.endswith("_at")
                else _instants_in(item)
                for key, item in value.items()
            }
        case list():
            return [_instants_in(item) for item in value]
    return value


def _tuples(value: Mapping[str, Any]) -> Data:
    return {key: tuple(item) if isinstance(item, list) else item for key, item in value.items()}


_CODEC = Codec(typing.get_args(AnyFact))
encode = _CODEC.encode
decode = _CODEC.decode
TYPES = _CODEC.types
"""The types of every released fact, sorted."""
