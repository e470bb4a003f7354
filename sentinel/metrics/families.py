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

A check leaves the texts of its numbers; labels are written once, and joined to them at a scrape.
Some label values are a target's words: what may not be shown is taken out of a family's own as they
are written, and of lines that are alike then the first is shown.
"""

import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any, TypeVar

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from sentinel.metrics import durations
from sentinel.metrics.durations import Durations
from sentinel.metrics.known import EVERY_CHECK, KNOWN
from sentinel.metrics.written import escape, label_name, lines_of, number_text, number_texts
from sentinel.monitor.probe import CheckResult, Observation, Probe
from sentinel.words import OK, Outcome

PROBE_LABELS = ("probe", "kind", "location", "client", "service", "vendor")
NEVER = frozenset({"instance", "job", *PROBE_LABELS})

T = TypeVar("T", bound=Hashable)

_Key = tuple[str | tuple[Any, ...], ...]
"""What a check's lines are of: a family without own labels by name, else name and own values."""


_Lines = Callable[[], str]
"""Makes the lines of some probes in one family."""


_Layout = tuple[tuple[str, int], ...]
"""Families with how many lines each has, of all probes that show the same."""


class _Shown:
    """One probe at one location: its label text, and what is shown of it now."""

    __slots__ = (
        "bad", "checks", "durations", "families", "good", "kept", "key", "layout", "lines",
        "location", "numbers", "probe", "standing", "stands", "text",
    )  # fmt: skip

    def __init__(self, probe: Probe, location: str) -> None:
        self.probe = probe
        self.location = location
        self.text = _label_text(self.labels())
        self.stands: tuple[Outcome, bool, str] = (Outcome.unknown, False, "")
        self.checks = [0] * len(Outcome)
        """How many checks came to each outcome, in the order of `PLACES`."""
        self.good, self.bad = _totals(self)
        """Its counters but for the one of good checks, which stands between the two."""
        self.durations: Durations | None = None
        own = getattr(probe.prober, "METRICS", ())
        self.families = {**KNOWN, **{f.name: f for f in own}} if own else KNOWN
        self.standing = _standing(self, Outcome.unknown, firing=False, reason="")
        self.key: _Key = ()
        self.kept: tuple[int, ...] | None = None
        """Which of a check's values are shown; None: all."""
        self.layout: _Layout = ()
        self.lines: tuple[str, ...] = ()
        """The labels of each line, which stay from check to check."""
        self.numbers = ""
        """The number of each, of the last check, parted by commas."""

    def labels(self) -> dict[str, str]:
        """The six labels of every line."""
        probe = self.probe
        values = (probe.id, probe.kind, self.location, probe.client, probe.service, probe.vendor)
        return dict(zip(PROBE_LABELS, values, strict=True))


def _label_text(labels: Mapping[str, str]) -> str:
    """Labels in order of name, as prometheus-client prints them."""
    return ",".join(f'{name}="{escape(value)}"' for name, value in sorted(labels.items()))


_ALWAYS = (
    "probe_timeout_seconds",
    "sentinel_check_outcome",
    "sentinel_probe_firing",
    "sentinel_probe_labels",
)
STANDING: Mapping[Outcome, tuple[str, ...]] = {
    Outcome.ok: (*_ALWAYS, "probe_success"),
    Outcome.warn: (*_ALWAYS, "sentinel_probe_failure", "probe_success"),
    Outcome.failed: (*_ALWAYS, "sentinel_probe_failure", "probe_success"),
    Outcome.unknown: (*_ALWAYS, "sentinel_probe_failure"),
}
PLACES: Mapping[Outcome, int] = {outcome: place for place, outcome in enumerate(Outcome)}
_OK = PLACES[Outcome.ok]
TOTAL = "sentinel_probe_checks_total"
_SELDOM = (Outcome.warn, Outcome.unknown)
"""Outcomes whose counter is there from the first such check on; the others' from the beginning, so
that ``rate()`` sees the first failure."""
_OTHERS_IN_ORDER = [PLACES[each] for each in (Outcome.failed, *_SELDOM)]
MOST_LAYOUTS = 1000
TOGETHER = 1000
"""Probes whose lines are joined at once: some milliseconds."""
_KINDS: Mapping[str, str] = {TOTAL: "counter", durations.NAME: "histogram"}
OURS = frozenset(family.name for family in EVERY_CHECK)
_NUMBERS = frozenset({int, float, bool})
_NAME = re.compile(r"[a-z_][a-z0-9_]*")


class ProbeFamilies:
    """The lines of all probes. Used from one thread."""

    def __init__(self) -> None:
        self._shown: dict[tuple[str, str], _Shown] = {}
        self._alike: dict[Hashable, Any] = {}
        self._buckets: tuple[float, ...] = ()
        self._clean: Callable[[str], str] = str
        self._help: dict[str, str] = {name: family.help for name, family in KNOWN.items()}
        self._help[durations.NAME] = durations.HELP

    def declare(self, probe: Probe, location: str) -> None:
        """Begin to show a probe, or show it with changed labels. Its check lines come with
        its next check; until then it has its timeout, its labels, and outcome unknown. One that
        would look the same goes on as it is."""
        before = self._shown.get((probe.id, location))
        if before is not None and _looks(before.probe) == _looks(probe):
            return
        shown = _Shown(probe, location)
        shown.durations = Durations(self._buckets) if self._buckets else None
        if before is not None:
            shown.checks = before.checks
            shown.good, shown.bad = _totals(shown)
        for name, family in shown.families.items():
            self._help.setdefault(name, family.help)
        self._shown[(probe.id, location)] = shown

    def clean_labels(self, clean: Callable[[str], str]) -> None:
        """Take with this what may not be shown out of every label value that a check gives, from its
        next check on. To be called again when there is more to take out."""
        self._clean = clean
        for shown in self._shown.values():
            shown.key = ()

    def keep_durations(self, buckets: tuple[float, ...]) -> None:
        """Show a histogram of each probe's durations with these upper bounds; none: show none."""
        if buckets == self._buckets:
            return
        self._buckets = buckets
        for shown in self._shown.values():
            shown.durations = Durations(buckets) if buckets else None

    def remove(self, probe: str, location: str) -> None:
        """End all series of a probe at a location."""
        self._shown.pop((probe, location), None)

    def show(self, observation: Observation, result: CheckResult, *, firing: bool) -> None:
        """Replace a declared probe's lines by those of this check. One that was removed meanwhile
        is left so. Raises TypeError or ValueError for values that are no numbers."""
        shown = self._shown.get((result.probe, result.location))
        if shown is None:
            return
        stands = (result.outcome, firing, result.reason)
        if shown.stands != stands:
            shown.stands = self._same(stands)
            shown.standing = _standing(shown, result.outcome, firing=firing, reason=result.reason)
        shown.checks[PLACES[result.outcome]] += 1
        if result.outcome is not OK:
            shown.good, shown.bad = _totals(shown)
        if shown.durations is not None:
            shown.durations.observe(
                result.duration_s, due_at=result.due_at, started_at=result.started_at
            )
        key, values = _flat(observation.metrics, result.duration_s)
        if key != shown.key:
            shown.layout = self._same(_lay_out(shown, self._same(key), self._clean))
        if shown.kept is not None:
            values = [values[place] for place in shown.kept]
        shown.numbers = number_texts(values)

    def _same(self, one: T) -> T:
        """One key, and one layout, for all probes that show the same families: there are few such."""
        if len(self._alike) > MOST_LAYOUTS:
            self._alike.clear()
        same: T = self._alike.setdefault(one, one)
        return same

    def pieces(self, *, openmetrics: bool = False) -> Iterator[str]:
        """The text format 0.0.4, or OpenMetrics', sorted by name, each family with HELP and TYPE.

        A piece has the lines of at most `TOGETHER` probes, and empty ones come before the first, so
        that others may run between two; all lines of a probe are of one moment."""
        whole = list(self._shown.values())
        columns: dict[str, list[_Lines]] = {}
        for start in range(0, len(whole), TOGETHER):
            alike: dict[tuple[tuple[str, ...], int], list[_Shown]] = {}
            for shown in whole[start : start + TOGETHER]:
                alike.setdefault((STANDING[shown.stands[0]], id(shown.layout)), []).append(shown)
            for group in alike.values():
                for name, lines in _columns(group):
                    columns.setdefault(name, []).append(lines)
            yield ""
        if self._buckets:
            told = list(self._durations(openmetrics=openmetrics))
            columns[durations.NAME] = [partial("".join, told)]
        for name in sorted(columns):
            head = self._head(name, openmetrics=openmetrics)
            for make in columns.pop(name):
                made = make()
                if made:
                    yield head + made
                    head = ""

    def _durations(self, *, openmetrics: bool) -> Iterator[str]:
        for shown in self._shown.values():
            if shown.durations is not None:
                yield from shown.durations.lines(shown.text, openmetrics=openmetrics)

    def text_of(self, probe: str, location: str) -> str:
        """The page of one probe alone, as ``/probe?target=`` answers it; empty for one not here."""
        shown = self._shown.get((probe, location))
        if shown is None:
            return ""
        made = {name: make() for name, make in _columns([shown])}
        return "".join(f"{self._head(name)}{made[name]}" for name in sorted(made) if made[name])

    def _head(self, name: str, *, openmetrics: bool = False) -> str:
        about = self._help.get(name, "A value that this kind of prober shows")
        text = about.replace("\\", "\\\\").replace("\n", "\\n")
        kind = _KINDS.get(name, "gauge")
        if openmetrics:  # there a counter's family is called without its samples' suffix
            name = name.removesuffix("_total") if kind == "counter" else name
        return f"# HELP {name} {text}\n# TYPE {name} {kind}\n"

    def collect(self) -> Iterable[Metric]:
        """The same lines for prometheus-client: OpenMetrics, odd clients, and the test that
        compares both ways of printing. Slow: about a second for 120,000 lines."""
        return text_string_to_metric_families("".join(self.pieces()))


def _looks(probe: Probe) -> tuple[Any, ...]:
    """All that the lines of a probe depend on."""
    where = (probe.kind, probe.client, probe.service, probe.vendor, probe.timeout_s)
    own = getattr(probe.prober, "METRICS", ())
    return (*where, tuple(sorted(probe.labels.items())), type(probe.prober), own)


def _standing(shown: _Shown, outcome: Outcome, *, firing: bool, reason: str) -> tuple[str, ...]:
    """The lines that seldom change from check to check, in the order of `STANDING`."""
    lines: tuple[str, ...] = (
        _line(shown, "probe_timeout_seconds", shown.probe.timeout_s),
        _outcomes(shown, outcome),
        _line(shown, "sentinel_probe_firing", firing),
        _labelled(shown),
    )
    if outcome is not OK:
        failure = _lines(shown, "sentinel_probe_failure", {reason: 1}) if reason else ""
        lines = (*lines, failure)
    if outcome is Outcome.unknown:
        return lines
    return (*lines, _line(shown, "probe_success", outcome is not Outcome.failed))


def _totals(shown: _Shown) -> tuple[str, str]:
    """The counters of a probe, before and after the number of good checks: nearly all are good, and
    a scrape puts that number in. Before the label that follows in alphabetical order only ids stand,
    so it is found as text."""
    before, _, after = shown.text.partition(',probe="')
    failed, *others = [shown.checks[place] for place in _OTHERS_IN_ORDER]
    good = f'{TOTAL}{{{before},outcome="ok",probe="{after}}} '
    text = f'.0\n{TOTAL}{{{before},outcome="failed",probe="{after}}} {failed}.0\n'
    for outcome, count in zip(_SELDOM, others, strict=True):
        if count:
            text += f'{TOTAL}{{{before},outcome="{outcome}",probe="{after}}} {count}.0\n'
    return good, text


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
    return f"{name}{{{shown.text}}} {number_text(value)}\n"


def _lines(shown: _Shown, name: str, value: Mapping[Any, float]) -> str:
    return "".join(
        f"{name}{{{_own_text(shown, name, own, str)}}} {number_text(number)}\n"
        for own, number in value.items()
    )


def _own_text(shown: _Shown, name: str, own: Any, clean: Callable[[str], str]) -> str:
    """The labels of a line with labels of its own."""
    family = shown.families.get(name)
    names: Sequence[str] = family.labels if family else ("value",)
    values = [clean(str(each)) for each in (own if isinstance(own, tuple) else (own,))]
    return _label_text({**shown.labels(), **dict(zip(names, values, strict=True))})


def _flat(metrics: Mapping[str, Any], duration_s: float) -> tuple[_Key, list[float]]:
    """What the lines are of, and their numbers in the same order."""
    key: list[str | tuple[Any, ...]] = ["probe_duration_seconds"]
    values: list[float] = [duration_s]
    for name, value in metrics.items():
        if type(value) in _NUMBERS:
            key.append(name)
            values.append(value)
        elif type(value) is dict or isinstance(value, Mapping):
            key.append((name, *value))
            values += value.values()
        else:  # a number of another type, or what `show` refuses
            key.append(name)
            values.append(value)
    return tuple(key), values


def _lay_out(shown: _Shown, key: _Key, clean: Callable[[str], str]) -> _Layout:
    """How the lines of these families are made; those that are ours to show, or cannot be, are
    left out, and of two whose labels are alike once they are clean the second: Prometheus takes
    no page that says the same twice."""
    layout = list[tuple[str, int]]()
    labels, kept = list[str](), list[int]()
    place = 0
    for each in key:
        name, own = (each, ()) if isinstance(each, str) else (each[0], each[1:])
        count = 1 if isinstance(each, str) else len(own)
        if count and (not place or _may_show(shown, name)):
            texts = [_own_text(shown, name, one, clean) for one in own] or [shown.text]
            places = dict[str, int]()
            for index, text in enumerate(texts):
                places.setdefault(text, place + index)
            layout.append((name, len(places)))
            labels += places
            kept += places.values()
        place += count
    shown.key = key
    shown.kept = None if len(kept) == place else tuple(kept)
    shown.lines = tuple(labels)
    shown.numbers = ",".join(["NaN"] * len(labels))  # until they are known to be numbers
    return tuple(layout)


def _columns(group: Sequence[_Shown]) -> Iterator[tuple[str, "_Lines"]]:
    """Family names, and what makes the lines of probes that stand alike and have one layout as they
    are now."""
    stand = STANDING[group[0].stands[0]]
    for name, lines in zip(
        stand, zip(*[each.standing for each in group], strict=True), strict=True
    ):
        yield name, partial("".join, lines)
    yield TOTAL, partial("".join, [f"{each.good}{each.checks[_OK]}{each.bad}" for each in group])
    labels = list(chain.from_iterable([each.lines for each in group]))
    numbers = ",".join([each.numbers for each in group]).split(",")
    width, place = len(group[0].lines), 0
    for name, count in group[0].layout:
        places = range(place, place + count)
        place += count
        pairs = tuple([each[at::width] for at in places for each in (labels, numbers)])
        yield name, partial(lines_of, name, pairs)


def _may_show(shown: _Shown, name: str) -> bool:
    return name not in OURS and (name in shown.families or _NAME.fullmatch(name) is not None)
