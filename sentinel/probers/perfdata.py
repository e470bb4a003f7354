"""What a Nagios plug-in prints: a line for people, more lines, and performance data.

The rules are those of the Monitoring Plugins Development Guidelines. What comes before the first
``|`` of the first line is the text, what comes after it performance data; further lines are long
text, until one of them holds a ``|``: what follows that one is performance data to the end. A
datum is ``'label'=value[UOM];[warn];[crit];[min];[max]``; the value ``U`` says that none could be
had. Numbers are brought to base units, and their thresholds with them: seconds, and bytes of
powers of 1024, which is what the plug-ins mean by KB. What is no datum is left out and counted;
nothing here raises.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

MOST = 200
"""Data that are taken of one output."""

_DATUM = re.compile(r"\s*(?:'((?:[^']|''){1,200})'|([^\s=']{1,200}))=(\S*)")
_WORD = re.compile(r"\s*(\S*)")
_NUMBER = re.compile(r"([+-]?(?:\d{1,40}(?:[.,]\d{0,40})?|[.,]\d{1,40})(?:[eE][+-]?\d{1,3})?)(.*)")
_UNIT = re.compile(r"[^\d\s;|'\"]{0,12}")
_RANGE = re.compile(r"(@?)(?:([^:]*):)?([^:]*)")
_BASE: Mapping[str, tuple[str, float]] = {
    "s": ("s", 1.0),
    "ms": ("s", 1e-3),
    "us": ("s", 1e-6),
    "µs": ("s", 1e-6),
    "μs": ("s", 1e-6),
    "ns": ("s", 1e-9),
    "B": ("B", 1.0),
    **{
        f"{letter}{rest}": ("B", 1024.0**power)
        for power, letters in enumerate(("kK", "mM", "gG", "tT", "pP", "eE"), start=1)
        for letter in letters
        for rest in ("B", "iB")
    },
}
"""Unit as printed to base unit and factor. What is not here stays as it is."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """A range of values: one outside it alerts, or with `inside` one within it, ends included.
    Without an end it is infinite on that side."""

    low: float
    high: float
    inside: bool = False

    @property
    def bound(self) -> float:
        """The end that people mean: the upper one, the lower where there is no upper."""
        return self.high if math.isfinite(self.high) else self.low


@dataclass(frozen=True, slots=True)
class Datum:
    """One value with its unit and what is known about it; `value` is None for ``U``."""

    label: str
    value: float | None
    unit: str = ""
    warn: Threshold | None = None
    crit: Threshold | None = None
    min: float | None = None
    max: float | None = None

    def limits(self) -> Mapping[str, float]:
        """``warn crit min max``, as far as they are given and finite."""
        known = {
            "warn": self.warn.bound if self.warn else None,
            "crit": self.crit.bound if self.crit else None,
            "min": self.min,
            "max": self.max,
        }
        return {name: n for name, n in known.items() if n is not None and math.isfinite(n)}


@dataclass(frozen=True, slots=True)
class Printed:
    """A plug-in's output, taken apart. `malformed` counts words that are no datum."""

    text: str
    long_text: str
    data: tuple[Datum, ...]
    malformed: int = 0


def printed(output: str) -> Printed:
    """Take an output apart. Labels are unique: of two alike the first counts."""
    first, _, rest = output.lstrip("\r\n").partition("\n")
    text, _, data = first.partition("|")
    long_text, _, more = rest.partition("|")
    found: dict[str, Datum] = {}
    malformed = 0
    for datum in _data(f"{data}\n{more}"):
        if datum is None:
            malformed += 1
        else:
            found.setdefault(datum.label, datum)
    return Printed(text.strip(), long_text.strip(), tuple(found.values()), malformed)


def _data(text: str) -> Iterator[Datum | None]:
    """Each datum, or None for a word that is none; the first `MOST` of them."""
    at = 0
    for _ in range(MOST):
        word = _DATUM.match(text, at)
        if word is not None:
            at = word.end()
            label = word[1].replace("''", "'") if word[1] else word[2]
            yield _datum(label, word[3])
            continue
        skipped = _WORD.match(text, at)
        if skipped is None or not skipped[1]:
            return
        at = skipped.end()
        yield None


def _datum(label: str, fields: str) -> Datum | None:
    value, *further = fields.split(";")
    warn, crit, low, high = (*further, "", "", "", "")[:4]
    if value == "U":
        return Datum(label, None)
    number = _NUMBER.fullmatch(value)
    if number is None or not _UNIT.fullmatch(number[2]):
        return None
    unit, factor = _BASE.get(number[2], (number[2], 1.0))
    scaled = _finite(number[1], factor)
    if scaled is None:
        return None
    return Datum(
        label,
        scaled,
        unit,
        _threshold(warn, factor),
        _threshold(crit, factor),
        _finite(low, factor),
        _finite(high, factor),
    )


def _threshold(text: str, factor: float) -> Threshold | None:
    """``10``, ``10:``, ``~:10``, ``10:20``, ``@10:20``; None for what is none of these."""
    written = _RANGE.fullmatch(text.strip())
    if not text.strip() or written is None:
        return None
    low = -math.inf if written[2] == "~" else _finite(written[2] or "0", factor)
    high = math.inf if not written[3] else _finite(written[3], factor)
    if low is None or high is None:
        return None
    return Threshold(low, high, inside=bool(written[1]))


def _finite(text: str, factor: float) -> float | None:
    number = _NUMBER.match(text.strip())
    if number is None:
        return None
    scaled = float(number[1].replace(",", ".")) * factor
    return scaled if math.isfinite(scaled) else None
