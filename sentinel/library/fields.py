"""A kind's dataclass is its schema: fields to JSON Schema, and a checked mapping to a value.

Every field declared with `kinds.key` is one YAML key of the same name (a trailing underscore,
``from_``, is Python's and is dropped). Types: ``str int float bool Seconds Secret Expression Any``,
enums, ``Literal``, ``Mapping[str, T]``, ``tuple[T, ...]``, ``T | None``, unions of a scalar with others, nested
frozen dataclasses declared the same way, ``tuple[Expectation, ...]``, and ``ProberSpec`` for a
step that holds one prober, whose kind is the field's name. Where references are allowed (all
actions, and probers inside another), any scalar may be ``${…}`` instead and becomes a
`Reference`.

Wherever there is a ``url`` (or ``base``), ``at: NAME`` may stand instead of it; the address that
``site.addresses`` gives that name is put in its place, and where there is a ``vendor`` too, the
root of that vendor's status page.
"""

import dataclasses
import enum
import sys
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from sentinel.expression import Declaration, Expression
from sentinel.library import pieces, spans
from sentinel.library.expectations import EXPECTATIONS, read_expectations
from sentinel.library.reading import NOWHERE, OUTSIDE, At, Lookup, Scope, scope_of
from sentinel.library.secrets import is_reference, literal_secret
from sentinel.library.shape import Schema
from sentinel.library.unread import Reader, bare, tell_bare
from sentinel.monitor.probe import Expectation, ProberSpec
from sentinel.playbook.playbook import Reference
from sentinel.words import Seconds, Secret

ADDRESS_KEYS = ("url", "base")
WHOLE_REFERENCE = r"^\$\{[\s\S]+\}$"
_AT = pieces.identifier("Instead of the address itself: one of the site's addresses", "shop")


@dataclass(frozen=True, slots=True)
class Building:
    """What converting a kind's keys needs: the scope of its expressions, that of ``${…}`` (None:
    there is nothing that it could name), and what inner probers may name besides."""

    scope: Scope
    references: Scope | None = None
    step_names: Declaration = dataclasses.field(default_factory=dict)


Convert = Callable[[Any, At, Building], Any]


@dataclass(frozen=True, slots=True)
class Part:
    """One type: its schema, and how a value of that shape becomes Python's."""

    schema: Schema
    convert: Convert


@dataclass(frozen=True, slots=True)
class _Forming:
    """What making a form needs: where inner kinds are found, and whether ``${…}`` is allowed."""

    lookup: Lookup
    references: bool


@cache
def form(kind: Any, lookup: Lookup, *, references: bool) -> Part:
    """A kind's schema and builder. The builder gives None when something was wrong."""
    return _dataclass(kind, _Forming(lookup, references))


def _dataclass(kind: Any, forming: _Forming) -> Part:
    hints = _hints(kind)
    parts: dict[str, tuple[str, Part]] = {}
    properties: dict[str, Any] = {}
    required: list[str] = []
    for declared in dataclasses.fields(kind):
        if "description" not in declared.metadata:
            continue  # not declared with `kinds.key`: the kind's own affair
        key = declared.name.rstrip("_")
        part = _field(declared.name, hints[declared.name], forming)
        parts[key] = (declared.name, part)
        properties[key] = _described(part.schema, declared)
        if _is_required(declared):
            required.append(key)
    address = next((key for key in ADDRESS_KEYS if key in parts), "")
    needed = address in required
    if address:
        properties.setdefault("at", _AT)
        required = [key for key in required if key != address]
    reader = Reader(kind, hints)
    accepts = {each.name: each.metadata.get("accepts") for each in dataclasses.fields(kind)}
    inner = next((key for key, (name, _) in parts.items() if hints[name] is ProberSpec), None)
    schema = pieces.entry(properties, first_sentence(kind), *required)

    def convert(value: Any, at: At, building: Building) -> Any:
        if inner is not None and inner in value:
            building = _inside(building, forming.lookup, inner)
        values = {}
        for key, each in value.items():
            if key in parts:
                name, part = parts[key]
                reader.look(name, each, at / key)
                sound = _accepted(accepts.get(name), each, at / key)
                values[name] = part.convert(each, at / key, building) if sound else None
        if address:
            _resolve(values, value, at, address, needed=needed)
            if address not in value and isinstance(values.get(address), str):
                reader.look(address, values[address], at / "at")
        if None in values.values():
            return None
        try:
            return kind(**values)
        except (ValueError, TypeError) as error:
            at.wrong(str(error), at_key=True)
            return None

    return Part(schema, convert)


def _accepted(accepts: Callable[[str], object] | None, value: Any, at: At) -> bool:
    """Whether a field takes the text that stands there; said when not."""
    if accepts is None or not isinstance(value, str) or "${" in value:
        return True
    try:
        accepts(value)
    except ValueError as wrong:
        at.wrong(str(wrong))
        return False
    return True


def _field(name: str, hint: Any, forming: _Forming) -> Part:
    """A prober inside another kind is of the kind that its key names."""
    if hint is not ProberSpec:
        return _part(hint, forming)
    return form(forming.lookup.find("probers", name), forming.lookup, references=True)


def _inside(building: Building, lookup: Lookup, kind: str) -> Building:
    """Beside a prober, expressions see what it sees and what its steps share; ``${…}`` the latter."""
    prober: Any = lookup.find("probers", kind)
    names = {**prober.NAMES, **building.step_names}
    return replace(
        building,
        scope=scope_of(prober, names),
        references=Scope(building.step_names, OUTSIDE),
    )


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


def first_sentence(kind: Any) -> str:
    """What a kind does, from the first line of its docstring."""
    doc = " ".join((kind.__doc__ or "").split())
    return doc.split(". ")[0].rstrip(".")


def _resolve(
    values: dict[str, Any], written: Mapping[str, Any], at: At, address: str, *, needed: bool
) -> None:
    """Put the address in the place of ``at:`` or ``vendor:``."""
    name, vendor = written.get("at"), written.get("vendor")
    if name and written.get(address):
        (at / "at").wrong(f"`at:` and `{address}:` are both given", "keep one of them", at_key=True)
    elif name:
        values[address] = (at / "at").address(name)
    elif vendor and not written.get(address):
        _resolve_vendor(values, written, at, address)
    elif needed and address not in values:
        at.wrong(f"neither `{address}:` nor `at:` is given here", f"add `{address}:`", at_key=True)
        values[address] = NOWHERE


def _resolve_vendor(
    values: dict[str, Any], written: Mapping[str, Any], at: At, address: str
) -> None:
    """Put the vendor's status page in the place of its name, with the components that matter."""
    vendor, place = written["vendor"], at / "vendor"
    values[address] = NOWHERE
    if not place.named("vendors", vendor) or not at.reading.check_references:
        return
    root, components = at.reading.statuspages.get(vendor, ("", ()))
    if not root:
        place.wrong(
            f"the vendor `{vendor}` declares no status page", "give it `status: {statuspage: …}`"
        )
        return
    values[address] = root
    if components:
        values.setdefault("components", components)


def _part(hint: Any, forming: _Forming) -> Part:
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return _union(typing.get_args(hint), forming)
    if origin is typing.Literal:
        return _words(typing.get_args(hint), forming)
    if origin is not None and issubclass(origin, Mapping):
        return _mapping(typing.get_args(hint)[1], forming)
    if hint == tuple[Expectation, ...]:
        return Part(EXPECTATIONS, lambda v, at, building: read_expectations(v, at, building.scope))
    if origin is tuple:
        return _list(typing.get_args(hint)[0], forming)
    if hint is Any or hint is object:
        return Part({}, _anything)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return _words(tuple(each.name for each in hint), forming, members=hint)
    if dataclasses.is_dataclass(hint) and hint not in (Secret, Expression):
        return _dataclass(typing.cast(type, hint), forming)
    return _scalar(hint, forming)


def _scalar(hint: Any, forming: _Forming) -> Part:
    if hint is Seconds:
        schema: Schema = pieces.span("A span of time")
        if forming.references:
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
    if forming.references:
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
    if bare(value) and not is_reference(value):
        tell_bare(value, at)
    elif literal:
        at.finding(literal, "write env:NAME or file:PATH in its place")
    return Secret(value)


def _words(
    words: tuple[Any, ...], forming: _Forming, *, members: type[enum.Enum] | None = None
) -> Part:
    schema: dict[str, Any] = {"enum": list(words)}
    if forming.references:
        schema = {"type": ["string"], "pattern": "^(" + "|".join(words) + r")$|" + WHOLE_REFERENCE}
        schema["errorMessage"] = "not one of " + ", ".join(map(str, words))
    return Part(schema, _referable(lambda value, at: members[value] if members else value))


def _mapping(hint: Any, forming: _Forming) -> Part:
    inner = _part(hint, forming)

    def convert(value: Any, at: At, building: Building) -> Any:
        return {key: inner.convert(each, at / key, building) for key, each in value.items()}

    return Part({"type": "object", "additionalProperties": inner.schema}, convert)


def _list(hint: Any, forming: _Forming) -> Part:
    inner = _part(hint, forming)

    def convert(value: Any, at: At, building: Building) -> Any:
        made = [inner.convert(each, at / index, building) for index, each in enumerate(value)]
        wrong = hint is not Any and any(each is None for each in made)
        return None if wrong else tuple(made)

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


def _union(members: tuple[Any, ...], forming: _Forming) -> Part:
    """``T | None`` is T. Of other unions, the first member that a value's own type fits."""
    wanted = [each for each in members if each not in (type(None), Reference)]
    parts = [_part(each, forming) for each in wanted]
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
