"""``playbooks:`` what to do when something is wrong."""

from collections.abc import Collection, Mapping
from typing import Any

from sentinel.library import pieces, spans, steps
from sentinel.library.declared import Declared, kept
from sentinel.library.reading import At, Lookup, Scope
from sentinel.library.shape import Schema
from sentinel.library.steps import Earlier
from sentinel.playbook.context import MATCH_NAMES
from sentinel.playbook.playbook import Limits, PagePolicy, Playbook, PlaybookTest, Step
from sentinel.words import Outcome, Seconds, Severity

CONCLUSIONS = ("succeeded", "failed", "cancelled", "timed_out", "stuck", "unmatched")
"""How a declared test may end; ``unmatched``: the playbook is not for what is given."""

TIMEOUT_S = Seconds(3600.0)
LASTLY_TIMEOUT_S = Seconds(300.0)
MOST_STEPS = 100

_LIMITS = pieces.entry(
    {
        "key": pieces.listed(
            pieces.expression("A value that runs are counted by", "labels.client"),
            "What runs are counted by; without it all runs of the playbook",
            maxItems=10,
        ),
        "at_once": pieces.whole("Runs at the same time", 1, minimum=1, maximum=1000),
        "then": pieces.one_of("What a further run does", "queue", "skip"),
        "cooldown": pieces.span("How long after a run none may start", "30m"),
        "runs": {
            "type": "string",
            "pattern": spans.RUNS,
            "errorMessage": "not a number of runs in a time, write it like 3 in 24h",
            "description": "How many runs in how long",
            "examples": ["3 in 24h"],
        },
        "targets": pieces.whole("Different keys in that time", 5, minimum=1),
        "failures": pieces.whole(
            "Failed remediations in a row that open the circuit", 2, minimum=1
        ),
    },
    "Bounds on its runs; a limit that is hit tells a person",
)
_TEST = pieces.entry(
    {
        "name": pieces.text("What it shows", "nobody approves, nothing is switched", minLength=1),
        "given": pieces.entry(
            {
                "labels": pieces.mapped({"type": "string"}, "The incident's labels"),
                "severity": pieces.severity("The incident's severity"),
                "outputs": pieces.mapped(
                    pieces.mapped({}, "Output to value"), "What steps answer, by step"
                ),
                "outcomes": pieces.mapped(
                    pieces.one_of("What the step comes to", *(each.value for each in Outcome)),
                    "How steps end, by step; ok where not said",
                ),
            },
            "The incident, and what the world answers",
        ),
        "expect": pieces.entry(
            {
                "conclusion": pieces.one_of("How the run ends", *CONCLUSIONS),
                "called": pieces.listed(
                    pieces.local_identifier("A step"), "Steps that are performed"
                ),
                "not_called": pieces.listed(
                    pieces.local_identifier("A step"), "Steps that are not"
                ),
            },
            "What must come of it",
            "conclusion",
        ),
    },
    "An example that `sentinel playbook test` runs",
    "name",
    "expect",
)


def schema(lookup: Lookup, used: Collection[str] | None = None) -> Schema:
    """A playbook's schema, with the keys of every action installed."""
    step = steps.schema(lookup, used)
    return pieces.entry(
        {
            "owner": pieces.reference("Who keeps it right", "team/payments"),
            "when": pieces.expression("For which incidents", 'labels.service == "checkout"'),
            "order": pieces.whole(
                "Of the playbooks that match and page, the lowest decides (default 100)",
                50,
                minimum=0,
            ),
            "page": pieces.entry(
                {
                    "escalation": pieces.reference("Who is paged", "escalation/storefront"),
                    "after": pieces.span("Only if it is not well by then", "2m"),
                },
                "Who is paged for the incidents it decides",
                "escalation",
            ),
            "limits": _LIMITS,
            "timeout": pieces.span("How long the steps may take together", "1h"),
            "steps": pieces.listed(step, "What is done, in order", maxItems=MOST_STEPS),
            "finally": pieces.listed(step, "What is done at the end in any case", maxItems=20),
            "finally_timeout": pieces.span("How long `finally` may take", "5m"),
            "tests": pieces.listed(_TEST, "Examples of it", maxItems=100),
        },
        "What to do when something is wrong",
        "when",
    )


def read_playbook(declared: Declared, digest: str) -> Playbook | None:
    """The playbook; None, and said, when something it cannot be without is wrong."""
    at, body = declared.at, declared.sound
    scope = at.reading.shared("playbook scope", lambda: Scope(MATCH_NAMES))
    when = (at / "when").expression(body["when"], scope) if "when" in body else None
    if "owner" in body:
        (at / "owner").reference(body["owner"], "person", "team")
    forward, known = steps.read_steps(body.get("steps"), at / "steps", before={})
    lastly, everything = steps.read_steps(body.get("finally"), at / "finally", before=known)
    _check_rollbacks((*forward, *lastly), at)
    page = _page(body.get("page"), at / "page")
    limits = _limits(body.get("limits"), at / "limits", scope)
    tests = _tests(body.get("tests"), at / "tests", everything)
    if when is None:
        return None
    return Playbook(
        id=declared.id,
        when=when,
        owner=body.get("owner", ""),
        order=body.get("order", 100),
        page=page,
        limits=limits,
        timeout_s=spans.seconds(body["timeout"]) if "timeout" in body else TIMEOUT_S,
        steps=forward,
        lastly=lastly,
        lastly_timeout_s=_lastly_timeout(body),
        tests=tests,
        place=declared.place,
        digest=digest,
    )


def _lastly_timeout(body: Mapping[str, Any]) -> Seconds:
    return spans.seconds(body["finally_timeout"]) if "finally_timeout" in body else LASTLY_TIMEOUT_S


def _check_rollbacks(all_steps: tuple[Step, ...], at: At) -> None:
    """A step that fails with ``rollback`` undoes what came before it; something must be undoable."""
    undoable = [step for step in all_steps if step.rollback is not None]
    for step in all_steps:
        if step.on_failure.value == "rollback" and not undoable:
            at.wrong(
                f"step `{step.id}` says `on_failure: rollback`, and no step has a `rollback:`",
                "give the step that writes a `rollback:`",
            )


def _page(value: Any, at: At) -> PagePolicy | None:
    if not value:
        return None
    (at / "escalation").reference(value["escalation"], "escalation")
    after_s = spans.seconds(value["after"]) if "after" in value else Seconds(0.0)
    return PagePolicy(value["escalation"].partition("/")[2], after_s)


def _limits(value: Any, at: At, scope: Scope) -> Limits:
    value = value or {}
    key = [(at / "key" / i).expression(each, scope) for i, each in enumerate(value.get("key", ()))]
    runs, runs_in_s = spans.runs_in(value["runs"]) if "runs" in value else (0, Seconds(86400.0))
    return Limits(
        key=tuple(each for each in key if each is not None),
        at_once=value.get("at_once", 1),
        then=value.get("then", "queue"),
        cooldown_s=spans.seconds(value.get("cooldown", "0s")),
        runs=runs,
        runs_in_s=runs_in_s,
        targets=value.get("targets", 0),
        failures=value.get("failures", 2),
    )


def _tests(values: Any, at: At, known: Mapping[str, Earlier]) -> tuple[PlaybookTest, ...]:
    found = []
    for index, each in kept(values):
        given, expect, place = each.get("given", {}), each["expect"], at / index
        for part in ("outputs", "outcomes"):
            for step in given.get(part, {}):
                if step not in known:
                    (place / "given" / part / step).unknown(step, sorted(known), "a step")
        for part in ("called", "not_called"):
            for i, step in enumerate(expect.get(part, ())):
                if step not in known:
                    (place / "expect" / part / i).unknown(step, sorted(known), "a step")
        outcomes = {step: Outcome(word) for step, word in given.get("outcomes", {}).items()}
        found.append(
            PlaybookTest(
                name=each["name"],
                labels=given.get("labels", {}),
                severity=Severity[given.get("severity", "error")],
                outputs=given.get("outputs", {}),
                outcomes=outcomes,
                conclusion=expect["conclusion"],
                called=tuple(expect.get("called", ())),
                not_called=tuple(expect.get("not_called", ())),
            )
        )
    return tuple(found)
