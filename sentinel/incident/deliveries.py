"""What is really sent to a person: one page, or a bundle of them (rule 16).

The first high page to a person and method leaves at once; further ones within 60 seconds
leave as one bundle when that minute is over. The fold of ``person/ID`` knows what is
planned and what left, so two incidents that page the same person agree.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256

from sentinel.timeline import site_facts as site
from sentinel.words import CROCKFORD, Urgency

BUNDLE = timedelta(seconds=60)
"""After a high page left, this long its followers gather."""


@dataclass(frozen=True, slots=True)
class Delivering:
    """One delivery as its person's stream tells it. `pages` are (incident, page), as they joined."""

    delivery: str
    method: str
    urgency: Urgency
    due_at: datetime
    bundle: bool
    began_at: datetime | None = None
    pages: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Receiving:
    """The fold of ``person/ID``: deliveries that wait, and those that began in the last minute."""

    deliveries: Mapping[str, Delivering] = field(default_factory=dict)


def fold_person(person: Receiving, what: object, at: datetime) -> Receiving:
    """One fact of ``person/ID`` more. Deliveries long gone are forgotten."""
    match what:
        case site.DeliveryPlanned():
            known = person.deliveries.get(what.delivery)
            planned = Delivering(
                what.delivery, what.method, what.urgency, what.due_at, what.bundle,
                pages=known.pages if known else (),
            )  # fmt: skip
            return _with(person, planned, at)
        case site.DeliveryJoined():
            known = person.deliveries[what.delivery]
            return _with(
                person, replace(known, pages=(*known.pages, (what.incident, what.page))), at
            )
        case site.DeliveryLeft():
            known = person.deliveries[what.delivery]
            left = tuple(pair for pair in known.pages if pair != (what.incident, what.page))
            return _with(person, replace(known, pages=left), at)
        case site.DeliveryBegan():
            return _with(person, replace(person.deliveries[what.delivery], began_at=at), at)
        case _:
            return person


def _with(person: Receiving, changed: Delivering, now: datetime) -> Receiving:
    kept = {
        name: each
        for name, each in person.deliveries.items()
        if each.pages and (each.began_at is None or now - each.began_at < 10 * BUNDLE)
    }
    kept[changed.delivery] = changed
    return Receiving(kept)


def delivery_id(page: str) -> str:
    """A delivery is named after the first page in it, so a replay names it the same."""
    return crockford(page, 10)


def code(delivery: str) -> str:
    """The visible code, the same on every send of it: 4 characters of Crockford base32."""
    return crockford(f"code {delivery}", 4)


def crockford(seed: str, length: int) -> str:
    """`length` characters of lower-case Crockford base32, from a hash of the seed."""
    number = int.from_bytes(sha256(seed.encode()).digest(), "big")
    return "".join(CROCKFORD[(number >> (5 * place)) & 31] for place in range(length))


def plan_page(
    person: Receiving, *, page: str, method: str, urgency: Urgency, due_at: datetime
) -> Delivering:
    """The delivery a page leaves with: an open bundle, a new bundle, or one of its own."""
    alone = Delivering(delivery_id(page), method, urgency, due_at, bundle=False)
    if urgency is Urgency.low:
        return alone
    same = [
        each
        for each in person.deliveries.values()
        if each.method == method and each.urgency is Urgency.high and each.pages
    ]
    for each in same:
        if each.bundle and each.began_at is None and due_at <= each.due_at <= due_at + BUNDLE:
            return each
    for each in same:
        left_at = each.began_at or each.due_at
        if left_at <= due_at < left_at + BUNDLE:
            return replace(alone, due_at=left_at + BUNDLE, bundle=True)
    return alone


def postponed(person: Receiving, delivery: str, now: datetime) -> datetime | None:
    """Until when a delivery must wait because another high one by its method just left; None: it may
    leave now. A bundle waits no second time."""
    this = person.deliveries[delivery]
    if this.bundle or this.urgency is Urgency.low:
        return None
    for each in person.deliveries.values():
        if each.delivery == delivery or each.method != this.method or not each.pages:
            continue
        if each.began_at is None:
            continue
        if each.urgency is Urgency.high and now < each.began_at + BUNDLE:
            return each.began_at + BUNDLE
    return None
