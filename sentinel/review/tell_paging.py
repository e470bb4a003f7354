"""Sentences about who was called: playbooks that decide it, rounds, levels, pages.

A provider's yes is told as *accepted*, never as delivered (rule 17).
"""

from datetime import datetime
from typing import assert_never

from sentinel.review.telling import SENTINEL, Category, Said, Telling, capital
from sentinel.review.wording import one_line, plain, sentence
from sentinel.timeline.facts import PagingFact
from sentinel.timeline.paging_facts import (
    LevelEmpty,
    LevelReached,
    MatchFailed,
    PageAccepted,
    PageAdvanced,
    PageFailed,
    PageQueued,
    PageStarted,
    PageUncertain,
    PageWithdrawn,
    PagingPlanned,
    PlaybookChosen,
    RoundBegan,
)
from sentinel.timeline.site_facts import BlindPageSent

EMPTY = {
    "gap": "nobody is on call",
    "no_method": "nobody there can be reached",
    "all_paged": "everybody there was paged before",
    "away": "everybody there is away",
}
ROUND = {
    "opened": "Paging begins.",
    "worse": "Paging begins again, because something worse or new joined.",
    "timeout": "Paging begins again, because the acknowledgement ran out.",
    "released": "Paging begins again, because it was given back.",
    "reopened": "Paging begins again, because the incident reopened.",
    "repeat": "Nobody acknowledged; paging starts over from level 1.",
    "fallback": "Nobody has acknowledged, so the fallback is paged until somebody does.",
    "escalated": "Paging begins now, because it was asked for.",
}
TOLD_BEFORE = frozenset({"opened", "worse", "timeout", "released", "reopened", "escalated"})
"""The line before says it already: what lapsed, reopened, or was asked for."""
SOON_S = 1.0


def tell_paging(fact: PagingFact, text: str | None, at: datetime, telling: Telling) -> Said:
    """One paging fact as a sentence. `text` is the provider's word or an error; None: removed."""
    match fact:
        case PlaybookChosen() | MatchFailed():
            return _choice(fact, text)
        case PagingPlanned() | RoundBegan() | LevelReached() | LevelEmpty():
            return _round(fact, at, telling)
        case BlindPageSent():
            done = "accepted" if fact.accepted else "not accepted"
            said = (
                f"While the journal was away, {telling.who(fact.person)} was paged by"
                f" {fact.method} at {telling.when(fact.sent_at, at)}: {done}."
            )
            return Said(Category.paging, SENTINEL, said)
        case _:
            return _page(fact, text, at, telling)


def _choice(fact: PlaybookChosen | MatchFailed, text: str | None) -> Said:
    match fact:
        case PlaybookChosen():
            said = f"Playbook {fact.playbook} applies"
            if fact.overruled:
                said += f"; whom to page is decided by {fact.overruled}"
            elif fact.decides:
                said += " and decides whom to page"
            return Said(Category.playbook, SENTINEL, f"{said}.")
        case MatchFailed():
            why = sentence(one_line(text)) if text else f"{plain(fact.reason)}."
            said = f"Playbook {fact.playbook} could not be checked and does not run: {why}"
            return Said(Category.playbook, SENTINEL, said)
        case _:
            assert_never(fact)


def _round(
    fact: PagingPlanned | RoundBegan | LevelReached | LevelEmpty, at: datetime, telling: Telling
) -> Said:
    match fact:
        case PagingPlanned():
            return Said(
                Category.paging, SENTINEL, _planned(fact, at, telling), detail=_now(fact, at)
            )
        case RoundBegan():
            said = ROUND.get(fact.reason, f"Paging begins ({plain(fact.reason)}).")
            return Said(
                Category.paging,
                SENTINEL,
                f"{said} Round {fact.round}.",
                detail=fact.reason in TOLD_BEFORE,
            )
        case LevelReached():
            return Said(Category.paging, SENTINEL, _reached(fact, at, telling))
        case LevelEmpty():
            name = f"Level {fact.level}" if fact.level else "The fallback"
            why = EMPTY.get(fact.reason, plain(fact.reason))
            next_one = "; the next level follows at once" if fact.level else ""
            return Said(Category.paging, SENTINEL, f"{name} has nobody to page: {why}{next_one}.")
        case _:
            assert_never(fact)


def _now(fact: PagingPlanned, at: datetime) -> bool:
    return (fact.begin_at - at).total_seconds() < SOON_S


def _planned(fact: PagingPlanned, at: datetime, telling: Telling) -> str:
    whose = "No playbook decides whom to page, so" if fact.because.get("unmatched") else ""
    when = (
        "is paged now"
        if _now(fact, at)
        else f"is paged at {telling.when(fact.begin_at, at)} unless all is well by then"
    )
    return capital(f"{whose} escalation {fact.escalation} {when}.".strip())


def _reached(fact: LevelReached, at: datetime, telling: Telling) -> str:
    next_at = telling.when(fact.next_at, at)
    people = telling.everybody(fact.people)
    if not fact.level:
        return f"The fallback is paged: {people}. Again at {next_at} unless somebody acknowledges."
    return f"Level {fact.level} is paged: {people}. Next at {next_at} unless somebody acknowledges."


PageFact = (
    PageQueued
    | PageAdvanced
    | PageStarted
    | PageAccepted
    | PageFailed
    | PageUncertain
    | PageWithdrawn
)
VERBS = {"page": "Paged", "approval": "Asked", "tell": "Told", "held": "Told"}


def _page(fact: PageFact, text: str | None, at: datetime, telling: Telling) -> Said:
    page = fact if isinstance(fact, PageQueued) else telling.pages.get(fact.page)
    whom = telling.who(page.person) if page else fact.page
    by = f" by {page.method}" if page else ""
    verb = VERBS.get(page.purpose if page else "page", "Paged")
    code = telling.codes.get(fact.page)
    coded = f" (code {code})" if code else ""
    match fact:
        case PageQueued():
            said = f"A message to {whom}{by} is to leave at {telling.when(fact.due_at, at)}."
            return Said(Category.paging, SENTINEL, said, detail=True)
        case PageAdvanced():
            why = plain(fact.reason)
            said = f"The message to {whom}{by} leaves early, because the one before failed: {why}."
            return Said(Category.paging, SENTINEL, said, detail=True)
        case PageStarted():
            again = f", attempt {fact.attempt}" if fact.attempt > 1 else ""
            said = f"Sending to {whom}{by} (code {fact.code}{again})."
            return Said(Category.paging, SENTINEL, said, detail=True)
        case PageAccepted():
            said = f"{verb} {whom}{by}{coded}; the provider accepted it."
            return Said(Category.paging, SENTINEL, said)
        case PageFailed():
            said = f"The message to {whom}{by}{coded} failed: {plain(fact.reason)}."
            return Said(Category.paging, SENTINEL, said + _error(text))
        case PageUncertain():
            said = (
                f"Nobody knows whether the message to {whom}{by}{coded} left"
                f" ({plain(fact.reason)}); it is sent again under the same code."
            )
            return Said(Category.paging, SENTINEL, said + _error(text))
        case PageWithdrawn():
            said = f"The message to {whom}{by} is not needed any more: {plain(fact.reason)}."
            return Said(Category.paging, SENTINEL, said, detail=True)
        case _:
            assert_never(fact)


def _error(text: str | None) -> str:
    if text is None:
        return " [removed]"
    return f" {sentence(capital(one_line(text)))}" if text.strip() else ""
