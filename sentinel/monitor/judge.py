"""From what a prober saw to what the check comes to: observation + expectations + time.

The worst expectation decides: failed, then warn, then unknown (a condition over our own typed
names that could not be evaluated). A condition that could not be evaluated on what the target
sent is failed, ``field_missing`` or ``field_type``: the page is not what was declared. The first
expectation of the deciding kind gives reason and text. When the conversation did not complete,
nothing is evaluated and the prober's reason stands.
"""

from collections import ChainMap
from collections.abc import Mapping, MutableMapping, Sequence
from datetime import datetime
from typing import Any, cast

from sentinel.errors import ExpressionFailed
from sentinel.expression import default_reason
from sentinel.monitor.baseline import deadline_state
from sentinel.monitor.probe import (
    Attempt,
    CheckResult,
    Deadline,
    Expectation,
    Judged,
    Observation,
    Probe,
)
from sentinel.words import OK, Outcome

NOT_EVALUATED = "not_evaluated"
"""The reason of a condition whose conversation did not complete."""

_ORDER = (Outcome.failed, Outcome.warn, Outcome.unknown)
_RANK = {outcome: rank for rank, outcome in enumerate((*_ORDER, Outcome.ok))}


def judge(
    probe: Probe,
    observation: Observation,
    *,
    location: str,
    due_at: datetime,
    started_at: datetime,
    attempts: Sequence[Attempt] = (),
) -> CheckResult:
    """What one check comes to. `started_at` is when its first attempt started, `attempts` all
    of them where there was more than one. Never raises for what a target sent."""
    if observation.reason or observation.outcome in _ORDER:
        judged = tuple([_passed_over(expectation) for expectation in probe.expect])
        outcome = observation.outcome or Outcome.failed
        reason = observation.reason or outcome.value
        text = observation.text
    else:
        values = observation.values
        if probe.deadline is not None and observation.changed_at is not None:
            values = _with_deadline(probe.deadline, observation.changed_at, started_at, values)
        judged = tuple([_judge(each, values) for each in probe.expect])
        outcome, reason, text = OK, "", observation.text
        for each in judged:
            if each.outcome is not OK:
                outcome, reason, text = _decide(judged)
                break
    return CheckResult(
        probe=probe.id,
        location=location,
        due_at=due_at,
        started_at=started_at,
        duration_s=observation.duration_s,
        outcome=outcome,
        reason=reason,
        text=text,
        network=observation.network and outcome is Outcome.failed,
        judged=judged,
        phases=observation.phases,
        samples=observation.samples,
        address=observation.address,
        attempts=tuple(attempts),
    )


def _with_deadline(
    deadline: Deadline, changed_at: datetime, now: datetime, values: Mapping[str, Any]
) -> Mapping[str, Any]:
    due = deadline_state(deadline, now=now, changed_at=changed_at)
    mine = {"overdue": due.overdue, "late_s": due.late_s}
    return ChainMap(mine, cast(MutableMapping[str, Any], values))


def explain(judged: Judged) -> str:
    """A failing condition and what was there instead, for people."""
    actual = ", ".join(f"{name} = {_shown(value)}" for name, value in judged.actual.items())
    return f"{judged.source} does not hold" + (f": {actual}" if actual else "")


def _judge(expectation: Expectation, values: Mapping[str, Any]) -> Judged:
    expression = expectation.that
    known = expression.plain(values) if expression.plain is not None else None
    if known is not None and known[0]:
        return Judged(expression.source, OK, "", known[1])
    try:
        held = expression.evaluate(values)
    except ExpressionFailed as failed:
        outcome, reason = _uneven(failed.reason)
    else:
        if held is True:
            outcome, reason = OK, ""
        elif held is False:
            outcome = expectation.otherwise
            reason = expectation.reason or default_reason(expression)
        else:
            sent = expression.roots & expression.outside
            outcome, reason = _uneven("field_type" if sent else "expression_error")
    return Judged(expression.source, outcome, reason, expression.scalars(values))


def _uneven(reason: str) -> tuple[Outcome, str]:
    return (Outcome.unknown if reason == "expression_error" else Outcome.failed), reason


def _decide(judged: Sequence[Judged]) -> tuple[Outcome, str, str]:
    """Outcome, reason and text, where not all is well."""
    worst = min(judged, key=lambda each: _RANK[each.outcome])
    return worst.outcome, worst.reason, explain(worst)


def _passed_over(expectation: Expectation) -> Judged:
    return Judged(expectation.that.source, Outcome.unknown, NOT_EVALUATED, {})


def _shown(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)
