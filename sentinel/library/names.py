"""What expressions may name, beyond what each kind declares of itself."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sentinel.expression import Declaration

OUTSIDE = frozenset({"body", "json", "html", "headers", "capture", "outputs"})
"""Roots that somebody else sent."""

DEADLINE: "Declaration" = {"overdue": "bool", "late_s": "double"}
"""What a probe with a ``deadline:`` adds."""

INCIDENT: "Declaration" = {
    "incident": "map",
    "labels": "map",
    "severity": "int",
    "run": "map",
    "now": "time",
}
"""What every expression of a playbook may name."""
