"""Rows out of a stream of bytes, at flat memory: XML, delimited text, JSON lines.

Readers are pushed: `take` gets a piece of any size and gives the rows that it completed, `end` the
last ones. Everything that a sender can make large is bounded: one field, one row, nesting. A stream
that cannot be read on raises `Unreadable`; a row that cannot be read is a `Row` with a problem, and
reading goes on.

XML is read by expat. A DOCTYPE with an internal subset is refused, so that no entity can grow or
fetch; nothing outside the stream is ever opened.
"""

import codecs
import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol
from xml.parsers import expat

import msgspec

MAX_FIELD = 64 * 1024
"""Characters of one field; more is cut and is a problem of the row."""
MAX_ROW = 1 << 20
"""Characters of one row that is not complete yet."""
MAX_FIELDS = 500
MAX_NAME = 60
MAX_SPELLED = 256
"""Characters of a name, however it is written; what comes behind them does not count."""
"""Characters of a field's name."""
MAX_DEPTH = 100

FORMATS = ("xml", "csv", "tsv", "jsonl")
_DELIMITERS = "\t,;|"
_UNREADABLE_TEXT = "\ufffd"


class Unreadable(Exception):
    """The stream cannot be read on. `reason` is stable: ``truncated malformed bad_encoding doctype
    too_deep too_large archive empty``."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Row:
    """One row: names in lower case without a namespace, words joined by ``_``, to their text.

    `problem` is ``""``, ``row_unreadable``, ``row_width``, ``field_too_long`` or ``bad_utf8``.
    """

    line: int
    fields: Mapping[str, str]
    problem: str = ""


class Reader(Protocol):
    """Turns bytes into rows."""

    columns: tuple[str, ...]
    """The names that a header or the rows so far showed, at most 500."""
    published: str
    """When the stream says that it was made, as it says it; ``""`` when it does not."""

    def take(self, piece: bytes) -> list[Row]: ...

    def end(self) -> list[Row]: ...


def name_of(text: str) -> str:
    """``g:Image Link`` and ``image_link`` are the same name; cut at 60 characters."""
    return _plain_name(text if len(text) <= MAX_SPELLED else text[:MAX_SPELLED])


@lru_cache(maxsize=4096)  # every row has the same names
def _plain_name(text: str) -> str:
    return "_".join(text.strip().lower().removeprefix("g:").replace("-", "_").split())[:MAX_NAME]


class XmlReader:
    """RSS 2.0 and Atom: the children of each item element are its fields."""

    def __init__(self, item: str) -> None:
        self.columns: tuple[str, ...] = ()
        self.published = ""
        self._items = frozenset({item} if item else {"item", "entry"})
        self._rows: list[Row] = []
        self._depth = 0
        self._fields: dict[str, str] | None = None
        self._item_depth = 0
        self._name = ""
        self._text: list[str] = []
        self._size = 0
        self._problem = ""
        self._line = 0
        self._offset = 0
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._finish
        self._parser.CharacterDataHandler = self._characters
        self._parser.StartDoctypeDeclHandler = self._doctype

    def take(self, piece: bytes) -> list[Row]:
        try:
            self._parser.Parse(piece, False)
        except expat.ExpatError as error:
            raise self._unreadable(error, piece) from error
        self._offset += len(piece)
        rows, self._rows = self._rows, []
        return rows

    def end(self) -> list[Row]:
        try:
            self._parser.Parse(b"", True)
        except expat.ExpatError as error:
            if error.code == _NO_ELEMENTS and not self._offset:
                raise Unreadable("empty", "there is nothing in it") from error
            text = f"it ends in the middle, at line {error.lineno}"
            raise Unreadable("truncated", text) from error
        return []

    def _unreadable(self, error: expat.ExpatError, piece: bytes) -> Unreadable:
        place = f"line {error.lineno}, column {error.offset + 1}"
        at = self._parser.ErrorByteIndex - self._offset
        if error.code == _INVALID_TOKEN and 0 <= at < len(piece) and piece[at] >= 0x80:
            return Unreadable("bad_encoding", f"bytes that are not in its encoding at {place}")
        return Unreadable("malformed", f"{expat.ErrorString(error.code)} at {place}")

    def _doctype(
        self, _name: str, _system: str | None, _public: str | None, has_internal_subset: bool
    ) -> None:
        if has_internal_subset:
            raise Unreadable("doctype", "it declares entities of its own, which are not read")

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Unreadable("too_deep", f"elements are nested deeper than {MAX_DEPTH}")
        depth = self._depth
        if self._fields is not None and depth > self._item_depth + 1:
            return
        local = name.rpartition(" ")[2]
        if self._fields is None and local in self._items:
            self._fields = {}
            self._item_depth = depth
            self._line = self._parser.CurrentLineNumber
            self._problem = ""
        self._name = local
        self._text.clear()
        self._size = 0
        if local == "link" and "href" in attributes:
            self._text.append(attributes["href"])

    def _characters(self, text: str) -> None:
        if not self._name:
            return
        self._size += len(text)
        if self._size <= MAX_FIELD:
            self._text.append(text)
        elif self._fields is not None:
            self._problem = "field_too_long"

    def _finish(self, _name: str) -> None:
        depth, self._depth = self._depth, self._depth - 1
        if self._fields is None:
            self._made()
        elif depth == self._item_depth:
            self._rows.append(Row(self._line, self._fields, self._problem))
            if not self.columns:
                self.columns = tuple(self._fields)
            self._fields = None
        elif depth == self._item_depth + 1:
            if len(self._fields) < MAX_FIELDS:
                self._fields.setdefault(name_of(self._name), "".join(self._text).strip())
        else:
            return  # deeper than a field: a group such as g:shipping, whose own name goes on
        self._name = ""

    def _made(self) -> None:
        if self._name in ("lastBuildDate", "pubDate", "updated") and not self.published:
            self.published = "".join(self._text).strip()[:100]


_INVALID_TOKEN = expat.errors.codes[expat.errors.XML_ERROR_INVALID_TOKEN]
_NO_ELEMENTS = expat.errors.codes[expat.errors.XML_ERROR_NO_ELEMENTS]


class _Lines:
    """Text by whole lines, decoded as it comes. What is no text becomes U+FFFD."""

    def __init__(self) -> None:
        self._decoder: Any = None
        self._rest: list[str] = []
        self._size = 0

    def take(self, piece: bytes) -> list[str]:
        if self._decoder is None:
            self._decoder = codecs.getincrementaldecoder(_encoding(piece))("replace")
        text: str = self._decoder.decode(piece)
        self._size += len(text)
        if "\n" in text:
            lines = "".join([*self._rest, text]).split("\n")
            self._rest = [lines.pop()]
            self._size = len(self._rest[0])
            return lines
        self._rest.append(text)
        if self._size > MAX_ROW:
            raise Unreadable("malformed", f"a line longer than {MAX_ROW} characters")
        return []

    def end(self) -> str:
        rest = "".join(self._rest)
        self._rest = []
        return rest + (self._decoder.decode(b"", True) if self._decoder is not None else "")


def _encoding(first: bytes) -> str:
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    return "utf-8-sig"


class DelimitedReader:
    """Rows of fields between delimiters, quoted as RFC 4180 says; the first one is the header."""

    def __init__(self, delimiter: str) -> None:
        self.columns: tuple[str, ...] = ()
        self.published = ""
        self._delimiter = delimiter
        self._lines = _Lines()
        self._waiting: list[str] = []
        self._line = 1

    def take(self, piece: bytes) -> list[Row]:
        self._waiting += [line + "\n" for line in self._lines.take(piece)]
        return list(self._read())

    def end(self) -> list[Row]:
        rest = self._lines.end()
        if rest:
            self._waiting.append(rest)
        rows = list(self._read())
        if self._waiting:
            raise Unreadable("truncated", f"a quote that opens in line {self._line} never closes")
        if rest and rows and rows[-1].problem == "row_width":
            raise Unreadable("truncated", f"its last row, line {rows[-1].line}, is cut")
        if not self.columns:
            raise Unreadable("empty", "there is no header in it")
        return rows

    def _read(self) -> Iterator[Row]:
        """Rows that are whole. A row whose quote is still open waits for more lines."""
        waiting, used = self._waiting, 0
        while used < len(waiting):
            source = _Counted(waiting, used)
            reader = csv.reader(
                source, delimiter=self._delimiter or _likely(waiting[0]), strict=True
            )
            try:
                for cells in reader:
                    line = self._line + used
                    used = source.used
                    yield from self._row(line, cells)
            except csv.Error as error:
                if "unexpected end" in str(error):
                    break
                yield Row(self._line + used, {}, _csv_problem(error))
                used = source.used
        self._line += used
        self._waiting = waiting[used:]
        if sum(map(len, self._waiting)) > MAX_ROW:
            raise Unreadable("malformed", f"a quote that opens in line {self._line} never closes")

    def _row(self, line: int, cells: list[str]) -> Iterator[Row]:
        if not self.columns:
            if cells:
                self._delimiter = self._delimiter or _likely(self._waiting[0])
                self.columns = tuple(name_of(cell) for cell in cells[:MAX_FIELDS])
            return
        if not cells:
            return
        fields = dict(zip(self.columns, cells, strict=False))
        problem = "" if len(cells) == len(self.columns) else "row_width"
        if not problem and any(_UNREADABLE_TEXT in cell for cell in cells):
            problem = "bad_utf8"
        yield Row(line, fields, problem)


class _Counted:
    """Lines from a position on, and how many of all were handed out."""

    def __init__(self, lines: list[str], used: int) -> None:
        self._lines = lines
        self.used = used

    def __iter__(self) -> "_Counted":
        return self

    def __next__(self) -> str:
        if self.used >= len(self._lines):
            raise StopIteration
        self.used += 1
        return self._lines[self.used - 1]


def _csv_problem(error: csv.Error) -> str:
    return "field_too_long" if "field limit" in str(error) else "row_unreadable"


def _likely(header: str) -> str:
    """The delimiter that a header shows most often; a comma when it shows none."""
    return max(_DELIMITERS, key=lambda mark: (header.count(mark), mark == ","))


class JsonReader:
    """One JSON object in each line."""

    def __init__(self) -> None:
        self.columns: tuple[str, ...] = ()
        self.published = ""
        self._lines = _Lines()
        self._line = 0

    def take(self, piece: bytes) -> list[Row]:
        return [row for line in self._lines.take(piece) for row in self._row(line)]

    def end(self) -> list[Row]:
        rows = list(self._row(self._lines.end()))
        if rows and rows[0].problem == "row_unreadable":
            raise Unreadable("truncated", f"its last line, {self._line}, is cut")
        if not self._line:
            raise Unreadable("empty", "there is nothing in it")
        return rows

    def _row(self, line: str) -> Iterator[Row]:
        if not line.strip():
            return
        self._line += 1
        try:
            found = msgspec.json.decode(line)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            yield Row(self._line, {}, "row_unreadable")
            return
        fields = {name_of(name): _flat(value) for name, value in found.items()}
        self.columns = self.columns or tuple(fields)[:MAX_FIELDS]
        yield Row(self._line, fields, "bad_utf8" if _UNREADABLE_TEXT in line else "")


def _flat(value: Any) -> str:
    """A JSON value as a field's text; ``{"value": 5, "currency": "EUR"}`` is ``5 EUR``."""
    match value:
        case str():
            return value[:MAX_FIELD]
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
        case {"value": amount, "currency": str() as currency}:
            return f"{amount} {currency}"
        case [first, *_]:
            return _flat(first)
        case _:
            return ""


_MARKUP = re.compile(rb"\s*<")
_OBJECT = re.compile(rb"\s*\{")


def reader_for(wanted: str, first: bytes, *, item: str = "", delimiter: str = "") -> Reader:
    """The reader for a format; ``auto`` looks at the first piece."""
    plain = first.removeprefix(codecs.BOM_UTF8)
    if wanted == "auto":
        wanted = "xml" if _MARKUP.match(plain) else "jsonl" if _OBJECT.match(plain) else "csv"
    match wanted:
        case "xml":
            return XmlReader(item)
        case "jsonl":
            return JsonReader()
        case "tsv":
            return DelimitedReader(delimiter or "\t")
        case _:
            return DelimitedReader(delimiter)
