"""A visitor's way through a shop: pages in order, one after the other, in one session."""

import dataclasses
from collections import ChainMap
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from typing import Any, ClassVar, Protocol, cast
from urllib.parse import urljoin, urlsplit

from msgspec import structs

from sentinel.errors import ExpressionFailed
from sentinel.expression import Declaration, Expression
from sentinel.kinds import ProbeWorld, key
from sentinel.monitor.judge import judge
from sentinel.monitor.probe import (
    CheckResult,
    Evidence,
    Expectation,
    Observation,
    Probe,
    ProberSpec,
    Sample,
)
from sentinel.playbook.playbook import Reference
from sentinel.transport.curl import Visitor
from sentinel.transport.reasons import Reason
from sentinel.transport.redirects import origin
from sentinel.words import LOCAL_ID, Outcome

MOST_STEPS = 50
MOST_CAPTURED = 4_096
"""Characters of one captured value."""
FOREIGN = "foreign_url"
"""The reason when a captured URL leads to another origin than the journey's."""
CLEANUP_SHARE = 0.2
CLEANUP_MOST_S = 5.0
"""What is kept free of the timeout for cleaning up: a fifth of it, at most this many seconds."""


@dataclass(frozen=True, slots=True)
class JourneyStep:
    """One page of a journey. Without `expect` its status must be 2xx, after redirects."""

    id: str = key("What the step is called.", pattern="^[a-z][a-z0-9_]*$", examples=["add"])
    http: ProberSpec = key(
        "What to ask, with the keys of the `http` kind. A relative `url` begins at the page last "
        "seen, a `path` at the journey's base.",
        examples=[{"method": "POST", "path": ["basket", "add"], "form": {"sku": "${capture.sku}"}}],
    )
    expect: tuple[Expectation, ...] = key(
        "What must hold on this page.", default=(), examples=[["status == 200"]]
    )
    capture: Mapping[str, Expression] = key(
        "Values to take from this page for later steps, as `${capture.NAME}`.",
        default_factory=dict,
        examples=[{"sku": 'html.attr("a.product", "data-sku")'}],
    )

    def __post_init__(self) -> None:
        names = {"id": self.id, **{f"capture {name}": name for name in self.capture}}
        for what, name in names.items():
            if not LOCAL_ID.match(name):
                raise ValueError(f"the {what} of a step is written in a-z, 0-9 and _: `{name}`")
        for declared in dataclasses.fields(cast(Any, self.http)):
            literal = isinstance(declared.default, (bool, int))
            if literal and isinstance(getattr(self.http, declared.name), Reference):
                raise ValueError(f"`{declared.name}` cannot be a captured value")


@dataclass(frozen=True, slots=True)
class Journey:
    """Walks through pages like a visitor: cookies are kept, the page before is the Referer.

    Each step is a request of the `http` kind with its own `expect` and `capture`; the first step
    that fails ends the journey, and its reason and evidence are the journey's. A captured value
    is used as `${capture.NAME}`, a whole scalar: it is encoded where it goes and never becomes
    syntax. A captured `url` may be relative; one that leads to another origin than `base` fails the
    step with `foreign_url`. A capture that finds nothing fails it with `field_missing`.

    `cleanup` steps always run, each of them, also after a failure, on time kept free for them
    (a fifth of the timeout, at most 5 s); one that needs a value that was never captured is left
    out, since there is nothing to undo. When cleaning up fails after a good journey, the check is
    *warn* with the reason `cleanup_failed`.

    Expectations of the probe itself may use `steps` (`steps.add.status`, `.total_s`, `.url`),
    `timing.total_s` (all steps, without cleanup) and `capture`.
    """

    KIND: ClassVar[str] = "journey"
    NAMES: ClassVar[Declaration] = {
        "steps": "map",
        "timing": {"total_s": "double"},
        "capture": "map",
    }
    STEP_NAMES: ClassVar[Declaration] = {"capture": "map"}
    """What expressions and references of a step may use beside the names of its own kind."""

    steps: tuple[JourneyStep, ...] = key("The pages, in order.", minItems=1, maxItems=MOST_STEPS)
    base: str = key(
        "Where relative URLs and paths begin.",
        default="",
        examples=["https://shop.acme.example"],
    )
    at: str = key(
        "Instead of `base`: one of the site's addresses, by name.", default="", examples=["shop"]
    )
    cleanup: tuple[JourneyStep, ...] = key(
        "Pages that put things back, always asked for.", default=(), maxItems=MOST_STEPS
    )

    def __post_init__(self) -> None:
        ids = [step.id for step in (*self.steps, *self.cleanup)]
        twice = next((name for name in ids if ids.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"two steps are called `{twice}`")

    def host(self) -> str:
        """The host of the journey's base."""
        return _host(self.base)

    async def observe(self, world: ProbeWorld) -> Observation:
        """Walk once, then clean up."""
        walk = _Walk(Visitor(self.base), world.now)
        left = world.deadline - world.transport.now()
        reserve = min(left * CLEANUP_SHARE, CLEANUP_MOST_S) if self.cleanup else 0.0
        steps = structs.replace(world, deadline=world.deadline - reserve)
        for step in self.steps:
            if not await walk.take(step, steps):
                break
        untidy = [trace for step in self.cleanup if (trace := await walk.tidy(step, world))]
        return _summed(walk, untidy)


class _Visits(Protocol):
    """What a journey needs of the `http` kind."""

    async def visit(self, world: ProbeWorld, visitor: Visitor | None) -> Observation: ...


@dataclass(frozen=True, slots=True)
class _Trace:
    """One step that was taken."""

    step: str
    observation: Observation
    result: CheckResult

    def shown(self) -> dict[str, Any]:
        """What expectations and evidence see of it."""
        values = self.observation.values
        return {
            "status": values.get("status", 0),
            "url": values.get("url", ""),
            "total_s": self.observation.duration_s,
            "outcome": self.result.outcome.value,
            "reason": self.result.reason,
        }


@dataclass(slots=True)
class _Walk:
    """A walk under way: who walks, what was captured, what each step came to."""

    visitor: Visitor
    now: datetime
    captured: dict[str, Any] = field(default_factory=dict)
    traces: list[_Trace] = field(default_factory=list)

    async def take(self, step: JourneyStep, world: ProbeWorld) -> bool:
        """Take a step; whether the walk can go on."""
        trace = await self._ask(step, world)
        self.traces.append(trace)
        return trace.result.outcome in (Outcome.ok, Outcome.warn)

    async def tidy(self, step: JourneyStep, world: ProbeWorld) -> _Trace | None:
        """Take a cleanup step; the trace when it failed, None when it did not or had no object."""
        if not _references(step.http) <= self.captured.keys():
            return None
        trace = await self._ask(step, world)
        return None if trace.result.outcome is Outcome.ok else trace

    async def _ask(self, step: JourneyStep, world: ProbeWorld) -> _Trace:
        try:
            prober = rendered(step.http, self.captured)
            if isinstance(getattr(step.http, "url", ""), Reference):
                self._check_origin(cast(Any, prober).url)
        except ExpressionFailed as failed:
            return self._judged(step, _failed(failed.reason, str(failed)))
        needed = frozenset().union(*(each.that.roots for each in step.expect))
        asked = structs.replace(world, needed=needed)
        observation = await cast(_Visits, prober).visit(asked, self.visitor)
        if observation.reason == Reason.invalid_request and _references(step.http):
            # The document's part was checked when it was read: what the page gave is no URL.
            observation = structs.replace(observation, outcome=Outcome.failed)
        values = ChainMap(
            {"capture": self.captured}, cast(MutableMapping[str, Any], observation.values)
        )
        return self._judged(step, structs.replace(observation, values=values))

    def _check_origin(self, url: str) -> None:
        """A captured URL leads only where the document does: its scheme and host are not a page's
        to choose. Raises ExpressionFailed."""
        base = self.visitor.base
        try:
            same = origin(urljoin(self.visitor.page or base, url)) == origin(base)
        except ValueError:
            same = False
        if not same:
            raise ExpressionFailed("the captured URL leads to another origin", FOREIGN)

    def _judged(self, step: JourneyStep, observation: Observation) -> _Trace:
        result = self._judge(step, observation)
        if result.outcome in (Outcome.ok, Outcome.warn):
            try:
                self.captured |= captures(step.capture, observation.values)
            except ExpressionFailed as failed:
                observation = structs.replace(
                    observation, reason=failed.reason, text=str(failed), outcome=Outcome.failed
                )
                result = self._judge(step, observation)
        return _Trace(step.id, observation, result)

    def _judge(self, step: JourneyStep, observation: Observation) -> CheckResult:
        probe = Probe(id=step.id, prober=step.http, expect=step.expect)
        return judge(probe, observation, location="", due_at=self.now, started_at=self.now)


def rendered(prober: ProberSpec, captured: Mapping[str, Any]) -> ProberSpec:
    """The prober with every reference replaced by its value. Raises ExpressionFailed."""
    fields = dataclasses.fields(cast(Any, prober))
    values = {each.name: getattr(prober, each.name) for each in fields if each.init}
    new = {name: _filled(value, captured, as_text=name != "json") for name, value in values.items()}
    return prober if new == values else replace(cast(Any, prober), **new)


def _filled(value: Any, captured: Mapping[str, Any], *, as_text: bool) -> Any:
    match value:
        case Reference():
            found = value.expression.evaluate({"capture": captured})
            return _text(found) if as_text else found
        case tuple() | list():
            return type(value)(_filled(each, captured, as_text=as_text) for each in value)
        case Mapping():
            return {k: _filled(v, captured, as_text=as_text) for k, v in value.items()}
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            inner = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
            new = {k: _filled(v, captured, as_text=as_text) for k, v in inner.items()}
            return value if new == inner else replace(value, **new)
        case _:
            return value


def _text(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str() | int() | float():
            return str(value)
        case _:
            raise ExpressionFailed("a captured value is neither text nor a number", "field_type")


def _references(value: Any) -> set[str]:
    """The captures that a step needs."""
    match value:
        case Reference():
            named = (name.split(".") for name in value.expression.names)
            return {parts[1] for parts in named if parts[0] == "capture" and len(parts) > 1}
        case tuple() | list():
            return set().union(*map(_references, value))
        case Mapping():
            return set().union(*map(_references, value.values()))
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = dataclasses.fields(value)
            return set().union(*(_references(getattr(value, each.name)) for each in fields))
        case _:
            return set()


def captures(wanted: Mapping[str, Expression], values: Mapping[str, Any]) -> dict[str, Any]:
    """What the expressions find on a page. Raises ExpressionFailed, for one that finds nothing too."""
    found: dict[str, Any] = {}
    for name, expression in wanted.items():
        value = expression.evaluate(values)
        if value is None:
            raise ExpressionFailed(
                f"nothing to capture as `{name}`: {expression.source}", "field_missing"
            )
        if len(_text(value)) > MOST_CAPTURED:
            raise ExpressionFailed(f"what was captured as `{name}` is too long", "field_type")
        found[name] = value
    return found


def _failed(reason: str, text: str) -> Observation:
    return Observation({}, 0.0, reason, text, outcome=Outcome.failed)


def _summed(walk: _Walk, untidy: Sequence[_Trace]) -> Observation:
    """The journey's observation, after its decisive step: the failing one, else a warning one,
    else cleaning up, else the last."""
    traces = walk.traces
    last = traces[-1]
    warned = next((each for each in traces if each.result.outcome is Outcome.warn), None)
    outcome: Outcome | None = None
    reason, text, shown = "", f"{len(traces)} steps", last
    if last.result.outcome not in (Outcome.ok, Outcome.warn):
        outcome, reason, text = last.result.outcome, last.result.reason, _said(last)
    elif warned is not None:
        outcome, reason, text, shown = Outcome.warn, warned.result.reason, _said(warned), warned
    elif untidy:
        outcome, reason, shown = Outcome.warn, "cleanup_failed", untidy[0]
        text = f"cleaning up failed: {_said(untidy[0])}"
    if untidy and reason != "cleanup_failed":
        text = f"{text}; cleaning up failed too: {_said(untidy[0])}"
    total_s = sum(each.observation.duration_s for each in traces)
    by_id = {each.step: each.shown() for each in traces}
    return Observation(
        values={"steps": by_id, "timing": {"total_s": total_s}, "capture": walk.captured},
        duration_s=total_s,
        reason=reason,
        text=text,
        network=shown.observation.network and outcome is Outcome.failed,
        outcome=outcome,
        phases=_phases(traces),
        address=shown.observation.address,
        samples=_samples(traces, total_s),
        evidence=_evidence(shown, by_id, untidy),
        metrics=_metrics(traces),
    )


def _said(trace: _Trace) -> str:
    return f"step `{trace.step}`: {trace.result.text or trace.result.reason}"


def _phases(traces: Sequence[_Trace]) -> dict[str, float]:
    phases: dict[str, float] = {}
    for trace in traces:
        for name, seconds in trace.observation.phases.items():
            phases[name] = phases.get(name, 0.0) + seconds
    return phases


def _samples(traces: Sequence[_Trace], total_s: float) -> list[Sample]:
    steps = [Sample(f"steps.{t.step}.total_s", t.observation.duration_s, "s") for t in traces]
    return [Sample("timing.total_s", total_s, "s"), *steps]


def _evidence(shown: _Trace, by_id: Mapping[str, Any], untidy: Sequence[_Trace]) -> Evidence:
    """That of the decisive step, and in its facts what every step came to."""
    seen = shown.observation.evidence
    facts: dict[str, Any] = {**seen.facts, "step": shown.step, "steps": by_id}
    if untidy:
        facts["cleanup"] = {each.step: each.shown() for each in untidy}
    return Evidence(seen.request, seen.response, seen.body, facts)


def _metrics(traces: Sequence[_Trace]) -> dict[str, Any]:
    """Each step's, and the certificate of the first that has one."""
    tls = next((t.observation.metrics for t in traces if _has_tls(t)), {})
    return {
        **{
            name: value
            for name, value in tls.items()
            if name.startswith(("probe_ssl", "probe_tls"))
        },
        "probe_journey_step_duration_seconds": {t.step: t.observation.duration_s for t in traces},
        "probe_journey_step_success": {
            t.step: int(t.result.outcome in (Outcome.ok, Outcome.warn)) for t in traces
        },
    }


def _has_tls(trace: _Trace) -> bool:
    return "probe_ssl_earliest_cert_expiry" in trace.observation.metrics


@lru_cache(maxsize=4096)
def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
