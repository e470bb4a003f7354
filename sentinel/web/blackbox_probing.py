"""``GET /probe`` as blackbox_exporter answers it: its checks in its order, its codes, its words.

A probe that fails is an answer like any other, 200 with ``probe_success 0``; only what cannot be
probed at all is refused. Used by ``sentinel blackbox`` and, where the site allows it, by a node.
"""

import logging
import math
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from time import time
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl, unquote

from sentinel.blackbox.check import Allowed, ReadFile
from sentinel.blackbox.module import Module
from sentinel.blackbox.probed import Noted, Probed
from sentinel.blackbox.probing import probe
from sentinel.blackbox.reasons import Because
from sentinel.library.modules_schema import PROBERS
from sentinel.metrics.scrape import CONTENT_TYPE, page_of
from sentinel.transport.curl import Transport
from sentinel.web.blackbox_history import History, quoted

DEFAULT_MODULE = "http_2xx"
TIMEOUT_HEADER = b"x-prometheus-scrape-timeout-seconds"
WITHOUT_HEADER_S = 120.0
LONGEST_S = 86_400.0
MOST_AT_ONCE = 10_000
MOST_PARAMETERS = 100
SHORT = 512
"""Bytes of a query, as long as few are."""

_FLOAT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\Z")
_NO_NUMBER = re.compile(r"[+-]?(?:inf|infinity)\Z|nan\Z", re.IGNORECASE)
_ENCODED = re.compile(r"%(?:3a|2f|5b)", re.IGNORECASE)

log = logging.getLogger("sentinel.blackbox.probe")


@dataclass(frozen=True, slots=True)
class Answer:
    """What to answer: a status, a content type, a text, and headers besides."""

    status: int
    text: str
    content_type: str = "text/plain; charset=utf-8"
    headers: Sequence[tuple[str, str]] = ()


def refused(status: int, text: str) -> Answer:
    """An error as Go's ``http.Error`` sends it."""
    return Answer(status, f"{text}\n", headers=(("x-content-type-options", "nosniff"),))


class BadTimeout(ValueError):
    """The timeout header holds no number; the text is Go's."""


def seconds_of(header: str) -> float:
    """The header's number. Raises BadTimeout with the words of Go's ``strconv.ParseFloat``."""
    if not _FLOAT.match(header) and not _NO_NUMBER.match(header):
        raise BadTimeout(f"strconv.ParseFloat: parsing {quoted(header)}: invalid syntax")
    number = float(header)
    if math.isinf(number) and not _NO_NUMBER.match(header):
        raise BadTimeout(f"strconv.ParseFloat: parsing {quoted(header)}: value out of range")
    return number


def timeout_of(header_s: float, module_s: float, *, offset_s: float) -> float:
    """How long a probe may take. `header_s` is Prometheus' own timeout, 0 when it told none, and
    `offset_s` what it takes to carry the answer home. A module's timeout counts where it is
    shorter, and where the offset leaves nothing. At most a day."""
    known = header_s if header_s and math.isfinite(header_s) else WITHOUT_HEADER_S
    most = known - offset_s
    return min(module_s if 0 < module_s < most or most < 0 else most, LONGEST_S)


def parameters(query: bytes) -> Mapping[str, str]:
    """The first value of each parameter. Raises ValueError for more than a hundred. Scrapes come
    with the same query again and again, so short ones are kept."""
    return _remembered(query) if len(query) <= SHORT else _parameters(query)


@lru_cache(maxsize=16_384)
def _remembered(query: bytes) -> Mapping[str, str]:
    return MappingProxyType(_parameters(query))


def _parameters(query: bytes) -> dict[str, str]:
    pairs = parse_qsl(
        query.decode("latin-1"), keep_blank_values=True, max_num_fields=MOST_PARAMETERS
    )
    return dict(reversed(pairs))


def target_of(given: str) -> str:
    """The target meant. One that was encoded twice still has its colons and slashes encoded, and is
    decoded once more; an escape within a URL's path stays as it is."""
    twice = ":" not in given and "/" not in given and _ENCODED.search(given)
    return unquote(given) if twice else given


@dataclass
class Prober:
    """Answers probes. `modules` may be replaced at any time; a probe under way keeps its own.

    `path_allowed` is to unix sockets what `allowed` is to addresses. `before` is awaited ahead of each
    probe, `unknown_module` called for each name that is none.
    """

    transport: Transport
    allowed: Allowed
    read_file: ReadFile
    path_allowed: Callable[[str], bool] = bool
    modules: Mapping[str, Module] = field(default_factory=dict)
    offset_s: float = 0.5
    history: History = field(default_factory=lambda: History(100))
    before: Callable[[], Awaitable[Any]] | None = None
    unknown_module: Callable[[], Any] | None = None
    under_way: int = 0

    async def answer(self, query: bytes, header: str) -> Answer:
        """What ``/probe?{query}`` with this timeout header (empty: none) is answered."""
        try:
            asked = parameters(query)
        except ValueError:
            return refused(400, f"More than {MOST_PARAMETERS} parameters")
        name = asked.get("module") or DEFAULT_MODULE
        module = self.modules.get(name)
        if module is None:
            if self.unknown_module is not None:
                self.unknown_module()
            return refused(400, f"Unknown module {quoted(name)}")
        try:
            header_s = seconds_of(header) if header else 0.0
        except BadTimeout as wrong:
            return refused(500, f"Failed to parse timeout from Prometheus header: {wrong}")
        target = target_of(asked.get("target", ""))
        if not target:
            return refused(400, "Target parameter is missing")
        if module.prober not in PROBERS:
            return refused(400, f"Unknown prober {quoted(module.prober)}")
        hostname = asked.get("hostname", "")
        conflict = _other_host(module, hostname)
        if conflict:
            return refused(400, conflict)
        if self.under_way >= MOST_AT_ONCE:
            return refused(503, "Too many probes at once")
        timeout_s = timeout_of(header_s, module.timeout_s, offset_s=self.offset_s)
        debug = asked.get("debug") == "true"
        return await self._probed(module, target, hostname, timeout_s=timeout_s, debug=debug)

    async def _probed(
        self, module: Module, target: str, hostname: str, *, timeout_s: float, debug: bool
    ) -> Answer:
        self.under_way += 1
        began_at = datetime.now(UTC)
        try:
            probed = await self._probe(module, target, hostname, timeout_s=timeout_s)
        finally:
            self.under_way -= 1
        kept = self.history.add(
            module, target, timeout_s=timeout_s, began_at=began_at, probed=probed
        )
        level = logging.DEBUG if probed.success else logging.INFO
        if log.isEnabledFor(level):
            about = {"probed": target, "by": module.name, "duration_s": round(probed.duration_s, 6)}
            log.log(level, "probed", extra={**about, "reason": probed.reason or "ok"})
        if debug:
            return Answer(200, kept.text(), "text/plain")
        return Answer(200, page_of(probed, timeout_s=timeout_s), CONTENT_TYPE)

    async def _probe(
        self, module: Module, target: str, hostname: str, *, timeout_s: float
    ) -> Probed:
        if module.prober == "unix" and not self.path_allowed(target):
            note = Noted(0.0, "error", "This path may not be probed", (("path", target[:1000]),))
            return Probed(False, 0.0, notes=(note,), reason=Because.address_refused)
        if self.before is not None:
            await self.before()
        return await probe(
            module,
            target,
            hostname=hostname,
            timeout_s=timeout_s,
            transport=self.transport,
            allowed=self.allowed,
            read_file=self.read_file,
            clock=time,
        )


def _other_host(module: Module, hostname: str) -> str:
    """What is wrong when a module and a parameter name two hosts."""
    if module.prober != "http" or not hostname:
        return ""
    for name, value in module.http.headers.items():
        if name.lower() == "host" and value != hostname:
            return (
                f"host header defined both in module configuration ({value}) and with "
                f"URL-parameter 'hostname' ({hostname})"
            )
    return ""
