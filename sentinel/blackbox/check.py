"""One check under way: what it may use, and what it has gathered so far."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import overload

from sentinel.blackbox.probed import Labels, Noted
from sentinel.transport.curl import Transport

MOST_NOTES = 400
"""Lines of a probe's log; what is said after them is left out, and a last line says so."""
MOST_TEXT = 1000
"""Characters of one value in a line."""

Allowed = Callable[[str], bool]
"""Whether this address, as text, may be connected to."""
Clock = Callable[[], float]
"""Seconds since 1970."""
ReadFile = Callable[[str], bytes]
"""The content of a file that the module names. Raises OSError."""


class Notes(Sequence[Noted]):
    """The probe's log. Texts and field names are blackbox_exporter's where it says the same. Nobody
    reads most logs, so a line becomes text when it is looked at."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._began = now()
        self._lines: list[tuple[float, str, str, dict[str, object]]] = []

    def debug(self, text: str, **fields: object) -> None:
        """What helps to find out why."""
        self._add("debug", text, fields)

    def info(self, text: str, **fields: object) -> None:
        """A step that was taken."""
        self._add("info", text, fields)

    def warn(self, text: str, **fields: object) -> None:
        """Something that may explain a failure."""
        self._add("warn", text, fields)

    def error(self, text: str, **fields: object) -> None:
        """Why the probe fails."""
        self._add("error", text, fields)

    def spent_s(self) -> float:
        """Seconds since the probe began."""
        return self._now() - self._began

    def __len__(self) -> int:
        return len(self._lines)

    @overload
    def __getitem__(self, index: int) -> Noted: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Noted]: ...

    def __getitem__(self, index: int | slice) -> Noted | Sequence[Noted]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        at_s, level, text, fields = self._lines[index]
        shown = tuple((name, _shown(value)) for name, value in fields.items())
        return Noted(at_s, level, text, shown)

    def _add(self, level: str, text: str, fields: dict[str, object]) -> None:
        if len(self._lines) > MOST_NOTES:
            return
        if len(self._lines) == MOST_NOTES:
            level, text, fields = "warn", "What follows is not noted", {"lines": MOST_NOTES}
        kept = {name: _kept(value) for name, value in fields.items()}
        self._lines.append((self.spent_s(), level, text, kept))


def _kept(value: object) -> object:
    """As much of it as will be shown, so that a log holds no body."""
    if isinstance(value, str | bytes):
        return value[:MOST_TEXT]
    return value if isinstance(value, int | float) else str(value)[:MOST_TEXT]


def _shown(value: object) -> str:
    match value:
        case bytes():
            return value.decode("utf-8", "replace")
        case float():
            return f"{value:.6f}"
        case _:
            return str(value)


class Gauges:
    """The samples of one probe: every family is a gauge. Labels are kept in order of their names,
    as Prometheus' own library prints them."""

    def __init__(self) -> None:
        self.samples: dict[str, dict[Labels, float]] = {}

    def set(self, family: str, value: float, **labels: str) -> None:
        """The sample's value; what it was before is forgotten."""
        name = tuple(sorted(labels.items())) if labels else ()
        self.samples.setdefault(family, {})[name] = value

    def add(self, family: str, value: float, **labels: str) -> None:
        """The sample's value, on top of what it was."""
        found = self.samples.setdefault(family, {})
        name = tuple(sorted(labels.items())) if labels else ()
        found[name] = found.get(name, 0.0) + value


@dataclass(frozen=True, slots=True)
class Check:
    """What a prober is given. `deadline` is on the transport's clock, `clock` the calendar's, for
    what is dated; `hostname` is the page's parameter of that name, ``""`` when it was not given."""

    target: str
    hostname: str
    deadline: float
    transport: Transport
    allowed: Allowed
    read_file: ReadFile
    clock: Clock
    notes: Notes
    gauges: Gauges = field(default_factory=Gauges)
