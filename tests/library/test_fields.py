"""A kind's dataclass is its schema, and its checked keys become its value."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import pytest
from jsonschema import Draft7Validator

from sentinel import kinds
from sentinel.errors import ExtraMissing
from sentinel.expression import Declaration, Expression
from sentinel.kinds import FAMILIES, key
from sentinel.library.fields import Building, first_sentence, form
from sentinel.library.reading import InstalledKinds, Reading, Scope
from sentinel.playbook.playbook import Reference
from sentinel.words import Seconds, Secret
from tests.library.samples import Samples


class Colour(enum.Enum):
    red = 1
    green = 2


@dataclass(frozen=True, slots=True)
class Inner:
    """Something inside."""

    from_: str = key("Where from")
    depth: int = key("How deep", default=1)


@dataclass(frozen=True, slots=True)
class Everything:
    """Has a field of every type. More words."""

    NAMES: ClassVar[Declaration] = {"status": "int"}

    text: str = key("Text", examples=["a"])
    count: int = key("Count", default=3, minimum=1)
    ratio: float = key("Ratio", default=0.5)
    on: bool = key("Switch", default=False)
    wait: Seconds = key("Span", default=Seconds(1.0))
    token: Secret | None = key("Secret", default=None)
    that: Expression | None = key("Condition", default=None)
    colour: Colour = key("Colour", default=Colour.red)
    method: Literal["GET", "POST"] = key("Method", default="GET")
    inner: Inner | None = key("Inside", default=None)
    many: tuple[Inner, ...] = key("Several", default=())
    named: Mapping[str, int] = key("By name", default_factory=dict)
    either: str | tuple[str, ...] = key("One or many", default="")
    anything: Any = key("Anything", default=None)
    own: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        if self.text == "refused":
            raise ValueError("this text is refused")


def built(value: Mapping[str, Any], *, references: bool = False) -> tuple[Any, list[str]]:
    reading = Reading(Samples(), texts={"a.yaml": ""})
    scope = Scope({"status": "int", "labels": "map"})
    building = Building(scope, scope if references else None)
    part = form(Everything, reading.lookup, references=references)
    assert Draft7Validator(part.schema).is_valid(value)
    made = part.convert(value, reading.at("a.yaml"), building)
    return made, [each.message for each in reading.problems()]


def test_each_type_becomes_pythons() -> None:
    value = {
        "text": "a",
        "count": 2,
        "ratio": 1,
        "on": True,
        "wait": "5m",
        "token": "env:TOKEN",
        "that": "status == 200",
        "colour": "green",
        "method": "POST",
        "inner": {"from": "x"},
        "many": [{"from": "y", "depth": 2}],
        "named": {"a": 1},
        "either": ["p", "q"],
        "anything": {"deep": [1, None]},
    }
    made, problems = built(value)
    assert [] == problems
    assert made.that.source == "status == 200"
    assert (2, 1.0, float, True, 300.0) == (
        made.count,
        made.ratio,
        type(made.ratio),
        made.on,
        made.wait,
    )
    assert (Secret("env:TOKEN"), Colour.green, "POST") == (made.token, made.colour, made.method)
    assert (Inner("x"), (Inner("y", 2),), {"a": 1}) == (made.inner, made.many, made.named)
    assert (("p", "q"), {"deep": [1, None]}, b"") == (made.either, made.anything, made.own)


def test_defaults_are_the_kinds_own() -> None:
    made, problems = built({"text": "a"})
    assert [] == problems
    assert Everything(text="a") == made


def test_a_whole_scalar_may_be_a_reference_where_references_are_allowed() -> None:
    value = {"text": "${labels.vendor}", "count": "${status + 1}", "named": {"a": "${status}"}}
    made, problems = built(value, references=True)
    assert [] == problems
    assert isinstance(made.text, Reference)
    assert "labels.vendor" == made.text.expression.source
    assert "status + 1" == made.count.expression.source
    assert "status" == made.named["a"].expression.source


def test_a_reference_is_wrong_where_there_is_nothing_to_name() -> None:
    assert ["`${…}` names nothing here"] == built({"text": "${labels.vendor}"})[1]


def test_what_the_kind_itself_refuses_is_a_problem() -> None:
    assert (None, ["this text is refused"]) == built({"text": "refused"})


def test_the_schema_has_descriptions_examples_defaults_and_bounds() -> None:
    schema = form(Everything, Samples(), references=False).schema
    assert ["text"] == schema["required"]
    assert "own" not in schema["properties"]
    assert "from" in schema["properties"]["inner"]["properties"]
    assert {"type": "integer", "minimum": 1, "description": "Count", "default": 3} == schema[
        "properties"
    ]["count"]
    assert ["a"] == schema["properties"]["text"]["examples"]
    assert "Has a field of every type" == first_sentence(Everything)


def test_a_type_that_documents_cannot_hold_is_refused_at_once() -> None:
    @dataclass
    class Odd:
        """Odd."""

        when: complex = key("What")

    with pytest.raises(TypeError, match="cannot be of type"):
        form(Odd, Samples(), references=False)


INSTALLED = [
    (family, name) for family in FAMILIES if family != "notifiers" for name in kinds.names(family)
]


@pytest.mark.parametrize(("family", "name"), INSTALLED)
def test_every_installed_kind_has_a_sound_schema(family: kinds.Family, name: str) -> None:
    try:
        kind = kinds.find(family, name)
    except ExtraMissing:
        pytest.fail(f"{name} is registered and cannot be loaded")
    schema = form(kind, InstalledKinds(), references=family == "actions").schema
    Draft7Validator.check_schema(schema)
    assert [] == [key for key, each in schema["properties"].items() if not each.get("description")]
