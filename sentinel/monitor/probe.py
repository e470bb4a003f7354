"""A declared thing to watch, what one check of it saw, and what that comes to.

A prober returns an `Observation` and never raises for a sick target. ``monitor.judge`` holds it
against the probe's expectations and gives a `CheckResult`, which is all that the rest of
Sentinel knows of a check. What is made anew for every check is a msgspec Struct and not a
dataclass: as frozen, and made in a fifth of the time.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Protocol

import msgspec

from sentinel.expression import Declaration, Expression
from sentinel.words import Labels, Outcome, Place, Seconds, Severity


@dataclass(frozen=True, slots=True)
class MetricFamily:
    """A Prometheus gauge family that a kind of prober shows: name, HELP, own label names in order.

    A kind declares what ``metrics.families`` does not know yet in a class variable
    ``METRICS: tuple[MetricFamily, ...]`` and fills ``Observation.metrics``:

    - no own label: ``{"probe_http_status_code": 200}``;
    - one own label: ``{"probe_http_duration_seconds": {"resolve": 0.01, "connect": 0.02}}``;
    - several: ``{"probe_x_info": {("value of first", "value of second"): 1}}``.

    Values are int, float or bool. A family that this check has nothing to say of is left out.
    """

    name: str
    help: str
    labels: tuple[str, ...] = ()


class ProberSpec(Protocol):
    """What this room needs to know of a prober; ``kinds.Prober`` adds the coroutine.

    A kind may also have ``METRICS: ClassVar[tuple[MetricFamily, ...]]``.
    """

    KIND: ClassVar[str]
    NAMES: ClassVar[Declaration]
    """The names an expectation may use, with their types, two levels deep."""

    def host(self) -> str:
        """The host it talks to (``""`` when none): rechecks and blindness are counted by host."""
        ...


class Sample(msgspec.Struct, frozen=True, gc=False):
    """A measured value with its unit, kept in the store: ``("timing.total_s", 0.21, "s")``."""

    name: str
    value: float
    unit: str = ""


class Evidence(msgspec.Struct, frozen=True, gc=False):
    """What shows why: redacted by the watcher before it is stored, never by the prober.

    `request` and `response` are heads as text, `body` the first 16 KiB, `facts` everything
    else that is small and structured (certificate chain, address, redirects, counts).
    """

    request: str = ""
    response: str = ""
    body: bytes = b""
    facts: Mapping[str, Any] = msgspec.field(default_factory=dict)


class Later:
    """Evidence that is made when somebody looks at it: most checks are well, and nobody does."""

    __slots__ = ("_made", "_make")

    def __init__(self, make: Callable[[], Evidence]) -> None:
        self._make: Callable[[], Evidence] | None = make
        self._made = Evidence()

    def whole(self) -> Evidence:
        """It, made once; what it was made of is let go."""
        if self._make is not None:
            self._made, self._make = self._make(), None
        return self._made

    @property
    def request(self) -> str:
        return self.whole().request

    @property
    def response(self) -> str:
        return self.whole().response

    @property
    def body(self) -> bytes:
        return self.whole().body

    @property
    def facts(self) -> Mapping[str, Any]:
        return self.whole().facts


class Attempt(msgspec.Struct, frozen=True, gc=False):
    """One try inside a check. Stored only where there was more than one, the last one included;
    the check's duration is the last one's alone."""

    started_at: datetime
    duration_s: float
    reason: str


class Observation(msgspec.Struct, frozen=True, gc=False):
    """What a prober saw.

    `values` are the roots its NAMES declare, looked up only where an expectation names
    them, so a mapping may compute them on demand. `reason` is the stable code for why
    nothing useful came (``""`` when the conversation completed); `network` says that the
    reason lies between us and the target. `phases` are seconds in wire order. `keep` is
    what the next check may look back at (at most 64 KiB), stored only when this one is good.
    `metrics` are values for the kind's own metric families, in the shapes that `MetricFamily`
    says, drawn by ``metrics.families``. `changed_at` is when content of this digest was first
    seen (``monitor.baseline.changed_at``); from it and the probe's ``deadline`` ``monitor.judge``
    binds ``overdue`` and ``late_s``.
    """

    values: Mapping[str, Any]
    duration_s: float
    reason: str = ""
    text: str = ""
    network: bool = False
    outcome: Outcome | None = None
    phases: Mapping[str, float] = msgspec.field(default_factory=dict)
    address: str = ""
    samples: Sequence[Sample] = ()
    evidence: Evidence | Later = Evidence()
    metrics: Mapping[str, Any] = msgspec.field(default_factory=dict)
    keep: bytes | None = None
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Expectation:
    """One condition that must hold. When it does not, the check comes to `otherwise` with `reason`."""

    that: Expression
    otherwise: Outcome = Outcome.failed
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Retry:
    """Trying again inside a check, within its timeout."""

    times: int = 0
    after_s: Seconds = Seconds(0.5)
    only_on: str = "network"
    """``network`` or ``any``."""


@dataclass(frozen=True, slots=True)
class Confirm:
    """How many checks it takes to believe: `down` of the last `down_of` failed, `up` good in a row.

    `every_s` is how fast to look again while pending or recovering; default min(every, 10 s).
    """

    down: int = 2
    down_of: int = 2
    up: int = 2
    every_s: Seconds = Seconds(10.0)


@dataclass(frozen=True, slots=True)
class Deadline:
    """Content must change after each due time and before due + grace; `skip` names local dates."""

    cron: str
    timezone: str
    grace_s: Seconds
    skip: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Probe:
    """A declared thing to watch."""

    id: str
    prober: ProberSpec
    every_s: Seconds = Seconds(60.0)
    timeout_s: Seconds = Seconds(10.0)
    expect: tuple[Expectation, ...] = ()
    retry: Retry = Retry()
    confirm: Confirm = Confirm()
    severity: Severity = Severity.error
    client: str = ""
    service: str = ""
    vendor: str = ""
    labels: Labels = field(default_factory=dict)
    depends_on: tuple[str, ...] = ()
    locations: tuple[str, ...] = ("local",)
    agree: int = 1
    deadline: Deadline | None = None
    place: Place = Place("", 0, 0)
    digest: str = ""

    @property
    def kind(self) -> str:
        return self.prober.KIND

    @property
    def alert_labels(self) -> Labels:
        """What its alert is known by: never location, reason or severity; empty ones left out."""
        own = {"alertname": self.id, "probe": self.id, "kind": self.kind}
        where = {"client": self.client, "service": self.service, "vendor": self.vendor}
        return {name: value for name, value in {**self.labels, **where, **own}.items() if value}


class Judged(msgspec.Struct, frozen=True, gc=False):
    """One expectation with what it came to; `actual` holds every scalar that it named."""

    source: str
    outcome: Outcome
    reason: str
    actual: Mapping[str, Any]


class CheckResult(msgspec.Struct, frozen=True, gc=False):
    """Observation + probe + time. `(probe, location, due_at)` is its slot: two of one slot are one."""

    probe: str
    location: str
    due_at: datetime
    started_at: datetime
    duration_s: float
    outcome: Outcome
    reason: str
    text: str
    network: bool
    judged: tuple[Judged, ...]
    phases: Mapping[str, float]
    samples: Sequence[Sample]
    address: str = ""
    attempts: tuple[Attempt, ...] = ()
    evidence: str = ""
    """SHA-256 of the stored evidence, empty when none was kept for this result."""
