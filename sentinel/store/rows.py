"""Values of the contract to rows of tables, and back.

Bodies are JSON. An instant inside a body is written as ``{"@at": microseconds}``, so that
it comes back as an instant and every number comes back as a number.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from sentinel.store.journal import (
    Document,
    InboxRow,
    IncidentRow,
    PresentAlert,
    ProbeState,
    Work,
    WorkKind,
)
from sentinel.store.sql import Row
from sentinel.timeline.chain import Sealed
from sentinel.timeline.codec import canonical, instant, micros
from sentinel.words import Severity

_TAG = "@at"

FACT_COLUMNS = (
    "stream, version, type, v, occurred_at, recorded_at, data, text, salt, text_hash, hash"
)
WORK_COLUMNS = "key, kind, due_at, free_at, attempt, owner, epoch, lease_until_at, incidents, body"
ALERT_COLUMNS = (
    "fingerprint, source, labels, severity, started_at, ends_at, incident, muted_by, probe, "
    "reason, summary"
)
INCIDENT_COLUMNS = (
    "incident, status, severity, title, labels, opened_at, changed_at, resolved_at, holder, version"
)


def when(at: datetime | None) -> int | None:
    """An optional instant as stored."""
    return None if at is None else micros(at)


def then(count: int | None) -> datetime | None:
    """A stored optional instant."""
    return None if count is None else instant(count)


def dump(body: Mapping[str, Any]) -> str:
    """A body as stored. Raises TypeError for what is neither JSON nor an instant."""
    return canonical(body, _tagged)


def load(text: str) -> dict[str, Any]:
    """A stored body."""
    if _TAG in text:
        body: dict[str, Any] = json.loads(text, object_hook=_untagged)
        return body
    plain: dict[str, Any] = msgspec.json.decode(text)
    return plain


def _tagged(value: object) -> object:
    if isinstance(value, datetime):
        return {_TAG: micros(value)}
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no place in a body: it must be JSON")


def _untagged(found: dict[str, Any]) -> Any:
    if len(found) == 1 and type(found.get(_TAG)) is int:
        return instant(found[_TAG])
    return found


def clean(text: str) -> str:
    """Text as both databases can hold it: NUL and lone surrogates become U+FFFD."""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return whole.replace("\0", "\ufffd")


def fact_row(sealed: Sealed) -> Row:
    return (
        sealed.stream,
        sealed.version,
        sealed.type,
        sealed.v,
        sealed.occurred_at,
        sealed.recorded_at,
        sealed.data,
        sealed.text,
        sealed.salt,
        sealed.text_hash,
        sealed.hash,
    )


def work_row(work: Work) -> Row:
    return (
        work.key,
        work.kind.value,
        when(work.due_at),
        when(_free_at(work)),
        work.attempt,
        work.owner,
        work.epoch,
        when(work.lease_until_at),
        dump_list(work.incidents),
        dump(work.body),
    )


def dump_list(items: tuple[str, ...]) -> str:
    return canonical(items)


def _free_at(work: Work) -> datetime | None:
    """When it may be taken; None: standing, or held without an end."""
    if work.due_at is None or not work.owner:
        return work.due_at
    if work.lease_until_at is None:
        return None
    return max(work.due_at, work.lease_until_at)


def to_work(row: Row) -> Work:
    key, kind, due_at, _, attempt, owner, epoch, lease_until_at, incidents, body = row
    return Work(
        key=key,
        kind=WorkKind(kind),
        due_at=then(due_at),
        incidents=tuple(msgspec.json.decode(incidents)),
        body=load(body),
        attempt=attempt,
        owner=owner,
        epoch=epoch,
        lease_until_at=then(lease_until_at),
    )


def to_inbox(row: Row) -> InboxRow:
    id_, kind, received_at, body = row
    return InboxRow(id_, kind, load(body), instant(received_at))


def alert_row(alert: PresentAlert) -> Row:
    return (
        alert.fingerprint,
        alert.source,
        dump(alert.labels),
        int(alert.severity),
        micros(alert.started_at),
        when(alert.ends_at),
        alert.incident,
        alert.muted_by,
        alert.probe,
        alert.reason,
        clean(alert.summary),
    )


def to_alert(row: Row) -> PresentAlert:
    fingerprint, source, labels, severity, started_at, ends_at, *rest = row
    return PresentAlert(
        fingerprint,
        source,
        load(labels),
        Severity(severity),
        instant(started_at),
        then(ends_at),
        *rest,
    )


def incident_row(row: IncidentRow) -> Row:
    return (
        row.incident,
        row.status,
        int(row.severity),
        clean(row.title),
        dump(row.labels),
        micros(row.opened_at),
        micros(row.changed_at),
        when(row.resolved_at),
        row.holder,
        row.version,
    )


def to_incident(row: Row) -> IncidentRow:
    incident, status, severity, title, labels, opened_at, changed_at, resolved_at, *rest = row
    return IncidentRow(
        incident,
        status,
        Severity(severity),
        title,
        load(labels),
        instant(opened_at),
        instant(changed_at),
        then(resolved_at),
        *rest,
    )


def to_probe_state(row: Row) -> ProbeState:
    probe, location, slot_at, state, kept_at, kept = row
    return ProbeState(probe, location, instant(slot_at), load(state), kept, then(kept_at))


def to_document(row: Row) -> Document:
    digest, kind, id_, body = row
    return Document(digest, kind, id_, load(body))
