"""The page of a scrape: both formats, packed or not, and what we count of ourselves."""

import asyncio
import gzip

import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families

from sentinel import __version__
from sentinel.metrics.registry import Metrics, Page
from tests.monitor.builders import a_probe, a_result, an_observation


@pytest.fixture
def metrics() -> Metrics:
    metrics = Metrics()
    metrics.families.declare(a_probe(), "local")
    observation = an_observation(metrics={"probe_http_status_code": 200})
    metrics.families.show(observation, a_result(), firing=False)
    return metrics


def test_the_page_holds_our_own_families_and_the_probes(metrics: Metrics):
    page = metrics.exposition("text/plain;version=0.0.4")
    families = {f.name: f for f in text_string_to_metric_families(page.body.decode())}
    assert page.content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert {"probe_http_status_code", "sentinel_checks", "process_cpu_seconds"} <= families.keys()
    assert {"version": __version__} == families["sentinel_build_info"].samples[0].labels
    assert not any(name.endswith("_created") for name in families)


def test_openmetrics_is_answered_with_the_same_samples(metrics: Metrics):
    page = metrics.exposition("application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    assert page.content_type.startswith("application/openmetrics-text")
    assert page.body.endswith(b"# EOF\n")
    families = {f.name: f for f in parse_openmetrics(page.body.decode())}
    assert 200.0 == families["probe_http_status_code"].samples[0].value


@pytest.mark.parametrize(
    ("encodings", "expected"),
    [("gzip", "gzip"), ("br, GZIP;q=0.8", "gzip"), ("", ""), ("gzip;q=0", ""), ("br", "")],
)
def test_the_page_is_packed_where_that_is_understood(
    metrics: Metrics, encodings: str, expected: str
):
    page = metrics.exposition("", encodings)
    body = gzip.decompress(page.body) if page.encoding else page.body
    assert expected == page.encoding
    assert b"probe_http_status_code{" in body


def test_failures_are_there_before_the_first_one(metrics: Metrics):
    text = metrics.exposition().body.decode()
    assert 'sentinel_failures_total{reason="journal_unavailable"} 0.0' in text
    assert 'sentinel_incidents_open{severity="critical"} 0.0' in text


def test_a_page_made_in_turns_is_the_same_and_lets_others_run(metrics: Metrics) -> None:
    async def made() -> tuple[Page, int]:
        turns = 0

        async def others() -> None:
            nonlocal turns
            for _ in range(1000):
                turns += 1
                await asyncio.sleep(0)

        running = asyncio.create_task(others())
        page = await metrics.exposition_in_turns("text/plain", "gzip")
        running.cancel()
        return page, turns

    page, turns = asyncio.run(made())

    assert probe_lines(gzip.decompress(page.body)) == probe_lines(metrics.exposition().body)
    assert turns > 1


def probe_lines(page: bytes) -> list[bytes]:
    return [line for line in page.splitlines() if b'probe="' in line]
