"""What a feed prober keeps of a good check, and how a feed stands to it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec

from sentinel.monitor import baseline
from sentinel.monitor.baseline import Baseline
from sentinel.monitor.churn import GROUPS, Churn, Counts, Difference, difference, gone
from sentinel.monitor.probe import Sample


class Remembered(msgspec.Struct, frozen=True):
    """What is kept of a good check, at most 64 KiB: a sample of ids, counts, and what was said."""

    settings: str = ""
    learnt: bytes = b""
    churn: Churn = Churn()
    groups: dict[str, int] = {}
    values: dict[str, Any] = {}
    place: str = ""
    etag: str = ""
    last_modified: str = ""
    full_at: datetime | None = None

    @classmethod
    def of(cls, kept: bytes | None, settings: str) -> "Remembered":
        """What was kept, if it was for the same settings; else nothing is remembered."""
        try:
            found = msgspec.msgpack.decode(kept, type=cls) if kept else cls()
        except msgspec.DecodeError:  # kept by another version
            return cls(settings=settings)
        return found if found.settings == settings else cls(settings=settings)

    def baseline(self) -> Baseline:
        return Baseline.from_bytes(self.learnt or None)

    def to_bytes(self) -> bytes:
        """To be kept; some 45 KiB at most."""
        return msgspec.msgpack.encode(self)


@dataclass(frozen=True, slots=True)
class Compared:
    """A feed beside the last good one. `learnt` is the baseline to keep if this check is good too."""

    changed: bool
    changed_at: datetime
    change_ratio: float
    weekday_ratio: float
    difference: Difference
    groups_gone: list[str]
    learnt: Baseline


def compared(
    remembered: Remembered,
    counts: Counts | None,
    now: datetime,
    *,
    timezone: str,
    made_at: datetime | None,
) -> Compared:
    """Hold a feed's counts against what is remembered; without one (the server says *not modified*) the
    remembered content is still the content.

    The first content ever seen counts as changed when it says that it was made (`made_at`), and
    now when it says nothing: a feed that was late before Sentinel came is late.
    """
    before = remembered.baseline()
    items = float(counts.items) if counts is not None else before.value or 0.0
    digest = counts.digest if counts is not None else before.digest
    learnt = baseline.learn(before, value=items, digest=digest, now=now, timezone=timezone)
    if before.changed_at is None and made_at is not None and made_at < now:
        learnt = replace(learnt, changed_at=made_at)
    return Compared(
        changed=digest != before.digest,
        changed_at=learnt.changed_at or now,
        change_ratio=baseline.change_ratio(before, items),
        weekday_ratio=baseline.weekday_ratio(before, items, now=now, timezone=timezone),
        difference=difference(remembered.churn, counts.churn)
        if counts is not None
        else Difference(),
        groups_gone=gone(remembered.groups, counts.groups) if counts is not None else [],
        learnt=learnt,
    )


def remember(
    remembered: Remembered,
    counts: Counts | None,
    learnt: Baseline,
    *,
    values: Mapping[str, Any],
    etag: str,
    last_modified: str,
    place: str,
    now: datetime,
) -> Remembered:
    """What to keep of this check, should it be good."""
    if counts is None:
        return msgspec.structs.replace(remembered, learnt=learnt.to_bytes())
    largest = dict(sorted(counts.groups.items(), key=lambda each: -each[1])[:GROUPS])
    return Remembered(
        settings=remembered.settings,
        learnt=learnt.to_bytes(),
        churn=counts.churn,
        groups=largest,
        values=dict(values),
        place=place,
        etag=etag[:500],
        last_modified=last_modified[:100],
        full_at=now,
    )


def values_of(
    counted: Mapping[str, Any],
    beside: Compared,
    *,
    status: int,
    made_at: datetime | None,
    now: datetime,
) -> dict[str, Any]:
    """What expectations see, but for `timing`; ages are seconds. `overdue` and `late_s` are those of
    a probe without a deadline: with one they are bound when the check is judged."""
    changes = beside.difference
    return {
        **counted,
        "age_s": max((now - (made_at or beside.changed_at)).total_seconds(), 0.0),
        "changed": beside.changed,
        "unchanged_s": max((now - beside.changed_at).total_seconds(), 0.0),
        "change_ratio": beside.change_ratio,
        "weekday_ratio": beside.weekday_ratio,
        "added_ratio": changes.added_ratio,
        "removed_ratio": changes.removed_ratio,
        "groups_gone": beside.groups_gone,
        "price": {
            "zero": counted["reasons"].get("price_zero", 0),
            "currencies": counted["currencies"],
            "changed_ratio": changes.prices_changed_ratio,
            "jumps": changes.price_jumps,
            "change_median": changes.price_change_median,
        },
        "status": status,
        "overdue": False,
        "late_s": 0.0,
    }


def text_of(values: Mapping[str, Any]) -> str:
    """One line about a feed."""
    return (
        f"{values['items']:,} items, {values['invalid']:,} invalid, "
        f"{values['duplicates']:,} duplicates, {values['size_bytes']:,} bytes"
    )


def samples_of(values: Mapping[str, Any]) -> list[Sample]:
    """What is worth a chart."""
    units = {"size_bytes": "B", "age_s": "s", "unchanged_s": "s"}
    names = ("items", "invalid_ratio", "duplicates", "change_ratio", *units)
    return [Sample(name, float(values[name]), units.get(name, "")) for name in names]
