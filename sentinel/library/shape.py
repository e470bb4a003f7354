"""Whether a document has the shape that its schema asks for, and in people's words where not.

``jsonschema`` decides. Because it takes some 150 µs a document and nearly all documents are
well formed, a quick check made from the same schema runs first; it says yes only to what
jsonschema would say yes to (a property test holds that), and leaves all else to it.

Schemas carry one keyword of our own beside ``errorMessage`` (which editors show too, read as
"VALUE is …"): ``x-expression`` marks a place that holds an expression, where a wrong shape
usually means that YAML took an unquoted one apart.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from itertools import islice
from typing import Any, cast

from jsonschema import Draft7Validator, ValidationError

from sentinel.library.places import Path

Schema = Mapping[str, Any]

_MOST_LISTED = 24
_MOST_COMPARED = 500
_SHOWN = 60
_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "nothing",
}
_CODE = re.compile(r'[=<>(")]')
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_./-]+\Z")


@dataclass(frozen=True, slots=True)
class Misshape:
    """One difference from the schema. `at_key`: the key itself is wrong, not its value;
    `expression`: an expression belongs here, and something else stands here."""

    path: Path
    message: str
    hint: str = ""
    at_key: bool = False
    expression: bool = False


class Shape:
    """A schema, ready to be held against many documents."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._quick = quick_check(schema)

    @cached_property
    def _validator(self) -> Draft7Validator:
        return Draft7Validator(self.schema)

    def misshapes(self, value: Any) -> Sequence[Misshape]:
        """Every difference; none for a well-formed value."""
        if self._quick(value):
            return ()
        errors = self._validator.iter_errors(value)
        return [each for error in errors for each in _described(error)]


def meant(word: str, known: Sequence[str]) -> str:
    """``did you mean `x`?``, else what is known, when that is few; else nothing."""
    close = get_close_matches(word, _near(word, known), n=1, cutoff=0.6)
    if close:
        return f"did you mean `{close[0]}`?"
    if 0 < len(known) <= _MOST_LISTED:
        return "known are " + ", ".join(f"`{each}`" for each in sorted(known))
    return ""


def _near(word: str, known: Sequence[str]) -> Sequence[str]:
    """Of very many words those that could be meant at all: comparing each takes some 10 µs."""
    if len(known) <= _MOST_COMPARED:
        return known
    near = (each for each in known if each[:1] == word[:1] and abs(len(each) - len(word)) <= 2)
    return list(islice(near, _MOST_COMPARED))


def shown(value: Any) -> str:
    """A value as it is quoted in a message."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"`{text if len(text) <= _SHOWN else text[: _SHOWN - 1] + '…'}`"


def _described(error: ValidationError) -> Iterator[Misshape]:
    path = tuple(error.absolute_path)
    schema: Schema = error.schema if isinstance(error.schema, Mapping) else {}
    value: Any = error.instance
    if schema.get("x-expression") and error.validator in (
        "type",
        "additionalProperties",
        "required",
    ):
        yield _taken_apart(path, value)
        return
    match error.validator:
        case "additionalProperties":
            yield from _unknown_keys(path, value, schema)
        case "required":
            yield _missing(path, value, error, schema)
        case "type":
            yield _wrong_type(path, value, schema)
        case "enum" | "const":
            yield _not_one_of(path, value, error, schema)
        case _:
            yield _out_of_bounds(path, value, error, schema)


def _taken_apart(path: Path, value: Any) -> Misshape:
    if isinstance(value, str):
        return Misshape(path, f"{shown(value)} is not an expression", expression=True)
    return Misshape(path, f"an expression belongs here, not {shown(value)}", expression=True)


def _unknown_keys(path: Path, value: Mapping[str, Any], schema: Schema) -> Iterator[Misshape]:
    known = list(schema.get("properties", {}))
    for key in value:
        if key not in known:
            yield Misshape((*path, key), f"unknown key `{key}`", meant(key, known), at_key=True)


def _missing(path: Path, value: Any, error: ValidationError, schema: Schema) -> Misshape:
    # jsonschema reports each missing key on its own and names it only in its sentence.
    name = str(error.message).split("'")[1]
    examples = schema.get("properties", {}).get(name, {}).get("examples")
    hint = f"write it like {name}: {_written(examples[0])}" if examples else f"add `{name}:`"
    return Misshape(path, f"`{name}` is missing here", hint, at_key=True)


def _written(example: Any) -> str:
    """An example as YAML would hold it on one line."""
    match example:
        case bool():
            return str(example).lower()
        case int() | float():
            return str(example)
        case dict():
            return (
                "{" + ", ".join(f"{key}: {_written(each)}" for key, each in example.items()) + "}"
            )
        case list():
            return "[" + ", ".join(_written(each) for each in example) + "]"
        case _:
            text = str(example)
            if _PLAIN_NAME.match(text):
                return text
            return f"'{text}'" if _CODE.search(text) else f'"{text}"'


def _wrong_type(path: Path, value: Any, schema: Schema) -> Misshape:
    if "errorMessage" in schema:
        return Misshape(path, f"{shown(value)} is {schema['errorMessage']}")
    declared = schema.get("type", ())
    types = [declared] if isinstance(declared, str) else list(declared)
    wanted = " or ".join(_TYPES[each] for each in types)
    number = isinstance(value, (int, float))
    if number and "string" in types:
        return Misshape(path, f"{shown(value)} must be text", f'put it in quotes: "{value}"')
    if isinstance(value, str) and _WHOLE.fullmatch(value) and {"integer", "number"} & set(types):
        return Misshape(path, f"{shown(value)} is text", f"write the number {int(value)}")
    examples = schema.get("examples")
    hint = f"write it like {_written(examples[0])}" if examples else ""
    return Misshape(path, f"{wanted} belongs here, not {shown(value)}", hint)


def _not_one_of(path: Path, value: Any, error: ValidationError, schema: Schema) -> Misshape:
    allowed = (
        [error.validator_value]
        if error.validator == "const"
        else [*cast(Any, error.validator_value)]
    )
    known = [str(each).lower() if isinstance(each, bool) else str(each) for each in allowed]
    return Misshape(path, f"{shown(value)} is not allowed here", meant(str(value), known))


def _out_of_bounds(path: Path, value: Any, error: ValidationError, schema: Schema) -> Misshape:
    limit = error.validator_value
    match error.validator:
        case "pattern" if "errorMessage" in schema:
            return Misshape(
                path, f"{shown(value)} is {schema['errorMessage']}", at_key=_names(error)
            )
        case "pattern":
            return Misshape(path, f"{shown(value)} does not fit the pattern {limit}")
        case "minimum":
            return Misshape(path, f"{shown(value)} is too little", f"at least {limit}")
        case "exclusiveMinimum":
            return Misshape(path, f"{shown(value)} is too little", f"more than {limit}")
        case "maximum" | "exclusiveMaximum":
            return Misshape(path, f"{shown(value)} is too much", f"at most {limit}")
        case "minItems" | "minProperties" | "minLength":
            return Misshape(path, "this must not be empty" if limit == 1 else f"at least {limit}")
        case "maxItems" | "maxProperties" | "maxLength":
            return Misshape(path, "this is too long", f"at most {limit}")
        case "uniqueItems":
            return Misshape(path, "something stands in this list twice", "keep one of them")
        case _:
            return Misshape(path, str(error.message))


def _names(error: ValidationError) -> bool:
    """Whether the error is about a key's name."""
    return "propertyNames" in error.absolute_schema_path


Check = Callable[[Any], bool]
_KNOWN_KEYWORDS = frozenset(
    {"type", "properties", "additionalProperties", "required", "items", "enum", "pattern"}
    | {"minimum", "maximum", "exclusiveMinimum", "minItems", "maxItems", "minLength", "maxLength"}
    | {"minProperties", "maxProperties", "propertyNames", "const"}
)
_REMARKS = frozenset(
    {"description", "examples", "default", "title", "$schema", "$id"}
    | {"errorMessage", "x-expression", "defaultSnippets"}
)
_PYTHON_TYPES = {
    "string": str,
    "integer": int,
    "boolean": bool,
    "array": list,
    "object": dict,
    "null": type(None),
}


def quick_check(schema: Schema) -> Check:
    """A predicate that is true only of values the schema admits; false may mean "not sure"."""
    if not _KNOWN_KEYWORDS.issuperset(schema.keys() - _REMARKS):
        return lambda value: False
    checks = {
        str: _text_check(schema),
        dict: _mapping_check(schema),
        list: _list_check(schema),
        int: _number_check(schema),
        float: _number_check(schema),
    }
    types = _admitted(schema)
    allowed = schema.get("enum", [schema["const"]] if "const" in schema else None)

    def check(value: Any) -> bool:
        kind = type(value)
        if kind not in types or (allowed is not None and value not in allowed):
            return False
        special = checks.get(kind)
        return special is None or special(value)

    return check


def _admitted(schema: Schema) -> frozenset[type]:
    declared = schema.get("type")
    if declared is None:
        return frozenset({*_PYTHON_TYPES.values(), float})
    names = [declared] if isinstance(declared, str) else declared
    types: set[type] = {_PYTHON_TYPES[name] for name in names if name != "number"}
    if "number" in names:
        types |= {int, float}
    return frozenset(types)


def _text_check(schema: Schema) -> Check | None:
    shortest, longest = schema.get("minLength", 0), schema.get("maxLength", 1 << 62)
    pattern = re.compile(schema["pattern"]).search if "pattern" in schema else None
    if pattern is None and "minLength" not in schema and "maxLength" not in schema:
        return None
    return lambda value: (
        shortest <= len(value) <= longest and (pattern is None or pattern(value) is not None)
    )


def _number_check(schema: Schema) -> Check | None:
    least, most = schema.get("minimum"), schema.get("maximum")
    above = schema.get("exclusiveMinimum")
    if least is None and most is None and above is None:
        return None
    return lambda value: (
        (least is None or value >= least)
        and (most is None or value <= most)
        and (above is None or value > above)
    )


def _list_check(schema: Schema) -> Check | None:
    item = quick_check(schema["items"]) if "items" in schema else None
    fewest, most = schema.get("minItems", 0), schema.get("maxItems", 1 << 62)
    return lambda value: fewest <= len(value) <= most and (item is None or all(map(item, value)))


def _mapping_check(schema: Schema) -> Check | None:
    known = {name: quick_check(each) for name, each in schema.get("properties", {}).items()}
    required = frozenset(schema.get("required", ()))
    others = schema.get("additionalProperties", True)
    other = quick_check(others) if isinstance(others, Mapping) else None
    names = quick_check(schema["propertyNames"]) if "propertyNames" in schema else None
    fewest, most = schema.get("minProperties", 0), schema.get("maxProperties", 1 << 62)

    def check(value: Any) -> bool:
        if not (fewest <= len(value) <= most) or not required <= value.keys():
            return False
        for key, each in value.items():
            known_check = known.get(key)
            if known_check is not None:
                admitted = known_check(each)
            elif other is not None:
                admitted = other(each)
            else:
                admitted = bool(others)
            if not admitted or (names is not None and not names(key)):
                return False
        return True

    return check
