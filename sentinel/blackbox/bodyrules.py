"""What a module demands of an answer: header, body and JSON rules, in the original's order.

A rule is looked at only while the probe still succeeds: status before headers before body
before CEL.
"""

import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sentinel.blackbox.check import Notes
from sentinel.blackbox.matching import found, readable
from sentinel.blackbox.module import HttpModule
from sentinel.blackbox.reasons import Because
from sentinel.errors import ExpressionFailed
from sentinel.expression import Declaration, Expression, compile_expression

BODY: Declaration = {"body": "map"}
"""What a CEL rule may name: the body, a JSON object."""
_MOST_JSON = 4 << 20
_DEEPEST_JSON = 100


def header_rules(module: HttpModule, headers: Sequence[tuple[str, str]], notes: Notes) -> str:
    """The reason why the headers (names in lower case) will not do."""
    for rules, must in (
        (module.fail_if_header_matches, False),
        (module.fail_if_header_not_matches, True),
    ):
        for rule in rules:
            values = [value for name, value in headers if name == rule.header.lower()]
            if not values and not rule.allow_missing:
                notes.error("Missing required header", header=rule.header)
                return Because.header_missing
            fits = any(found(rule.regexp, readable(value.encode())) for value in values)
            if values and fits is not must:
                said = "Header did not match" if must else "Header matched"
                notes.error(
                    f"{said} regular expression",
                    header=rule.header,
                    regexp=rule.regexp,
                    value_count=len(values),
                )
                return Because.header_rule
    return ""


def body_rules(module: HttpModule, body: bytes, notes: Notes) -> str:
    """The reason why the body will not do."""
    content = readable(body)
    for expression in module.fail_if_body_matches_regexp:
        if found(expression, content):
            notes.error("Body matched regular expression", regexp=expression)
            return Because.body_rule
    for expression in module.fail_if_body_not_matches_regexp:
        if not found(expression, content):
            notes.error("Body did not match regular expression", regexp=expression)
            return Because.body_rule
    return ""


def cel_rules(module: HttpModule, body: bytes, notes: Notes) -> str:
    """The reason why the body's JSON will not do: it must be an object, and its numbers are doubles."""
    content = _object(body)
    if content is None:
        notes.error("Error unmarshalling HTTP body", err="it is not a JSON object")
        return Because.cel_rule
    for source, must in (
        (module.fail_if_body_json_matches_cel, False),
        (module.fail_if_body_json_not_matches_cel, True),
    ):
        if not source:
            continue
        try:
            answer = compiled(source).evaluate({"body": content})
        except ExpressionFailed as failed:
            notes.error("Error evaluating CEL expression", expression=source, err=failed)
            return Because.cel_rule
        if not isinstance(answer, bool):
            notes.error("CEL evaluation result is not a boolean", expression=source)
            return Because.cel_rule
        if answer is not must:
            said = "Body did not match" if must else "Body matched"
            notes.error(f"{said} CEL expression", expression=source)
            return Because.cel_rule
    return ""


@lru_cache(maxsize=256)
def compiled(source: str) -> Expression:
    """A rule, compiled once. Raises ExpressionRefused."""
    return compile_expression(source, BODY, outside=frozenset(BODY))


def _object(body: bytes) -> Mapping[str, Any] | None:
    """The JSON object of the body, numbers as doubles as Go reads them; None when it is none."""
    if len(body) > _MOST_JSON or _depth(body) > _DEEPEST_JSON:
        return None
    try:
        value = json.loads(body, parse_int=float)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*"|([\[{])|([\]}])', re.DOTALL)


def _depth(body: bytes) -> int:
    """How deep brackets nest outside texts: the reader recurses natively."""
    depth = deepest = 0
    for match in _BRACKETS.finditer(body):
        if match[1]:
            depth += 1
            deepest = max(deepest, depth)
        elif match[2]:
            depth -= 1
    return deepest
