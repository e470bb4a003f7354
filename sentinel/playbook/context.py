"""What a run may see, and what its expressions come to.

Everything from outside is in one `Context`, so a decision can be made again from the same
values. Expressions see ``incident``, ``labels`` and ``severity`` (labels and severity as
they were when the run began), ``steps`` (those that ended), ``run`` and ``now``.

Inputs are an action's fields with each `Reference` replaced by its value. A value is data:
it is never part of a text and never rendered again. What people read (`text`) is left as
written; the action renders it with `bindings`.
"""

import dataclasses
import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from sentinel.errors import ExpressionFailed
from sentinel.expression import Declaration, Expression
from sentinel.playbook.playbook import Reference, Step
from sentinel.playbook.state import RunState, StepState
from sentinel.words import Secret, Severity

MAX_OUTPUTS_BYTES = 64 * 1024
MAX_KEY_LENGTH = 160
MAX_DEPTH = 20

NAMES: Declaration = {
    "incident": "dyn",
    "labels": "map",
    "severity": "int",
    "steps": "map",
    "run": {"id": "string", "playbook": "string", "opening": "int", "conclusion": "string"},
    "now": "time",
    "critical": "int",
    "error": "int",
    "warning": "int",
    "info": "int",
}
"""The roots that a step's ``when``, ``key`` and ``${…}`` may name. A playbook's own ``when`` has
those of `MATCH_NAMES`."""

MATCH_NAMES: Declaration = {name: NAMES[name] for name in NAMES if name not in ("steps", "run")}


def _nobody(_reference: str) -> tuple[str, ...]:
    return ()


def _never_healthy(_probe: str, _since: datetime) -> int:
    return 0


@dataclass(frozen=True, slots=True)
class Context:
    """All that a run may know of the world at `now`.

    `incident` is JSON-able: ``id title status severity alerts labels``. `health` gives how
    many checks of a probe in a row were good, the last ones, counting only those begun at
    or after an instant. `people_of` resolves ``person/ rotation/ escalation/ team/`` to the
    ids of people. `responders` are asked where a playbook names nobody.
    """

    now: datetime
    incident: Mapping[str, Any] = field(default_factory=dict)
    health: Callable[[str, datetime], int] = _never_healthy
    people_of: Callable[[str], tuple[str, ...]] = _nobody
    responders: tuple[str, ...] = ()


def match_bindings(
    context: Context, *, labels: Mapping[str, str], severity: Severity
) -> dict[str, Any]:
    """What a playbook's ``when`` and a guard's key see, before there is a run."""
    return {
        "incident": context.incident,
        "labels": dict(labels),
        "severity": int(severity),
        "now": context.now,
        **{word.name: int(word) for word in Severity},
    }


def bindings(run: RunState, context: Context, *, conclusion: str = "") -> dict[str, Any]:
    """What a step's expressions and texts see. `conclusion` is what the run has come to so far,
    for ``finally``."""
    return {
        **match_bindings(context, labels=run.labels, severity=run.severity),
        "steps": {name: _seen(step) for name, step in run.steps.items() if step.ended},
        "run": {
            "id": run.id,
            "playbook": run.playbook,
            "opening": run.opening,
            "conclusion": conclusion,
        },
    }


def _seen(step: StepState) -> dict[str, Any]:
    return {
        "outputs": dict(step.outputs),
        "outcome": str(step.outcome) if step.outcome else "",
        "conclusion": step.conclusion,
        "reason": step.reason,
    }


def render(step: Step, bound: Mapping[str, Any]) -> dict[str, Any]:
    """The step's inputs: its fields by name, every reference replaced. JSON-able, but for the
    secrets, which stay sealed. Raises ExpressionFailed."""
    if not dataclasses.is_dataclass(step.does):
        raise TypeError(f"`{step.id}` does what is no dataclass: {type(step.does).__name__}")
    return {
        declared.name: _rendered(getattr(step.does, declared.name), bound, MAX_DEPTH)
        for declared in dataclasses.fields(step.does)
    }


def _rendered(value: Any, bound: Mapping[str, Any], depth: int) -> Any:
    if depth == 0:
        raise ExpressionFailed(f"nested deeper than {MAX_DEPTH}", "field_type")
    match value:
        case Reference():
            return plain(value.expression.evaluate(bound))
        case Expression():
            return value.source
        case Mapping():
            return {str(name): _rendered(below, bound, depth - 1) for name, below in value.items()}
        case list() | tuple():
            return [_rendered(below, bound, depth - 1) for below in value]
        case None | bool() | int() | float() | str() | Secret():
            return value
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return {
                declared.name: _rendered(getattr(value, declared.name), bound, depth - 1)
                for declared in dataclasses.fields(value)
            }
        case _:
            raise ExpressionFailed(f"cannot be an input: {type(value).__name__}", "field_type")


def plain(value: Any, depth: int = MAX_DEPTH) -> Any:
    """An expression's value as JSON has it: instants as RFC 3339 in UTC, spans as seconds.
    Raises ExpressionFailed for what JSON cannot hold."""
    if depth == 0:
        raise ExpressionFailed(f"nested deeper than {MAX_DEPTH}", "field_type")
    match value:
        case None | bool() | int() | str():
            return value
        case float() if math.isfinite(value):
            return value
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case timedelta():
            return value.total_seconds()
        case Mapping():
            return {str(name): plain(below, depth - 1) for name, below in value.items()}
        case list() | tuple():
            return [plain(below, depth - 1) for below in value]
        case _:
            raise ExpressionFailed(f"JSON cannot hold {type(value).__name__}", "field_type")


def canonical(value: Any) -> bytes:
    """JSON with sorted keys and no spaces, UTF-8. A secret stands as its reference, not its value."""
    text = json.dumps(
        value,
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
        allow_nan=False,
        default=_sealed,
    )
    return text.encode()


def _sealed(value: Any) -> Any:
    if isinstance(value, Secret):
        return {"secret": value.template}
    raise TypeError(f"JSON cannot hold {type(value).__name__}")


def digest(value: Any) -> str:
    """SHA-256 of the canonical JSON, 64 hexadecimal digits."""
    return hashlib.sha256(canonical(value)).hexdigest()


def digest_inputs(step: Step, run: RunState, bound: Mapping[str, Any]) -> str:
    """The digest of the step's inputs, rendered as if `now` were when the run was queued: time
    alone never makes them other inputs, so it voids no approval. Raises ExpressionFailed."""
    return digest(render(step, {**bound, "now": run.queued_at}))


def evaluate_outputs(step: Step, values: Mapping[str, Any]) -> dict[str, Any]:
    """What the step declares as outputs, over what its action returned. Raises ExpressionFailed:
    a field is missing, or the outputs are larger than 64 KiB."""
    outputs = {name: plain(output.evaluate(values)) for name, output in step.outputs.items()}
    size_bytes = len(canonical(outputs))
    if size_bytes > MAX_OUTPUTS_BYTES:
        raise ExpressionFailed(
            f"outputs take {size_bytes} bytes, at most {MAX_OUTPUTS_BYTES} are kept", "field_type"
        )
    return outputs


def effect_key(run: RunState, step: Step, name: str, bound: Mapping[str, Any]) -> str:
    """What names the step's effect, the same for every attempt. With declared ``key:`` values also
    the same for every run; else bound to this run. Raises ExpressionFailed."""
    if not step.key:
        return f"{run.id}/{name}"
    values = [plain(part.evaluate(bound)) for part in step.key]
    return joined(run.playbook, name, *values)


def joined(*parts: Any) -> str:
    """Values as one name: percent-encoded, so that no value can imitate two, parted by ``/``;
    a long one is cut and ends in a hash of the whole."""
    return shortened("/".join(encoded(part) for part in parts))


def encoded(part: Any) -> str:
    """One JSON-able value, percent-encoded: it holds no ``/``, ``!`` or ``~`` that it could pose with."""
    text = part if isinstance(part, str) else canonical(part).decode()
    return quote(text, safe="").replace("~", "%7E")


def shortened(name: str) -> str:
    """The name, or its beginning and a hash of the whole when it is longer than 160 characters."""
    if len(name) <= MAX_KEY_LENGTH:
        return name
    whole = hashlib.sha256(name.encode()).hexdigest()[:20]
    return f"{name[: MAX_KEY_LENGTH - 21]}~{whole}"
