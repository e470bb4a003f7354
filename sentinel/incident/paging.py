"""Waking people: rounds, levels, pages, and stopping again (rules 16 to 18, 20).

Paging of an incident is a pass over an escalation's levels. A *round* counts the passes;
paging begins again at level 1, with the next round, whenever there is a new reason. After
the escalation's passes are spent the site's fallback is paged at its interval until
somebody acknowledges: there is no state in which an unacknowledged incident is silent.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from sentinel.incident.deliveries import Delivering, Receiving, plan_page
from sentinel.incident.plan import Course, Wanted
from sentinel.incident.policy import Policy
from sentinel.incident.state import OPEN, Page, PageStatus, Status
from sentinel.oncall.escalation import Escalation, Level, Resolved, resolve_level
from sentinel.oncall.person import RuleStep
from sentinel.timeline import paging_facts as pag
from sentinel.timeline import site_facts as site
from sentinel.words import Seconds, Urgency

CHAT = "chat/"
"""Before ``ESCALATION/LEVEL/PLACE``: an address under ``tell:``, in the place of a person."""
CHAT_METHOD = "tell"
FALLBACK = 0
"""The level number of the site's fallback."""


def plan_paging(course: Course, escalation: str, after_s: float, because: pag.Because) -> None:
    """Decide who is paged if the incident is not well after `after_s`."""
    declared = course.situation.policy.escalations[escalation]
    begin_at = course.now + timedelta(seconds=after_s)
    course.happened(pag.PagingPlanned(escalation, declared.digest, begin_at, because))
    progress(course)


def progress(course: Course) -> None:
    """Begin, escalate, repeat or fall back, as far as it is due now. Only while triggered."""
    paging = course.state.paging
    if course.state.status is not Status.triggered:
        return
    if paging.begin_at is not None and paging.begin_at <= course.now:
        begin_round(course, _why_now(course))
    elif paging.next_at is not None and paging.next_at <= course.now:
        _next_level(course)


def _why_now(course: Course) -> str:
    """Why planned paging begins: the first of all, of this opening, or for a playbook that came to
    decide while others were already paged."""
    paging = course.state.paging
    if paging.round == 0:
        return "opened"
    return "reopened" if paging.began_in < course.state.opening else "worse"


def begin_round(course: Course, reason: str, first: str = "") -> None:
    """Page from level 1, in a new round. `first` is somebody paged beside it, named first (rule 11)."""
    paging = course.state.paging
    if not paging.escalation:
        return
    course.happened(pag.RoundBegan(paging.round + 1, paging.escalation, reason))
    _reach_from(course, 1, first)


def escalate(course: Course) -> None:
    """Page the next level now, at a person's request or because nobody here can be reached."""
    if course.state.paging.round == 0:
        begin_round(course, "escalated")
    else:
        _next_level(course)


def _escalation(course: Course) -> Escalation:
    """The escalation as this round pinned it."""
    paging = course.state.paging
    pinned = course.situation.pinned.get(paging.digest)
    if isinstance(pinned, Escalation):
        return pinned
    return course.situation.policy.escalations[paging.escalation]


def _next_level(course: Course) -> None:
    paging = course.state.paging
    if paging.fallback:
        _fall_back(course)
    else:
        _reach_from(course, paging.level + 1)


def _reach_from(course: Course, level: int, first: str = "") -> None:
    """Page the first level from here on that is not empty; past the last one, repeat or fall back.

    Bounded: each pass over the levels either pages somebody or uses up a repeat.
    """
    escalation = _escalation(course)
    for _ in range(max(escalation.repeat, 1) + 1):
        for number in range(level, len(escalation.levels) + 1):
            if _reach(course, number, escalation.levels[number - 1], first):
                return
        if course.state.paging.passes >= escalation.repeat:
            break
        round_ = course.state.paging.round + 1
        course.happened(pag.RoundBegan(round_, escalation.id, "repeat"))
        level, first = 1, ""
    _fall_back(course)


def _fall_back(course: Course) -> None:
    """The fallback, once more: a new round each interval, and at its end the next one."""
    policy = course.situation.policy
    round_ = course.state.paging.round + 1
    course.happened(pag.RoundBegan(round_, course.state.paging.escalation, "fallback"))
    level = Level(page=policy.fallback.page, ack_within_s=policy.fallback.every_s)
    if not _reach(course, FALLBACK, level, ""):
        next_at = course.now + timedelta(seconds=policy.fallback.every_s)
        course.happened(pag.LevelReached(round_, FALLBACK, (), next_at, {"empty": True}))


def _reach(course: Course, number: int, level: Level, first: str) -> bool:
    """Page a level's people; False, with the reason recorded, when there is nobody."""
    found = _resolve(course, level)
    if first and not _steps_of(course, first):
        first = ""  # who holds it by a token or an account only cannot be paged
    people = tuple(dict.fromkeys([first, *found.people] if first else found.people))
    round_ = course.state.paging.round
    if not people:
        course.happened(pag.LevelEmpty(round_, number, found.reason))
        return False
    next_at = course.now + timedelta(seconds=level.ack_within_s)
    course.happened(pag.LevelReached(round_, number, people, next_at, found.because))
    for person in people:
        queue_rule(course, person, level=number)
    for place in range(len(level.tell)):
        _tell_chat(course, f"{CHAT}{course.state.paging.escalation}/{number}/{place}", number)
    return True


def _tell_chat(course: Course, chat: str, level: int) -> None:
    """Tell a plain address of a level; it counts as nobody having been paged."""
    step = RuleStep(CHAT_METHOD)
    _queue(course, chat, level=level, number=0, step=step, purpose="tell", mark="chat")


def _resolve(course: Course, level: Level) -> Resolved:
    situation = course.situation
    policy = situation.policy
    return resolve_level(
        level,
        at=course.now,
        rotations=policy.rotations,
        people=policy.people,
        teams=policy.teams,
        urgency=course.state.urgency,
        paged=frozenset(course.state.paging.paged),
        overrides=situation.overrides,
        escalations=policy.escalations,
    )


def queue_rule(
    course: Course, person: str, *, level: int, purpose: str = "page", mark: str = ""
) -> None:
    """Queue every step of a person's rule for this incident's urgency; `after` counts from now.

    `mark` tells apart pages for another purpose at the same round and level.
    """
    for number, step in enumerate(_steps_of(course, person), start=1):
        _queue(course, person, level=level, number=number, step=step, purpose=purpose, mark=mark)


def tell(course: Course, person: str, mark: str) -> None:
    """Queue one message for information, by the person's first method, leaving at once."""
    if steps := _steps_of(course, person):
        step = RuleStep(steps[0].via)
        _queue(course, person, level=0, number=0, step=step, purpose="tell", mark=mark)


def _steps_of(course: Course, person: str) -> tuple[RuleStep, ...]:
    """The steps of a person's rule that lead somewhere; none for who is no declared person."""
    declared = course.situation.policy.people.get(person)
    if declared is None:
        return ()
    steps = declared.steps(course.state.urgency)
    return tuple(step for step in steps if step.via in declared.methods)


def _queue(
    course: Course, person: str, *, level: int, number: int, step: RuleStep, purpose: str, mark: str
) -> None:
    state = course.state
    key = f"{state.incident}:{state.paging.round}:{level}:{person}:{number}"
    key = f"{key}:{mark}" if mark else key
    if key in state.paging.pages:
        return
    urgency = state.urgency if purpose != "tell" else Urgency.low
    due_at = course.now + timedelta(seconds=step.after_s)
    delivery = _join_delivery(course, person, key, step.via, urgency, due_at)
    course.happened(
        pag.PageQueued(
            page=key,
            person=person,
            round=state.paging.round,
            level=level,
            step=number,
            method=step.via,
            due_at=due_at,
            delivery=delivery.delivery,
            urgency=urgency,
            purpose=purpose,
        )
    )


def _join_delivery(
    course: Course, person: str, page: str, method: str, urgency: Urgency, due_at: datetime
) -> Delivering:
    """Let a page leave with a delivery, planning that one if it is new, and want its work row."""
    receiving = course.people.get(person, Receiving())
    delivery = plan_page(receiving, page=page, method=method, urgency=urgency, due_at=due_at)
    known = receiving.deliveries.get(delivery.delivery)
    if known is None or not known.pages:
        course.on_person(
            person,
            site.DeliveryPlanned(
                delivery.delivery, method, urgency, delivery.due_at, delivery.bundle
            ),
        )
    course.on_person(person, site.DeliveryJoined(delivery.delivery, course.state.incident, page))
    want_delivery(course, person, delivery.delivery)
    return delivery


def want_delivery(course: Course, person: str, delivery: str) -> None:
    """The work row of a delivery as the person's stream tells it, or its end when no page is left."""
    known = course.people[person].deliveries.get(delivery)
    key = f"delivery/{delivery}"
    if known is None or not known.pages:
        course.drop(key)
        return
    course.want(
        Wanted(
            key=key,
            kind="delivery",
            due_at=known.due_at,
            incidents=tuple(dict.fromkeys(incident for incident, _ in known.pages)),
            body={
                "person": person,
                "method": known.method,
                "pages": [list(p) for p in known.pages],
            },
        )
    )


def due(wanted: Wanted, at: datetime) -> Wanted:
    """The same work, due at another time."""
    return replace(wanted, due_at=at)


def withdraw(
    course: Course, reason: str, *, purposes: frozenset[str] = frozenset({"page"})
) -> None:
    """Withdraw every page not yet claimed (rule 18)."""
    for page in list(course.state.paging.pages.values()):
        if page.status is PageStatus.queued and page.purpose in purposes:
            withdraw_page(course, page, reason)


def withdraw_page(course: Course, page: Page, reason: str) -> None:
    """Withdraw one page, and its delivery when no other page is in it."""
    course.happened(pag.PageWithdrawn(page.page, reason))
    _leave_delivery(course, page)


def _leave_delivery(course: Course, page: Page) -> None:
    receiving = course.people.get(page.person, Receiving())
    if page.delivery not in receiving.deliveries:
        return
    course.on_person(
        page.person, site.DeliveryLeft(page.delivery, course.state.incident, page.page)
    )
    want_delivery(course, page.person, page.delivery)


def is_answered(course: Course, page: Page) -> bool:
    """Whether a page of an escalation has done its work: the incident pages nobody any more. What a
    run asks of the one who holds the incident is marked, and is not answered by holding it."""
    marked = page.page.count(":") > 4
    return page.purpose == "page" and not marked and course.state.status is not Status.triggered


def tell_the_paged(course: Course, mark: str, *, but: str = "") -> None:
    """Tell everybody whose page went out since paging last began for a new reason, repeats and
    fallback included, so that nobody hurries in vain."""
    state = course.state
    before = state.paging.round - state.paging.passes
    told = {
        page.person
        for page in state.paging.pages.values()
        if page.round > before
        and page.purpose == "page"
        and page.status in (PageStatus.started, PageStatus.accepted)
        and page.person != but
    }
    for person in sorted(told):
        tell(course, person, mark)


def advance_after_failure(course: Course, page: Page, reason: str) -> None:
    """A page failed: the person's next step leaves now; nobody reachable at this level: the next level.

    Only pages of the current round escalate, and only while the incident is triggered.
    """
    state = course.state
    if page.purpose == "tell" or state.status not in OPEN:
        return
    follower = _next_step(state.paging.pages.values(), page)
    if follower is not None:
        _hasten(course, follower, reason)
    elif state.status is Status.triggered and page.purpose == "page" and _unreachable(course, page):
        _next_level(course)


def _next_step(pages: Iterable[Page], failed: Page) -> Page | None:
    same = [
        page
        for page in pages
        if page.status is PageStatus.queued
        and (page.person, page.round, page.level, page.purpose)
        == (failed.person, failed.round, failed.level, failed.purpose)
        and page.step > failed.step
    ]
    return min(same, key=lambda page: page.step, default=None)


def _hasten(course: Course, page: Page, reason: str) -> None:
    if page.due_at <= course.now:
        return
    _leave_delivery(course, page)
    delivery = _join_delivery(course, page.person, page.page, page.method, page.urgency, course.now)
    course.happened(pag.PageAdvanced(page.page, course.now, delivery.delivery, reason))


def _unreachable(course: Course, failed: Page) -> bool:
    """Whether every page of this round and level failed."""
    paging = course.state.paging
    if (failed.round, failed.level) != (paging.round, paging.level) or paging.fallback:
        return False
    mates = [
        page
        for page in paging.pages.values()
        if (page.round, page.level, page.purpose) == (failed.round, failed.level, "page")
    ]
    return all(page.status is PageStatus.failed for page in mates)


def lapse_at(policy: Policy, escalation: Escalation, now: datetime) -> datetime | None:
    """When an acknowledgement given now lapses; None: never by itself."""
    again: Seconds = escalation.page_again_after_ack_s
    return now + timedelta(seconds=again) if again else None


def pinned_escalation(course: Course) -> Escalation | None:
    """The escalation that pages for this incident, if one was chosen."""
    return _escalation(course) if course.state.paging.escalation else None
