"""Who is paged first, and who next: the values, and how a level names people.

References inside a level: ``person/x``, ``rotation/x`` (everybody on call there now),
``rotation/x+1`` (the next person in turn of the winning layer not yet paged in this
round), ``team/x``. `resolve_level` says whom a level means now, and why it is empty when
it is.
"""

from dataclasses import dataclass

from sentinel.words import Place, Seconds, Secret


@dataclass(frozen=True, slots=True)
class Level:
    """`page` are references to people, `tell` plain Apprise addresses that are informed and never
    counted as having been paged."""

    page: tuple[str, ...]
    ack_within_s: Seconds = Seconds(300.0)
    tell: tuple[Secret, ...] = ()


@dataclass(frozen=True, slots=True)
class Escalation:
    """Levels in order; `repeat` passes in all, then the site's fallback until somebody acknowledges."""

    id: str
    levels: tuple[Level, ...]
    repeat: int = 1
    page_again_after_ack_s: Seconds = Seconds(0.0)
    """0: an acknowledgement holds until the incident changes."""
    place: Place = Place("", 0, 0)
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Fallback:
    """Paged every `every_s` once an escalation's passes are spent."""

    page: tuple[str, ...]
    every_s: Seconds = Seconds(900.0)
