"""The `promql` kind: Debian's Prometheus, and servers that only look like one."""

import asyncio
import json
import math
import subprocess
import urllib.request
from urllib.parse import parse_qs

import pytest

from sentinel.expression import compile_expression
from sentinel.probers.promql import Promql, PromqlBasic
from sentinel.transport.curl import Transport
from sentinel.words import Outcome, Secret
from tests.children import wait_for
from tests.conftest import program
from tests.probers.documents import shown
from tests.transport.servers import observed, recording, serving

ONE = '{"resultType":"vector","result":[{"metric":{"shop":"acme"},"value":[1,"3.5"]}]}'


def answer(status, body):
    body = body.encode()
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status.encode(), len(body), body)


def check(reply, *, needed="", **fields):
    """What the kind observes of a server that answers so; and what it was asked."""
    script, heard = recording({"": reply})

    async def main():
        async with serving(script) as port, Transport() as transport:
            prober = Promql(**{"url": f"http://127.0.0.1:{port}/", "query": "up", **fields})
            return await observed(prober, transport, needed=needed, TOKEN="t0psecret")

    return asyncio.run(main()), heard


def said(content, **more):
    return answer("200 OK", json.dumps({"status": "success", "data": json.loads(content), **more}))


def holds(source, observation):
    return compile_expression(source, Promql.NAMES).evaluate(observation.values)


def test_one_series_has_a_value_and_labels():
    observation, heard = check(said(ONE, warnings=["a store is away"]), query='orders{a="b c"}')

    assert (None, "", '1 series: {shop="acme"} 3.5') == (
        observation.outcome,
        observation.reason,
        observation.text,
    )
    assert holds('value == 3.5 && labels.shop == "acme" && count == 1', observation)
    assert holds(
        'min == max && series[0].labels.shop == "acme" && size(warnings) == 1', observation
    )
    assert 3.5 == observation.metrics["probe_promql_value"]
    ((path, request),) = heard
    form = parse_qs(request.partition(b"\r\n\r\n")[2].decode())
    assert ("/api/v1/query", ['orders{a="b c"}']) == (path, form["query"])
    assert 0 < int(form["timeout"][0].removesuffix("ms")) <= 5000


def vector(*values):
    result = [{"metric": {"n": str(n)}, "value": [1, v]} for n, v in enumerate(values)]
    return json.dumps({"resultType": "vector", "result": result})


@pytest.mark.parametrize(
    ("content", "needed", "reason", "outcome"),
    [
        (vector(), "", "no_series", Outcome.failed),
        (vector(), "value", "no_series", Outcome.failed),
        (vector(), "count", "", None),
        (vector("1", "2"), "value", "many_series", Outcome.unknown),
        (vector("1", "2"), "max count", "", None),
        ('{"resultType":"scalar","result":[1,"7"]}', "value", "", None),
        ('{"resultType":"matrix","result":[]}', "", "query_refused", Outcome.unknown),
        (
            '{"resultType":"vector","result":[{"value":[1,"x"]}]}',
            "",
            "query_refused",
            Outcome.unknown,
        ),
    ],
)
def test_what_comes_is_held_against_what_is_named(content, needed, reason, outcome):
    observation, _ = check(said(content), needed=needed)

    assert (reason, outcome) == (observation.reason, observation.outcome)


def test_what_is_no_number_stays_out_of_the_extremes():
    observation, _ = check(said(vector("NaN", "+Inf", "-2")))

    assert (-2.0, math.inf) == (observation.values["min"], observation.values["max"])
    assert holds("min < 0.0 && max > 1000.0 && count == 3", observation)


@pytest.mark.parametrize(
    ("reply", "reason", "outcome"),
    [
        (
            answer("400 Bad Request", '{"status":"error","errorType":"bad_data","error":"parse"}'),
            "query_refused",
            Outcome.unknown,
        ),
        (
            answer("503 X", '{"status":"error","errorType":"timeout","error":"query timed out"}'),
            "query_failed",
            Outcome.failed,
        ),
        (answer("401 Unauthorized", "who are you"), "unexpected_status", Outcome.failed),
        (answer("200 OK", "<html>"), "not_prometheus", Outcome.failed),
        (answer("200 OK", "[" * 100_000), "not_prometheus", Outcome.failed),
        (b"", "empty_reply", Outcome.failed),
    ],
)
def test_what_is_no_answer_has_its_reason(reply, reason, outcome):
    observation, _ = check(reply)

    assert (reason, outcome) == (observation.reason, observation.outcome)


def test_signing_in_is_never_shown():
    for how in (
        {"bearer": Secret("env:TOKEN")},
        {"basic": PromqlBasic("monitor", Secret("env:TOKEN"))},
    ):
        observation, heard = check(said(ONE), **how)
        assert b"Authorization: B" in heard[0][1]
        assert "Authorization: ***" in observation.evidence.request


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory):
    """Debian's Prometheus, that scrapes itself every second; its URL."""
    folder = tmp_path_factory.mktemp("prometheus")
    config = folder / "prometheus.yml"
    config.write_text("scrape_configs: []\n")
    log = (folder / "log").open("w+")
    started = subprocess.Popen(
        [
            program("prometheus"),
            f"--config.file={config}",
            f"--storage.tsdb.path={folder}/data",
            "--web.listen-address=127.0.0.1:0",
            "--web.enable-remote-write-receiver",
            "--web.enable-lifecycle",
        ],
        stdout=log,
        stderr=log,
    )
    try:
        port = wait_for(lambda: _port(folder / "log"), 20)
        url = f"http://127.0.0.1:{port}"
        config.write_text(
            "scrape_configs: [{job_name: self, scrape_interval: 1s, static_configs: "
            f"[{{targets: ['127.0.0.1:{port}']}}]}}]\n"
        )
        reload = urllib.request.Request(f"{url}/-/reload", method="POST")
        wait_for(lambda: _opened(reload), 20)
        wait_for(lambda: _opened(f"{url}/api/v1/query?query=up==1", b'"job":"self"'), 20)
        yield url
    finally:
        started.terminate()
        started.wait(20)
        log.close()


def _port(log):
    for line in log.read_text().splitlines():
        if "Listening on" in line and "address=127.0.0.1:" in line:
            return int(line.rpartition("address=127.0.0.1:")[2].split()[0])
    return None


def _opened(url, content=b""):
    try:
        with urllib.request.urlopen(url, timeout=5) as reply:
            return content in reply.read()
    except OSError:
        return False


def ask(url, query, *, needed="", **fields):
    async def main():
        async with Transport() as transport:
            return await observed(Promql(url=url, query=query, **fields), transport, needed=needed)

    return asyncio.run(main())


@pytest.mark.slow
@pytest.mark.needs("prometheus")
def test_a_real_prometheus(prometheus):
    url = prometheus
    up = ask(url, 'up{job="self"}', needed="value")

    assert ("", 1.0) == (up.reason, up.values["value"])
    assert holds('labels.job == "self"', up)
    assert 42.0 == ask(url, "42", needed="value").values["value"]
    assert "no_series" == ask(url, "nothing_of_that_name").reason
    assert 1 < ask(url, "{job='self'}", needed="count").values["count"]

    wrong = ask(url, "sum(")
    assert ("query_refused", Outcome.unknown) == (wrong.reason, wrong.outcome)
    assert "parse error" in wrong.text
    assert "query_refused" == ask(url, "up[5m]").reason
    twice = ask(
        url,
        "label_replace(up, 'job', 'x', '', '') + on() group_left prometheus_http_requests_total",
    )
    assert ("query_failed", Outcome.failed) == (twice.reason, twice.outcome)


@pytest.mark.slow
@pytest.mark.needs("prometheus")
def test_the_age_of_the_newest_sample(prometheus):
    young = ask(prometheus, "up", age_of="up{job='self'}", needed="value age_s")

    assert ("", True) == (young.reason, 0 <= young.values["age_s"] < 20)
    assert 1.0 == young.values["value"]
    assert young.metrics.keys() >= {family.name for family in Promql.METRICS}
    none = ask(prometheus, "up", age_of="nothing_of_that_name", needed="value age_s")
    assert "no_series" == none.reason
    assert "nothing_of_that_name" in none.text
    assert "" == ask(prometheus, "up", age_of="nothing_of_that_name", needed="value").reason
    assert "query_refused" == ask(prometheus, "up", age_of="up{", needed="age_s").reason


def test_what_the_pages_show_can_be_declared():
    assert {"promql"} == {probe.kind for probe in shown("promql").values()}
