"""A query to a Prometheus, or to anything that speaks its HTTP API (Thanos, Mimir, VictoriaMetrics)."""

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar
from urllib.parse import urlencode, urlsplit

import msgspec
from msgspec.structs import replace

from sentinel.expression import Declaration
from sentinel.kinds import ProbeWorld, Secrets, key
from sentinel.monitor.probe import Evidence, MetricFamily, Observation, Sample
from sentinel.transport.reasons import Reason
from sentinel.transport.shown import EVIDENCE_BODY, facts_of, http_metrics
from sentinel.transport.wire import Exchange, Request, phrase
from sentinel.words import Outcome, Secret, shortened

QUERY = "/api/v1/query"
MOST_SERIES = 1000
"""Series that expectations see; `count` counts all."""
_SHOWN = 5


class _Result(msgspec.Struct, frozen=True):
    metric: dict[str, str] = {}
    value: tuple[float, str] | None = None


class _Content(msgspec.Struct, frozen=True):
    resultType: str = ""
    result: msgspec.Raw = msgspec.Raw(b"[]")


class _Answer(msgspec.Struct, frozen=True):
    """Prometheus' answer, good or bad (its documentation, "HTTP API")."""

    status: str
    data: _Content = _Content()
    errorType: str = ""
    error: str = ""
    warnings: list[str] = []
    infos: list[str] = []


@dataclass(frozen=True, slots=True)
class Series:
    """One series of an instant vector; a scalar is one without labels."""

    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class PromqlBasic:
    """Credentials of HTTP's basic scheme (RFC 7617)."""

    user: str = key("User name.", examples=["monitor"])
    password: Secret = key("Password, by reference.", examples=["env:PROMETHEUS_PASSWORD"])


@dataclass(frozen=True, slots=True)
class Promql:
    """Asks a Prometheus one query, for this instant, and looks at its series and their values.

    When the query gives no series, the reason is `no_series`, unless an expectation names `count`,
    `series` or `values`: then that is yours to judge. A `value` is there when there is exactly one
    series; named where there are more, the reason is `many_series` and the outcome unknown, because
    which one comes first is chance.

    Prometheus takes a sample that is up to five minutes old for the present. Where that is too old,
    name the selector in `age_of`, and hold `age_s`, the age of its newest sample, against a limit.

    A Prometheus that refuses the query as it stands is unknown (`query_refused`). It fails when the
    query ended badly (`query_failed`), its status is another (`unexpected_status`), or its answer is
    none of Prometheus' (`not_prometheus`).

    Expectations may use `value`, `labels` (of the one series), `count`, `values`, `min` and `max`
    (of all values that are numbers), `series` (of each `labels` and `value`; the first 1,000),
    `age_s` (with `age_of`), `warnings` (what Prometheus said beside), and `timing`.
    """

    KIND: ClassVar[str] = "promql"
    NAMES: ClassVar[Declaration] = {
        "value": "double",
        "labels": "map",
        "count": "int",
        "values": "list",
        "min": "double",
        "max": "double",
        "series": "list",
        "age_s": "double",
        "warnings": "list",
        "timing": {"total_s": "double"},
    }
    METRICS: ClassVar[tuple[MetricFamily, ...]] = (
        MetricFamily("probe_promql_series", "Series that the query gave"),
        MetricFamily("probe_promql_value", "Value of the query where it gave exactly one series"),
        MetricFamily("probe_promql_age_seconds", "Age of the newest sample of the selector"),
    )

    url: str = key(
        "The root of the server, without `/api/v1`.",
        examples=["http://prometheus.acme.example:9090"],
        reads_secrets=True,
    )
    query: str = key(
        "A query for an instant: a vector or a scalar.",
        examples=['sum(rate(orders_total{shop="acme"}[15m])) * 900'],
        minLength=1,
        maxLength=20_000,
    )
    age_of: str = key(
        "A selector, whose newest sample's age becomes `age_s`.",
        default="",
        examples=['orders_total{shop="acme"}'],
        maxLength=20_000,
    )
    basic: PromqlBasic | None = key("Sign in with the basic scheme.", default=None)
    bearer: Secret | None = key(
        "Sign in with a bearer token.", default=None, examples=["env:PROMETHEUS_TOKEN"]
    )
    headers: Mapping[str, str] = key(
        "Request headers.", default_factory=dict, examples=[{"X-Scope-OrgID": "acme"}]
    )
    verify: bool = key("Refuse a certificate that cannot be verified.", default=True)
    ca_file: str = key("PEM file of the authorities to trust instead of the system's.", default="")
    cert_file: str = key("PEM file of a client certificate.", default="")
    key_file: str = key("PEM file of its key, when it is not in the same file.", default="")

    def host(self) -> str:
        """Prometheus' host."""
        return _host(self.url)

    async def observe(self, world: ProbeWorld) -> Observation:
        """Ask once; twice where an age is wanted."""
        seen = await self._asked(self.query, world)
        if seen.reason or not self.age_of:
            return seen if seen.reason else _held(seen, world.needed)
        aged = await self._asked(f"time() - max(timestamp({self.age_of}))", world)
        if aged.reason:
            return aged
        return _held(_aged(seen, aged, self.age_of), world.needed)

    async def _asked(self, query: str, world: ProbeWorld) -> Observation:
        """What one query gives, not yet held against what is named."""
        left_s = max(world.deadline - world.transport.now(), 0.001)
        request = self._request(query, world.secrets, left_s)
        exchange = await world.transport.fetch(request, world.deadline)
        seen = Observation(
            values={},
            duration_s=exchange.duration_s,
            network=exchange.network,
            phases=exchange.phases,
            address=exchange.address,
            samples=[Sample("timing.total_s", exchange.duration_s, "s")],
            evidence=Evidence(
                request=f"{request.head()}\r\n\r\n{query}",
                response=exchange.head_text(),
                body=exchange.body[:EVIDENCE_BODY],
                facts=facts_of(exchange),
            ),
            metrics=http_metrics(exchange),
        )
        answer = _answer(exchange)
        if not isinstance(answer, _Answer):
            reason, outcome, text = answer
            return replace(seen, reason=reason, outcome=outcome, text=shortened(text, 300))
        series = series_of(answer.data)
        if isinstance(series, str):
            return replace(seen, reason="query_refused", outcome=Outcome.unknown, text=series)
        return _with(seen, series, answer.warnings + answer.infos)

    def _request(self, query: str, secrets: Secrets, left_s: float) -> Request:
        form = {"query": query, "timeout": _duration(left_s)}
        headers = [*self.headers.items(), ("Content-Type", "application/x-www-form-urlencoded")]
        if self.basic is not None:
            pair = f"{self.basic.user}:{secrets.reveal(self.basic.password)}"
            headers.append(("Authorization", "Basic " + base64.b64encode(pair.encode()).decode()))
        if self.bearer is not None:
            headers.append(("Authorization", f"Bearer {secrets.reveal(self.bearer)}"))
        url = secrets.reveal(Secret(self.url)) if "{" in self.url else self.url
        return Request(
            url.rstrip("/") + QUERY,
            method="POST",
            headers=tuple(headers),
            body=urlencode(form).encode(),
            compression="gzip",
            verify=self.verify,
            ca_file=self.ca_file,
            cert_file=self.cert_file,
            key_file=self.key_file,
        )


def _answer(exchange: Exchange) -> _Answer | tuple[str, Outcome, str]:
    """What Prometheus said, or reason, outcome and text of why it said nothing useful."""
    if exchange.reason is not None:
        ours = exchange.ours or exchange.reason is Reason.invalid_request
        return exchange.reason, Outcome.unknown if ours else Outcome.failed, exchange.text
    try:
        answer = msgspec.json.decode(exchange.body, type=_Answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        if exchange.status == 200:
            return "not_prometheus", Outcome.failed, "the answer is none of Prometheus'"
        return "unexpected_status", Outcome.failed, f"the status is {phrase(exchange.status)}"
    if answer.status == "success":
        return answer
    if answer.errorType == "bad_data":
        return "query_refused", Outcome.unknown, answer.error
    return "query_failed", Outcome.failed, f"{answer.errorType}: {answer.error}"


def series_of(content: _Content) -> list[Series] | str:
    """The series of an answer, a scalar as one without labels; or why there are none of them."""
    try:
        match content.resultType:
            case "vector":
                results = msgspec.json.decode(content.result, type=list[_Result])
                # A native histogram has no one value and is left out.
                return [Series(r.metric, float(r.value[1])) for r in results if r.value]
            case "scalar":
                _, text = msgspec.json.decode(content.result, type=tuple[float, str])
                return [Series({}, float(text))]
            case kind:
                return f"the query gives a {kind or 'thing without a type'}, not an instant vector"
    except (ValueError, RecursionError) as error:
        return f"the answer is none of Prometheus': {error}"


def _with(seen: Observation, series: Sequence[Series], warnings: Sequence[str]) -> Observation:
    numbers = [each.value for each in series if not math.isnan(each.value)]
    shown = [{"labels": each.labels, "value": each.value} for each in series[:MOST_SERIES]]
    values: dict[str, Any] = {
        "count": len(series),
        "series": shown,
        "values": [each["value"] for each in shown],
        "warnings": list(warnings[:20]),
        "timing": {"total_s": seen.duration_s},
    }
    samples = list(seen.samples)
    metrics = {**seen.metrics, "probe_promql_series": len(series)}
    if numbers:
        values |= {"min": min(numbers), "max": max(numbers)}
    if len(series) == 1:
        values |= {"value": series[0].value, "labels": series[0].labels}
        metrics["probe_promql_value"] = series[0].value
        if math.isfinite(series[0].value):
            samples.append(Sample("value", series[0].value))
    return replace(seen, values=values, samples=samples, metrics=metrics, text=_text(series))


def _aged(seen: Observation, aged: Observation, selector: str) -> Observation:
    """With the age that the second query gave, if it gave one."""
    duration_s = seen.duration_s + aged.duration_s
    values = {**seen.values, "timing": {"total_s": duration_s}}
    ages: Sequence[float] = aged.values["values"]
    if not ages:
        text = shortened(f"there is no sample of {selector}", 300)
        return replace(seen, values=values, duration_s=duration_s, text=text)
    return replace(
        seen,
        values={**values, "age_s": ages[0]},
        duration_s=duration_s,
        samples=[*seen.samples, Sample("age_s", ages[0], "s")],
        metrics={**seen.metrics, "probe_promql_age_seconds": ages[0]},
    )


def _held(seen: Observation, needed: frozenset[str]) -> Observation:
    """Held against what is named: how many series there must be."""
    count = seen.values["count"]
    if not count and not needed & {"count", "series", "values"}:
        return replace(seen, reason="no_series", outcome=Outcome.failed)
    if "age_s" in needed and "age_s" not in seen.values:
        return replace(seen, reason="no_series", outcome=Outcome.failed)
    if count > 1 and needed & {"value", "labels"}:
        return replace(seen, reason="many_series", outcome=Outcome.unknown)
    return seen


def _text(series: Sequence[Series]) -> str:
    """``2 series: {shop="acme"} 3, {shop="nordic"} 4``."""
    if not series:
        return "the query gives no series"
    shown = [f"{_labels(each.labels)}{each.value:g}" for each in series[:_SHOWN]]
    return shortened(f"{len(series)} series: {', '.join(shown)}", 300)


def _labels(labels: Mapping[str, str]) -> str:
    inner = ",".join(f'{name}="{value}"' for name, value in labels.items())
    return f"{{{inner}}} " if inner else ""


def _duration(seconds: float) -> str:
    """As Prometheus takes one: whole numbers only."""
    return f"{max(1, round(seconds * 1000))}ms"


@lru_cache(maxsize=4096)
def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
