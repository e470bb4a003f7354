"""What an HTTP answer comes to: the names that expectations use, and an observation."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, TypeVar

from sentinel.expression import Declaration
from sentinel.monitor.probe import Evidence, Later, Observation, Sample
from sentinel.transport.jsonpath import accept_query, json_path, json_paths
from sentinel.transport.page import (
    accept_selector,
    header_map,
    html_attr,
    html_count,
    html_text,
    json_value,
    text_of,
)
from sentinel.transport.reasons import Reason
from sentinel.transport.shown import (
    CERTIFICATE_NAMES,
    EVIDENCE_BODY,
    certificate_values,
    facts_of,
    http_metrics,
)
from sentinel.transport.structured import json_ld, json_ld_all, product
from sentinel.transport.wire import Exchange, phrase
from sentinel.words import Outcome

Said = TypeVar("Said", str, bytes)

NAMES: Declaration = {
    "status": "int",
    "headers": "map",
    "body": "string",
    "json": "dyn",
    "html": "dyn",
    "timing": {
        "total_s": "double",
        "resolve_s": "double",
        "connect_s": "double",
        "tls_s": "double",
        "processing_s": "double",
        "transfer_s": "double",
    },
    "certificate": CERTIFICATE_NAMES,
    "redirects": {"count": "int", "url": "string"},
    "size_bytes": "int",
    "http_version": "string",
    "address": "string",
    "url": "string",
}

FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "attr": html_attr,
    "text": html_text,
    "count": html_count,
    "json_ld": json_ld,
    "json_ld_all": json_ld_all,
    "product": product,
    "path": json_path,
    "paths": json_paths,
}
"""What expressions may call on `html` and `json`, beside the language's own functions."""

LITERALS: Mapping[str, Callable[[str], None]] = {
    **dict.fromkeys(("attr", "text", "count"), accept_selector),
    **dict.fromkeys(("path", "paths"), accept_query),
}
"""What refuses a selector or a query that is written in an expression and is none."""


def observed(
    exchange: Exchange, head: str, *, now: datetime, needed: frozenset[str], hidden: str = ""
) -> Observation:
    """What an exchange comes to as an observation; `head` is its request's, for evidence. Without
    anything `needed` the status counts. `hidden` is a token that this check was given: what a server
    repeats of it is not kept."""
    reason, outcome, text = _verdict(exchange, needed)
    samples = [Sample("timing.total_s", exchange.duration_s, "s")]
    certificates = exchange.certificates if exchange.pems else ()
    if certificates:
        samples.append(Sample("certificate.days_left", certificates[0].days_left(now), "d"))
    return Observation(
        values=Seen(exchange, now),
        duration_s=exchange.duration_s,
        reason=reason,
        text=text,
        network=exchange.network,
        outcome=outcome,
        phases=exchange.phases,
        address=exchange.address,
        samples=samples,
        evidence=Later(
            lambda: Evidence(
                request=head,
                response=_without(exchange.head_text(), hidden),
                body=_without(exchange.body, hidden)[:EVIDENCE_BODY],
                facts=facts_of(exchange),
            )
        ),
        metrics=http_metrics(exchange),
    )


def _without(said: Said, hidden: str) -> Said:
    if not hidden:
        return said
    if isinstance(said, str):
        return said.replace(hidden, "***")
    return said.replace(hidden.encode(), b"***")


def _verdict(exchange: Exchange, needed: frozenset[str]) -> tuple[str, Outcome | None, str]:
    if exchange.reason is not None:
        ours = exchange.ours or exchange.reason is Reason.invalid_request
        return exchange.reason, Outcome.unknown if ours else Outcome.failed, exchange.text
    said = phrase(exchange.status)
    if not needed and not 200 <= exchange.status < 300:
        return "unexpected_status", Outcome.failed, f"the status is {said}"
    return "", None, said


class Seen(Mapping[str, Any]):
    """The names that expectations use, each computed when it is asked for, and once."""

    __slots__ = ("_exchange", "_kept", "_now")

    def __init__(self, exchange: Exchange, now: datetime) -> None:
        self._exchange = exchange
        self._now = now
        self._kept: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._kept:
            self._kept[name] = self._value(name)
        return self._kept[name]

    def __iter__(self) -> Iterator[str]:
        plain = not self._exchange.certificates
        return (name for name in NAMES if not (plain and name == "certificate"))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def _value(self, name: str) -> Any:
        exchange = self._exchange
        match name:
            case "status" | "size_bytes" | "http_version" | "address" | "url":
                return getattr(exchange, name)
            case "headers":
                return header_map(exchange)
            case "body" | "html":
                return text_of(exchange)
            case "json":
                return json_value(exchange.body)
            case "timing":
                phases = exchange.phases
                timing = {f"{phase}_s": seconds for phase, seconds in phases.items()}
                return {"total_s": exchange.duration_s, **timing}
            case "certificate":
                return certificate_values(exchange, self._now)
            case "redirects":
                return {"count": exchange.redirected, "url": exchange.url}
            case _:
                raise KeyError(name)
