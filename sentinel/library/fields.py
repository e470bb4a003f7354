"""A kind's dataclass is its schema: fields to JSON Schema, and a checked mapping to a value.

Every field is one YAML key of the same name (a trailing underscore, ``from_``, is Python's and
is dropped). Types: ``str int float bool Seconds Secret Expression Any``, enums, ``Literal``,
``Mapping[str, T]``, ``tuple[T, ...]``, ``T | None``, unions of a scalar with others, nested
frozen dataclasses declared the same way, and ``ProberSpec`` for a step that holds one prober.
Where references are allowed (all actions, and probers inside a journey), any scalar may be
``${…}`` instead and becomes a `Reference`.

A kind that has the keys ``at`` and ``url`` (or ``base``) may be given ``at: NAME`` instead of the
address itself; the reader puts the address of ``site.addresses`` in its place.
"""

import dataclasses
import enum
import sys
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from sentinel.expression import Expression
from sentinel.library import pieces, spans
from sentinel.library.reading import At, Scope
from sentinel.library.secrets import literal_secret
from sentinel.library.shape import Schema, meant
from sentinel.playbook.playbook import Reference
from sentinel.words import Seconds, Secret

ADDRESS_KEYS = ("url", "base")
WHOLE_REFERENCE = r"^\$\{[\s\S]+\}$"


@dataclass(frozen=True, slots=True)
class Building:
    """What converting a kind's keys needs: the scope of its expressions, and that of ``${…}``
    (None: there is nothing that it could name)."""

    scope: Scope
    references: Scope | None = None


Convert = Callable[[Any, At, Building], Any]


@dataclass(frozen=True, slots=True)
class Part:
    """One type: its schema, and how a value of that shape becomes Python's."""

    schema: Schema
    convert: Convert


@cache
def form(kind: type, *, references: bool) -> Part:
    """A kind's schema and builder. The builder gives None when something was wrong."""
    return _dataclass(kind, references=references)


def _dataclass(kind: type, *, references: bool) -> Part:
    hints = _hints(kind)
    parts: dict[str, tuple[str, Part]] = {}
    properties: dict[str, Any] = {}
    required: list[str] = []
    for declared in dataclasses.fields(kind):
        if not declared.init:
            continue
        key = declared.name.rstrip("_")
        part = _part(hints[declared.name], references=references)
        parts[key] = (declared.name, part)
        properties[key] = _described(part.schema, declared)
        if _is_required(declared):
            required.append(key)
    address = next((key for key in ADDRESS_KEYS if "at" in parts and key in parts), None)
    if address in required:
        required.remove(address)
    schema = pieces.entry(properties, _first_sentence(kind), *required)

    def convert(value: Any, at: At, building: Building) -> Any:
        values = {
            parts[key][0]: parts[key][1].convert(each, at / key, building)
            for key, each in value.items()
        }
        if address is not None:
            _resolve_address(values, at, address)
        try:
            return kind(**values)
        except (ValueError, TypeError) as error:
            at.wrong(str(error), at_key=True)
            return None

    return Part(schema, convert)


def _hints(kind: type) -> Mapping[str, Any]:
    """The types of the fields alone: class variables may name what is not importable here."""
    annotations = {declared.name: declared.type for declared in dataclasses.fields(kind)}
    fields = type("Fields", (), {"__annotations__": annotations})
    return typing.get_type_hints(fields, globalns=vars(sys.modules[kind.__module__]))


def _is_required(declared: "dataclasses.Field[Any]") -> bool:
    missing = dataclasses.MISSING
    return declared.default is missing and declared.default_factory is missing


def _described(schema: Schema, declared: "dataclasses.Field[Any]") -> Schema:
    meta = declared.metadata
    extra = dict(meta.get("schema", {}))
    if meta.get("description"):
        extra["description"] = meta["description"]
    if meta.get("examples"):
        extra["examples"] = list(meta["examples"])
    if isinstance(declared.default, (bool, int, float, str)) and declared.default != "":
        extra["default"] = declared.default
    return {**schema, **extra}


def _first_sentence(kind: type) -> str:
    doc = " ".join((kind.__doc__ or "").split())
    return doc.split(". ")[0].rstrip(".")


def _resolve_address(values: dict[str, Any], at: At, address: str) -> None:
    """``at: shop`` becomes the address that the site gives that name."""
    name = values.get("at")
    if not name:
        if not values.get(address):
            at.wrong(
                f"neither `{address}:` nor `at:` is given here", f"add `{address}:`", at_key=True
            )
            values[address] = ""
        return
    if values.get(address):
        (at / "at").wrong(f"`at:` and `{address}:` are both given", "keep one of them", at_key=True)
        return
    known = at.reading.addresses
    if name not in known:
        hint = meant(str(name), list(known)) or "declare it under `site: {addresses: …}`"
        (at / "at").wrong(f"`{name}` is not one of the site's addresses", hint)
        values[address] = ""
        return
    values[address] = known[name]


def _part(hint: Any, *, references: bool) -> Part:
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return _union(typing.get_args(hint), references=references)
    if origin is typing.Literal:
        return _words(typing.get_args(hint), references=references)
    if origin is not None and issubclass(origin, Mapping):
        return _mapping(typing.get_args(hint)[1], references=references)
    if origin is tuple:
        return _list(typing.get_args(hint)[0], references=references)
    if hint is Any or hint is object:
        return Part({}, _anything)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return _words(tuple(each.name for each in hint), references=references, members=hint)
    if dataclasses.is_dataclass(hint) and hint not in (Secret, Expression):
        return _dataclass(typing.cast(type, hint), references=references)
    return _scalar(hint, references=references)


def _scalar(hint: Any, *, references: bool) -> Part:
    if hint is Seconds:
        schema: Schema = pieces.span("A span of time")
        if references:
            schema = {**schema, "pattern": f"{spans.SPAN}|{WHOLE_REFERENCE}"}
        return Part(schema, _referable(lambda value, at: _spanned(value, at)))
    if hint is Secret:
        return Part(pieces.secret("Text that may hold a secret"), _referable(_secret))
    if hint is Expression:
        return Part(
            pieces.expression("An expression"),
            lambda value, at, building: at.expression(value, building.scope),
        )
    names = {str: "string", int: "integer", float: "number", bool: "boolean"}
    if hint not in names:
        raise TypeError(f"a kind's field cannot be of type {hint!r}")
    if hint is str:
        return Part({"type": "string"}, _referable(lambda value, at: value))
    plain = float if hint is float else hint
    convert = _referable(lambda value, at: plain(value))
    if references:
        return Part({"type": [names[hint], "string"], "pattern": WHOLE_REFERENCE}, convert)
    return Part({"type": names[hint]}, convert)


def _referable(literal: Callable[[Any, At], Any]) -> Convert:
    """A scalar that may be ``${…}``."""

    def convert(value: Any, at: At, building: Building) -> Any:
        if isinstance(value, str) and "${" in value:
            return _reference(value, at, building)
        return literal(value, at)

    return convert


def _reference(value: str, at: At, building: Building) -> Any:
    source = at.reference_source(value)
    if source is None:
        return value
    if building.references is None:
        at.wrong("`${…}` names nothing here", "write the value itself")
        return value
    compiled = at.expression(source, building.references, skipped=2)
    return value if compiled is None else Reference(compiled)


def _spanned(value: str, at: At) -> Any:
    try:
        return spans.seconds(value)
    except ValueError as error:
        at.wrong(str(error))
        return Seconds(0.0)


def _secret(value: str, at: At) -> Secret:
    literal = literal_secret(value)
    if literal:
        at.finding(literal, "write env:NAME or file:PATH in its place")
    return Secret(value)


def _words(
    words: tuple[Any, ...], *, references: bool, members: type[enum.Enum] | None = None
) -> Part:
    schema: dict[str, Any] = {"enum": list(words)}
    if references:
        schema = {"type": ["string"], "pattern": "^(" + "|".join(words) + r")$|" + WHOLE_REFERENCE}
        schema["errorMessage"] = "not one of " + ", ".join(map(str, words))
    return Part(schema, _referable(lambda value, at: members[value] if members else value))


def _mapping(hint: Any, *, references: bool) -> Part:
    inner = _part(hint, references=references)

    def convert(value: Any, at: At, building: Building) -> Any:
        return {key: inner.convert(each, at / key, building) for key, each in value.items()}

    return Part({"type": "object", "additionalProperties": inner.schema}, convert)


def _list(hint: Any, *, references: bool) -> Part:
    inner = _part(hint, references=references)

    def convert(value: Any, at: At, building: Building) -> Any:
        return tuple(inner.convert(each, at / index, building) for index, each in enumerate(value))

    return Part({"type": "array", "items": inner.schema}, convert)


def _anything(value: Any, at: At, building: Building) -> Any:
    """A value of any depth, its ``${…}`` compiled; depth is bounded by the reader."""
    if isinstance(value, dict):
        return {key: _anything(each, at / key, building) for key, each in value.items()}
    if isinstance(value, list):
        return [_anything(each, at / index, building) for index, each in enumerate(value)]
    if isinstance(value, str) and "${" in value:
        return _reference(value, at, building)
    return value


def _union(members: tuple[Any, ...], *, references: bool) -> Part:
    """``T | None`` is T. Of other unions, the first member that a value's own type fits."""
    wanted = [each for each in members if each not in (type(None), Reference)]
    parts = [_part(each, references=references) for each in wanted]
    if len(parts) == 1:
        return parts[0]
    names: list[str] = []
    schema: dict[str, Any] = {}
    for part in parts:
        declared = part.schema.get("type", [])
        names += [declared] if isinstance(declared, str) else declared
        schema |= {key: each for key, each in part.schema.items() if key != "type"}
    schema["type"] = sorted(set(names))
    if Secret not in wanted:
        schema.pop("description", None)

    def convert(value: Any, at: At, building: Building) -> Any:
        for part in parts:
            if _fits(part.schema, value):
                return part.convert(value, at, building)
        return value

    return Part(schema, convert)


_PYTHON = {"string": str, "object": dict, "array": list, "boolean": bool, "integer": int}


def _fits(schema: Schema, value: Any) -> bool:
    declared = schema.get("type", [])
    for name in [declared] if isinstance(declared, str) else declared:
        if name == "number" and type(value) in (int, float):
            return True
        if type(value) is _PYTHON.get(name):
            return True
    return not declared
