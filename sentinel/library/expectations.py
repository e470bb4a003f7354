"""Conditions that must hold, alone or with what it means when one does not."""

from typing import Any

from sentinel.library import pieces
from sentinel.library.declared import kept
from sentinel.library.quoting import torn
from sentinel.library.reading import At, Scope
from sentinel.monitor.probe import Expectation
from sentinel.words import Outcome

EXPECTATION: pieces.Piece = {
    "type": ["string", "object"],
    "minLength": 1,
    "maxLength": 4096,
    "x-expression": True,
    "description": "A condition that must hold (CEL, in single quotes), alone or with what it means"
    " when it does not",
    "examples": ["status == 200", {"that": "timing.total_s < 1.5", "else": "warn"}],
    "properties": {
        "that": pieces.expression("The condition that must hold", "timing.total_s < 1.5"),
        "else": pieces.one_of("What the check comes to when it does not hold", "failed", "warn"),
        "reason": pieces.local_identifier("A stable code for why", "slow"),
    },
    "required": ["that"],
    "additionalProperties": False,
}

EXPECTATIONS = pieces.listed(
    EXPECTATION, "What must hold", maxItems=100, examples=[["status == 200"]]
)


def read_expectations(values: Any, at: At, scope: Scope) -> tuple[Expectation, ...]:
    """The expectations whose expressions compile; what is wrong with the others has been said.
    Probes that expect the same share it: thousands of them often do."""
    expectations, alike = list[Expectation](), list[tuple[int, Outcome, str]]()
    torn_until = 0
    for index, each in kept(values):
        if index < torn_until:
            continue  # the rest of the expression above, which YAML tore apart
        torn_until = index + torn(values, index)
        whole = isinstance(each, str)
        source, place = (each, at / index) if whole else (each["that"], at / index / "that")
        compiled = place.expression(source, scope)
        if compiled is not None:
            otherwise = Outcome.failed if whole else Outcome(each.get("else", "failed"))
            reason = "" if whole else each.get("reason", "")
            expectations.append(Expectation(compiled, otherwise, reason))
            alike.append((id(compiled), otherwise, reason))  # itself shared, and kept by `at`
    return at.reading.shared(("expect", *alike), lambda: tuple(expectations))
