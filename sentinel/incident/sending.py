"""A delivery is claimed, sent, and comes to something: the two facts of law 2 for pages.

`claim` is decided in the transaction in which a node takes the work row: it looks again at
every incident in the delivery, leaves out pages withdrawn meanwhile, and writes PageStarted
(*it may have been sent*) before anything is sent. `came_to` writes the outcome and lets a
failed page hasten the person's next step.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sentinel.incident import paging
from sentinel.incident.deliveries import Delivering, Receiving, code, postponed
from sentinel.incident.plan import Course
from sentinel.incident.state import LIVE_PAGES, Page, PageStatus
from sentinel.timeline import paging_facts as pag
from sentinel.timeline import site_facts as site

ATTEMPTS = 3
"""How often one delivery is sent when nobody knows what became of it."""
SEND_AGAIN_AFTER = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Claim:
    """What the performer sends: the pages still wanted, by incident, under one visible code."""

    delivery: str
    person: str
    method: str
    code: str
    attempt: int
    pages: tuple[tuple[str, str], ...]
    purpose: str


class Postponed(StrEnum):
    """Why a delivery is not claimed now."""

    bundled = "bundled"
    gone = "gone"


class Sent(StrEnum):
    """What a send came to."""

    accepted = "accepted"
    refused = "refused"
    uncertain = "uncertain"


def claim(
    courses: Mapping[str, Course],
    person: str,
    delivery: str,
    *,
    node: str,
    epoch: int,
    attempt: int,
) -> Claim | Postponed:
    """Take a delivery. `courses` are those of its incidents, sharing one decision."""
    anyone = next(iter(courses.values()))
    known = anyone.people.get(person, Receiving()).deliveries.get(delivery)
    if known is None or not known.pages:
        anyone.drop(f"delivery/{delivery}")
        return Postponed.gone
    pages = _still_wanted(courses, _live_pages(courses, known))
    if not pages:
        anyone.drop(f"delivery/{delivery}")
        return Postponed.gone
    if attempt == 1 and (until := postponed(anyone.people[person], delivery, anyone.now)):
        _postpone(anyone, person, known, until)
        return Postponed.bundled
    if known.began_at is None:
        anyone.on_person(person, site.DeliveryBegan(delivery))
    for incident, page in pages:
        courses[incident].happened(
            pag.PageStarted(page.page, delivery, code(delivery), attempt, node, epoch)
        )
    keys = tuple((incident, page.page) for incident, page in pages)
    return Claim(delivery, person, known.method, code(delivery), attempt, keys, _purpose(pages))


def _purpose(pages: Sequence[tuple[str, Page]]) -> str:
    """What a bundle is for: a page if any page is in it, else what its first one is for."""
    purposes = [page.purpose for _, page in pages]
    return "page" if "page" in purposes else purposes[0]


def _live_pages(courses: Mapping[str, Course], known: Delivering) -> list[tuple[str, Page]]:
    found = []
    for incident, key in known.pages:
        course = courses.get(incident)
        page = course.state.paging.pages.get(key) if course else None
        if page is not None and page.status in LIVE_PAGES:
            found.append((incident, page))
    return found


def _still_wanted(
    courses: Mapping[str, Course], live: Sequence[tuple[str, Page]]
) -> list[tuple[str, Page]]:
    """Without those sent before, with nobody knowing what became of them, that need not be sent
    again: meanwhile somebody has the incident, and they were told so."""
    wanted = []
    for incident, page in live:
        course = courses[incident]
        if page.status is PageStatus.started and paging.is_answered(course, page):
            paging.withdraw_page(course, page, course.state.status.value)
        else:
            wanted.append((incident, page))
    return wanted


def _postpone(course: Course, person: str, known: Delivering, until: datetime) -> None:
    course.on_person(
        person, site.DeliveryPlanned(known.delivery, known.method, known.urgency, until, True)
    )
    paging.want_delivery(course, person, known.delivery)


def came_to(
    courses: Mapping[str, Course], done: Claim, sent: Sent, *, reason: str = "", text: str = ""
) -> None:
    """The outcome of a send, for every page in it. Of a page already concluded nothing changes."""
    anyone = next(iter(courses.values()))
    again = sent is Sent.uncertain and done.attempt < ATTEMPTS
    if sent is not Sent.accepted and not again:
        _forget(anyone, done)
    for incident, key in done.pages:
        course = courses[incident]
        page = course.state.paging.pages[key]
        if page.status not in LIVE_PAGES:
            continue
        _record(course, done, page, sent, again=again, reason=reason, text=text)
        if sent is not Sent.accepted:
            paging.advance_after_failure(course, page, reason)
    if again:
        _send_again(anyone, done)
    else:
        anyone.drop(f"delivery/{done.delivery}")


def _forget(course: Course, done: Claim) -> None:
    """A delivery that failed reached nobody: it must not hold back those that follow it."""
    for incident, page in done.pages:
        course.on_person(done.person, site.DeliveryLeft(done.delivery, incident, page))


def _record(
    course: Course, done: Claim, page: Page, sent: Sent, *, again: bool, reason: str, text: str
) -> None:
    key, delivery, attempt = page.page, done.delivery, done.attempt
    match sent:
        case Sent.accepted:
            course.happened(pag.PageAccepted(key, delivery, attempt), receipt=text)
        case Sent.uncertain if again:
            course.happened(pag.PageUncertain(key, delivery, attempt, reason), error=text)
        case _:
            course.happened(pag.PageFailed(key, delivery, attempt, reason), error=text)


def _send_again(course: Course, done: Claim) -> None:
    """Keep the row: sent again under the same code, twice rather than never (rule 17)."""
    key = f"delivery/{done.delivery}"
    paging.want_delivery(course, done.person, done.delivery)
    wanted = course.wanted.get(key)
    if wanted is not None:
        course.wanted[key] = paging.due(wanted, course.now + SEND_AGAIN_AFTER)
