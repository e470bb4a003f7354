"""One check under way: what it may use, and what it has gathered so far."""

from collections.abc import Callable
from dataclasses import dataclass, field

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


class Notes:
    """The probe's log. Texts and field names are blackbox_exporter's where it says the same."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._began = now()
        self.lines: list[Noted] = []

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

    def _add(self, level: str, text: str, fields: dict[str, object]) -> None:
        if len(self.lines) > MOST_NOTES:
            return
        if len(self.lines) == MOST_NOTES:
            level, text, fields = "warn", "What follows is not noted", {"lines": MOST_NOTES}
        shown = tuple((name, _text(value)) for name, value in fields.items())
        self.lines.append(Noted(self.spent_s(), level, text, shown))


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value[:MOST_TEXT].decode("utf-8", "replace")
    return str(value)[:MOST_TEXT]


class Gauges:
    """The samples of one probe: every family is a gauge. Labels are kept in order of their names,
    as Prometheus' own library prints them."""

    def __init__(self) -> None:
        self.samples: dict[str, dict[Labels, float]] = {}

    def set(self, family: str, value: float, **labels: str) -> None:
        """The sample's value; what it was before is forgotten."""
        self.samples.setdefault(family, {})[tuple(sorted(labels.items()))] = value

    def add(self, family: str, value: float, **labels: str) -> None:
        """The sample's value, on top of what it was."""
        found = self.samples.setdefault(family, {})
        name = tuple(sorted(labels.items()))
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
