"""``sentinel blackbox`` in blackbox_exporter's place: its flags, its signals, its scrapes."""

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import bcrypt
import pytest
import yaml

from sentinel.cli.blackbox import bind, prefix_of
from tests.children import Child, wait_for
from tests.cli.running import run_alone
from tests.conftest import ROOT, program

EXPORTER = "prometheus-blackbox-exporter"
MODULES = """
modules:
  http_2xx: {prober: http, timeout: 5s, http: {preferred_ip_protocol: ip4}}
  tcp_connect: {prober: tcp, tcp: {preferred_ip_protocol: ip4}}
  nothing: ~
"""
_LISTENING = re.compile(r'"address": "([0-9.:\[\]]+)"')


class Running:
    """An exporter, ours or Debian's, and its log."""

    def __init__(self, argv: list[str | Path], folder: Path) -> None:
        environment = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        self.child = Child(argv, env=environment, cwd=folder)

    @property
    def log(self) -> str:
        return "".join(self.child.talk)

    def addresses(self, count: int = 1) -> list[str]:
        return wait_for(
            lambda: found if len(found := _LISTENING.findall(self.log)) >= count else [],
            15.0,
            what="listening",
        )

    def stop(self) -> int:
        return self.child.stop()


Begin = Callable[..., Running]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    """Starts ``sentinel blackbox`` on a port of its own with these flags besides."""
    started: list[Running] = []

    def starting(*flags: str, modules: str = MODULES) -> Running:
        (tmp_path / "blackbox.yml").write_text(modules)
        argv = [sys.executable, "-m", "sentinel", "blackbox", "--log.format=json", *flags]
        if not any("listen-address" in flag for flag in flags):
            argv.append("--web.listen-address=127.0.0.1:0")
        started.append(Running(argv, tmp_path))
        return started[-1]

    yield starting
    for each in started:
        each.stop()


def get(url: str, *, method: str = "GET", **headers: str) -> tuple[int, str, dict[str, str]]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    asked = urllib.request.Request(url, method=method, headers=named)
    try:
        with urllib.request.urlopen(asked, timeout=20) as answer:
            return answer.status, answer.read().decode(), dict(answer.headers)
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode(), dict(refused.headers)


def test_config_check_says_what_is_wrong_and_where(tmp_path: Path) -> None:
    file = tmp_path / "b.yml"
    file.write_text(MODULES)
    good = run_alone("blackbox", "--config.check", "--config.file", str(file))
    assert (0, True) == (good.returncode, "Config file is ok exiting..." in good.stderr)
    file.write_text("modules: {a: {prober: http, timeout: 5}}")
    bad = run_alone("blackbox", "--config.check", f"--config.file={file}", "--log.format=json")
    said = json.loads(bad.stderr.splitlines()[-1])
    assert (1, "error", "Error loading config") == (bad.returncode, said["level"], said["msg"])
    assert f"error parsing config file: {file}:1:38: `5` is not a duration" in said["err"]
    missing = run_alone("blackbox", "--config.file", str(tmp_path / "none.yml"))
    assert (1, True) == (missing.returncode, "no such file or directory" in missing.stderr)


@pytest.mark.parametrize(
    ("route", "url", "prefix"),
    [
        ("", "", "/"),
        ("", "https://x.example/bb/", "/bb/"),
        ("/", "https://x.example/bb", "/"),
        ("a/b", "", "/a/b/"),
    ],
)
def test_the_prefix_is_given_or_the_urls(route: str, url: str, prefix: str) -> None:
    assert prefix == prefix_of(route, url)


def test_an_address_without_a_host_is_every_address() -> None:
    with closing(bind(":0")) as every:
        port = every.getsockname()[1]
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    with pytest.raises(ValueError, match="is not HOST:PORT"):
        bind("9115")


@pytest.mark.slow
def test_it_serves_on_each_address_reloads_on_a_signal_and_ends_clean(
    begin: Begin, tmp_path: Path
) -> None:
    running = begin("--web.listen-address=127.0.0.1:0", "--web.listen-address=127.0.0.1:0")
    first, second = running.addresses(2)
    assert first != second
    for address in (first, second):
        assert (200, "Healthy") == get(f"http://{address}/-/healthy")[:2]
    status, page, _ = get(f"http://{first}/probe?target=http://{second}/-/healthy")
    assert (200, True) == (status, "\nprobe_success 1\n" in page)
    (tmp_path / "blackbox.yml").write_text("modules: {renewed: {prober: tcp}}")
    os.kill(running.child.process.pid, signal.SIGHUP)
    wait_for(lambda: "renewed:" in get(f"http://{first}/config")[1], what="reloaded")
    (tmp_path / "blackbox.yml").write_text("modules: nope")
    os.kill(running.child.process.pid, signal.SIGHUP)
    wait_for(lambda: "Error reloading config" in running.log, what="refused")
    assert "renewed:" in get(f"http://{first}/config")[1]
    assert 0 == running.stop()


@pytest.mark.slow
def test_a_file_that_changes_is_read_without_being_asked(begin: Begin, tmp_path: Path) -> None:
    running = begin("--config.enable-auto-reload", "--config.auto-reload-interval=1")
    address = running.addresses()[0]
    (tmp_path / "blackbox.yml").write_text("modules: {renewed: {prober: tcp}}")
    wait_for(lambda: "renewed:" in get(f"http://{address}/config")[1], what="reloaded")


@pytest.mark.slow
@pytest.mark.needs("openssl")
def test_the_web_file_asks_for_tls_and_a_password(begin: Begin, tmp_path: Path) -> None:
    argv = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]
    argv += ["-keyout", "k.pem", "-out", "c.pem", "-subj", "/CN=localhost"]
    subprocess.run(argv, cwd=tmp_path, check=True, capture_output=True, timeout=20)
    hashed = bcrypt.hashpw(b"sesame", bcrypt.gensalt(4)).decode()
    (tmp_path / "web.yml").write_text(
        f"tls_server_config: {{cert_file: c.pem, key_file: k.pem}}\nbasic_auth_users: {{ana: '{hashed}'}}"
    )
    address = begin("--web.config.file=web.yml").addresses()[0]
    context = ssl.create_default_context(cafile=str(tmp_path / "c.pem"))
    context.check_hostname = False
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context))
    with pytest.raises(urllib.error.HTTPError, match="401"):
        opener.open(f"https://{address}/-/healthy", timeout=10)
    opener.addheaders.append(("Authorization", "Basic YW5hOnNlc2FtZQ=="))  # ana:sesame
    with opener.open(f"https://{address}/-/healthy", timeout=10) as answer:
        assert b"Healthy" == answer.read()


ALIKE = (
    "/probe",
    "/probe?module=nope",
    "/probe?module=nope%22%0a%c3%a9",
    "/probe?module=nothing&target=x",
    "/probe?target=127.0.0.1:1",
    "/probe?target=127.0.0.1:1&debug=true",
    "/logs?id=99",
    "/-/healthy",
    "/-/reload",
    "/config",
    "/metrics",
    "/",
    "/nope",
)


@pytest.mark.slow
@pytest.mark.needs(EXPORTER)
def test_codes_types_and_refusals_are_the_exporters(
    begin: Begin, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    ours = f"http://{begin().addresses()[0]}"
    theirs = f"http://127.0.0.1:{free_port()}"
    exporter = program(EXPORTER)
    assert exporter
    running = Running(
        [exporter, "--config.file=blackbox.yml", f"--web.listen-address={theirs[7:]}"], tmp_path
    )
    try:
        wait_for(lambda: _answers(f"{theirs}/-/healthy"), what="the exporter")
        for path in ALIKE:
            for told in ({}, {"X_Prometheus_Scrape_Timeout_Seconds": "abc"}):
                expected, answer = get(theirs + path, **told), get(ours + path, **told)
                assert expected[0] == answer[0], path
                assert _type(expected) == _type(answer), path
                if expected[0] >= 400:
                    assert expected[1] == answer[1], path
        assert get(f"{theirs}/-/reload", method="POST")[:2] == (200, "")
        assert get(f"{ours}/-/reload", method="POST")[:2] == (200, "")
    finally:
        running.stop()


def _answers(url: str) -> bool:
    try:
        return get(url)[0] == 200
    except OSError:
        return False


def _type(answer: tuple[int, str, dict[str, str]]) -> str:
    return {name.lower(): value for name, value in answer[2].items()}["content-type"]


SCRAPES: dict[str, Any] = {
    "global": {"scrape_interval": "1s", "scrape_timeout": "900ms"},
    "scrape_configs": [
        {
            "job_name": "blackbox",
            "metrics_path": "/probe",
            "params": {"module": ["http_2xx"]},
            "static_configs": [{"targets": []}],
            "relabel_configs": [
                {"source_labels": ["__address__"], "target_label": "__param_target"},
                {"source_labels": ["__param_target"], "target_label": "instance"},
                {"target_label": "__address__"},
            ],
        },
        {"job_name": "blackbox_exporter", "static_configs": [{"targets": []}]},
    ],
}
"""The README of blackbox_exporter's relabelling."""


@pytest.mark.slow
@pytest.mark.needs("prometheus")
def test_prometheus_scrapes_it_with_the_readmes_relabelling(
    begin: Begin, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    address = begin("--timeout-offset=0.2").addresses()[0]
    targets = [f"http://{address}/-/healthy", f"http://{address}/", "http://127.0.0.1:1/"]
    probes, itself = SCRAPES["scrape_configs"]
    probes["static_configs"][0]["targets"] = targets
    probes["relabel_configs"][2]["replacement"] = address
    itself["static_configs"][0]["targets"] = [address]
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(SCRAPES))
    url = f"http://127.0.0.1:{free_port()}"
    prometheus = program("prometheus")
    assert prometheus
    flags = ["--config.file=prometheus.yml", "--storage.tsdb.path=tsdb", "--log.level=warn"]
    running = Running([prometheus, *flags, f"--web.listen-address={url[7:]}"], tmp_path)
    try:
        wait_for(lambda: _answers(f"{url}/-/ready"), 20, what="prometheus")
        up = dict.fromkeys([*targets, address], 1.0)
        wait_for(lambda: up == _values(url, "up"), 20, what="all targets up")
        expected = {targets[0]: 1.0, targets[1]: 1.0, targets[2]: 0.0}
        assert expected == _values(url, "probe_success")
        assert {0.7} == set(_values(url, "probe_timeout_seconds").values())
        assert {address: 1.0} == _values(url, "blackbox_exporter_config_last_reload_successful")
    finally:
        running.stop()


def _values(url: str, query: str) -> dict[str, float]:
    found = json.loads(get(f"{url}/api/v1/query?query={query}")[1])["data"]["result"]
    return {row["metric"]["instance"]: float(row["value"][1]) for row in found}
