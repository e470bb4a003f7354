"""The page of promises names tests that exist, and has tests for every promise."""

import ast
import re
from functools import cache

import pytest

from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "explanation" / "promises.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", PAGE)))
RULES = [int(number) for number in re.findall(r"^### (\d+)\. ", PAGE, re.MULTILINE)]


@cache
def names_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text())
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, functions))


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_a_named_test_exists(path: str, name: str) -> None:
    assert name in names_in(path)


def test_every_promise_is_there_in_order_and_has_a_test() -> None:
    assert [*range(1, 32), 33, 34] == RULES
    for promise in re.split(r"^### ", PAGE, flags=re.MULTILINE)[1:]:
        assert "::test_" in promise, promise.splitlines()[0]
