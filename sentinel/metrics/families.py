"""What each check shows in ``/metrics``: lines rendered as the check ends, joined at a scrape.

The names and HELP texts are blackbox_exporter's, so that dashboards and alert rules written for
it keep working. Every line has exactly the labels ``probe, kind, location, client, service,
vendor`` (an empty one is the same as an absent one to Prometheus) and the family's own; never
``instance`` or ``job``, which are Prometheus's. A document's further labels are on
``sentinel_probe_labels``, to be joined in PromQL.

**How a prober fills** ``Observation.metrics``: family name to value, in the shape that
``monitor.probe.MetricFamily`` says. No own label: a number. One own label: a mapping of its value
to a number. Several: a mapping of the tuple of their values, in declared order, to a number::

    {"probe_http_status_code": 200,
     "probe_http_duration_seconds": {"resolve": 0.01, "connect": 0.02},
     "probe_tls_version_info": {"TLS 1.3": 1},
     "probe_ssl_last_chain_info": {(fingerprint, subject, issuer, names, serial): 1}}

`KNOWN` are the families of the built-in kinds; another kind declares its own in ``METRICS``. One
that nobody declared is shown all the same, its own label called ``value``. A family that a check
leaves out is gone from the next scrape, as with blackbox_exporter. The watcher adds the families
of `EVERY_CHECK` itself.

Rendering costs some microseconds a check because the text of a line is made once; joining
120,000 lines costs some milliseconds a scrape (measured: ``docs/explanation`` of the speed).
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.utils import floatToGoString

from sentinel.monitor.probe import CheckResult, MetricFamily, Observation, Probe
from sentinel.words import Outcome

PROBE_LABELS = ("probe", "kind", "location", "client", "service", "vendor")
NEVER = frozenset({"instance", "job", *PROBE_LABELS})

EVERY_CHECK = (
    MetricFamily("probe_success", "Displays whether or not the probe was a success"),
    MetricFamily(
        "probe_duration_seconds", "Returns how long the probe took to complete in seconds"
    ),
    MetricFamily("probe_timeout_seconds", "Returns how long the probe timeout is in seconds"),
    MetricFamily(
        "sentinel_check_outcome",
        "1 for what the last check came to, 0 for the other outcomes",
        ("outcome",),
    ),
    MetricFamily("sentinel_probe_firing", "1 while the verdict is firing or recovering, else 0"),
    MetricFamily("sentinel_probe_labels", "The labels that a probe's document adds, always 1"),
)

_CHAIN = ("fingerprint_sha256", "subject", "issuer", "subjectalternative", "serialnumber")

KNOWN: Mapping[str, MetricFamily] = {
    family.name: family
    for family in (
        *EVERY_CHECK,
        MetricFamily(
            "probe_dns_lookup_time_seconds",
            "Returns the time taken for probe dns lookup in seconds",
        ),
        MetricFamily("probe_ip_protocol", "Specifies whether probe ip protocol is IP4 or IP6"),
        MetricFamily(
            "probe_ip_addr_hash",
            "Specifies the hash of IP address. It's useful to detect if the IP address changes.",
        ),
        MetricFamily(
            "probe_http_duration_seconds",
            "Duration of http request by phase, summed over all redirects",
            ("phase",),
        ),
        MetricFamily("probe_http_content_length", "Length of http content response"),
        MetricFamily("probe_http_uncompressed_body_length", "Length of uncompressed response body"),
        MetricFamily("probe_http_redirects", "The number of redirects"),
        MetricFamily("probe_http_ssl", "Indicates if SSL was used for the final redirect"),
        MetricFamily("probe_http_status_code", "Response HTTP status code"),
        MetricFamily("probe_http_version", "Returns the version of HTTP of the probe response"),
        MetricFamily(
            "probe_http_last_modified_timestamp_seconds",
            "Returns the Last-Modified HTTP response header in unixtime",
        ),
        MetricFamily("probe_failed_due_to_regex", "Indicates if probe failed due to regex"),
        MetricFamily("probe_ssl_earliest_cert_expiry", "Returns last SSL chain expiry in unixtime"),
        MetricFamily(
            "probe_ssl_last_chain_expiry_timestamp_seconds",
            "Returns last SSL chain expiry in timestamp",
        ),
        MetricFamily(
            "probe_ssl_last_chain_info", "Contains SSL leaf certificate information", _CHAIN
        ),
        MetricFamily(
            "probe_tls_version_info",
            "Returns the TLS version used or NaN when unknown",
            ("version",),
        ),
        MetricFamily(
            "probe_tls_cipher_info",
            "Returns the TLS cipher negotiated during handshake",
            ("cipher",),
        ),
        MetricFamily(
            "probe_journey_step_duration_seconds",
            "Duration of each step of a journey that was reached",
            ("step",),
        ),
        MetricFamily(
            "probe_journey_step_success",
            "Displays whether or not each step of a journey that was reached held",
            ("step",),
        ),
        MetricFamily("probe_feed_items", "Number of items that the feed holds"),
        MetricFamily(
            "probe_feed_invalid_items", "Number of items that do not meet the feed's profile"
        ),
        MetricFamily("probe_feed_size_bytes", "Size of the feed as it came over the wire"),
        MetricFamily(
            "probe_feed_change_ratio",
            "Items now over items of the last good feed, minus one",
        ),
        MetricFamily(
            "probe_vendor_component_up",
            "1 while the vendor says that the component is operational, else 0",
            ("component",),
        ),
        MetricFamily(
            "probe_vendor_incidents_open", "Incidents that the vendor's status page shows as open"
        ),
        MetricFamily(
            "probe_heartbeat_last_success_timestamp_seconds",
            "When the last success was pinged, in unixtime",
        ),
        MetricFamily("probe_heartbeat_overdue", "1 while a ping is overdue, else 0"),
    )
}


def number_text(value: float) -> str:
    """A number as Go and prometheus-client print it: ``200.0``, ``1.0035e+06``, ``NaN``."""
    if -1e6 < value < 1e6:
        return repr(float(value))
    text: str = floatToGoString(value)  # type: ignore[no-untyped-call]
    return text


def escape(text: str) -> str:
    """A label value as the text format wants it between its quotes."""
    if "\\" in text or '"' in text or "\n" in text:
        return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return text


def label_name(text: str) -> str:
    """A label name that Prometheus takes: letters, digits and ``_``, no digit first."""
    name = "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in text)
    return f"_{name}" if name[:1].isdigit() or not name else name


class _Shown:
    """One probe at one location: its label text, and the lines that are shown of it now."""

    __slots__ = (
        "around", "families", "lines", "location", "names", "probe", "standing", "stands", "text",
    )  # fmt: skip

    def __init__(self, probe: Probe, location: str) -> None:
        self.probe = probe
        self.location = location
        self.text = _label_text(self.labels())
        self.around: dict[str, tuple[str, str]] = {}
        self.stands: tuple[Outcome, bool] = (Outcome.unknown, False)
        own = getattr(probe.prober, "METRICS", ())
        self.families = {**KNOWN, **{f.name: f for f in own}} if own else KNOWN
        self.names: tuple[str, ...] = STANDING[Outcome.unknown]
        self.standing: tuple[str, ...]
        self.lines: tuple[str, ...]
        self.standing = self.lines = _standing(self, Outcome.unknown, firing=False)

    def labels(self) -> dict[str, str]:
        """The six labels of every line."""
        probe = self.probe
        values = (probe.id, probe.kind, self.location, probe.client, probe.service, probe.vendor)
        return dict(zip(PROBE_LABELS, values, strict=True))

    def split_at(self, label: str) -> tuple[str, str]:
        """The label text before and after where one own label's value stands."""
        made = self.around.get(label)
        if made is None:
            before, after = _label_text({**self.labels(), label: "\0"}).split("\0")
            made = self.around[label] = (before, after)
        return made


def _label_text(labels: Mapping[str, str]) -> str:
    """Labels in order of name, as prometheus-client prints them."""
    return ",".join(f'{name}="{escape(value)}"' for name, value in sorted(labels.items()))


_ALWAYS = (
    "probe_timeout_seconds",
    "sentinel_check_outcome",
    "sentinel_probe_firing",
    "sentinel_probe_labels",
)
STANDING = {
    outcome: _ALWAYS if outcome is Outcome.unknown else (*_ALWAYS, "probe_success")
    for outcome in Outcome
}
OURS = frozenset(family.name for family in EVERY_CHECK)
MOST_SHAPES = 1000
_NAME = re.compile(r"[a-z_][a-z0-9_]*")


class ProbeFamilies:
    """The lines of all probes. Used from one thread."""

    def __init__(self) -> None:
        self._shown: dict[tuple[str, str], _Shown] = {}
        self._shapes: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._help: dict[str, str] = {name: family.help for name, family in KNOWN.items()}

    def declare(self, probe: Probe, location: str) -> None:
        """Begin to show a probe, or show it with changed labels. Its check lines come with
        its next check; until then it has its timeout, its labels, and outcome unknown. One that
        would look the same goes on as it is."""
        before = self._shown.get((probe.id, location))
        if before is not None and _looks(before.probe) == _looks(probe):
            return
        shown = _Shown(probe, location)
        for name, family in shown.families.items():
            self._help.setdefault(name, family.help)
        self._shown[(probe.id, location)] = shown

    def remove(self, probe: str, location: str) -> None:
        """End all series of a probe at a location."""
        self._shown.pop((probe, location), None)

    def show(self, observation: Observation, result: CheckResult, *, firing: bool) -> None:
        """Replace a declared probe's lines by those of this check. One that was removed meanwhile
        is left so. Raises TypeError or ValueError for values that are no numbers."""
        shown = self._shown.get((result.probe, result.location))
        if shown is None:
            return
        if shown.stands != (result.outcome, firing):
            shown.stands = (result.outcome, firing)
            shown.standing = _standing(shown, result.outcome, firing=firing)
        names = [*STANDING[result.outcome], "probe_duration_seconds"]
        lines = [*shown.standing, _line(shown, "probe_duration_seconds", result.duration_s)]
        for name, value in observation.metrics.items():
            if name not in OURS and (name in shown.families or _NAME.fullmatch(name)):
                draw = _lines if isinstance(value, dict | Mapping) else _line
                names.append(name)
                lines.append(draw(shown, name, value))
        shown.names = self._same(tuple(names))
        shown.lines = tuple(lines)

    def _same(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """One tuple for all probes that show the same families: there are few such."""
        if len(self._shapes) > MOST_SHAPES:
            self._shapes.clear()
        return self._shapes.setdefault(names, names)

    def pieces(self) -> Iterator[str]:
        """The text format, a family a piece, sorted by name, each with HELP and TYPE."""
        alike: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
        for shown in self._shown.values():
            alike.setdefault(shown.names, []).append(shown.lines)
        columns: dict[str, list[str]] = {}
        for names, rows in alike.items():
            for name, column in zip(names, zip(*rows, strict=True), strict=True):
                columns.setdefault(name, []).extend(column)
        for name in sorted(columns):
            yield self._head(name)
            yield "".join(columns[name])

    def text_of(self, probe: str, location: str) -> str:
        """The page of one probe alone, as ``/probe?target=`` answers it; empty for one not here."""
        shown = self._shown.get((probe, location))
        if shown is None:
            return ""
        lines = sorted(zip(shown.names, shown.lines, strict=True))
        return "".join(f"{self._head(name)}{line}" for name, line in lines)

    def _head(self, name: str) -> str:
        about = self._help.get(name, "A value that this kind of prober shows")
        text = about.replace("\\", "\\\\").replace("\n", "\\n")
        return f"# HELP {name} {text}\n# TYPE {name} gauge\n"

    def collect(self) -> Iterable[Metric]:
        """The same lines for prometheus-client: OpenMetrics, odd clients, and the test that
        compares both ways of printing. Slow: about a second for 120,000 lines."""
        return text_string_to_metric_families("".join(self.pieces()))


def _looks(probe: Probe) -> tuple[Any, ...]:
    """All that the lines of a probe depend on."""
    where = (probe.kind, probe.client, probe.service, probe.vendor, probe.timeout_s)
    own = getattr(probe.prober, "METRICS", ())
    return (*where, tuple(sorted(probe.labels.items())), type(probe.prober), own)


def _standing(shown: _Shown, outcome: Outcome, *, firing: bool) -> tuple[str, ...]:
    """The lines that seldom change from check to check, in the order of `STANDING`."""
    lines = (
        _line(shown, "probe_timeout_seconds", shown.probe.timeout_s),
        _outcomes(shown, outcome),
        _line(shown, "sentinel_probe_firing", firing),
        _labelled(shown),
    )
    if outcome is Outcome.unknown:
        return lines
    return (*lines, _line(shown, "probe_success", outcome is not Outcome.failed))


def _labelled(shown: _Shown) -> str:
    more = {
        label_name(name): value
        for name, value in shown.probe.labels.items()
        if value and label_name(name) not in NEVER
    }
    return f"sentinel_probe_labels{{{_label_text({**shown.labels(), **more})}}} 1.0\n"


def _outcomes(shown: _Shown, now: Outcome) -> str:
    return _lines(shown, "sentinel_check_outcome", {each.value: each is now for each in Outcome})


def _line(shown: _Shown, name: str, value: float) -> str:
    number = repr(float(value)) if -1e6 < value < 1e6 else number_text(value)
    return f"{name}{{{shown.text}}} {number}\n"


def _lines(shown: _Shown, name: str, value: Mapping[Any, float]) -> str:
    family = shown.families.get(name)
    names: Sequence[str] = family.labels if family else ("value",)
    if len(names) == 1:
        before, after = shown.split_at(names[0])
        return "".join(
            [
                f"{name}{{{before}{escape(own)}{after}}} {number_text(number)}\n"
                for own, number in value.items()
            ]
        )
    rendered = []
    for own, number in value.items():
        text = _label_text({**shown.labels(), **dict(zip(names, own, strict=True))})
        rendered.append(f"{name}{{{text}}} {number_text(number)}\n")
    return "".join(rendered)
