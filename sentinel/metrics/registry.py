"""What Sentinel counts of itself, and the page that a scrape gets.

Our own families live in a prometheus-client registry; the probes' lines are rendered as checks
end (``metrics.families``) and only joined here. *A fact to remember, a metric to count, a log
line to explain*: what is counted here is in no fold and is lost with the process.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

from sentinel import __version__
from sentinel.errors import FailureReason
from sentinel.metrics.counts import Outcomes, Spans
from sentinel.metrics.families import ProbeFamilies
from sentinel.metrics.packing import packer, takes_gzip
from sentinel.words import Severity

OPENMETRICS = "application/openmetrics-text"
_LAG = (0.001, 0.002, 0.005, 0.01, 0.015, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0)
_COMMIT = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


@dataclass(frozen=True, slots=True)
class Page:
    """What to answer a scrape with; `encoding` is ``gzip`` or empty."""

    body: bytes
    content_type: str
    encoding: str


class Metrics:
    """All metrics of one node. Each attribute is one family; its HELP is its documentation."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.families = ProbeFamilies()
        self.registry = own = CollectorRegistry()
        ProcessCollector(registry=own)
        PlatformCollector(registry=own)
        self._count_checks(own)
        self._count_store(own)
        self._count_response(own)
        self._tell_configuration(own)

    def _count_checks(self, own: CollectorRegistry) -> None:
        self.checks = Outcomes("sentinel_checks", "Checks done, by what they came to")
        own.register(self.checks)
        self.start_lag = Spans(
            "sentinel_check_start_lag_seconds",
            "How far from its due time a check started, later or a little earlier",
            _LAG,
        )
        own.register(self.start_lag)
        self.in_flight = Gauge(
            "sentinel_checks_in_flight", "Checks that run at this moment", registry=own
        )
        self.stalls = Counter(
            "sentinel_loop_stalls",
            "Times the event loop came late by 250 ms or more, so that timeouts were doubted",
            registry=own,
        )
        self.probes = Gauge("sentinel_probes", "Probes that this node watches", registry=own)
        self.blind = Gauge(
            "sentinel_location_blind",
            "1 while the location sees nothing, so that its network failures count for nothing",
            ["location"],
            registry=own,
        )
        self.evidence_bytes = Counter(
            "sentinel_evidence_bytes", "Bytes of evidence kept, after redaction", registry=own
        )
        self.evidence_dropped = Counter(
            "sentinel_evidence_dropped",
            "Evidence not kept because the hour's allowance was used up",
            registry=own,
        )

    def _count_store(self, own: CollectorRegistry) -> None:
        self.commits = Counter(
            "sentinel_journal_commits",
            "Commits to the journal, by result: ok or refused",
            ["result"],
            registry=own,
        )
        for result in ("ok", "refused"):
            self.commits.labels(result)
        self.commit_seconds = Histogram(
            "sentinel_journal_commit_seconds",
            "How long a commit of check results took",
            buckets=_COMMIT,
            registry=own,
        )
        self.results_held = Gauge(
            "sentinel_results_held", "Check results that wait for a commit", registry=own
        )
        self.results_dropped = Counter(
            "sentinel_results_dropped",
            "Check results lost because the journal refused for too long",
            registry=own,
        )
        self.queue = Gauge(
            "sentinel_queue_depth",
            "Rows that wait: inbox, wake, step, delivery",
            ["queue"],
            registry=own,
        )

    def _count_response(self, own: CollectorRegistry) -> None:
        self.pages = Counter(
            "sentinel_pages",
            "Pages by outcome: accepted, refused, uncertain, withdrawn",
            ["outcome"],
            registry=own,
        )
        self.steps = Counter(
            "sentinel_steps", "Playbook steps that ended, by outcome", ["outcome"], registry=own
        )
        self.incidents = Gauge(
            "sentinel_incidents_open", "Incidents not resolved", ["severity"], registry=own
        )
        for severity in Severity:
            self.incidents.labels(severity.name)
        self.failures = Counter(
            "sentinel_failures",
            "Failures of our own or of a vendor, by reason",
            ["reason"],
            registry=own,
        )
        for reason in FailureReason:
            self.failures.labels(reason.value)

    def _tell_configuration(self, own: CollectorRegistry) -> None:
        self.reload_ok = Gauge(
            "sentinel_config_last_reload_successful",
            "1 if the last reload of the workspace succeeded, 0 if it kept the old one",
            registry=own,
        )
        self.reload_at = Gauge(
            "sentinel_config_last_reload_success_timestamp_seconds",
            "When the workspace was last loaded with success, in unixtime",
            registry=own,
        )
        self._tell_discovery(own)
        self._tell_objectives(own)
        Info("sentinel_build", "The version that runs", registry=own).info({"version": __version__})

    def _tell_discovery(self, own: CollectorRegistry) -> None:
        self.discovery_up = Gauge(
            "sentinel_discovery_up",
            "1 if the list was read when last tried, 0 if the one before it is kept",
            ["discovery"],
            registry=own,
        )
        self.discovery_read_at = Gauge(
            "sentinel_discovery_last_success_timestamp_seconds",
            "When the list was last read with success, in unixtime",
            ["discovery"],
            registry=own,
        )
        self.discovery_probes = Gauge(
            "sentinel_discovery_probes", "Probes that come of the list", ["discovery"], registry=own
        )
        self.discovery_left_out = Gauge(
            "sentinel_discovery_left_out",
            "Addresses of the list that cannot become probes",
            ["discovery"],
            registry=own,
        )

    def _tell_objectives(self, own: CollectorRegistry) -> None:
        names = ["client", "service", "objective"]
        self.objective_ratio = Gauge(
            "sentinel_objective_ratio",
            "Share of the objective's window in which it held, of what is known",
            names,
            registry=own,
        )
        self.objective_budget = Gauge(
            "sentinel_objective_budget_remaining_ratio",
            "Share of the objective's error budget that is left, below 0 when it is overspent",
            names,
            registry=own,
        )
        self.objective_burn = Gauge(
            "sentinel_objective_burn_rate",
            "How many times faster than allowed the objective was missed over a window",
            [*names, "window"],
            registry=own,
        )

    def show_objective(
        self,
        name: tuple[str, str, str],
        *,
        ratio: float | None,
        budget_left: float | None,
        burn_rates: Mapping[str, float | None],
    ) -> None:
        """How an objective (client, service, what is promised) stands; None: no series."""
        _set(self.objective_ratio, name, ratio)
        _set(self.objective_budget, name, budget_left)
        for window, rate in burn_rates.items():
            _set(self.objective_burn, (*name, window), rate)

    def forget_discovery(self, id: str) -> None:
        """End the series of a declaration that is gone."""
        for family in (
            self.discovery_up,
            self.discovery_read_at,
            self.discovery_probes,
            self.discovery_left_out,
        ):
            family.remove(id)

    def exposition(self, accept: str = "", encodings: str = "") -> Page:
        """The page for a scrape with these ``Accept`` and ``Accept-Encoding`` headers: OpenMetrics
        where it is asked for, else the text format 0.0.4; gzip where it is understood."""
        return _page(list(self._parts(accept, encodings)), accept, encodings)

    async def exposition_in_turns(self, accept: str = "", encodings: str = "") -> Page:
        """The same, with turns for everybody else between its parts: 10,000 probes make a page of
        some 30 MB, for which no check should wait."""
        parts = []
        for part in self._parts(accept, encodings):
            parts.append(part)
            await asyncio.sleep(0)
        return _page(parts, accept, encodings)

    def _parts(self, accept: str, encodings: str) -> Iterator[bytes]:
        """The body, some milliseconds' worth at a time."""
        plain = self._plain(wants_openmetrics=OPENMETRICS in accept)
        if not takes_gzip(encodings):
            yield from plain
            return
        gzip = packer()
        for part in plain:
            yield gzip.compress(part)
        yield gzip.flush()

    def _plain(self, *, wants_openmetrics: bool) -> Iterator[bytes]:
        if wants_openmetrics:
            own = openmetrics.generate_latest(self.registry)  # type: ignore[no-untyped-call]
            yield own.removesuffix(b"# EOF\n")
        else:
            yield generate_latest(self.registry)
        for piece in self.families.pieces(openmetrics=wants_openmetrics):
            yield piece.encode()
        if wants_openmetrics:
            yield b"# EOF\n"


def _page(parts: Sequence[bytes], accept: str, encodings: str) -> Page:
    content_type = (
        openmetrics.CONTENT_TYPE_LATEST if OPENMETRICS in accept else CONTENT_TYPE_PLAIN_0_0_4
    )
    return Page(b"".join(parts), content_type, "gzip" if takes_gzip(encodings) else "")


def _set(family: Gauge, labels: Sequence[str], value: float | None) -> None:
    if value is None:
        family.remove(*labels)
    else:
        family.labels(*labels).set(value)
