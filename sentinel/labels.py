"""One matching rule: labels, their fingerprint, and matchers over them."""

from collections.abc import Mapping

Matchers = Mapping[str, str | tuple[str, ...]]
"""``{label: value | values | "~re2"}``: all must match; a missing label is the empty string."""


def matches(matchers: Matchers, labels: Mapping[str, str]) -> bool:
    """Whether every matcher holds for these labels."""
    raise NotImplementedError


def fingerprint(labels: Mapping[str, str]) -> str:
    """FNV-1a 64 over the sorted labels as Alertmanager computes it, 16 hexadecimal digits."""
    raise NotImplementedError
