"""One YAML file into plain values, strictly; every mistake becomes a `Problem` with a place.

What is read is the core of YAML 1.2: ``on``, ``no``, ``22:00``, ``2026-12-24`` and ``010``
are text, keys are always text, ``true``/``false``, ``null``, whole and decimal numbers are
what they look like (numbers beyond 18 digits and the infinities stay text, since canonical
JSON has no place for them). Refused: keys given twice, tags, a second document in a file,
more than 2 MiB, more than 64 levels, an alias inside itself, and aliases that unfold to more
than the file could hold. The parser's events are read one by one with a stack of our own,
so neither depth nor unfolding can exhaust memory or the C stack.

Nothing here raises for a bad file. Where a value stands is not kept: ``places.locate``
finds it again when a problem needs it, which costs nothing for good files.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite
from typing import Any

import yaml
from yaml.cyaml import CParser  # type: ignore[attr-defined]

from sentinel.library.places import Path
from sentinel.library.quoting import EXPRESSION_KEYS, expression_at, expression_on
from sentinel.words import Place

MAX_BYTES = 2 * 1024 * 1024
MAX_DEPTH = 64
MAX_NODES = 400_000
MAX_ALIASES = 1_000

_STR_TAGS = frozenset({"!", "tag:yaml.org,2002:str"})
_FIRST = frozenset("-+.0123456789nNtTfF~")
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})\Z")
_OTHER_INT = re.compile(r"0o[0-7]{1,20}\Z|0x[0-9a-fA-F]{1,15}\Z")
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)\.[0-9]*)(?:[eE][-+]?[0-9]+)?\Z"
    r"|[-+]?(?:0|[1-9][0-9]*)[eE][-+]?[0-9]+\Z"
)
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")


class Level(StrEnum):
    """An error keeps a workspace from being activated; a finding only asks to be looked at."""

    error = "error"
    finding = "finding"


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake: where, what is wrong, and what would be right (`hint`, may be empty)."""

    place: Place
    message: str
    hint: str = ""
    level: Level = Level.error

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" + (f", {self.hint}" if self.hint else "")


@dataclass(frozen=True, slots=True)
class Document:
    """A file that YAML could read. `values` are its top-level mapping as plain values, `places`
    where each document's id stands, ``("probes", "shop")``, and each step of a playbook."""

    path: str
    text: str
    values: dict[str, Any]
    places: Mapping[Path, Place]


def too_large(path: str, size_bytes: int) -> Problem:
    """The problem with a file that is refused before it is read."""
    return Problem(
        Place(path, 1, 1),
        f"this file is {size_bytes / 1024 / 1024:.1f} MiB large",
        "split it into files of at most 2 MiB",
    )


def read_value(path: str, content: bytes) -> tuple[Any, list[Problem]]:
    """A YAML or JSON file of any shape as plain values, as strictly as our own; with problems the
    value is not to be used."""
    if len(content) > MAX_BYTES:
        return None, [too_large(path, len(content))]
    text, problem = _decode(path, content)
    if problem:
        return None, [problem]
    builder = _Builder(path, text)
    try:
        return _built(builder), builder.problems
    except _Stop:
        return None, builder.problems


def _built(builder: "_Builder") -> Any:
    """The file's value. Raises _Stop when there is none, which has been noted."""
    try:
        return builder.build()
    except yaml.MarkedYAMLError as error:
        builder.problems.append(_broken(builder.path, builder.text, error))
        raise _Stop from error
    except yaml.YAMLError as error:  # pragma: no cover - the reader's own, without a mark
        place = Place(builder.path, 1, 1)
        builder.problems.append(Problem(place, f"YAML cannot read this file: {error}"))
        raise _Stop from error


def read(path: str, content: bytes) -> tuple[Document | None, list[Problem]]:
    """Read one file's bytes. The document is None when nothing of it can be used; with problems
    beside it, what stands in it is still worth checking, but must not be activated."""
    if len(content) > MAX_BYTES:
        return None, [too_large(path, len(content))]
    text, problem = _decode(path, content)
    if problem:
        return None, [problem]
    builder = _Builder(path, text)
    try:
        values = _built(builder)
    except _Stop:
        return None, builder.problems
    if values is None:
        values = {}
    if not isinstance(values, dict):
        builder.problems.append(
            Problem(
                Place(path, 1, 1),
                "a file is a mapping of kinds",
                "begin with a key such as `probes:`",
            )
        )
        return None, builder.problems
    return Document(path, text, values, builder.places), builder.problems


def _decode(path: str, content: bytes) -> tuple[str, Problem | None]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line = before.count(b"\n") + 1
        column = error.start - (before.rfind(b"\n") + 1) + 1
        place = Place(path, line, column)
        return "", Problem(place, "this is not UTF-8 text", "save the file as UTF-8")
    found = _CONTROL.search(text)
    if found is None:
        return text, None
    place = place_of(path, text, found.start())
    return "", Problem(
        place,
        f"there is a control character (U+{ord(found.group()):04X}) here, so this is no text file",
        "remove it",
    )


def place_of(path: str, text: str, index: int) -> Place:
    """The line and column of a character."""
    line_start = text.rfind("\n", 0, index) + 1
    return Place(path, text.count("\n", 0, index) + 1, index - line_start + 1)


def _broken(path: str, text: str, error: yaml.MarkedYAMLError) -> Problem:
    """A syntax error, which ends the reading of its file."""
    marks = [mark for mark in (error.problem_mark, error.context_mark) if mark is not None]
    for mark in marks:
        suggestion = expression_on(text, mark.line, mark.column)
        if suggestion:
            place = Place(path, mark.line + 1, suggestion.column + 1)
            return Problem(place, "YAML cannot read this expression", suggestion.hint)
    inside = [mark for mark in marks if mark.line < text.count("\n") + bool(text[-1:] != "\n")]
    line, column = (inside[0].line, inside[0].column) if inside else (0, 0)
    what = ", ".join(str(part) for part in (error.context, error.problem) if part)
    return Problem(
        Place(path, line + 1, column + 1),
        f"YAML cannot read this: {what}",
        "check brackets, quotes and indentation around it",
    )


class _Stop(Exception):
    """Reading this file further makes no sense; the problem has been noted."""


class _Frame:
    """A mapping or list that is being filled. `size` counts the nodes in it, unfolded."""

    __slots__ = ("anchor", "container", "key", "keyed", "mapping", "size")

    def __init__(self, container: Any, anchor: str | None) -> None:
        self.container = container
        self.mapping = isinstance(container, dict)
        self.anchor = anchor
        self.key: str | None = None
        self.keyed = False
        self.size = 1


class _Builder:
    """Builds the plain values of one file from the parser's events."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.problems: list[Problem] = []
        self.places: dict[Path, Place] = {}
        self.text = text
        self._frames: list[_Frame] = []
        self._anchors: dict[str, tuple[Any, int] | None] = {}
        self._aliases = 0
        self._words: dict[str, str] = {}
        self._result: Any = None
        self._documents = 0

    def build(self) -> Any:
        """The file's value; None when it is empty. Raises yaml.YAMLError, _Stop."""
        parser = CParser(self.text)
        takers = {
            yaml.ScalarEvent: self._scalar,
            yaml.MappingStartEvent: self._mapping,
            yaml.SequenceStartEvent: self._list,
            yaml.MappingEndEvent: self._end,
            yaml.SequenceEndEvent: self._end,
            yaml.AliasEvent: self._alias,
            yaml.DocumentStartEvent: self._document,
        }
        # Bounded: a file of 2 MiB has no more events than bytes.
        while (event := parser.get_event()) is not None:
            take = takers.get(type(event))
            if take is not None:
                take(event)
        return self._result

    def _problem(self, event: Any, message: str, hint: str = "") -> None:
        self.problems.append(Problem(self._place(event), message, hint))

    def _place(self, event: Any) -> Place:
        mark = event.start_mark
        return Place(self.path, mark.line + 1, mark.column + 1)

    def _document(self, event: Any) -> None:
        self._documents += 1
        if self._documents > 1:
            self._problem(event, "a second document begins here", "keep one document in a file")
            raise _Stop

    def _scalar(self, event: Any) -> None:
        value = event.value
        frame = self._frames[-1] if self._frames else None
        if frame is not None and frame.mapping and not frame.keyed:
            self._key(event, frame, value)
            return
        if event.implicit[0]:
            value = _plain(value)
        elif event.tag and event.tag not in _STR_TAGS:
            value = self._tag(event)
        if type(value) is str:
            value = self._words.setdefault(value, value)
        if event.anchor:
            self._anchors[event.anchor] = (value, 1)
        self._put(event, value, 1)

    def _key(self, event: Any, frame: _Frame, name: str) -> None:
        if event.tag and event.tag not in _STR_TAGS and not event.implicit[0]:
            self._tag(event)
        name = self._words.setdefault(name, name)
        if event.anchor:
            self._anchors[event.anchor] = (name, 1)
        if name in frame.container:
            self._problem(event, f"the key `{name}` stands here a second time", "keep one of them")
        elif name == "<<":
            self._problem(
                event, "merge keys are not part of YAML 1.2", "put shared keys under `defaults:`"
            )
        elif len(self._frames) == 2 and self._frames[0].mapping:
            self.places[self._frames[0].key or "", name] = self._place(event)
        frame.key = name if name != "<<" else None
        frame.keyed = True

    def _mapping(self, event: Any) -> None:
        self._open(event, {})

    def _list(self, event: Any) -> None:
        self._open(event, [])

    def _open(self, event: Any, container: Any) -> None:
        if event.tag and not event.implicit:
            self._tag(event)
        if len(self._frames) >= MAX_DEPTH:
            self._problem(
                event, f"this is nested more than {MAX_DEPTH} levels deep", "flatten the document"
            )
            raise _Stop
        parent = self._frames[-1] if self._frames else None
        if parent is not None and parent.mapping and not parent.keyed:
            self._problem(event, "a key must be a word, not a mapping or list", self._quote(event))
            raise _Stop
        if event.anchor:
            self._anchors[event.anchor] = None
        if parent is not None and len(self._frames) == 4 and not parent.mapping:
            self._step(event, parent)
        self._frames.append(_Frame(container, event.anchor))

    def _step(self, event: Any, parent: _Frame) -> None:
        kind, name, part = (frame.key or "" for frame in self._frames[:3])
        if kind == "playbooks":
            self.places[kind, name, part, len(parent.container)] = self._place(event)

    def _end(self, event: Any) -> None:
        frame = self._frames.pop()
        if frame.anchor:
            self._anchors[frame.anchor] = (frame.container, frame.size)
        self._put(event, frame.container, frame.size)

    def _alias(self, event: Any) -> None:
        self._aliases += 1
        if event.anchor not in self._anchors:
            self._problem(event, f"`*{event.anchor}` names no anchor before it", self._quote(event))
            raise _Stop
        known = self._anchors[event.anchor]
        if known is None:
            self._problem(event, f"`*{event.anchor}` stands inside itself", "write the values out")
            raise _Stop
        if self._aliases > MAX_ALIASES:
            self._bomb(event)
        frame = self._frames[-1]
        if frame.mapping and not frame.keyed:
            self._problem(event, "a key must be a word, not an alias", "write the key out")
            raise _Stop
        self._put(event, known[0], known[1])

    def _put(self, event: Any, value: Any, size: int) -> None:
        if not self._frames:
            self._result = value
            return
        frame = self._frames[-1]
        frame.size += size
        if frame.size > MAX_NODES:
            self._bomb(event)
        if frame.mapping:
            if frame.key is not None:
                frame.container.setdefault(frame.key, value)
            frame.keyed = False
        else:
            frame.container.append(value)

    def _bomb(self, event: Any) -> None:
        self._problem(
            event,
            f"the aliases of this file unfold to more than {MAX_NODES:,} values",
            "write the values out, or use `defaults:`",
        )
        raise _Stop

    def _tag(self, event: Any) -> str | None:
        """Refuse a tag; gives what may stand in its place while the rest is looked at."""
        hint = self._quote(event)
        if hint:
            self._problem(event, "YAML took the beginning of this expression for a tag", hint)
            return "true"
        self._problem(event, f"the tag `{event.tag}` is not understood", "remove it")
        return None

    def _quote(self, event: Any) -> str:
        """The advice to quote, when this stands where an expression belongs."""
        keys = [frame.key for frame in self._frames if frame.mapping][-2:]
        if not EXPRESSION_KEYS.intersection(key for key in keys if key):
            return ""
        suggestion = expression_at(self.text, event.start_mark.line, event.start_mark.column)
        return suggestion.hint if suggestion else ""


def _plain(value: str) -> Any:
    """What an unquoted scalar means."""
    if not value:
        return None
    if value[0] not in _FIRST:
        return value
    if value in _WORDS:
        return _WORDS[value]
    if _INT.match(value):
        return int(value)
    if _OTHER_INT.match(value):
        return int(value, 0)
    if _FLOAT.match(value):
        number = float(value)
        return number if isfinite(number) else value
    return value
