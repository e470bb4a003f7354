"""One matching rule: labels, their fingerprint, and matchers over them.

A missing label is the empty string, so ``{vendor: ""}`` matches alerts without a vendor.
Regular expressions are RE2 (linear, no look-around) and match the whole value, a dot matches no
newline: all as in Alertmanager.
"""

from collections.abc import Mapping
from functools import lru_cache

import re2

from sentinel.words import shortened

Matchers = Mapping[str, str | tuple[str, ...]]
"""``{label: value | values | "~re2"}``: all must match."""

_OFFSET, _PRIME, _MASK = 0xCBF29CE484222325, 0x100000001B3, (1 << 64) - 1
MAX_PATTERN = 1000


def _quiet() -> "re2.Options":
    options = re2.Options()
    options.log_errors = False
    return options


_OPTIONS = _quiet()


@lru_cache(maxsize=4096)
def _pattern(source: str) -> "re2._Regexp":
    return re2.compile(source, _OPTIONS)


def pattern(source: str, *, longest: int = MAX_PATTERN) -> "re2._Regexp":
    """A compiled RE2 expression of at most `longest` characters. Raises ValueError with what is
    wrong with it."""
    if len(source) > longest:
        raise ValueError(f"the pattern is longer than {longest} characters")
    try:
        return _pattern(source)
    except re2.error as refused:
        raise ValueError(_said(refused)) from refused


def accept_pattern(source: str) -> None:
    """Raises ValueError, quoting it, for a text that is no RE2 pattern."""
    try:
        pattern(source)
    except ValueError as wrong:
        raise ValueError(f"`{shortened(source, 80)}` is not an RE2 pattern: {wrong}") from wrong


def check(matchers: Matchers) -> None:
    """Raises ValueError, naming the label, for a pattern that RE2 does not accept."""
    for label, wanted in matchers.items():
        for one in (wanted,) if isinstance(wanted, str) else wanted:
            if not one.startswith("~"):
                continue
            try:
                pattern(one[1:])
            except ValueError as refused:
                raise ValueError(f"{label}: {refused}") from refused


def _said(refused: Exception) -> str:
    text = refused.args[0] if refused.args else ""
    return text.decode(errors="replace") if isinstance(text, bytes) else str(text)


def matches(matchers: Matchers, labels: Mapping[str, str]) -> bool:
    """Whether every matcher holds for these labels."""
    return all(_holds(wanted, labels.get(label, "")) for label, wanted in matchers.items())


def _holds(wanted: str | tuple[str, ...], value: str) -> bool:
    if not isinstance(wanted, str):
        return any(_holds(one, value) for one in wanted)
    if wanted.startswith("~"):
        return _pattern(wanted[1:]).fullmatch(value) is not None
    return wanted == value


def fingerprint(labels: Mapping[str, str]) -> str:
    """FNV-1a 64 over the labels sorted by name as Alertmanager computes it (name, 0xFF, value,
    0xFF), 16 hexadecimal digits."""
    number = _OFFSET
    for name in sorted(labels, key=str.encode):
        for byte in b"%b\xff%b\xff" % (name.encode(), labels[name].encode()):
            number = ((number ^ byte) * _PRIME) & _MASK
    return f"{number:016x}"
