"""A person, how to reach them, and in what order.

A personal rule's steps count from the page, not from one another: ``{via: mail, after: 3m}``
is three minutes after the page was queued.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from sentinel.words import Place, Seconds, Secret, Urgency


@dataclass(frozen=True, slots=True)
class RuleStep:
    """Try this contact method, `after_s` from the page."""

    via: str
    after_s: Seconds = Seconds(0.0)


@dataclass(frozen=True, slots=True)
class Away:
    """Local dates, `from_on` and `to_on` both included, on which a person takes no turn."""

    from_on: date
    to_on: date


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who answers. `methods` are Apprise URLs by name."""

    id: str
    name: str
    timezone: str = "UTC"
    methods: Mapping[str, Secret] = field(default_factory=dict)
    rules: Mapping[Urgency, tuple[RuleStep, ...]] = field(default_factory=dict)
    away: tuple[Away, ...] = ()
    place: Place = Place("", 0, 0)

    def steps(self, urgency: Urgency) -> tuple[RuleStep, ...]:
        """The rule for an urgency; without one, every method at once, in declared order."""
        declared = self.rules.get(urgency)
        return declared if declared else tuple(RuleStep(via) for via in self.methods)
