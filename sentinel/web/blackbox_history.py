"""The last probes of ``/probe``, and what ``debug=true`` and ``/logs`` show of one.

The original renders this text for every probe, asked for or not, which is a good part of what it
spends; here the notes are kept as values and rendered when somebody wants to read them.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sentinel.blackbox.module import Module
from sentinel.blackbox.probed import Noted, Probed
from sentinel.library.modules_dump import dump
from sentinel.metrics.scrape import page_of


@dataclass(frozen=True, slots=True)
class Kept:
    """One probe as it was. `began_at` is aware UTC."""

    id: int
    module: Module
    target: str
    timeout_s: float
    began_at: datetime
    probed: Probed

    def text(self) -> str:
        """The three sections: its log, its metrics, its module with secrets masked."""
        log = "".join(f"{self._line(note)}\n" for note in self.probed.notes)
        metrics = page_of(self.probed, timeout_s=self.timeout_s)
        return (
            f"Logs for the probe:\n{log}\n\n\n"
            f"Metrics that would have been returned:\n{metrics}\n\n\n"
            f"Module configuration:\n{dump(self.module.raw)}"
        )

    def _line(self, note: Noted) -> str:
        at = (self.began_at + timedelta(seconds=note.at_s)).astimezone(UTC)
        said = {"msg": note.text, "module": self.module.name, "target": self.target}
        return f"time={at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z level={note.level} " + (
            " ".join(f"{key}={logfmt(text)}" for key, text in [*said.items(), *note.fields])
        )


def logfmt(text: str) -> str:
    """A value in a ``key=value`` line: quoted when it is empty or could be read as more than one."""
    plain = text.isprintable() and not any(c in ' ="' for c in text)
    return text if text and plain else quoted(text)


def quoted(text: str) -> str:
    """As Go's ``%q``: in double quotes, what cannot be printed escaped."""
    return f'"{"".join(map(_escaped, text))}"'


_ESCAPES = {
    "\a": r"\a", "\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\v": r"\v",
    "\\": r"\\", '"': r"\"",
}  # fmt: skip


def _escaped(character: str) -> str:
    known = _ESCAPES.get(character)
    if known is not None:
        return known
    if character.isprintable():
        return character
    code = ord(character)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


class History:
    """The last `limit` probes, and the last `limit` failures that those have pushed out."""

    def __init__(self, limit: int) -> None:
        self._last: deque[Kept] = deque()
        self._failed: deque[Kept] = deque(maxlen=limit)
        self._limit = limit
        self._next = 0

    def add(
        self, module: Module, target: str, *, timeout_s: float, began_at: datetime, probed: Probed
    ) -> Kept:
        """Keep a probe, under the next number from 0."""
        kept = Kept(self._next, module, target, timeout_s, began_at, probed)
        self._next += 1
        self._last.append(kept)
        if len(self._last) > self._limit:
            oldest = self._last.popleft()
            if not oldest.probed.success:
                self._failed.append(oldest)
        return kept

    def __iter__(self) -> Iterator[Kept]:
        """The newest first."""
        yield from reversed(self._last)
        yield from reversed(self._failed)

    def by_id(self, number: int) -> Kept | None:
        return next((kept for kept in self if kept.id == number), None)

    def by_target(self, target: str, module: str) -> Kept | None:
        """The newest probe of a target, by any module when `module` is empty."""
        return next((k for k in self if k.target == target and module in ("", k.module.name)), None)
