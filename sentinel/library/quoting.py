"""Expressions that YAML took apart because nobody quoted them: what the author meant.

``[status == 200, body.contains("a, b")]`` is three items to YAML, ``!has(x)`` a tag,
``"a" == b`` an error. The remedy is always the same, and it is shown with the author's own
text: put the whole expression in single quotes.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

EXPRESSION_KEYS = frozenset({"expect", "that", "when", "outputs", "capture", "key"})
"""The keys under which documents hold expressions."""

_OWNER = re.compile(r"(?:^|[\s{,\[-])(?:expect|that|when|outputs|capture|key)\s*:")
_ITEM = re.compile(r"^(\s*)- ?")
_KEY = re.compile(r"^(\s*)(?:- )?([A-Za-z_][\w-]*)\s*:")
_LOOKS = re.compile(r"[=!<>]=|[<>]|&&|\|\||[\w\])]\(|\w\.\w|\bin\b|^!")
_OPENING = {"(": ")", "[": "]", "{": "}"}
_LOOK_BACK_LINES = 40
_MOST_TORN = 20


@dataclass(frozen=True, slots=True)
class Suggestion:
    """The author's expression, and the column (from 0) at which it begins on its line."""

    source: str
    column: int

    @property
    def hint(self) -> str:
        return advice(self.source)


def advice(source: str) -> str:
    """The one sentence, with the expression as it should be written."""
    quoted = source.replace("'", "''")
    return f"put the whole expression in single quotes: - '{quoted}'"


def expression_on(text: str, line: int, near: int) -> Suggestion | None:
    """The expression on `line` at or before column `near` (both from 0), when the line stands
    under one of the keys that hold expressions; else None."""
    lines = text.splitlines()
    if not 0 <= line < len(lines):
        return None
    start = _start(lines, line)
    if start is None:
        return None
    row = lines[line]
    items = _items(row, start)
    at = max((item for item in items if item <= near), default=items[0])
    source = whole_expression(row[at:])
    if not _LOOKS.search(source) or _reads_well(source):
        return None
    return Suggestion(source, at)


def expression_at(text: str, line: int, column: int) -> Suggestion | None:
    """The expression that begins at this line and column (from 0)."""
    lines = text.splitlines()
    source = whole_expression(lines[line][column:]) if 0 <= line < len(lines) else ""
    return Suggestion(source, column) if source else None


def _start(lines: list[str], line: int) -> int | None:
    """Where on its line the value of an expression key begins."""
    row = lines[line]
    owners = list(_OWNER.finditer(row))
    if owners:
        return owners[-1].end()
    item = _ITEM.match(row)
    if item is None:
        return None
    for above in range(line - 1, max(line - _LOOK_BACK_LINES, -1), -1):
        key = _KEY.match(lines[above])
        if (
            key
            and len(key.group(1)) <= len(item.group(1))
            and not lines[above].lstrip().startswith("-")
        ):
            return item.end() if key.group(2) in EXPRESSION_KEYS else None
    return None


def _items(row: str, start: int) -> list[int]:
    """Where the items of a flow list on this row begin, or the one value's beginning."""
    at = start + len(row[start:]) - len(row[start:].lstrip())
    if row[at : at + 1] not in ("[", "{") or not _is_flow_list(row, at):
        return [at]
    starts, at = [], at + 1
    while at < len(row):  # bounded: every turn moves on
        at += len(row[at:]) - len(row[at:].lstrip())
        starts.append(at)
        at += len(whole_expression(row[at:])) or 1
        comma = row.find(",", at)
        if comma < 0:
            break
        at = comma + 1
    return starts


def _is_flow_list(row: str, at: int) -> bool:
    """Whether a bracket opens YAML's list and not CEL's: after `expect:` it does."""
    return row[:at].rstrip().endswith(":") and row[at] == "["


def _reads_well(source: str) -> bool:
    """Whether YAML reads this text as it stands: it is quoted as a whole."""
    return len(source) > 1 and source[0] == source[-1] == "'"


def whole_expression(text: str) -> str:
    """The text up to a comma or closing bracket of YAML's own, or a comment; CEL's brackets and
    quotes are followed."""
    closing: list[str] = []
    quote = ""
    for at, char in enumerate(text):
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char in _OPENING:
            closing.append(_OPENING[char])
        elif closing and char == closing[-1]:
            closing.pop()
        elif not closing and (char in ",]}" or text[at : at + 2] == " #"):
            return text[:at].rstrip()
    return text.rstrip()


def torn(values: Sequence[object], at: int) -> int:
    """How many items from `at` on are one expression that YAML tore at its commas; 1 when whole."""
    source = values[at]
    if not isinstance(source, str) or not is_unbalanced(source):
        return 1
    for end in range(at + 1, min(len(values), at + _MOST_TORN)):
        source = f"{source}, {values[end]}"
        if not is_unbalanced(source):
            return end - at + 1
    return 1


def is_unbalanced(source: str) -> bool:
    """Whether brackets or quotes do not close, the trace that YAML's commas leave."""
    closing: list[str] = []
    quote = escaped = ""
    for char in source:
        if quote:
            quote = "" if char == quote and not escaped else quote
            escaped = "\\" if char == "\\" and not escaped else ""
        elif char in "\"'":
            quote = char
        elif char in _OPENING:
            closing.append(_OPENING[char])
        elif char in ")]}" and (not closing or closing.pop() != char):
            return True
    return bool(quote or closing)
