"""The steps of a playbook: an action or a wait each, and how they hang together."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sentinel.expression import Expression, Type
from sentinel.library import pieces, spans
from sentinel.library.declared import kept
from sentinel.library.fields import Building
from sentinel.library.kinded import build, find_kind, kind_properties, only_kind
from sentinel.library.reading import At, Lookup, Scope, scope_of
from sentinel.library.shape import Schema
from sentinel.library.templates import check_template
from sentinel.playbook.context import NAMES
from sentinel.playbook.playbook import (
    OnFailure,
    Step,
    StepRetry,
    WaitApproval,
    WaitChecklist,
    WaitHealthy,
    WaitSpan,
)
from sentinel.playbook.state import UNDO
from sentinel.words import Seconds

TIMEOUT_S = Seconds(60.0)
HUMAN_TIMEOUT_S = Seconds(1800.0)
HEALTHY_TIMEOUT_S = Seconds(600.0)
WAITS = ("wait", "healthy", "approval", "checklist")
BY = ("person", "team", "rotation", "escalation")

_TIMEOUT = pieces.span("How long it may take; a person who has not answered by then has refused")
_BY = pieces.reference("Who is asked", "escalation/storefront", "person/ana")
_WAITS: Mapping[str, Schema] = {
    "wait": pieces.entry({"for": pieces.span("How long", "5m")}, "Wait for a time", "for"),
    "healthy": pieces.entry(
        {
            "probe": pieces.identifier("The probe that must be well", "acme-checkout"),
            "ok": pieces.whole(
                "Good checks in a row, since the step began", 3, minimum=1, maximum=100
            ),
        },
        "Wait until a probe is well again",
        "probe",
    ),
    "approval": pieces.entry(
        {
            "by": _BY,
            "text": pieces.text("What they are asked", "Switch to the other provider?"),
            "timeout": _TIMEOUT,
        },
        "Wait until a person says yes; on timeout: refused",
        "by",
    ),
    "checklist": pieces.entry(
        {
            "items": pieces.listed(
                pieces.text("One thing to do"), "What to tick", minItems=1, maxItems=50
            ),
            "by": _BY,
            "timeout": _TIMEOUT,
        },
        "Wait until a person has ticked every item",
        "items",
    ),
}
_SHARED: Mapping[str, Schema] = {
    "id": pieces.local_identifier("What expressions call it", "measure"),
    "when": pieces.expression("Skipped unless this holds", "steps.measure.outputs.ratio < 0.9"),
    "needs": pieces.listed(
        pieces.local_identifier("An earlier step", "measure"),
        "Steps that must have succeeded; without it, all before this one succeeded or were skipped",
    ),
    "timeout": pieces.span("How long one attempt, or the wait, may take", "30s"),
    "retry": pieces.entry(
        {
            "times": pieces.whole("Further attempts", 2, minimum=0, maximum=20),
            "base": pieces.span("The first wait", "1s"),
            "factor": pieces.number("How the wait grows", 2, minimum=1, maximum=10),
            "cap": pieces.span("The longest wait", "1m"),
        },
        "Trying again after a failure that may pass",
    ),
    "writes": pieces.switch("Whether it changes the world"),
    "key": pieces.listed(
        pieces.expression("A value that names the effect", "incident.id"),
        "What names the effect: a write is repeated only under the same key",
        minItems=1,
        maxItems=10,
    ),
    "repeatable": pieces.switch("false: must never run twice; after a crash a person is asked"),
    "outputs": pieces.mapped(
        pieces.expression("From what the action answered", "json.ratio"),
        "Values that later steps may use",
        propertyNames=pieces.LOCAL_NAMES,
    ),
    "on_failure": pieces.one_of(
        "What its failure means for the run", *(each.value for each in OnFailure)
    ),
    "continue_on_error": pieces.switch("true: its failure counts as success"),
}


def schema(lookup: Lookup, used: Collection[str] | None = None) -> Schema:
    """A step's schema, with the keys of every action installed."""
    actions = kind_properties(lookup, "actions", references=True, used=used)
    undo = pieces.entry(
        {**actions, "timeout": pieces.span("How long it may take")},
        "The action that undoes this step; it must be safe to run when nothing was done",
    )
    return pieces.entry({**_SHARED, **_WAITS, **actions, "rollback": undo}, "One step", "id")


@dataclass(frozen=True, slots=True)
class Earlier:
    """What is known of a step when later ones are read: its outputs, and whom it waits for."""

    outputs: frozenset[str]
    needs: frozenset[str]


def read_steps(
    values: Any, at: At, *, before: Mapping[str, Earlier]
) -> tuple[tuple[Step, ...], Mapping[str, Earlier]]:
    """The steps in order, and what is known of them and of those `before` them."""
    bodies = [(index, each) for index, each in kept(values)]
    needs = [
        _named_needs(body, [each["id"] for _, each in bodies[:i]])
        for i, (_, body) in enumerate(bodies)
    ]
    known = dict(before)
    steps: list[Step] = []
    for position, (index, body) in enumerate(bodies):
        place, name = at / index, body["id"]
        if name in known:
            (place / "id").wrong(f"a step `{name}` stands here a second time", "rename one of them")
        later = {each["id"]: needs[i] for i, (_, each) in enumerate(bodies) if i > position}
        direct = _check_needs(body, place, earlier=set(known) - set(before), later=later)
        waits_for = frozenset(before) | direct.union(*(known[each].needs for each in direct))
        step = _read_step(body, place, known=known, waits_for=waits_for)
        known[name] = Earlier(frozenset(body.get("outputs", {})), waits_for)
        if step is not None:
            steps.append(step)
    return tuple(steps), known


def _named_needs(body: Mapping[str, Any], before: Sequence[str]) -> frozenset[str]:
    return frozenset(body.get("needs", before))


def _check_needs(
    body: Mapping[str, Any], at: At, *, earlier: set[str], later: Mapping[str, frozenset[str]]
) -> frozenset[str]:
    """Whom a step waits for directly. Steps are written in the order in which they run; who needs a
    later one would wait in a circle, or be read in the wrong order by people."""
    if "needs" not in body:
        return frozenset(earlier)
    for index, name in enumerate(body["needs"]):
        place = at / "needs" / index
        if name == body["id"]:
            place.wrong(f"`{name}` needs itself", "remove it")
        elif name in later and body["id"] in later[name]:
            place.wrong(
                f"`{body['id']}` and `{name}` wait for each other", "remove one of the needs"
            )
        elif name in later:
            place.wrong(f"`{name}` comes later", "write steps in the order in which they run")
        elif name not in earlier:
            place.unknown(name, sorted(earlier), "a step before this one")
    return frozenset(body["needs"]) & earlier


def _read_step(
    body: Mapping[str, Any],
    at: At,
    *,
    known: Mapping[str, Earlier],
    waits_for: frozenset[str],
) -> Step | None:
    lookup = at.reading.lookup
    kinds = (*lookup.names("actions"), *WAITS)
    name = only_kind(body, kinds, at, "a step")
    declared: dict[str, Type | Mapping[str, Type]] = {**NAMES}
    declared["steps"] = dict.fromkeys(known, "map")
    scope = Scope(declared, check=_may_read(known, waits_for))
    when = _expression(body, "when", at, scope)
    key = _key(body.get("key", ()), at / "key", scope)
    if name is None:
        return None
    does = _does(name, body[name], at, Building(scope, scope))
    if does is None:
        return None
    writes = _writes(body, name, does, at)
    timeout_s = _timeout(body, name)
    return Step(
        id=body["id"],
        does=does,
        when=when,
        needs=tuple(body["needs"]) if "needs" in body else None,
        timeout_s=timeout_s,
        retry=_retry(body.get("retry")),
        writes=writes,
        key=key,
        repeatable=body.get("repeatable", True),
        outputs=_outputs(body.get("outputs", {}), at / "outputs", name, lookup),
        on_failure=OnFailure(body.get("on_failure", "abort")),
        continue_on_error=body.get("continue_on_error", False),
        rollback=_rollback(body, at, scope),
        place=at.line(),
    )


def _does(name: str, value: Any, at: At, building: Building) -> Any:
    place = at / name
    match name:
        case "wait":
            return WaitSpan(spans.seconds(value["for"]))
        case "healthy":
            (place / "probe").named("probes", value["probe"])
            return WaitHealthy(value["probe"], value.get("ok", 2))
        case "approval":
            (place / "by").reference(value["by"], *BY)
            check_template(value.get("text", ""), place / "text")
            return WaitApproval(value["by"], value.get("text", ""))
        case "checklist":
            if "by" in value:
                (place / "by").reference(value["by"], *BY)
            return WaitChecklist(tuple(value["items"]), value.get("by", ""))
        case _:
            kind = find_kind(at.reading.lookup, "actions", name, at)
            return None if kind is None else _acting(kind, value, place, building)


def _acting(kind: Any, value: Any, at: At, building: Building) -> Any:
    """An action, and whether the probe exists that it names."""
    action = build(kind, value, at, building)
    if isinstance(getattr(action, "text", None), str):
        check_template(action.text, at / "text")
    key = "id" if kind.KIND == "probe" else "probe"
    named = getattr(action, key, None)
    if isinstance(named, str) and named and key in value:
        (at / key).named("probes", named)
    return action


def _timeout(body: Mapping[str, Any], name: str) -> Seconds:
    if "timeout" in body:
        return spans.seconds(body["timeout"])
    value = body[name]
    if name in ("approval", "checklist"):
        return spans.seconds(value["timeout"]) if "timeout" in value else HUMAN_TIMEOUT_S
    if name == "wait":
        return Seconds(spans.seconds(value["for"]) + TIMEOUT_S)
    return HEALTHY_TIMEOUT_S if name == "healthy" else TIMEOUT_S


def _writes(body: Mapping[str, Any], name: str, does: Any, at: At) -> bool:
    writes = bool(body.get("writes", getattr(does, "WRITES", False)))
    if name in WAITS:
        if body.get("writes"):
            (at / "writes").wrong("a wait changes nothing", "remove `writes:`", at_key=True)
        return False
    if writes and "key" not in body and body.get("repeatable", True):
        at.wrong(
            f"step `{body['id']}` writes, and nothing says whether it may be repeated after a crash",
            "give it `key:` (what names its effect) or `repeatable: false`",
        )
    return writes


def _retry(value: Any) -> StepRetry:
    if not value:
        return StepRetry()
    return StepRetry(
        value.get("times", 1),
        spans.seconds(value.get("base", "1s")),
        float(value.get("factor", 2.0)),
        spans.seconds(value.get("cap", "1m")),
    )


def _expression(body: Mapping[str, Any], key: str, at: At, scope: Scope) -> Expression | None:
    return (at / key).expression(body[key], scope) if key in body else None


def _key(values: Sequence[str], at: At, scope: Scope) -> tuple[Expression, ...]:
    compiled = (at / index for index in range(len(values)))
    found = [place.expression(each, scope) for place, each in zip(compiled, values, strict=True)]
    return tuple(each for each in found if each is not None)


def _outputs(
    values: Mapping[str, str], at: At, name: str, lookup: Lookup
) -> Mapping[str, Expression]:
    if values and name in WAITS:
        at.wrong("a wait has no outputs", "remove `outputs:`", at_key=True)
        return {}
    if not values:
        return {}
    action = lookup.find("actions", name)
    scope = scope_of(action, getattr(action, "OUTPUTS", {}))
    found = {key: (at / key).expression(each, scope) for key, each in values.items()}
    return {key: each for key, each in found.items() if each is not None}


def _rollback(body: Mapping[str, Any], at: At, scope: Scope) -> Step | None:
    """The undo, a step named after the one it undoes; ``repeatable``, since undoing must be."""
    value = body.get("rollback")
    if value is None:
        return None
    place = at / "rollback"
    lookup = at.reading.lookup
    name = only_kind(value, lookup.names("actions"), place, "a rollback")
    if name is None:
        return None
    does = _does(name, value[name], place, Building(scope, scope))
    if does is None:
        return None
    timeout_s = spans.seconds(value["timeout"]) if "timeout" in value else TIMEOUT_S
    writes = bool(getattr(does, "WRITES", False))
    return Step(
        id=f"{body['id']}{UNDO}",
        does=does,
        timeout_s=timeout_s,
        writes=writes,
        place=place.line(),
    )


def _may_read(
    known: Mapping[str, Earlier], waits_for: frozenset[str]
) -> Callable[[Expression, At], None]:
    """An expression may read the steps that its own step waits for, and the outputs they declare."""

    def check(expression: Expression, at: At) -> None:
        for name in sorted(expression.names):
            root, _, below = name.partition(".")
            step, _, field = below.partition(".")
            if root != "steps" or step not in known:
                continue
            if step not in waits_for:
                at.wrong(
                    f"this reads `{name}`, but its step does not wait for `{step}`",
                    f"add `{step}` to its `needs:`",
                )
            elif field.startswith("outputs."):
                output, outputs = field.split(".")[1], known[step].outputs
                if output not in outputs:
                    at.unknown(output, sorted(outputs), f"an output of `{step}`")

    return check
