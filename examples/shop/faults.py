"""The switches that break the shop, kept in a JSON file so that every worker sees them at once.

`Faults()` is a healthy shop. A set of faults replaces the one before, whole: what is not named
is mended.
"""

import json
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

WRONG_PRICE = "0.01"


class FaultRefused(ValueError):
    """The request for faults names an unknown one, or gives a value out of its range."""


@dataclass(frozen=True, slots=True)
class Faults:
    """Everything that can be broken; the defaults are health."""

    errors: float = 0.0
    """Share (0-1) of the page views answered 500."""
    slow_database_s: float = 0.0
    """Seconds (0-60) that each page waits for its database query."""
    missing_button: bool = False
    failing_checkout: bool = False
    wrong_price: bool = False
    late_feed: bool = False
    shrunken_feed: bool = False
    stopped_job: bool = False

    def __post_init__(self) -> None:
        _within("errors", self.errors, 1.0)
        _within("slow_database_s", self.slow_database_s, 60.0)
        for switch in fields(self):
            if switch.type is bool and not isinstance(getattr(self, switch.name), bool):
                raise FaultRefused(f"{switch.name}: true or false")


def _within(name: str, value: Any, most: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise FaultRefused(f"{name}: a number from 0 to {most:g}")


def read_faults(wanted: Any) -> Faults:
    """The faults that a JSON object names. Raises FaultRefused."""
    if not isinstance(wanted, dict):
        raise FaultRefused("an object of faults, {} for none")
    known = {switch.name for switch in fields(Faults)}
    if unknown := sorted(set(wanted) - known):
        raise FaultRefused(f"unknown: {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    return Faults(**wanted)


class FaultFile:
    """The faults of one shop, in one file; a missing file is a healthy shop."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> Faults:
        try:
            return read_faults(json.loads(self.path.read_text()))
        except FileNotFoundError:
            return Faults()

    def save(self, faults: Faults) -> None:
        """Replace the file in one move, so that no reader sees half of it."""
        fresh = self.path.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(faults)))
        os.replace(fresh, self.path)
