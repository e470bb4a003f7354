"""What other programs' files become: every output reads without an error in a fresh workspace."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.library.catalog import Catalog, check_alone, load
from sentinel.library.importing.blackbox import read_blackbox
from sentinel.library.importing.draft import Draft, ImportRefused
from sentinel.library.importing.gatus import read_gatus
from sentinel.library.importing.kuma import read_kuma
from sentinel.library.importing.written import written
from sentinel.library.reading import InstalledKinds
from sentinel.monitor.probe import Probe
from tests.library.samples import workspace

LOOKUP = InstalledKinds()
BLACKBOX = """\
modules:
  http_2xx:
    prober: http
    timeout: 5s
    http:
      valid_status_codes: [200, 204]
      valid_http_versions: ["HTTP/1.1", "HTTP/2.0"]
      method: POST
      headers: {Accept-Language: fi, X-Api-Key: hunter2}
      fail_if_not_ssl: true
      fail_if_body_matches_regexp: ['Fatal "error"', '\\d{3} apples']
      fail_if_body_json_not_matches_cel: 'body.status == "ok" && body.body.size() > 0'
      fail_if_header_not_matches: [{header: Content-Type, regexp: ^text/, allow_missing: true}]
      basic_auth: {username: ana, password: hunter2}
      tls_config: {insecure_skip_verify: true}
      preferred_ip_protocol: ip4
      ip_protocol_fallback: false
  smtp:
    prober: tcp
    tcp:
      query_response: [{expect: "^220 "}, {send: "QUIT\\r"}]
  pop3s:
    prober: tcp
    tcp: {tls: true, query_response: [{expect: "^+OK", starttls: true}]}
  health: {prober: grpc, grpc: {service: shop, tls: true}}
  socket: {prober: unix}
"""
PROMETHEUS = """\
global: {scrape_interval: 1m30s}
scrape_configs:
  - job_name: prometheus
    static_configs: [{targets: [localhost:9090]}]
  - job_name: shops
    metrics_path: /probe
    scrape_interval: 10s
    scrape_timeout: 3s
    params: {module: [http_2xx]}
    static_configs:
      - targets: ["https://shop.fi/", shop.se]
        labels: {country: fi, service: storefront, __x: y}
    file_sd_configs: [{files: [shops.json, "more/*.yml"]}]
    http_sd_configs: [{url: "https://cmdb.example/sd", refresh_interval: 2m}]
    relabel_configs:
      - {source_labels: [__address__], target_label: __param_target}
      - {source_labels: [__param_target], target_label: instance}
      - {target_label: __address__, replacement: "127.0.0.1:9115"}
      - {source_labels: [x], target_label: y}
  - job_name: mail
    metrics_path: /probe
    params: {module: [smtp]}
    static_configs: [{targets: ["mail.acme.example:25", "no-port"]}]
  - job_name: gone
    metrics_path: /probe
    params: {module: [absent]}
    static_configs: [{targets: [a]}]
"""


def read(tmp_path: Path, draft: Draft) -> Catalog:
    """The documents as a workspace reads them; its only findings may be none."""
    text = written(draft, "From a test")
    loaded = load(workspace(tmp_path, {"probes/imported.yaml": text}))
    assert () == loaded.problems, "\n".join([text, *map(str, loaded.problems)])
    assert loaded.catalog is not None
    return loaded.catalog


def prober(probe: Probe) -> Any:
    return probe.prober


def sources(probe: Probe) -> list[str]:
    return [each.that.source for each in probe.expect]


class TestBlackbox:
    def draft(self) -> Draft:
        return read_blackbox(
            "blackbox.yml",
            BLACKBOX.encode(),
            LOOKUP,
            prometheus=("prometheus.yml", PROMETHEUS.encode()),
        )

    def test_scrape_jobs_become_probes_of_their_modules(self, tmp_path: Path) -> None:
        catalog = read(tmp_path, self.draft())

        probes = catalog.policy.probes
        assert ["shops-shop-fi", "shops-shop-se", "mail-mail-acme-example-25"] == list(probes)
        home = probes["shops-shop-fi"]
        assert (10.0, 3.0) == (home.every_s, home.timeout_s)
        assert {"country": "fi"} == home.labels
        page = prober(home)
        assert ("https://shop.fi/", "POST", False, "ipv4") == (
            page.url,
            page.method,
            page.verify,
            page.ip,
        )
        assert {"Accept-Language": "fi"} == page.headers
        assert "env:HTTP_2XX_X_API_KEY" == page.secret_headers["X-Api-Key"].template
        assert "env:HTTP_2XX_PASSWORD" == page.basic.password.template
        assert "http://shop.se" == prober(probes["shops-shop-se"]).url
        mail = probes["mail-mail-acme-example-25"]
        assert (90.0, "mail.acme.example", 25) == (
            mail.every_s,
            prober(mail).host_,
            prober(mail).port,
        )
        assert [("^220 ", ""), ("", "QUIT\r")] == [(t.expect, t.send) for t in prober(mail).lines]

    def test_conditions_mean_the_same(self, tmp_path: Path) -> None:
        home = read(tmp_path, self.draft()).policy.probes["shops-shop-fi"]
        seen: dict[str, Any] = {
            "status": 204,
            "http_version": "2",
            "url": "https://shop.fi/",
            "body": "12 apples",
            "json": {"status": "ok", "body": "x"},
            "headers": {},
        }
        worse = [
            {"status": 500},
            {"http_version": "1.0"},
            {"url": "http://shop.fi/"},
            {"body": 'Fatal "error"'},
            {"body": "123 apples"},
            {"json": {"status": "no", "body": "x"}},
            {"headers": {"content-type": "image/png"}},
        ]

        def failing(values: dict[str, Any]) -> list[int]:
            held = [each.that.evaluate(values) for each in home.expect]
            return [index for index, each in enumerate(held) if each is not True]

        assert [] == failing(seen)
        assert [[index] for index in range(7)] == [failing({**seen, **each}) for each in worse]

    def test_lists_become_discoveries(self, tmp_path: Path) -> None:
        found = read(tmp_path, self.draft()).discoveries

        assert [("shops.json", "", 60.0), ("", "https://cmdb.example/sd", 120.0)] == [
            (each.source.file, each.source.url, each.every_s) for each in found.values()
        ]

    def test_what_is_not_carried_over_is_said(self) -> None:
        draft = self.draft()

        assert [
            "module `socket`: not carried over: there is no kind here for prober `unix`",
            "job `shops`: rule 4 of `relabel_configs` is not carried over",
            "job `shops`: `more/*.yml` names several files: name each",
            "job `mail`: `no-port` is no address for `tcp`",
            "job `gone`: not carried over, its module `absent` is not in the file",
        ] == draft.remarks[""]
        assert "hunter2" not in written(draft, "x")
        assert [
            "`query_response` is not carried over: `starttls` is not known here"
        ] == draft.remarks["templates/pop3s"]
        assert [
            "the label `service` is not carried over: Sentinel gives `service` itself"
        ] == draft.remarks["probes/shops-shop-fi"]

    def test_alone_it_gives_templates(self, tmp_path: Path) -> None:
        draft = read_blackbox("blackbox.yml", BLACKBOX.encode(), LOOKUP)

        assert {} == read(tmp_path, draft).policy.probes
        assert ["http-2xx", "smtp", "pop3s", "health"] == list(draft.templates)

    def test_pings_and_names_are_asked_for(self, tmp_path: Path) -> None:
        text = """\
modules:
  ping: {prober: icmp, icmp: {payload_size: 64, ttl: 5, dont_fragment: true}}
  soa:
    prober: dns
    dns:
      query_name: acme.example
      query_type: SOA
      validate_answer_rrs: {fail_if_not_matches_regexp: ['^acme\\.example\\.\\t300\\tIN\\tSOA\\tns1']}
  web: {prober: http, http: {proxy_url: "http://u:hunter2@proxy:3128"}}
"""
        jobs = {"ping": "10.0.0.1", "soa": "9.9.9.9", "web": "https://u:hunter2@shop.fi/"}
        scraped = {
            "scrape_configs": [
                {
                    "job_name": name,
                    "metrics_path": "/probe",
                    "params": {"module": [name]},
                    "static_configs": [{"targets": [address]}],
                }
                for name, address in jobs.items()
            ]
        }
        prometheus = ("prometheus.yml", json.dumps(scraped).encode())
        draft = read_blackbox("blackbox.yml", text.encode(), LOOKUP, prometheus=prometheus)
        probes = read(tmp_path, draft).policy.probes

        assert "hunter2" not in written(draft, "x")
        assert "https://u:{env:WEB_SHOP_FI_PASSWORD}@shop.fi/" == prober(probes["web-shop-fi"]).url
        ping = prober(probes["ping-10-0-0-1"])
        assert ("10.0.0.1", 64, 5, True) == (ping.host_, ping.size, ping.ttl, ping.dont_fragment)
        record = {"name": "acme.example.", "ttl": 300, "type": "SOA", "data": "ns1.acme.example."}
        (rule,) = probes["soa-9-9-9-9"].expect
        assert rule.that.evaluate({"answer": [record]}) is True
        assert rule.that.evaluate({"answer": [{**record, "ttl": 301}]}) is False

    def test_a_bad_file_is_refused_with_its_line(self) -> None:
        with pytest.raises(ImportRefused, match=r"blackbox\.yml:1:15"):
            read_blackbox("blackbox.yml", b"modules: {a: {probr: http}}", LOOKUP)


GATUS = """\
x-defaults: &defaults
  group: core
  interval: 1m30s
  client: {timeout: 3s, insecure: true}
  alerts: [{type: slack, failure-threshold: 5, success-threshold: 1}]
endpoints:
  - <<: *defaults
    name: Front End
    url: "https://ana:hunter2@www.shop.fi/health"
    method: post
    graphql: true
    body: "{ shop }"
    headers: {Authorization: "Bearer ${TOKEN}", X-Country: fi}
    conditions:
      - "[STATUS] == any(200, 429)"
      - "[RESPONSE_TIME] < 300"
      - "[CERTIFICATE_EXPIRATION] > 48h"
      - "[BODY].status == UP"
      - "[BODY].items[0].price-eur >= 5"
      - "len([BODY].items) > 1"
      - "has([BODY].errors) == false"
      - "[BODY].name == pat(*shop*)"
      - "[IP] == pat(10.*)"
      - "[DOMAIN_EXPIRATION] > 720h"
  - {name: any answer, url: "http://shop.fi", conditions: ["[CONNECTED] == true"]}
  - {name: db, url: "tcp://db.fi:5432", conditions: ["[CONNECTED] == true"]}
  - {name: mail, url: "tls://mail.fi:993", conditions: ["[CERTIFICATE_EXPIRATION] > 24h"]}
  - {name: off, enabled: false, url: "http://shop.fi", conditions: ["[STATUS] == 200"]}
  - {name: sctp, url: "sctp://shop.fi:1", conditions: ["[CONNECTED] == true"]}
  - name: prices
    url: "wss://live.shop.fi/prices"
    body: '{"ask": "\\d"}'
    conditions: ["[BODY] == pat(*eur*)", "len([BODY]) < 900", "[BODY].price == 3"]
  - {name: relay, url: "starttls://mail.fi:587", conditions: ["[CERTIFICATE_EXPIRATION] > 48h"]}
  - name: door
    url: "ssh://door.fi:2222"
    ssh: {username: ana, password: hunter2}
    conditions: ["[CONNECTED] == true", "[RESPONSE_TIME] < 1.5s", "[STATUS] == 0"]
  - name: name
    group: core
    url: "https://shop.fi/"
    interval: 5m
    conditions: ["[STATUS] == 200", "[DOMAIN_EXPIRATION] > 720h"]
external-endpoints:
  - {name: backup, group: core, token: hunter2, heartbeat: {interval: 30m}}
alerting: {slack: {webhook-url: "https://hooks.slack.com/services/hunter2"}}
"""


class TestGatus:
    def test_endpoints_become_probes(self, tmp_path: Path) -> None:
        draft = read_gatus("config.yaml", GATUS.encode(), LOOKUP)
        probes = read(tmp_path, draft).policy.probes

        assert [
            *("core-front-end", "any-answer", "db", "mail", "prices", "relay", "door"),
            *("core-name", "core-name-domain", "core-backup"),
        ] == list(probes)
        front = probes["core-front-end"]
        assert (90.0, 3.0, 5, 1) == (
            front.every_s,
            front.timeout_s,
            front.confirm.down,
            front.confirm.up,
        )
        page = prober(front)
        assert ("https://www.shop.fi/health", "POST", '{"query": "{ shop }"}', False) == (
            page.url,
            page.method,
            page.body,
            page.verify,
        )
        assert "Bearer {env:TOKEN}" == page.secret_headers["Authorization"].template
        assert [
            "status in [200, 429]",
            "timing.total_s < 0.3",
            "certificate.days_left > 2.0",
            'json.status == "UP"',
            'json.items[0]["price-eur"] >= 5',
            "size(json.items) > 1",
            "!has(json.errors)",
            'string(json.name).matches("^(?s:.*shop.*)$")',
            'address.matches("^(?s:10\\\\..*)$")',
        ] == sources(front)
        assert ["status > 0"] == sources(probes["any-answer"])
        assert [] == sources(probes["db"])
        assert prober(probes["mail"]).tls
        assert 1800.0 == prober(probes["core-backup"]).every
        assert ("mail.fi", 587, True) == (
            prober(probes["relay"]).host_,
            prober(probes["relay"]).port,
            prober(probes["relay"]).starttls,
        )
        assert ["certificate.days_left > 2.0"] == sources(probes["relay"])
        assert ("door.fi", 2222) == (prober(probes["door"]).host_, prober(probes["door"]).port)
        assert ["timing.total_s < 1.5"] == sources(probes["door"])

    def test_a_dialogue_of_one_message_is_carried_over(self, tmp_path: Path) -> None:
        prices = read(tmp_path, read_gatus("config.yaml", GATUS.encode(), LOOKUP)).policy.probes[
            "prices"
        ]

        turns = [(each.expect, each.send) for each in prober(prices).messages]
        assert [("", r'{"ask": "\\d"}'), ("(?s).*", "")] == turns
        assert [
            'message.matches("^(?s:.*eur.*)$")',
            "size(message) < 900",
        ] == sources(prices)

    def test_a_domain_is_asked_of_its_registry(self, tmp_path: Path) -> None:
        probes = read(tmp_path, read_gatus("config.yaml", GATUS.encode(), LOOKUP)).policy.probes

        assert ["status == 200"] == sources(probes["core-name"])
        beside = probes["core-name-domain"]
        assert ("shop.fi", 3600.0, {"group": "core"}) == (
            prober(beside).name,
            beside.every_s,
            beside.labels,
        )
        assert ["days_left > 30.0"] == sources(beside)

    def test_what_is_not_carried_over_is_said(self) -> None:
        draft = read_gatus("config.yaml", GATUS.encode(), LOOKUP)

        assert "hunter2" not in written(draft, "x")
        assert (
            "the condition `[DOMAIN_EXPIRATION] > 720h` is not carried over: write a `domain` probe"
            in draft.remarks["probes/core-front-end"]
        )
        assert ["the condition `[BODY].price == 3` is not carried over"] == draft.remarks[
            "probes/prices"
        ]
        assert [
            "nobody signs in, and `body.command` is not carried over",
            "the condition `[STATUS] == 0` is not carried over",
        ] == draft.remarks["probes/door"]
        assert [
            "`alerting` is not carried over: who is told is said by playbooks and escalations here",
            "`off` is not carried over: it is not enabled",
            "`sctp` is not carried over: there is no kind here for `sctp`",
        ] == draft.remarks[""]

    @pytest.mark.parametrize("content", [b"", b"a: b", b"[1]", b"endpoints: [", b"\xff"])
    def test_what_is_not_gatus_is_refused(self, content: bytes) -> None:
        with pytest.raises(ImportRefused):
            read_gatus("config.yaml", content, LOOKUP)


def monitor(**values: Any) -> dict[str, Any]:
    usual = {"active": True, "interval": 60, "timeout": 48, "retryInterval": 20, "maxretries": 2}
    return {**usual, **values}


MONITORS = [
    {"id": 1, "name": "Core", "type": "group", "active": True},
    monitor(
        id=2, name="Ünï Shop / home", type="http", url="https://shop.fi/", parent=1,
        accepted_statuscodes=["200-299"], tags=[{"name": "Country", "value": "fi"}],
    ),
    monitor(
        id=3, name="search", type="keyword", url="https://shop.fi/search", keyword='say "mug"',
        accepted_statuscodes=["200", "300-399"], ignoreTls=True, maxredirects=0, method="POST",
        body='{"q": 1}', headers='{"Authorization": "hunter2", "X-A": "b"}',
        basic_auth_user="ana", basic_auth_pass="hunter2", authMethod="basic", expiryNotification=True,
    ),
    monitor(id=4, name="api", type="json-query", url="http://shop.fi", jsonPath="$.a.b[0]", expectedValue="5", jsonPathOperator=">"),
    monitor(id=5, name="odd", type="json-query", url="http://shop.fi", jsonPath="$sum(a)", expectedValue="5"),
    monitor(id=6, name="db", type="port", hostname="db.fi", port=5432),
    monitor(id=7, name="cache", type="redis", databaseConnectionString="redis://u:hunter2@cache.fi:6380"),
    monitor(id=8, name="backup", type="push", pushToken="hunter2", interval=3600),
    monitor(id=9, name="steam", type="steam", hostname="x", port=1),
    monitor(id=10, name="paused", type="http", url="http://shop.fi", active=False),
    monitor(id=11, name="inverted", type="http", url="http://shop.fi", upsideDown=True),
    monitor(id=12, name="sql", type="postgres", databaseConnectionString="postgres://u:hunter2@db/x", databaseQuery="SELECT 2"),
    monitor(id=13, name="doors", type="mqtt", hostname="mqtts://broker.fi", port=8883, mqttTopic="shop/doors", mqttSuccessMessage='"open"', mqttUsername="u", mqttPassword="hunter2"),
    monitor(id=14, name="any", type="mqtt", hostname="broker.fi", port=1883, mqttTopic="shop/any"),
]  # fmt: skip
KUMA = {"version": "1.23.0", "notificationList": [{"id": 1}], "monitorList": MONITORS}


class TestKuma:
    def test_monitors_become_probes(self, tmp_path: Path) -> None:
        draft = read_kuma("backup.json", json.dumps(KUMA).encode(), LOOKUP)
        probes = read(tmp_path, draft).policy.probes

        assert [
            "n-shop-home", "search", "api", "odd", "db", "cache", "backup", "sql", "doors", "any"
        ] == list(probes)  # fmt: skip
        home = probes["n-shop-home"]
        assert (60.0, 48.0, 3, 1, 20.0) == (
            home.every_s,
            home.timeout_s,
            home.confirm.down,
            home.confirm.up,
            home.confirm.every_s,
        )
        assert {"group": "Core", "country": "fi"} == home.labels
        assert [] == sources(home)
        assert [
            "status == 200 || (status >= 300 && status <= 399)",
            'body.contains("say \\"mug\\"")',
            "certificate.days_left > 21.0",
        ] == sources(probes["search"])
        assert ["status >= 200 && status < 300", "json.a.b[0] > 5"] == sources(probes["api"])
        cache = prober(probes["cache"])
        assert ("cache.fi", 6380, "u", "env:CACHE_PASSWORD") == (
            cache.host_,
            cache.port,
            cache.user,
            cache.password.template,
        )
        assert "SELECT 2" == prober(probes["sql"]).query
        doors = prober(probes["doors"])
        assert ("broker.fi", 8883, True, "shop/doors", "u", "env:DOORS_PASSWORD") == (
            doors.host_,
            doors.port,
            doors.tls,
            doors.topic,
            doors.user,
            doors.password.template,
        )
        assert ['message.contains("\\"open\\"")'] == sources(probes["doors"])
        assert ["size(message) >= 0"] == sources(probes["any"])

    def test_what_is_not_carried_over_is_said(self) -> None:
        draft = read_kuma("backup.json", json.dumps(KUMA).encode(), LOOKUP)

        assert "hunter2" not in written(draft, "x")
        assert [
            "its notifications are not carried over: write them anew",
            "`steam` is not carried over: there is no kind here for `steam`",
            "`paused` is not carried over: it is paused",
            "`inverted` is not carried over: it is turned upside down",
        ] == draft.remarks[""]
        assert [
            "the query `$sum(a)` is not carried over: write it as an expectation"
        ] == draft.remarks["probes/odd"]

    @pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"monitorList": 1}', b"[" * 100_000])
    def test_what_is_no_backup_is_refused(self, content: bytes) -> None:
        with pytest.raises(ImportRefused):
            read_kuma("backup.json", content, LOOKUP)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
SCHEMES = st.sampled_from(
    ["http://a", "tcp://a:1", "tls://a", "ws://[", "icmp://", "https://u:p@b/"]
)
ENDPOINT = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("name", "group", "interval", "headers", "graphql", "dns", "client"), JUNK),
        **dict.fromkeys(("conditions", "alerts", "enabled", "extra-labels", "method"), JUNK),
        "url": SCHEMES,
    },
)
MONITOR = st.fixed_dictionaries(
    {"type": st.sampled_from(["http", "keyword", "json-query", "port", "push", "redis", "postgres", "group"])},
    optional={name: JUNK for each in MONITORS for name in each if name != "type"},
)  # fmt: skip
JOB = st.fixed_dictionaries(
    {"metrics_path": st.just("/probe"), "params": st.just({"module": ["http_2xx"]}) | JUNK},
    optional={
        name: JUNK | st.lists(st.fixed_dictionaries({"targets": JUNK, "labels": JUNK, "files": JUNK}), max_size=2)
        for name in ("static_configs", "file_sd_configs", "http_sd_configs", "relabel_configs", "job_name", "scrape_interval")
    },
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    endpoints=st.lists(ENDPOINT, max_size=2),
    monitors=st.lists(MONITOR, max_size=2),
    jobs=st.lists(JOB, max_size=2),
)
def test_nothing_that_a_file_says_is_a_fault_of_ours(
    endpoints: list[Any], monitors: list[Any], jobs: list[Any]
) -> None:
    def yaml_of(value: Any) -> bytes:
        return json.dumps(value, ensure_ascii=False).encode()

    gatus = yaml_of({"endpoints": endpoints, "external-endpoints": endpoints})
    scraped = ("prometheus.yml", yaml_of({"scrape_configs": jobs, "global": jobs}))
    kuma = json.dumps({"monitorList": monitors}).encode()
    readers: tuple[Callable[[], Draft], ...] = (
        lambda: read_kuma("backup.json", kuma, LOOKUP),
        lambda: read_gatus("config.yaml", gatus, LOOKUP),
        lambda: read_blackbox("blackbox.yml", BLACKBOX.encode(), LOOKUP, prometheus=scraped),
    )
    for reader in readers:
        with suppress(ImportRefused):  # YAML cannot hold every text that JSON can
            check_alone("imported.yaml", written(reader(), "x").encode())


def test_what_is_written_is_read_back_as_it_was() -> None:
    draft = Draft()
    body = {"every": "1m", "labels": {"a": "on", "b": "010", "c": "ä\n'\"# x", "d": "2026-01-01"}}
    draft.probes["x"] = {**body, "expect": ["body == \"a: 'b'\""]}
    draft.remark("probes/x", "two\nlines \x1b[2J")

    text = written(draft, "x")

    assert {"x": draft.probes["x"]} == yaml.safe_load(text)["probes"]
    assert "  # two\n  # lines ?[2J\n  x:\n" in text
    assert "'body == \"a: ''b''\"'" in text
