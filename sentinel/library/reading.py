"""One reading of a workspace: what is declared, what was found wrong, and where.

Readers are handed a value together with an `At`, its place, and say what is wrong there with
``at.wrong`` or ``at.finding``; nothing raises, and everything wrong is said at once. Lines and
columns are worked out at the end, only for files that have problems.
"""

import re
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

from sentinel import kinds
from sentinel.errors import ExpressionRefused
from sentinel.expression import Declaration, Expression, compile_expression
from sentinel.kinds import Family
from sentinel.library import spans
from sentinel.library.document import Level, Problem
from sentinel.library.places import Path, Spot, locate, within
from sentinel.library.quoting import advice, expression_at, is_unbalanced
from sentinel.library.shape import meant, shown
from sentinel.localtime import zone
from sentinel.words import Place

T = TypeVar("T")

REFERENCE = r"^(person|team|rotation|escalation|calendar|template)/[a-z0-9-]+(\+[0-9]{1,2})?$"
_REFERENCE_KINDS = {
    "person": "people",
    "team": "teams",
    "rotation": "rotations",
    "escalation": "escalations",
    "calendar": "calendars",
    "template": "templates",
}
OUTSIDE = frozenset({"body", "json", "html", "headers", "capture", "outputs"})
"""Roots that somebody else sent: what is missing below them is theirs, not ours."""

NOWHERE = "http://nowhere.invalid"
"""Stands for an address that is wrong, which has been said (RFC 2606)."""

_WHOLE = re.compile(r"\$\{(.*)\}\Z", re.DOTALL)


class Lookup(Hashable, Protocol):
    """How kinds are found; `sentinel.kinds` in earnest."""

    def names(self, family: Family) -> Sequence[str]: ...

    def find(self, family: Family, name: str) -> Callable[..., Any]: ...


@dataclass(frozen=True, slots=True)
class InstalledKinds:
    """The kinds that are registered as entry points."""

    def names(self, family: Family) -> Sequence[str]:
        return kinds.names(family)

    def find(self, family: Family, name: str) -> Callable[..., Any]:
        return kinds.find(family, name)


@dataclass(frozen=True, eq=False)
class Scope:
    """What an expression may name. `outside` are the roots that a target sent, `functions` what a
    kind brings (its ``FUNCTIONS``), `literals` what refuses a text that these are given as it is
    written (its ``LITERALS``, by function)."""

    names: Declaration
    outside: frozenset[str] = frozenset()
    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    literals: Mapping[str, Callable[[str], object]] = field(default_factory=dict)
    check: "Callable[[Expression, At], None] | None" = None
    """Says at the place what a compiled expression should not name."""


def scope_of(kind: Any, names: Declaration) -> Scope:
    """What may be named beside a kind that declares these names."""
    functions, literals = getattr(kind, "FUNCTIONS", {}), getattr(kind, "LITERALS", {})
    return Scope(names, OUTSIDE, functions, literals)


@dataclass(frozen=True, slots=True)
class _Remark:
    """A problem whose line is not yet known. `offset` counts characters within the scalar."""

    file: str
    path: Path
    message: str
    hint: str
    level: Level
    at_key: bool
    offset: int | None
    quote: bool


@dataclass(slots=True)
class Reading:
    """What one reading of a workspace knows. `declared` is kind to id to the id's place."""

    lookup: Lookup = field(default_factory=InstalledKinds)
    addresses: Mapping[str, str] = field(default_factory=dict)
    declared: dict[str, dict[str, Place]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    places: dict[str, Mapping[Path, Place]] = field(default_factory=dict)
    services: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The services of each client."""
    statuspages: Mapping[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    """The root of each vendor's status page, and the components of it that matter."""
    check_references: bool = True
    """False when what is named may be declared where we cannot look: a stored body is read again, a
    file stands alone, or another file of the workspace could not be read."""
    addresses_known: bool = True
    """False when no site was read: any address may be declared there."""
    open_ids: set[str] = field(default_factory=set)
    """Probes whose declaration comes to others that are not known (yet): anything that begins with
    one of these and a hyphen may exist."""
    _remarks: list[_Remark] = field(default_factory=list)
    _expressions: dict[tuple[str, Scope], Expression | ExpressionRefused] = field(
        default_factory=dict
    )
    _shared: dict[Hashable, Any] = field(default_factory=dict)
    _zones: dict[str, bool] = field(default_factory=dict)

    def at(self, file: str, *path: str | int) -> "At":
        """The place of a value in a file."""
        return At(self, file, path)

    def note(self, remark: _Remark) -> None:
        self._remarks.append(remark)

    def mark(self) -> int:
        """How much has been noted so far, for `errors_since` and `forget`."""
        return len(self._remarks)

    def errors_since(self, mark: int) -> list[str]:
        """What was noted as wrong since then, without its place."""
        new = self._remarks[mark:]
        return [each.message for each in new if each.level is Level.error]

    def forget(self, mark: int, places: Collection[tuple[str, Path]]) -> None:
        """Take back what was noted since then at or below these places, file and path."""
        kept = [each for each in self._remarks[mark:] if not _below(each, places)]
        self._remarks[mark:] = kept

    def again(self) -> "Reading":
        """A further reading that knows what this one knows, with nothing noted and no text held."""
        return Reading(
            self.lookup,
            self.addresses,
            self.declared,
            services=self.services,
            statuspages=self.statuspages,
            addresses_known=self.addresses_known,
            check_references=self.check_references,
            open_ids=self.open_ids,
        )

    def compiled(self, source: str, scope: Scope) -> Expression | ExpressionRefused:
        """The expression, shared by all who write the same text in the same scope."""
        known = self._expressions.get((source, scope))
        if known is None:
            try:
                known = compile_expression(
                    source,
                    scope.names,
                    outside=scope.outside,
                    functions=scope.functions,
                    literals=scope.literals,
                )
            except ExpressionRefused as refused:
                known = refused
            self._expressions[source, scope] = known
        return known

    def shared(self, of: Hashable, make: Callable[[], T]) -> T:
        """What is made of these, once for all who declare it alike: a scope, so that expressions in
        it are shared, or what thousands of probes expect."""
        if of not in self._shared:
            self._shared[of] = make()
        made: T = self._shared[of]
        return made

    def is_zone(self, name: str) -> bool:
        """Whether this is a time zone of the IANA database."""
        known = self._zones.get(name)
        if known is None:
            try:
                zone(name)
                known = True
            except ValueError:
                known = False
            self._zones[name] = known
        return known

    def problems(self) -> list[Problem]:
        """Everything noted so far, with lines and columns, in no order."""
        wanted: dict[str, set[Path]] = {}
        for remark in self._remarks:
            wanted.setdefault(remark.file, set()).add(remark.path)
        spots = {file: locate(self.texts.get(file, ""), paths) for file, paths in wanted.items()}
        return [self._placed(each, spots[each.file][each.path]) for each in self._remarks]

    def _placed(self, remark: _Remark, spot: Spot) -> Problem:
        text = self.texts.get(remark.file, "")
        line, column = (
            (spot.key_line, spot.key_column) if remark.at_key else (spot.line, spot.column)
        )
        if remark.offset is not None:
            line, column = within(text, spot, remark.offset)
        hint = remark.hint
        if remark.quote:
            suggestion = expression_at(text, line, column)
            source = suggestion.source if suggestion else ""
            hint = advice(source if source not in ("", "~", "null") else "status == 200")
        place = Place(remark.file, line + 1, column + 1)
        return Problem(place, remark.message, hint, remark.level)


def _below(remark: _Remark, places: Collection[tuple[str, Path]]) -> bool:
    path = remark.path
    return any((remark.file, path[:length]) in places for length in range(len(path) + 1))


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value stands that a document has from elsewhere, and where those below it do."""

    file: str
    path: Path
    below: "Mapping[str | int, Origin]" = field(default_factory=dict)


class At:
    """A place in a file. ``at / "expect" / 0`` is the place below."""

    __slots__ = ("file", "origins", "path", "reading")

    def __init__(
        self,
        reading: Reading,
        file: str,
        path: Path,
        origins: Mapping[str | int, Origin] = MappingProxyType({}),
    ) -> None:
        self.reading = reading
        self.file = file
        self.path = path
        self.origins = origins
        """Keys that this document has from its file's ``defaults:`` or a template, and where."""

    def __truediv__(self, key: str | int) -> "At":
        origin = self.origins.get(key)
        if origin is not None:
            return At(self.reading, origin.file, origin.path, origin.below)
        return At(self.reading, self.file, (*self.path, key))

    def origin(self) -> Origin:
        """This place, for a document that has what stands here."""
        return Origin(self.file, self.path, self.origins)

    def line(self) -> Place:
        """The file and line of the nearest document or step around this."""
        known = self.reading.places.get(self.file, {})
        for length in range(len(self.path), 1, -1):
            if self.path[:length] in known:
                return known[self.path[:length]]
        return Place(self.file, 1, 1)

    def wrong(self, message: str, hint: str = "", *, at_key: bool = False) -> None:
        """Say that what stands here is wrong; the workspace cannot be activated."""
        self._note(message, hint, Level.error, at_key=at_key)

    def finding(self, message: str, hint: str = "", *, at_key: bool = False) -> None:
        """Say that what stands here deserves a look."""
        self._note(message, hint, Level.finding, at_key=at_key)

    def unquoted(self, message: str) -> None:
        """Say that YAML took the expression here apart."""
        self._note(message, "", Level.error, quote=True)

    def _note(
        self,
        message: str,
        hint: str,
        level: Level,
        *,
        at_key: bool = False,
        offset: int | None = None,
        quote: bool = False,
    ) -> None:
        self.reading.note(
            _Remark(self.file, self.path, message, hint, level, at_key, offset, quote)
        )

    def expression(self, source: str, scope: Scope, *, skipped: int = 0) -> Expression | None:
        """Compile what stands here; None when it is refused, which has been said. `skipped` are
        characters of the scalar before the expression begins (``${``)."""
        compiled = self.reading.compiled(source, scope)
        if isinstance(compiled, Expression):
            if scope.check is not None:
                scope.check(compiled, self)
            return compiled
        if is_unbalanced(source):
            self.unquoted("YAML took this expression apart")
        else:
            offset = skipped + compiled.column - 1
            self._note(str(compiled), "", Level.error, offset=offset)
        return None

    def reference_source(self, text: str) -> str | None:
        """The expression inside ``${…}``; None when this is a literal. A part of a text is wrong."""
        if "${" not in text:
            return None
        whole = _WHOLE.match(text)
        if whole and "${" not in whole.group(1):
            return whole.group(1)
        self.wrong(
            f"{shown(text)} mixes `${{…}}` with other text",
            "`${…}` is one expression and the whole value; compute the text inside it",
        )
        return None

    def named(self, kind: str, name: str) -> bool:
        """Whether `name` is declared as one of `kind`; says so when it is not."""
        known = self.reading.declared.get(kind, {})
        if name in known or not self.reading.check_references:
            return True
        if kind == "probes" and any(name.startswith(f"{id}-") for id in self.reading.open_ids):
            return True
        hint = meant(name, list(known)) or f"declare it under `{kind}:`"
        self.wrong(f"`{name}` is not one of the {kind}", hint)
        return False

    def address(self, name: str) -> str:
        """The address that the site gives a name; says so when it gives none."""
        known = self.reading.addresses
        if name not in known and self.reading.addresses_known:
            hint = meant(name, list(known)) or "declare it under `site: {addresses: …}`"
            self.wrong(f"`{name}` is not one of the site's addresses", hint)
        return known.get(name, NOWHERE)

    def unknown(self, name: str, known: Sequence[str], what: str) -> None:
        """Say that `name` is not `what`, and which one was probably meant."""
        self.wrong(f"`{name}` is not {what}", meant(name, known))

    def reference(self, text: str, *families: str) -> bool:
        """Whether `text` is ``family/id`` of one of these families and declared; says so if not."""
        family, _, rest = text.partition("/")
        if family not in families or not rest:
            wanted = ", ".join(f"{each}/…" for each in families)
            self.wrong(f"`{text}` is not a reference that belongs here", f"write one of {wanted}")
            return False
        name, plus, _ = rest.partition("+")
        if plus and family != "rotation":
            self.wrong(f"`{text}` counts a next person", "only rotation/… may be followed by +1")
            return False
        return self.named(_REFERENCE_KINDS[family], name)

    def day(self, key: str, body: Mapping[str, Any]) -> date | None:
        """The date under a key; None, and said, when there is no such day."""
        return self._moment(key, lambda: spans.day(body[key]))

    def wall(self, key: str, body: Mapping[str, Any]) -> datetime | None:
        """The naive wall clock under a key; None, and said, when there is no such time."""
        return self._moment(key, lambda: spans.wall(body[key]))

    def _moment(self, key: str, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except ValueError as error:
            (self / key).wrong(str(error))
            return None

    def timezone(self, name: str) -> str:
        """The zone's name, said to be wrong when no such zone exists."""
        if not self.reading.is_zone(name):
            self.wrong(f"`{name}` is not a time zone", "write one like Europe/Helsinki or UTC")
        return name
