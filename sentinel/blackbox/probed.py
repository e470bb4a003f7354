"""What one probe of a module came to: families of samples, in values, and what was noted on the way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Labels = tuple[tuple[str, str], ...]
"""A sample's own labels, in the order in which they are printed."""


@dataclass(frozen=True, slots=True)
class Noted:
    """A line of the probe's log: `level` as Go's slog names it (debug, info, warn, error)."""

    at_s: float
    """Seconds since the probe began."""
    level: str
    text: str
    fields: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Probed:
    """`samples` by family name without ``probe_success``, ``probe_duration_seconds`` and
    ``probe_timeout_seconds``, which belong to every probe and are the page's to add. `reason` is
    our stable reason for a failure, ``""`` when it succeeded."""

    success: bool
    duration_s: float
    samples: Mapping[str, Mapping[Labels, float]] = field(default_factory=dict)
    notes: Sequence[Noted] = ()
    reason: str = ""
