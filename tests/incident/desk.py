"""A desk for one incident: decisions are made on it one after another, by the rooms alone.

After every decision the incident is folded anew from all its facts and must be what the
decision left, so no test can pass on state that the log does not hold.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sentinel.incident import respond, sending
from sentinel.incident.correlate import Group, Report, Way
from sentinel.incident.deliveries import Receiving
from sentinel.incident.plan import Course, Situation, Wanted
from sentinel.incident.policy import Policy
from sentinel.incident.state import IncidentState, Page, apply, copy
from sentinel.timeline.facts import AnyFact, Fact
from sentinel.words import Severity
from tests.engine.kernel import START, policy

GROUP = "acme/storefront/high"


def report(name: str = "home", **keys: Any) -> Report:
    labels = {"alertname": name, "client": "acme", "service": "storefront"} | keys.pop("labels", {})
    values: dict[str, Any] = {
        "severity": Severity.error,
        "started_at": START,
        "source": "test",
        "reason": "status",
    }
    return Report(labels, **{**values, **keys})


@dataclass
class Desk:
    policy: Policy = field(default_factory=policy)
    now: datetime = START
    state: IncidentState = field(default_factory=IncidentState)
    facts: list[Fact] = field(default_factory=list)
    groups: dict[str, Group] = field(default_factory=dict)
    people: dict[str, Receiving] = field(default_factory=dict)
    work: dict[str, Wanted] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)
    wake_at: datetime | None = None
    situation: dict[str, Any] = field(default_factory=dict)

    def decide(self, what: Callable[[Course], object] = lambda course: None) -> list[AnyFact]:
        """Make one decision and settle; the incident's new facts."""
        situation = Situation(
            self.now, self.policy, groups=self.groups, people=self.people, **self.situation
        )
        course = Course(copy(self.state), situation)
        what(course)
        respond.settle(course)
        new = course.facts.get(course.state.stream(), [])
        self.facts += new
        self.groups, self.people = dict(course.groups), dict(course.people)
        self.work = {
            k: w for k, w in {**self.work, **course.wanted}.items() if k not in course.done
        }
        self.wake_at = respond.wake_at(course)
        self.state = folded(self.facts)
        assert self.state == course.state
        return [fact.what for fact in new]

    def fires(self, name: str = "home", **keys: Any) -> list[AnyFact]:
        keys.setdefault("started_at", self.now)
        way = Way.joins if self.state.incident else Way.opens
        return self.decide(
            lambda course: respond.alert_fires(
                course, report(name, **keys), way, incident="abcd1234", group=GROUP
            )
        )

    def ends(self, name: str = "home") -> list[AnyFact]:
        gone = report(name).fingerprint
        return self.decide(lambda course: respond.alert_ends(course, gone, "recovered"))

    def later(self, **span: float) -> list[AnyFact]:
        """Let time pass, stopping wherever the incident asked to be looked at."""
        end = self.now + timedelta(**span)
        found: list[AnyFact] = []
        for _ in range(1000):
            if self.wake_at is None or self.wake_at > end:
                self.now = end
                return found
            assert self.wake_at > self.now, "it asks to be looked at in the past, for ever"
            self.now = self.wake_at
            found += self.decide()
        raise AssertionError("too many wake-ups")

    def send(self, outcome: sending.Sent = sending.Sent.accepted) -> list[str]:
        """Claim and send everything that is due; to whom, by which method, for what."""
        sent = []
        for key in [
            k for k, w in self.work.items() if w.kind == "delivery" and w.due_at <= self.now
        ]:
            found = self.claim(key)
            if isinstance(found, sending.Claim):
                sent.append(f"{found.person} {found.method} {found.purpose}")
                self.comes_to(found, outcome)
        return sent

    def claim(self, key: str) -> sending.Claim | sending.Postponed:
        found: list[sending.Claim | sending.Postponed] = []
        person, delivery = self.work[key].body["person"], key.removeprefix("delivery/")
        attempt = self.attempts[key] = self.attempts.get(key, 0) + 1
        self.decide(
            lambda course: found.append(
                sending.claim(
                    {course.state.incident: course}, person, delivery,
                    node="n", epoch=1, attempt=attempt,
                )
            )
        )  # fmt: skip
        return found[0]

    def comes_to(self, claim: sending.Claim, outcome: sending.Sent) -> list[AnyFact]:
        return self.decide(
            lambda course: sending.came_to(
                {course.state.incident: course}, claim, outcome, reason="test"
            )
        )

    def pages(self, **wanted: Any) -> list[Page]:
        return [
            page
            for page in self.state.paging.pages.values()
            if all(getattr(page, name) == value for name, value in wanted.items())
        ]


def folded(facts: list[Fact]) -> IncidentState:
    state = IncidentState()
    for fact in facts:
        apply(state, fact.what, fact.occurred_at)
    return replace(state)
