"""Sentences about playbook runs: what was done to the world, what was asked, what came of it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, assert_never

from sentinel.review.telling import SENTINEL, Category, Said, Telling, capital
from sentinel.review.wording import one_line, plain, sentence
from sentinel.timeline.facts import RunFact
from sentinel.timeline.run_facts import (
    RunConcluded,
    RunQueued,
    RunRefused,
    RunStarted,
    RunTurned,
    StepAnswered,
    StepFinished,
    StepIgnored,
    StepReady,
    StepRetrying,
    StepStarted,
    StepWaiting,
)

REFUSED = {
    "cooldown": "it ran too short a time ago",
    "runs": "it ran as often as it may",
    "targets": "it would touch more than it may",
    "circuit": "its last attempts did not help; a person must allow it again",
    "at_once": "another run of it is under way",
    "replaced": "a newer run took its place",
    "automation_off": "automation is off",
}
WHY_CANCELLED = {
    "resolved": "the incident is over",
    "command": "a person asked for it",
    "deadline": "its time is up",
    "merged": "the incident was merged into another",
}
MOST_OUTPUTS = 5


def tell_run(fact: RunFact, text: str | None, at: datetime, telling: Telling) -> Said:
    """One run fact as a sentence. `text` is a step's own words; None: removed."""
    match fact:
        case RunQueued() | RunRefused() | RunStarted() | RunTurned() | RunConcluded():
            return _run(fact, at, telling)
        case StepWaiting():
            return Said(Category.playbook, SENTINEL, _waiting(fact, at, telling))
        case StepAnswered():
            return Said(Category.playbook, fact.by, _answered(fact, telling))
        case StepFinished():
            return _finished(fact, text, telling)
        case _:
            return _attempt(fact, at, telling)


def _run(
    fact: RunQueued | RunRefused | RunStarted | RunTurned | RunConcluded,
    at: datetime,
    telling: Telling,
) -> Said:
    name = capital(telling.playbook(fact.run))
    match fact:
        case RunQueued():
            who = telling.who(fact.requested_by)
            asked = f"{who} asked for playbook {fact.playbook}."
            said = asked if fact.requested_by else f"Playbook {fact.playbook} is to run."
            return Said(Category.playbook, fact.requested_by, said, detail=not fact.requested_by)
        case RunRefused():
            why = REFUSED.get(fact.reason, plain(fact.reason))
            return Said(Category.playbook, SENTINEL, f"{name} does not run: {why}.")
        case RunStarted():
            said = f"{name} begins; it has until {telling.when(fact.deadline_at, at)}."
            return Said(Category.playbook, SENTINEL, said)
        case RunTurned():
            return _turned(fact, name, telling)
        case RunConcluded():
            return Said(Category.playbook, SENTINEL, _concluded(fact, name))
        case _:
            assert_never(fact)


def _turned(fact: RunTurned, name: str, telling: Telling) -> Said:
    match fact.to:
        case "cancelling":
            why = WHY_CANCELLED.get(fact.reason, plain(fact.reason))
            if fact.by not in ("", SENTINEL):
                why = f"{telling.who(fact.by)} asked for it"
            return Said(Category.playbook, fact.by, f"{name} is stopped: {why}.")
        case "unwinding":
            said = f"{name} undoes what it did ({plain(fact.reason)})."
            return Said(Category.playbook, SENTINEL, said)
        case _:
            return Said(
                Category.playbook, SENTINEL, f"{name} comes to its last steps.", detail=True
            )


def _concluded(fact: RunConcluded, name: str) -> str:
    forced = (
        " It was stopped by force; its last steps did not all run."
        if fact.reason == "forced"
        else ""
    )
    match fact.conclusion:
        case "succeeded":
            well = ", and what it watches is well again" if fact.verified else ""
            return f"{name} succeeded{well}.{forced}"
        case "cancelled":
            why = WHY_CANCELLED.get(fact.reason, "")
            return f"{name} ended early{f': {why}' if why else ''}.{forced}"
        case "timed_out":
            return f"{name} ran out of time.{forced}"
        case "stuck":
            return f"{name} is stuck: what it did could not be undone. Somebody must look.{forced}"
        case _:
            why = f": {plain(fact.reason)}" if fact.reason and not forced else ""
            return f"{name} failed{why}.{forced}"


def _waiting(fact: StepWaiting, at: datetime, telling: Telling) -> str:
    step = capital(telling.step(fact.run, fact.step))
    until = telling.when(fact.deadline_at, at)
    asked = telling.everybody(fact.asked)
    before = telling.waits.get((fact.run, fact.step))
    if fact.reminder:
        are = _verb(fact, "is", "are")
        named = telling.step(fact.run, fact.step)
        return f"{asked} {are} reminded of {named}; time until {until}."
    match fact.kind:
        case "wait":
            return f"{step} waits until {until}."
        case "healthy":
            return f"{step} waits for its probe to be well, until {until}."
        case "approval" if before is not None and before.kind == "approval":
            return (
                f"{step}: what it would allow has changed, earlier answers are void."
                f" {asked} {_verb(fact, 'is', 'are')} asked again, until {until}."
            )
        case "approval":
            return f"{step} asks {asked} for a yes, until {until}; no answer means no."
        case "checklist":
            return f"{step} waits for {asked} to tick every item, until {until}."
        case "indeterminate":
            return (
                f"Nobody knows whether {telling.step(fact.run, fact.step)} took effect."
                f" {asked} {_verb(fact, 'is', 'are')} asked: done, not done, or skip?"
            )
        case _:
            return f"{step} waits ({plain(fact.kind)}), until {until}."


def _verb(fact: StepWaiting, one: str, many: str) -> str:
    return many if len(fact.asked) > 1 else one


def _answered(fact: StepAnswered, telling: Telling) -> str:
    who, step = telling.who(fact.by), telling.step(fact.run, fact.step)
    match fact.answer:
        case "approved":
            return f"{who} said yes to {step}."
        case "refused":
            return f"{who} said no to {step}."
        case "ticked":
            return f"{who} ticked item {fact.item + 1} of {step}."
        case "done":
            return f"{who}: {step} did take effect."
        case "not_done":
            return f"{who}: {step} did not take effect; it may run again."
        case "skip":
            return f"{who}: go on without {step}."
        case _:
            return f"{who} answered {step}: {plain(fact.answer)}."


def _attempt(
    fact: StepReady | StepStarted | StepRetrying | StepIgnored, at: datetime, telling: Telling
) -> Said:
    step = capital(telling.step(fact.run, fact.step))
    match fact:
        case StepReady():
            return Said(Category.playbook, SENTINEL, f"{step} is ready.", detail=True)
        case StepStarted():
            again = f", attempt {fact.attempt}" if fact.attempt > 1 else ""
            said = f"{step} starts on {fact.node or 'no node'}{again}."
            return Said(Category.playbook, SENTINEL, said, detail=fact.attempt == 1)
        case StepRetrying(reason="node_lost"):
            said = f"{step} was under way when its node went away; it is done again under the same key."
            return Said(Category.playbook, SENTINEL, said)
        case StepRetrying():
            when = telling.when(fact.due_at, at)
            said = f"{step} did not work ({plain(fact.reason)}); next attempt at {when}."
            return Said(Category.playbook, SENTINEL, said)
        case StepIgnored():
            return Said(Category.playbook, SENTINEL, _ignored(fact, telling))
        case _:
            assert_never(fact)


def _ignored(fact: StepIgnored, telling: Telling) -> str:
    step = telling.step(fact.run, fact.step)
    if fact.reason == "late" and fact.what in ("done", "unsure"):
        return f"Too late, {step} reports: {plain(fact.what)}. Its effect may exist; look."
    if fact.reason == "late":
        return f"Too late for {step}: {plain(fact.what)}."
    return f"An answer to {step} was not taken ({plain(fact.what)}): {plain(fact.reason)}."


def _finished(fact: StepFinished, text: str | None, telling: Telling) -> Said:
    step = capital(telling.step(fact.run, fact.step))
    wait = telling.waits.get((fact.run, fact.step))
    said, detail = _ending(fact, step, wait.kind if wait else "")
    if fact.state in ("failed", "timed_out") and fact.conclusion == "succeeded":
        said += " The run goes on all the same."
    said += _outputs(fact.outputs) if fact.state == "succeeded" else ""
    if text is None:
        said += " [removed]"
    elif text.strip():
        said += f" {sentence(capital(one_line(text)))}"
    return Said(Category.playbook, SENTINEL, said, detail=detail)


def _ending(fact: StepFinished, step: str, wait: str) -> tuple[str, bool]:
    """The sentence, and whether it is a detail."""
    reason = plain(fact.reason)
    match fact.state:
        case "succeeded" if wait == "healthy":
            return f"{step}: the probe is well again.", False
        case "succeeded" if fact.reason in ("approved", "all_ticked", "person_done"):
            return f"{step} is done.", True
        case "succeeded" if fact.reason == "found_done":
            return f"{step} had taken effect, as looking it up showed.", False
        case "succeeded":
            return f"{step} succeeded.", wait == "wait"
        case "failed" if fact.reason == "not_answered":
            return f"{step}: nobody answered in time, so the answer is no.", False
        case "failed" if fact.reason == "refused":
            return f"{step} was refused.", True
        case "timed_out" if fact.reason == "not_healthy":
            return f"{step}: the probe was not well in time.", False
        case "timed_out":
            return f"{step} took too long.", False
        case "skipped":
            return f"{step} is skipped: its condition does not hold.", True
        case "omitted":
            why = (
                "a step it needs did not succeed" if fact.reason == "need_lost" else "the run stops"
            )
            return f"{step} is left out: {why}.", True
        case "cancelled":
            return f"{step} is cancelled.", True
        case "indeterminate" if fact.reason == "found_not_done":
            return f"{step} had not taken effect, as looking it up showed; it runs again.", False
        case "indeterminate":
            return f"{step}: it is not known whether it took effect ({reason}).", False
        case "rolled_back":
            return f"{step} was undone.", False
        case "rollback_failed":
            return f"{step} could not be undone ({reason}).", False
        case _:
            return f"{step} failed: {reason}." if reason else f"{step} failed.", False


def _outputs(outputs: Mapping[str, Any]) -> str:
    """The first few outputs that are scalars, as values from outside: one line, cut."""
    shown = [
        f"{name} = {one_line(str(value), 80)}"
        for name, value in sorted(outputs.items())
        if isinstance(value, str | int | float | bool) and value != ""
    ]
    return f" {', '.join(shown[:MOST_OUTPUTS])}." if shown else ""
