"""The lines of checks: the same as prometheus-client would print, and gone when they should be."""

import math
import subprocess
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.utils import floatToGoString

from sentinel.metrics.families import KNOWN, PROBE_LABELS, ProbeFamilies
from sentinel.metrics.registry import Metrics
from sentinel.metrics.written import number_text, number_texts
from sentinel.monitor.probe import MetricFamily, Probe
from sentinel.words import Outcome, Seconds
from tests.monitor.builders import NOON, Door, a_probe, a_result, an_observation

HTTP: dict[str, Any] = {
    "probe_http_status_code": 200,
    "probe_http_duration_seconds": {"resolve": 0.0012, "connect": 0, "tls": 1e-07},
    "probe_http_content_length": 10_215_000,
    "probe_http_ssl": True,
    "probe_ip_addr_hash": 3668918509,
    "probe_tls_version_info": {"TLS 1.3": 1},
    "probe_ssl_last_chain_info": {("ab", 'CN=a "b"\\c', "CN=i\nx", "a.example,b.example", "0f"): 1},
    "probe_ssl_last_chain_expiry_timestamp_seconds": -62135596800,
}
SHOP = {
    "client": "acme",
    "service": "storefront",
    "labels": {"tier": 'a "1"', "team-name": "pay", "job": "no", "instance": "no", "empty": ""},
}


def shown(
    probe: Probe | None = None, outcome: Outcome = Outcome.ok, metrics: Any = None
) -> ProbeFamilies:
    probe = probe or a_probe(**SHOP)
    families = ProbeFamilies()
    families.declare(probe, "local")
    observation = an_observation(metrics=HTTP if metrics is None else metrics)
    result = a_result(outcome, probe=probe.id, duration_s=0.25)
    families.show(observation, result, firing=outcome is Outcome.failed)
    return families


def page(families: ProbeFamilies) -> str:
    return "".join(families.pieces())


def samples(families: ProbeFamilies) -> dict[str, list[tuple[dict[str, str], float]]]:
    parsed = text_string_to_metric_families(page(families))
    return {f.name: [(s.labels, s.value) for s in f.samples] for f in parsed}


class Same:
    """What prometheus-client wants of a registry."""

    def __init__(self, families: ProbeFamilies) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families.collect()


def test_our_lines_are_prometheus_clients_lines():
    families = shown()
    other = a_probe(id="acme-search")
    families.declare(other, "local")
    families.show(an_observation(metrics=HTTP), a_result("f", probe="acme-search"), firing=True)
    expected = generate_latest(Same(families)).decode()  # type: ignore[arg-type]
    assert numbers_read(expected) == numbers_read(page(families))


def numbers_read(text: str) -> list[tuple[str, float | str]]:
    """Each line and its number: 1e-7 and 1e-07 are one number."""
    lines = [line.rpartition(" ") for line in text.splitlines()]
    return [(a, b if a.startswith("#") else float(b)) for a, _, b in lines]


@given(st.lists(st.floats(allow_nan=False) | st.integers(-(2**53), 2**53) | st.booleans()))
def test_numbers_written_together_are_read_as_the_same_numbers(values: list[float]):
    text = number_texts(values)
    assert [float(value) for value in values] == [float(t) for t in text.split(",") if t]


def test_numbers_written_together_may_be_no_numbers_and_infinite():
    assert number_texts([1, math.nan, math.inf, -math.inf]) == "1.0,NaN,+Inf,-Inf"
    with pytest.raises(ValueError, match="too large"):
        number_texts([10**400])
    with pytest.raises((TypeError, ValueError)):
        number_texts(["no number"])  # type: ignore[list-item]


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_numbers_are_printed_as_prometheus_client_prints_them(value: float):
    assert floatToGoString(value) == number_text(value)  # type: ignore[no-untyped-call]


def test_every_line_has_the_six_labels_and_beside_them_only_the_familys_own():
    for name, lines in samples(shown()).items():
        own = KNOWN[name if name in KNOWN else f"{name}_total"].labels
        for labels, _ in lines:
            if name != "sentinel_probe_labels":
                assert {*PROBE_LABELS, *own} == set(labels)
    home = {"probe": "acme-home", "kind": "door", "location": "local", "client": "acme"}
    success = samples(shown())["probe_success"]
    assert [({**home, "service": "storefront", "vendor": ""}, 1.0)] == success


def counts(families: ProbeFamilies) -> dict[str, float]:
    lines = samples(families)["sentinel_probe_checks"]
    return {labels["outcome"]: value for labels, value in lines}


def test_checks_are_counted_by_what_they_came_to_and_from_zero():
    families = ProbeFamilies()
    probe = a_probe(**SHOP)
    families.declare(probe, "local")
    assert {"ok": 0.0, "failed": 0.0} == counts(families)

    for letter in ("o", "o", "f", "w"):
        families.show(an_observation(metrics={}), a_result(letter), firing=False)
    assert {"ok": 2.0, "failed": 1.0, "warn": 1.0} == counts(families)

    families.declare(a_probe(**{**SHOP, "service": "checkout"}), "local")
    assert {"ok": 2.0, "failed": 1.0, "warn": 1.0} == counts(families)


def test_the_reason_is_shown_while_a_check_is_not_ok():
    families = ProbeFamilies()
    families.declare(a_probe(**SHOP), "local")
    reasons: list[list[str]] = []
    for letter, reason in (
        ("f", "timeout"),
        ("f", "refused"),
        ("w", "slow"),
        ("o", ""),
        ("u", "x"),
    ):
        families.show(an_observation(metrics={}), a_result(letter, reason=reason), firing=False)
        lines = samples(families).get("sentinel_probe_failure", [])
        reasons.append([labels["reason"] for labels, value in lines if value == 1.0])
    assert [["timeout"], ["refused"], ["slow"], [], ["x"]] == reasons


def openmetrics(families: ProbeFamilies) -> dict[str, Metric]:
    text = "".join(families.pieces(openmetrics=True)) + "# EOF\n"
    return {f.name: f for f in parse_openmetrics(text)}


def test_histograms_are_shown_where_they_are_asked_for_with_exemplars():
    families = shown()
    assert "sentinel_probe_check_duration_seconds" not in samples(families)
    families.keep_durations((0.1, 0.5))
    for minute, duration_s in enumerate((0.05, 0.1, 0.3, 7.0)):
        result = a_result(slot=minute, duration_s=duration_s)
        families.show(an_observation(metrics=HTTP), result, firing=False)

    found = openmetrics(families)["sentinel_probe_check_duration_seconds"]
    assert "histogram" == found.type
    buckets = [s for s in found.samples if s.name.endswith("_bucket")]
    assert [("0.1", 2.0), ("0.5", 3.0), ("+Inf", 4.0)] == [
        (each.labels["le"], each.value) for each in buckets
    ]
    slots = [each.exemplar.labels["check"] for each in buckets if each.exemplar]
    assert [f"{NOON.date()}T12:0{minute}:00Z" for minute in (1, 2, 3)] == slots
    assert "# {" not in page(families)
    assert {"_sum": 7.45, "_count": 4.0} == {
        each.name.removeprefix(found.name): pytest.approx(each.value)
        for each in found.samples
        if not each.name.endswith("_bucket")
    }

    families.keep_durations(())
    assert "sentinel_probe_check_duration_seconds" not in samples(families)


def test_openmetrics_is_clean_and_says_the_same():
    families = shown()
    found = openmetrics(families)
    assert "counter" == found["sentinel_probe_checks"].type
    said = {(s.name, *sorted(s.labels.items())): s.value for f in found.values() for s in f.samples}
    plain = text_string_to_metric_families(page(families))
    assert said == {(s.name, *sorted(s.labels.items())): s.value for f in plain for s in f.samples}


def test_the_documents_further_labels_stand_on_a_family_of_their_own():
    (labels, value), *more = samples(shown())["sentinel_probe_labels"]
    assert ('a "1"', "pay", 1.0, []) == (labels["tier"], labels["team_name"], value, more)
    assert {*PROBE_LABELS, "tier", "team_name"} == set(labels)


@pytest.mark.parametrize(
    ("outcome", "success"),
    [(Outcome.ok, 1.0), (Outcome.warn, 1.0), (Outcome.failed, 0.0), (Outcome.unknown, None)],
)
def test_success_is_absent_while_unknown_and_the_outcome_is_always_there(
    outcome: Outcome, success: float | None
):
    families = samples(shown(outcome=outcome))
    assert [success] == [value for _, value in families.get("probe_success", [({}, None)])]
    outcomes = {labels["outcome"]: value for labels, value in families["sentinel_check_outcome"]}
    assert {each.value: float(each is outcome) for each in Outcome} == outcomes


def test_a_declared_probe_is_unknown_until_its_first_check():
    families = ProbeFamilies()
    families.declare(a_probe(timeout_s=Seconds(7.0)), "local")
    first = samples(families)
    assert "probe_success" not in first
    assert 7.0 == first["probe_timeout_seconds"][0][1]
    assert ["unknown"] == [o["outcome"] for o, v in first["sentinel_check_outcome"] if v]


def test_what_a_check_leaves_out_is_gone_and_what_it_changes_is_replaced():
    families = shown()
    again = an_observation(metrics={"probe_http_status_code": 503})
    families.show(again, a_result("f"), firing=False)
    now = samples(families)
    assert 503.0 == now["probe_http_status_code"][0][1]
    assert "probe_http_duration_seconds" not in now
    assert 0.0 == now["probe_success"][0][1]


def test_all_series_of_a_removed_probe_end_and_a_late_result_brings_none_back():
    families = shown()
    families.remove("acme-home", "local")
    families.show(an_observation(metrics=HTTP), a_result(), firing=False)
    families.remove("never-declared", "local")
    assert "" == page(families)


def test_a_probe_declared_again_shows_its_new_labels_only():
    families = shown()
    families.declare(a_probe(client="other"), "local")
    assert "acme-home" in page(families)
    assert 'client="acme"' not in page(families)


def test_a_probe_declared_again_as_it_was_keeps_its_lines():
    families = shown()
    before = page(families)
    families.declare(a_probe(**SHOP, every_s=Seconds(5.0)), "local")
    assert before == page(families)


class Plugin(Door):
    METRICS = (MetricFamily("probe_stock_items", "Items in stock, by warehouse", ("warehouse",)),)


def test_a_kind_may_declare_families_and_undeclared_ones_are_shown_too():
    probe = Probe(id="stock", prober=Plugin())
    families = shown(probe, metrics={"probe_stock_items": {"north": 3}, "probe_x": {"y": 1}})
    assert "# HELP probe_stock_items Items in stock, by warehouse\n" in page(families)
    assert "north" == samples(families)["probe_stock_items"][0][0]["warehouse"]
    assert "y" == samples(families)["probe_x"][0][0]["value"]


def test_what_may_not_be_shown_is_taken_out_of_the_labels_that_a_check_gives():
    probe = Probe(id="stock", prober=Plugin())
    metrics = {"probe_x": {"s3cret": 1, "y": 2, "***": 3}, "probe_stock_items": {("s3cret",): 4}}
    families = shown(probe, metrics=metrics)
    families.clean_labels(lambda text: text.replace("s3cret", "***"))
    families.show(an_observation(metrics=metrics), a_result(probe="stock"), firing=False)
    now = samples(families)

    assert [("***", 1.0), ("y", 2.0)] == [(own["value"], v) for own, v in now["probe_x"]]
    assert "***" == now["probe_stock_items"][0][0]["warehouse"]
    assert "s3cret" not in page(families)


@pytest.mark.parametrize("name", ["no good", "1x", "", "a{b}"])
def test_a_family_that_prometheus_would_refuse_does_not_spoil_the_page(name: str):
    assert name not in samples(shown(metrics={name: 1}))


def test_a_prober_does_not_speak_for_the_watcher():
    families = shown(metrics={"probe_success": 0, "probe_duration_seconds": 9})
    assert [1.0] == [value for _, value in samples(families)["probe_success"]]
    assert [0.25] == [value for _, value in samples(families)["probe_duration_seconds"]]


def test_one_probes_page_is_its_lines_with_their_families():
    families = shown()
    families.declare(a_probe(id="acme-search"), "local")
    alone = families.text_of("acme-home", "local")
    expected = list(text_string_to_metric_families(page(shown())))
    assert expected == list(text_string_to_metric_families(alone))
    assert "" == families.text_of("nobody", "local")


@pytest.mark.needs("prometheus")
def test_promtool_finds_nothing_to_say_about_the_page():
    metrics = Metrics()
    probe = a_probe(**SHOP)
    metrics.families.declare(probe, "local")
    some: dict[str, Any] = {
        name: {tuple(f.labels) if len(f.labels) > 1 else "x": 1} if f.labels else 1
        for name, f in KNOWN.items()
        if not name.startswith("sentinel_")
        and name not in ("probe_success", "probe_timeout_seconds")
    }
    metrics.families.show(an_observation(metrics=some), a_result(), firing=False)
    metrics.checks.of[Outcome.ok] += 1
    metrics.start_lag.observe(0.02)
    said = subprocess.run(
        ["promtool", "check", "metrics"],
        input=metrics.exposition().body,
        capture_output=True,
        timeout=20,
        check=False,
    )
    assert (0, b"", b"") == (said.returncode, said.stdout, said.stderr)


@pytest.mark.parametrize("wrong", ["three", None, [1]])
def test_a_value_that_is_no_number_spoils_no_page(wrong: Any) -> None:
    families = shown(metrics={"probe_http_status_code": 200})
    odd = an_observation(metrics={"probe_http_status_code": 200, "probe_http_redirects": wrong})
    with pytest.raises((TypeError, ValueError)):
        families.show(odd, a_result("o"), firing=False)
    assert {"probe_http_status_code", "probe_success"} <= samples(families).keys()
