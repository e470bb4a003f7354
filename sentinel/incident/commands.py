"""What people may ask of an incident, and when it is refused: rule 12.

A refused command is a value with a stable reason, recorded and shown; it is never an
exception. Moves not in the table are refused.
"""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sentinel.incident.state import IncidentState, Status
from sentinel.words import Severity

MAX_TEXT = 10_000
"""Characters of a note or reason."""
_MOST = 2**53
"""The largest number that every reader of JSON keeps."""


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """I have it."""


@dataclass(frozen=True, slots=True)
class Release:
    """I do not have it any more: paging begins again."""


@dataclass(frozen=True, slots=True)
class Mitigate:
    """Customers are no longer hurt."""


@dataclass(frozen=True, slots=True)
class Resolve:
    """It is over. Alerts that still fire are held."""


@dataclass(frozen=True, slots=True)
class Reopen:
    """It is not over."""


@dataclass(frozen=True, slots=True)
class Close:
    """No more to come."""


@dataclass(frozen=True, slots=True)
class Escalate:
    """Page the next level now."""


@dataclass(frozen=True, slots=True)
class Snooze:
    """Do not page again before this span is over."""

    for_s: float


@dataclass(frozen=True, slots=True)
class Assign:
    to: str


@dataclass(frozen=True, slots=True)
class Note:
    text: str


@dataclass(frozen=True, slots=True)
class SetSeverity:
    """The one way a severity falls."""

    severity: Severity


@dataclass(frozen=True, slots=True)
class Merge:
    """This incident is part of `into`, which must be open: resolve this one with a link."""

    into: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An approval (``approved``/``refused``), a checklist item (``ticked``), or what became of an
    indeterminate step (``done``/``not_done``/``skip``)."""

    run: str
    step: str
    answer: str
    item: int = -1
    inputs_digest: str = ""


@dataclass(frozen=True, slots=True)
class CancelRun:
    """Stop a playbook run; `force` skips its ``finally``."""

    run: str
    force: bool = False


@dataclass(frozen=True, slots=True)
class RunPlaybook:
    """Run this playbook now, for this incident, whether it matches or not."""

    playbook: str


@dataclass(frozen=True, slots=True)
class Redact:
    """Delete the text of one fact; its hashes still verify."""

    version: int
    reason: str


Command = (
    Acknowledge | Release | Mitigate | Resolve | Reopen | Close | Escalate | Snooze | Assign
    | Note | SetSeverity | Merge | Answer | RunPlaybook | CancelRun | Redact
)  # fmt: skip

NAMES: Mapping[str, type] = {
    "ack": Acknowledge,
    "release": Release,
    "mitigate": Mitigate,
    "resolve": Resolve,
    "reopen": Reopen,
    "close": Close,
    "escalate": Escalate,
    "snooze": Snooze,
    "assign": Assign,
    "note": Note,
    "severity": SetSeverity,
    "merge": Merge,
    "answer": Answer,
    "run": RunPlaybook,
    "cancel": CancelRun,
    "redact": Redact,
}
"""Command words, as the CLI and the API spell them."""

ALLOWED: Mapping[str, frozenset[Status]] = {
    "ack": frozenset({Status.triggered, Status.acknowledged, Status.mitigated}),
    "release": frozenset({Status.acknowledged}),
    "mitigate": frozenset({Status.triggered, Status.acknowledged}),
    "resolve": frozenset({Status.triggered, Status.acknowledged, Status.mitigated}),
    "reopen": frozenset({Status.resolved}),
    "close": frozenset({Status.resolved}),
    "escalate": frozenset({Status.triggered, Status.acknowledged}),
    "snooze": frozenset({Status.triggered, Status.acknowledged, Status.mitigated}),
    "assign": frozenset({Status.triggered, Status.acknowledged, Status.mitigated, Status.resolved}),
    "severity": frozenset({Status.triggered, Status.acknowledged, Status.mitigated}),
    "merge": frozenset({Status.triggered, Status.acknowledged, Status.mitigated}),
    "answer": frozenset({Status.triggered, Status.acknowledged, Status.mitigated, Status.resolved}),
    "run": frozenset({Status.triggered, Status.acknowledged, Status.mitigated}),
    "cancel": frozenset({Status.triggered, Status.acknowledged, Status.mitigated, Status.resolved}),
    "note": frozenset(Status),
    "redact": frozenset(Status),
}
"""The table of rule 12, by command; every other pair is refused."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why not. `reason`: ``state``, ``unknown_incident``, ``not_snoozable``, ``still_firing``,
    ``open_elsewhere``, ``bad_merge``, ``no_such_step``, ``not_asked``, ``changed_inputs``,
    ``nobody_left``, ``unknown_playbook``, ``no_steps``, and for a run what its guard says (`RunRefused`)."""

    reason: str
    text: str


def name_of(command: Command) -> str:
    """The command's word."""
    return next(name for name, kind in NAMES.items() if isinstance(command, kind))


def refusal(command: Command, state: IncidentState) -> Refusal | None:
    """Why this state does not allow this command; None when it does."""
    word = name_of(command)
    if not state.incident:
        return Refusal("unknown_incident", "there is no such incident")
    if state.status not in ALLOWED[word]:
        return Refusal("state", f"`{word}` is not possible: the incident is {state.status}")
    if isinstance(command, Close) and any(a.firing and a.held for a in state.alerts.values()):
        return Refusal("still_firing", "an alert still fires; it is held and may reopen this")
    if isinstance(command, Snooze) and not 60 <= command.for_s <= 4 * 86400:
        return Refusal("not_snoozable", "a snooze lasts from 1 minute to 4 days")
    return None


def parse(word: str, body: Mapping[str, Any]) -> Command:
    """A command from its word and JSON fields. Raises ValueError with what would be right."""
    kind = NAMES.get(word)
    if kind is None:
        raise ValueError(f"there is no command `{word}`; one of {', '.join(NAMES)}")
    fields = {name: _field(name, value) for name, value in body.items()}
    try:
        command: Command = kind(**fields)
    except TypeError as wrong:
        wanted = ", ".join(each.name for each in dataclasses.fields(kind)) or "no fields"
        raise ValueError(f"`{word}` takes {wanted}") from wrong
    return command


def _field(name: str, value: Any) -> Any:
    if name == "severity":
        if not isinstance(value, str) or value not in Severity.__members__:
            raise ValueError(f"severity is one of {', '.join(Severity.__members__)}")
        return Severity[value]
    if name in ("item", "version", "for_s"):
        return _number(name, value)
    if name == "force":
        if not isinstance(value, bool):
            raise ValueError("`force` is true or false")
        return value
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise ValueError(f"`{name}` is text of at most {MAX_TEXT} characters")
    return value


def _number(name: str, value: Any) -> int | float:
    """Seconds, or a whole number; a form sends it as text. Raises ValueError."""
    kind, what = (float, "number of seconds") if name == "for_s" else (int, "whole number")
    try:
        number = kind(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not abs(number) <= _MOST:
        raise ValueError(f"`{name}` is a {what}")
    return number


def snoozed_until(now: datetime, command: Snooze) -> datetime:
    """When a snooze ends."""
    return now + timedelta(seconds=command.for_s)
