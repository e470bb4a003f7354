"""``people:`` who answers, and how they are reached."""

from typing import Any

from sentinel.library import pieces, spans
from sentinel.library.declared import Declared, kept
from sentinel.library.reading import At
from sentinel.library.secrets import literal_secret
from sentinel.library.shape import Schema
from sentinel.oncall.person import Away, Person, RuleStep
from sentinel.words import Seconds, Secret, Urgency

_RULE = pieces.listed(
    pieces.entry(
        {
            "via": pieces.text("One of the methods", "push"),
            "after": pieces.span("How long after the page was queued", "2m"),
        },
        "Try this method",
        "via",
    ),
    "The methods to try, in order",
    minItems=1,
    maxItems=20,
)

SCHEMA: Schema = pieces.entry(
    {
        "name": pieces.text("The name that others see", "Ana Silva", minLength=1),
        "timezone": pieces.timezone("Where they live"),
        "methods": pieces.mapped(
            pieces.secret(
                "An Apprise URL",
                "env:ANA_PUSH",
                "mailto://mail.acme.example?from=sentinel@acme.example&to=ana@acme.example",
            ),
            "Ways to reach them, by name",
            propertyNames=pieces.ID_NAMES,
        ),
        "rules": pieces.entry(
            {"high": _RULE, "low": _RULE},
            "Which methods are tried when; without a rule all at once",
        ),
        "away": pieces.listed(
            pieces.entry(
                {"from": pieces.date("The first day"), "to": pieces.date("The last day")},
                "Local dates, both included",
                "from",
                "to",
            ),
            "When they take no turn",
        ),
    },
    "Somebody who answers",
)


def read_person(declared: Declared) -> Person:
    """The person; what is wrong has been said."""
    at, body = declared.at, declared.sound
    methods = {}
    for name, address in body.get("methods", {}).items():
        literal = literal_secret(address)
        if literal:
            (at / "methods" / name).finding(literal, "write env:NAME or file:PATH in its place")
        methods[name] = Secret(address)
    rules = {
        Urgency(word): _rule(steps, at / "rules" / word, tuple(declared.body.get("methods") or ()))
        for word, steps in body.get("rules", {}).items()
    }
    return Person(
        id=declared.id,
        name=body.get("name", declared.id),
        timezone=(at / "timezone").timezone(body.get("timezone", "UTC")),
        methods=methods,
        rules=rules,
        away=_away(body.get("away", ()), at / "away"),
        place=declared.place,
    )


def _rule(steps: Any, at: At, methods: tuple[str, ...]) -> tuple[RuleStep, ...]:
    found, before_s = [], Seconds(0.0)
    for index, each in enumerate(steps):
        place = at / index
        if each["via"] not in methods:
            (place / "via").unknown(each["via"], methods, "one of the methods")
        after_s = spans.seconds(each.get("after", "0s"))
        if after_s < before_s:
            (place / "after").wrong(
                f"{spans.written(after_s)} is before the step above",
                "`after` counts from the page, so write the steps in order",
            )
        before_s = max(before_s, after_s)
        found.append(RuleStep(each["via"], after_s))
    return tuple(found)


def _away(values: Any, at: At) -> tuple[Away, ...]:
    found = []
    for index, each in kept(values):
        place = at / index
        first, last = place.day("from", each), place.day("to", each)
        if first is None or last is None:
            continue
        if last < first:
            (place / "to").wrong(
                f"{last} is before {first}", "write the last day, which is included"
            )
        found.append(Away(first, last))
    return tuple(found)
