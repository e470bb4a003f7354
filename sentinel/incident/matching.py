"""Which playbooks an incident finds, and which of them decides the paging: rule 13.

Every matching playbook runs, once per opening. Among those with ``page:`` the lowest order
decides, the others are recorded as overruled; when none pages, ``site.unmatched`` does. A
condition that cannot be evaluated is no match, is recorded, and never prevents a page.
"""

from typing import Any

from sentinel.errors import ExpressionFailed
from sentinel.incident import runs
from sentinel.incident.naming import incident_bindings
from sentinel.incident.paging import plan_paging
from sentinel.incident.plan import Course
from sentinel.playbook.playbook import PagePolicy, Playbook
from sentinel.timeline import paging_facts as pag


def bindings(course: Course) -> dict[str, Any]:
    """The names that a playbook's ``when`` may use."""
    state = course.state
    incident = incident_bindings(state)
    return {
        "incident": incident,
        "labels": incident["labels"],
        "severity": int(state.severity),
        "now": course.now,
    }


def match(course: Course) -> None:
    """Choose playbooks not yet chosen in this opening, begin their runs, and settle who pages."""
    names = bindings(course)
    matching = [each for each in _in_order(course) if _matches(course, each, names)]
    decider = next((each for each in _running(course, matching) if each.page is not None), None)
    for playbook in matching:
        if course.state.chosen.get(playbook.id) != course.state.opening:
            _choose(course, playbook, decider)
            runs.begin(course, playbook)
    _settle_paging(course, decider)


def _running(course: Course, matching: list[Playbook]) -> list[Playbook]:
    """Those that match now, and those chosen earlier in this opening: they run, so they count."""
    state = course.state
    chosen = {name for name, opening in state.chosen.items() if opening == state.opening}
    return [each for each in _in_order(course) if each in matching or each.id in chosen]


def _in_order(course: Course) -> list[Playbook]:
    declared = course.situation.policy.playbooks.values()
    return sorted(declared, key=lambda playbook: (playbook.order, playbook.id))


def _matches(course: Course, playbook: Playbook, names: dict[str, Any]) -> bool:
    try:
        return playbook.when.evaluate(names) is True
    except ExpressionFailed as failed:
        course.happened(pag.MatchFailed(playbook.id, failed.reason), error=str(failed))
        return False


def _choose(course: Course, playbook: Playbook, decider: Playbook | None) -> None:
    overruled = decider.id if decider and playbook.page and playbook is not decider else ""
    course.happened(
        pag.PlaybookChosen(
            playbook=playbook.id,
            digest=playbook.digest,
            opening=course.state.opening,
            decides=playbook is decider,
            overruled=overruled,
            because={"when": playbook.when.source, "order": playbook.order},
        )
    )


def _settle_paging(course: Course, decider: Playbook | None) -> None:
    """Plan the paging of this opening, or anew when a playbook of lower order has come to decide."""
    state = course.state
    planned = state.paging.opening == state.opening and bool(state.paging.escalation)
    if decider is None or decider.page is None:
        if not planned:
            because = {"unmatched": True}
            plan_paging(course, course.situation.policy.unmatched, 0.0, because)
        return
    page: PagePolicy = decider.page
    if planned and state.paging.escalation == page.escalation:
        return
    plan_paging(course, page.escalation, page.after_s, {"playbook": decider.id})
