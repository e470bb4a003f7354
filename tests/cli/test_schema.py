"""``sentinel schema``."""

import json

import pytest
from jsonschema import Draft7Validator

from sentinel.library.schema import KINDS
from tests.cli.running import run


@pytest.mark.parametrize("kind", [*KINDS, "file"])
def test_it_prints_a_draft_07_schema_with_descriptions(kind: str) -> None:
    done = run("schema", kind)
    assert 0 == done.exit_code, done.output
    schema = json.loads(done.stdout)
    Draft7Validator.check_schema(schema)
    assert "http://json-schema.org/draft-07/schema#" == schema["$schema"]
    assert schema["description"]


def test_the_schema_of_a_probe_has_the_keys_of_its_kinds() -> None:
    schema = json.loads(run("schema", "probes").stdout)
    assert "url" in schema["properties"]["http"]["properties"]
    assert "steps" in schema["properties"]["journey"]["properties"]


def test_an_unknown_kind_is_a_mistake_in_usage() -> None:
    done = run("schema", "probe")
    assert (2, "") == (done.exit_code, done.stdout)
