"""Which evidence of failing checks is kept, and what it looks like.

Rule 6's schedule, for each probe: the first failure, every change of verdict or reason, the last
failure (written when a good check follows it, whose result then points at it), and between these
one every five minutes; all together at most 50 MB an hour at a location. What is kept is redacted
here, before it is stored, and stored under the SHA-256 of its canonical JSON, so that the same
twice is kept once.
"""

import base64
import hashlib
import json
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from msgspec import structs

from sentinel.engine.redaction import Redactor
from sentinel.monitor.probe import CheckResult, Evidence, Judged, Later, Observation
from sentinel.words import CUT, OK, Outcome, shortened

APART = timedelta(minutes=5)
HOUR = timedelta(hours=1)
LOOKED_AT_APART = timedelta(minutes=5)
"""What differs in a failure is told against a good check at most this much older than the last."""
MOST_BYTES_AN_HOUR = 50_000_000
MOST_BODY_BYTES = 16 * 1024
MOST_HEAD_CHARACTERS = 16 * 1024
MOST_FACTS_BYTES = 64 * 1024
MOST_HELD_BYTES = 16_000_000
"""Last failures that wait in memory for what follows them; the oldest are let go first."""
MOST_DIFFERENCES = 100


@dataclass(frozen=True, slots=True)
class Kept:
    """Content to store, by its SHA-256 in lower-case hexadecimal."""

    digest: str
    content: bytes


@dataclass(slots=True)
class _Case:
    """What is remembered of a failing probe."""

    kept_at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class _Good:
    """What a good check looked like, to tell what differs. One for each probe, so no more of it."""

    at: datetime
    address: str
    judged: Sequence[Judged]
    phases: Mapping[str, float]
    facts: Mapping[str, Any]


class EvidenceKeeper:
    """Decides for one location. Memory: a few hundred bytes a probe, and `MOST_HELD_BYTES`."""

    def __init__(
        self,
        redactor: Redactor,
        *,
        on_dropped: Callable[[], None],
        hour_bytes: int = MOST_BYTES_AN_HOUR,
        held_bytes: int = MOST_HELD_BYTES,
    ) -> None:
        """`on_dropped` is told of each that the hour's allowance does not allow."""
        self._redactor = redactor
        self._most_an_hour = hour_bytes
        self._most_held = held_bytes
        self._on_dropped = on_dropped
        self._cases: dict[str, _Case] = {}
        self._good: dict[str, _Good] = {}
        self._held: OrderedDict[str, tuple[Observation, CheckResult, int]] = OrderedDict()
        self._held_bytes = 0
        self._hour: deque[tuple[datetime, int]] = deque()
        self._hour_bytes = 0

    def take(
        self, observation: Observation, result: CheckResult, *, turned: bool, now: datetime
    ) -> Kept | None:
        """What is to be stored with this result, if anything."""
        probe = result.probe
        if result.outcome is OK:
            kept = self._last_failure(probe, now) if probe in self._cases else None
            good = self._good.get(probe)
            if good is None or now - good.at >= LOOKED_AT_APART:
                seen = observation.evidence.facts
                self._good[probe] = _Good(now, result.address, result.judged, result.phases, seen)
            return kept
        if result.outcome is Outcome.unknown:
            return None
        return self._failure(observation, result, turned=turned, now=now)

    def forget(self, probe: str) -> None:
        """A probe was removed."""
        self._cases.pop(probe, None)
        self._good.pop(probe, None)
        self._let_go(probe)

    def _failure(
        self, observation: Observation, result: CheckResult, *, turned: bool, now: datetime
    ) -> Kept | None:
        case = self._cases.get(result.probe)
        due = case is None or turned or case.reason != result.reason or now - case.kept_at >= APART
        self._let_go(result.probe)
        if not due:
            self._hold(observation, result)
            return None
        self._cases[result.probe] = _Case(now, result.reason)
        return self._render(observation, result, now)

    def _last_failure(self, probe: str, now: datetime) -> Kept | None:
        del self._cases[probe]
        held = self._held.get(probe)
        self._let_go(probe)
        return self._render(held[0], held[1], now) if held else None

    def _hold(self, observation: Observation, result: CheckResult) -> None:
        seen = Evidence(
            observation.evidence.request,
            observation.evidence.response,
            observation.evidence.body,
            observation.evidence.facts,
        )
        size = len(seen.body) + len(seen.request) + len(seen.response) + 2048
        alone = structs.replace(observation, values={}, evidence=seen)  # and no whole page with it
        self._held[result.probe] = (alone, result, size)
        self._held_bytes += size
        while self._held_bytes > self._most_held:
            self._let_go(next(iter(self._held)))

    def _let_go(self, probe: str) -> None:
        held = self._held.pop(probe, None)
        if held is not None:
            self._held_bytes -= held[2]

    def _render(self, observation: Observation, result: CheckResult, now: datetime) -> Kept | None:
        shown = render(observation, result, self._redactor)
        good = self._good.get(result.probe)
        if good is not None:
            shown["differs"] = self._redactor.value(_differences(good, observation, result))
            shown["good_phases"] = dict(good.phases)
        content = canonical(shown)
        while self._hour and now - self._hour[0][0] >= HOUR:
            self._hour_bytes -= self._hour.popleft()[1]
        if self._hour_bytes + len(content) > self._most_an_hour:
            self._on_dropped()
            return None
        self._hour.append((now, len(content)))
        self._hour_bytes += len(content)
        return Kept(hashlib.sha256(content).hexdigest(), content)


def render(observation: Observation, result: CheckResult, redactor: Redactor) -> dict[str, Any]:
    """Evidence as it is stored: JSON-able and redacted. A body that is no text is base64 under
    ``body_base64``, without the secrets that are known. What is cut ends in ``…``; probers cut
    bodies at `MOST_BODY_BYTES` too, so one of that many bytes counts as cut."""
    seen = observation.evidence
    shown: dict[str, Any] = {
        "outcome": result.outcome.value,
        "reason": result.reason,
        "text": redactor.text(result.text),
        "address": result.address,
        "phases": dict(result.phases),
        "request": redactor.text(shortened(seen.request, MOST_HEAD_CHARACTERS)),
        "response": redactor.text(shortened(seen.response, MOST_HEAD_CHARACTERS)),
        "facts": _facts(seen, redactor),
        "judged": [
            {"that": each.source, "outcome": each.outcome.value, "reason": each.reason}
            | {"actual": redactor.value(each.actual)}
            for each in result.judged
        ],
        "attempts": [
            {"duration_s": each.duration_s, "reason": each.reason} for each in result.attempts
        ],
    }
    return {**shown, **_body(seen.body, redactor)}


def _body(body: bytes, redactor: Redactor) -> dict[str, str]:
    text = body[:MOST_BODY_BYTES].decode("utf-8", errors="replace")
    if text.count("\ufffd") + text.count("\0") <= len(text) // 50:
        cut = CUT if len(body) >= MOST_BODY_BYTES else ""
        return {"body": redactor.text(f"{text}{cut}")} if text else {}
    clean = redactor.content(body[:MOST_BODY_BYTES])
    return {"body_base64": base64.b64encode(clean).decode()}


def _facts(seen: Evidence | Later, redactor: Redactor) -> Any:
    facts = redactor.value(seen.facts)
    size = len(json.dumps(facts, default=str))
    return facts if size <= MOST_FACTS_BYTES else {"left_out": f"{size} bytes of facts"}


def _differences(good: _Good, observation: Observation, result: CheckResult) -> dict[str, Any]:
    """What differs from the last good check: name to ``[good, now]``, at most 100 names."""
    before = dict(
        _flat({"address": good.address, "facts": good.facts, "values": _read(good.judged)})
    )
    after = dict(
        _flat(
            {
                "address": result.address,
                "facts": observation.evidence.facts,
                "values": _read(result.judged),
            }
        )
    )
    names = [
        name
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name) and not name.startswith("facts.phases.")
    ]
    return {name: [before.get(name), after.get(name)] for name in names[:MOST_DIFFERENCES]}


def _read(judged: Sequence[Judged]) -> dict[str, Any]:
    return {name: value for each in judged for name, value in each.actual.items()}


def _flat(value: Any, name: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and depth < 6:
        for key, each in value.items():
            yield from _flat(each, f"{name}.{key}" if name else str(key), depth + 1)
    elif isinstance(value, list | tuple) and depth < 6:
        for index, each in enumerate(value):
            yield from _flat(each, f"{name}[{index}]", depth + 1)
    else:
        yield name, value


def canonical(value: Any) -> bytes:
    """JSON with sorted keys and no spaces, UTF-8: equal values are equal bytes."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return text.encode("utf-8", errors="replace")
