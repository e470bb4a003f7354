"""Where the values of a file stand, found again when a problem needs to say it.

A path is the keys and list indices from the file's top, ``("probes", "shop", "expect", 0)``.
The file is read a second time for all its problems together; a path that leads through an
alias, or to a value that is not there, is answered with its nearest ancestor.
"""

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import yaml
from yaml.cyaml import CParser  # type: ignore[attr-defined]

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Spot:
    """A value's beginning and its key's, line and column from 0, and how the value is written:
    `style` is ``'``, ``"``, ``|``, ``>``, empty when plain, None for a mapping or list."""

    line: int
    column: int
    key_line: int
    key_column: int
    style: str | None = None


class _Level:
    """An open mapping or list on the way down."""

    __slots__ = ("index", "key", "key_mark", "mapping", "path")

    def __init__(self, path: Path, *, mapping: bool) -> None:
        self.path = path
        self.mapping = mapping
        self.index = -1
        self.key: str | None = None
        self.key_mark: Any = None

    def step(self) -> str | int:
        """What the value that comes now is called here."""
        if self.mapping:
            return self.key if self.key is not None else ""
        self.index += 1
        return self.index


def locate(text: str, wanted: Collection[Path]) -> Mapping[Path, Spot]:
    """The spot of every wanted path. Of a text that breaks off, what stood before the break."""
    asked = {path[:length] for path in wanted for length in range(len(path) + 1)}
    found: dict[Path, Spot] = {}
    # Where a text breaks off is a problem of its own, noted when the file was read.
    with suppress(yaml.YAMLError):
        _search(text, asked, found)
    top = Spot(0, 0, 0, 0)
    return {path: _nearest(path, found) or top for path in wanted}


def _search(text: str, asked: Collection[Path], found: dict[Path, Spot]) -> None:
    parser = CParser(text)
    levels: list[_Level] = []
    # Bounded: a file has no more events than bytes.
    while (event := parser.get_event()) is not None:
        if isinstance(event, yaml.CollectionEndEvent):
            levels.pop()
        elif isinstance(event, yaml.NodeEvent):
            _enter(event, levels, asked, found)


def _enter(
    event: Any, levels: list[_Level], asked: Collection[Path], found: dict[Path, Spot]
) -> None:
    level = levels[-1] if levels else None
    if level is not None and level.mapping and level.key is None:
        level.key = getattr(event, "value", "")
        level.key_mark = event.start_mark
        return
    path: Path = (*level.path, level.step()) if level is not None else ()
    if path in asked and path not in found:
        mark = event.start_mark
        key = level.key_mark if level is not None and level.mapping else mark
        style = (event.style or "") if isinstance(event, yaml.ScalarEvent) else None
        found[path] = Spot(mark.line, mark.column, key.line, key.column, style)
    if level is not None:
        level.key = None
    if isinstance(event, yaml.CollectionStartEvent):
        levels.append(_Level(path, mapping=isinstance(event, yaml.MappingStartEvent)))


def _nearest(path: Path, found: Mapping[Path, Spot]) -> Spot | None:
    for length in range(len(path), -1, -1):
        spot = found.get(path[:length])
        if spot is not None:
            return spot
    return None


def within(text: str, spot: Spot, offset: int) -> tuple[int, int]:
    """Line and column (from 0) of a character of a scalar's value, `offset` counted from 0.

    Exact for scalars on one line, quoted or not; for the others the scalar's beginning.
    """
    if spot.style is None or spot.style in ("|", ">"):
        return spot.line, spot.column
    row = text.splitlines()[spot.line]
    at = spot.column + (1 if spot.style else 0)
    for _ in range(offset):
        if at >= len(row):
            return spot.line, spot.column
        doubled = spot.style == "'" and row[at : at + 2] == "''"
        escaped = spot.style == '"' and row[at] == "\\"
        at += 2 if doubled or escaped else 1
    return spot.line, at
