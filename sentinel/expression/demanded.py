"""What an expression cannot be true without: its conjuncts that compare a name with a text.

``labels.client == "acme" && severity >= error`` cannot be true of another client, and asking CEL
costs thirty times what comparing two texts does. That matters where two hundred playbooks are
asked about each of two hundred incidents. CEL's ``&&`` is false as soon as one side is, whatever
the other comes to (its specification, "Logical operators"), so nothing else need be looked at.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sentinel.expression.tokens import Token

Demand = tuple[tuple[str, ...], str]
"""A dotted name in parts, and the text that it must be equal to."""


def demands(tokens: Sequence[Token]) -> tuple[Demand, ...]:
    """The demands of an expression; none where it could be true without them."""
    return tuple(found for part in conjuncts(tokens) if (found := _demand(part)) is not None)


def unmet(wanted: Sequence[Demand], bindings: Mapping[str, Any]) -> bool:
    """Whether a name is there, is a text and is another one."""
    for path, text in wanted:
        value: Any = bindings
        for name in path:
            value = value.get(name) if isinstance(value, Mapping) else None
        if isinstance(value, str) and value != text:
            return True
    return False


def conjuncts(tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """The sides of the outermost ``&&``, one without any; nothing where the outermost operator is another."""
    depth, first = 0, 0
    parts: list[Sequence[Token]] = []
    for place, token in enumerate(tokens):
        if token.kind != "mark":
            continue
        depth += (token.text in "([{") - (token.text in ")]}")
        if depth == 0 and token.text in ("||", "?"):
            return
        if depth == 0 and token.text == "&&":
            parts.append(tokens[first:place])
            first = place + 1
    yield from (*parts, tokens[first:])


def _demand(part: Sequence[Token]) -> Demand | None:
    """Of ``name.name == "text"``, and of nothing else."""
    if len(part) < 3 or part[-2].text != "==" or part[-1].kind != "text":
        return None
    name, text = part[:-2], part[-1].text
    plain = text[0] in "\"'" and "\\" not in text and not text.startswith(text[0] * 2)
    dotted = len(name) % 2 == 1 and all(
        each.text == "." if place % 2 else each.kind == "name" for place, each in enumerate(name)
    )
    return (tuple(each.text for each in name[::2]), text[1:-1]) if plain and dotted else None
