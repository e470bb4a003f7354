"""The quick check says yes only to what jsonschema says yes to."""

import copy
import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from sentinel.library.schema import KINDS, document_schema, file_schema, printed_schema
from sentinel.library.shape import meant, quick_check
from tests.library.samples import Samples

LOOKUP = Samples()
GOOD: dict[str, Any] = {
    "probes": {
        "page": {"at": "shop", "path": ["a"], "redirects": 3},
        "every": "30s",
        "expect": ["status == 200", {"that": "status == 200", "else": "warn"}],
        "confirm": {"down": "3 of 5", "up": 2},
    },
    "playbooks": {
        "when": "true",
        "order": 10,
        "steps": [
            {"id": "a", "call": {"url": "https://a", "wait": "5s"}, "outputs": {"x": "json.x"}},
            {"id": "b", "wait": {"for": "5m"}, "needs": ["a"]},
        ],
    },
    "rotations": {"layers": [{"id": "a", "people": ["ana"], "anchor": "2026-01-05 09:00"}]},
    "people": {
        "name": "Ana",
        "methods": {"mail": "mailto://a"},
        "rules": {"high": [{"via": "mail"}]},
    },
}
JUNK = st.sampled_from(
    [None, True, 0, -1, 1.5, 1.0, "", "x", "30s", "a b", [], ["x"], {}, {"x": 1}, [1], "é" * 5000]
)


@pytest.mark.parametrize("kind", KINDS)
def test_every_schema_is_draft_07_and_json(kind: str) -> None:
    schema = printed_schema(kind, LOOKUP)
    Draft7Validator.check_schema(schema)
    assert schema == json.loads(json.dumps(schema))


def test_the_schema_of_a_whole_file_is_draft_07() -> None:
    Draft7Validator.check_schema(file_schema(LOOKUP))


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_of_every_schema_is_described(kind: str) -> None:
    def undescribed(schema: Any, path: str) -> list[str]:
        found = []
        for key, each in schema.get("properties", {}).items():
            if each and not each.get("description"):
                found.append(f"{path}.{key}")
            found += undescribed(each, f"{path}.{key}")
        for inner in ("items", "additionalProperties"):
            if isinstance(schema.get(inner), dict):
                found += undescribed(schema[inner], f"{path}.{inner}")
        return found

    assert [] == undescribed(document_schema(kind, LOOKUP), kind)


@pytest.mark.parametrize("kind", GOOD)
def test_a_good_document_passes_both(kind: str) -> None:
    schema = document_schema(kind, LOOKUP)
    assert quick_check(schema)(GOOD[kind])
    assert Draft7Validator(schema).is_valid(GOOD[kind])


@given(st.sampled_from(sorted(GOOD)), st.integers(0, 1 << 30), JUNK)
@settings(max_examples=400)
def test_what_the_quick_check_admits_is_valid(kind: str, seed: int, junk: Any) -> None:
    schema = document_schema(kind, LOOKUP)
    mutated = _mutated(copy.deepcopy(GOOD[kind]), random.Random(seed), junk)
    if quick_check(schema)(mutated):
        assert Draft7Validator(schema).is_valid(mutated)


def _mutated(value: Any, chance: random.Random, junk: Any) -> Any:
    """The value with junk put somewhere, or a key or item added or taken."""
    if not isinstance(value, dict | list) or not value or chance.random() < 0.15:
        return junk
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = chance.choice(keys)
    what = chance.random()
    if what < 0.2:
        del value[key]
    elif what < 0.4 and isinstance(value, dict):
        value["unknown"] = junk
    elif what < 0.4:
        value.append(junk)
    else:
        value[key] = _mutated(value[key], chance, junk)
    return value


def test_a_close_word_is_offered_and_a_short_list_else() -> None:
    assert "did you mean `every`?" == meant("evry", ["every", "timeout"])
    assert "known are `every`, `timeout`" == meant("xxxx", ["timeout", "every"])
    assert "" == meant("xxxx", [f"probe-{n}" for n in range(100)])


def test_among_ten_thousand_words_a_close_one_is_found() -> None:
    assert "did you mean `probe-4711`?" == meant(
        "prbe-4711", [f"probe-{n}" for n in range(4700, 9999)]
    )
