"""The endpoints answer as blackbox_exporter's do: codes, texts, headers, and what is kept."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from sentinel.transport.curl import Transport
from sentinel.web.blackbox import Exporter, Unread, read_file
from sentinel.web.blackbox_allow import anywhere
from sentinel.web.blackbox_history import History
from sentinel.web.blackbox_probing import Prober, seconds_of, target_of, timeout_of
from tests.transport.servers import OK, saying, serving
from tests.web.asgi import Answer

MODULES = """
modules:
  http_2xx: {prober: http, timeout: 5s, http: {preferred_ip_protocol: ip4}}
  named: {prober: http, http: {headers: {host: shop.example}, basic_auth: {username: u, password: geheim}}}
  tcp: {prober: tcp, tcp: {preferred_ip_protocol: ip4}}
  socket: {prober: unix}
  nothing: ~
"""


@dataclass
class Served:
    """An exporter, asked without a socket of its own; what it probes is real."""

    exporter: Exporter
    file: Path

    async def ask(
        self, path: str, *, method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> Answer:
        path, _, query = path.partition("?")
        scope: dict[str, Any] = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "headers": [(n.lower().encode(), v.encode()) for n, v in (headers or {}).items()],
        }
        got: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            got.append(message)

        await self.exporter(scope, receive, send)
        start, body = got
        named = {n.decode(): v.decode() for n, v in start["headers"]}
        return Answer(start["status"], named, body["body"])

    async def metric(self, name: str) -> float:
        text = (await self.ask("/metrics")).text
        values = {s.name: s.value for f in text_string_to_metric_families(text) for s in f.samples}
        return float(values[name])


@asynccontextmanager
async def served(folder: Path, text: str = MODULES, **how: Any) -> AsyncIterator[Served]:
    file = folder / "blackbox.yml"
    file.write_text(text)
    async with Transport() as transport:
        prober = Prober(transport, anywhere, read_file, history=History(how.pop("history", 100)))
        exporter = Exporter(file, prober, **how)
        exporter.load_first()
        yield Served(exporter, file)


def play(folder: Path, score: Callable[[Served], Awaitable[None]], **how: Any) -> None:
    async def whole() -> None:
        async with asyncio.timeout(30), served(folder, **how) as world:
            await score(world)

    asyncio.run(whole())


REFUSALS = {
    "/probe": (400, "Target parameter is missing\n"),
    "/probe?module=nope": (400, 'Unknown module "nope"\n'),
    "/probe?module=nope%22%0a%c3%a9": (400, 'Unknown module "nope\\"\\né"\n'),
    "/probe?module=nothing&target=x": (400, 'Unknown prober ""\n'),
    "/probe?module=named&target=x&hostname=other.example": (
        400,
        "host header defined both in module configuration (shop.example) and with URL-parameter "
        "'hostname' (other.example)\n",
    ),
    "/-/reload": (405, "This endpoint requires a POST request.\n"),
    "/logs": (400, "Probe id or target must be defined as http query parameters\n"),
    "/logs?id=1&target=x": (400, "Probe id and target can't be defined at the same time\n"),
    "/logs?id=99": (404, "Probe id not found\n"),
    "/logs?target=x": (404, "Probe target not found\n"),
}


@pytest.mark.parametrize("path", REFUSALS)
def test_refuses_in_the_exporters_words(tmp_path: Path, path: str) -> None:
    async def score(world: Served) -> None:
        answer = await world.ask(path)
        assert (*REFUSALS[path], "text/plain; charset=utf-8") == (
            answer.status,
            answer.text,
            answer.headers["content-type"],
        )

    play(tmp_path, score)


def test_a_header_that_is_no_number_is_our_failure_in_gos_words(tmp_path: Path) -> None:
    async def score(world: Served) -> None:
        for header, said in {
            "abc": 'strconv.ParseFloat: parsing "abc": invalid syntax',
            "1e400": 'strconv.ParseFloat: parsing "1e400": value out of range',
        }.items():
            told = {"X-Prometheus-Scrape-Timeout-Seconds": header}
            answer = await world.ask("/probe?target=x", headers=told)
            expected = f"Failed to parse timeout from Prometheus header: {said}\n"
            assert (500, expected) == (answer.status, answer.text)

    play(tmp_path, score)


def test_the_module_is_looked_at_before_the_header_and_the_header_before_the_target(
    tmp_path: Path,
) -> None:
    async def score(world: Served) -> None:
        told = {"X-Prometheus-Scrape-Timeout-Seconds": "abc"}
        assert "Unknown module" in (await world.ask("/probe?module=nope", headers=told)).text
        assert "Failed to parse" in (await world.ask("/probe", headers=told)).text
        assert "Target parameter" in (await world.ask("/probe?module=nothing")).text
        assert 1 == await world.metric("blackbox_module_unknown_total")

    play(tmp_path, score)


TIMEOUTS = [
    (0, 15, 0.5, 14.5),
    (0, 15, 0, 15),
    (20, 15, 0.5, 14.5),
    (20, 15, 0, 15),
    (5, 15, 0, 5),
    (5, 15, 0.5, 5),
    (10, 0, 0.5, 10),
    (10, 10, 0.5, 9.5),
    (9.5, 0, 0.5, 9.5),
    (9.5, 0, 1, 9.5),
    (0, 0, 0.5, 119.5),
    (0, 0, 0, 120),
    (5, 0.1, 0.5, 5),
    (0, 0.1, 0.5, 0),
    (0, float("inf"), 0.5, 119.5),
    (0, 1e9, 0.5, 86_400),
]


@pytest.mark.parametrize(("module", "header", "offset", "expected"), TIMEOUTS)
def test_how_long_a_probe_may_take(
    module: float, header: float, offset: float, expected: float
) -> None:
    assert expected == timeout_of(header, module, offset_s=offset)


def test_numbers_are_read_as_go_reads_them() -> None:
    assert [1.5, 10.0, 0.5, float("inf")] == [seconds_of(t) for t in ("1.5", "1e1", ".5", "+Inf")]
    for wrong in ("", " 1", "1_0", "1s", "--1"):
        with pytest.raises(ValueError, match="invalid syntax"):
            seconds_of(wrong)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("http%3A%2F%2Fshop.example%2Fa%252Fb", "http://shop.example/a%2Fb"),
        ("shop.example%3A443", "shop.example:443"),
        ("http://shop.example/a%2Fb?q=1%3A2", "http://shop.example/a%2Fb?q=1%3A2"),
        ("shop.example", "shop.example"),
        ("a+b%41", "a+b%41"),
    ],
)
def test_a_target_encoded_twice_is_decoded_and_no_other(given: str, meant: str) -> None:
    assert meant == target_of(given)


def test_a_probe_that_fails_is_an_answer(tmp_path: Path) -> None:
    async def score(world: Served) -> None:
        answer = await world.ask("/probe?target=127.0.0.1:1&module=tcp", method="POST")
        assert (200, "text/plain; version=0.0.4; charset=utf-8") == (
            answer.status,
            answer.headers["content-type"],
        )
        families = {f.name: f for f in text_string_to_metric_families(answer.text)}
        assert sorted(families) == list(families)
        assert {"gauge"} == {family.type for family in families.values()}
        assert 0 == families["probe_success"].samples[0].value
        assert 119.5 == families["probe_timeout_seconds"].samples[0].value
        reasons = [s.labels for s in families["sentinel_probe_failure"].samples]
        assert [{"reason": "connect_refused"}] == reasons

    play(tmp_path, score)


def test_a_probe_that_succeeds_is_packed_where_that_is_understood(tmp_path: Path) -> None:
    async def score(world: Served) -> None:
        async with serving(saying(OK)) as port:
            path = f"/probe?target=127.0.0.1:{port}&target=ignored"
            plain = await world.ask(path)
            packed = await world.ask(path, headers={"Accept-Encoding": "gzip"})
        assert "\nprobe_success 1\n" in plain.text
        assert "sentinel_probe_failure" not in plain.text
        assert "gzip" == packed.headers["content-encoding"]
        assert "\nprobe_http_status_code 200\n" in gzip.decompress(packed.body).decode()

    play(tmp_path, score)


def test_debug_shows_log_metrics_and_module_without_secrets(tmp_path: Path) -> None:
    async def score(world: Served) -> None:
        answer = await world.ask("/probe?target=127.0.0.1:1&module=named&debug=true")
        kept = await world.ask("/logs?id=0")
        same = await world.ask("/logs?target=127.0.0.1:1&module=named")
        assert "text/plain" == answer.headers["content-type"]
        log, _, rest = answer.text.partition("\n\n\nMetrics that would have been returned:\n")
        metrics, _, module = rest.partition("\n\n\nModule configuration:\n")
        assert log.startswith("Logs for the probe:\ntime=")
        assert 'level=info msg="Beginning probe" module=named target=127.0.0.1:1 probe=http' in log
        assert "\nprobe_success 0\n" in metrics
        assert "password: <secret>" in module
        assert "geheim" not in answer.text
        assert answer.body == kept.body == same.body

    play(tmp_path, score)


def test_every_other_path_is_the_page_with_the_recent_probes(tmp_path: Path) -> None:
    async def score(world: Served) -> None:
        await world.ask("/probe?target=%3Cb%3E&module=tcp")
        for path in ("/", "/nope", "/probe/"):
            page = await world.ask(path)
            assert (200, "text/html") == (page.status, page.headers["content-type"])
            assert "<td>tcp</td><td>&lt;b&gt;</td><td><strong>Failure</strong></td>" in page.text
            assert "<a href='logs?id=0'>Logs</a>" in page.text

    play(tmp_path, score)


def test_the_last_probes_are_kept_and_the_last_failures_longer(tmp_path: Path) -> None:
    async def score(world: Served) -> None:
        history = world.exporter.prober.history
        async with serving(saying(OK)) as port:
            for target in ("127.0.0.1:1", f"127.0.0.1:{port}", f"127.0.0.1:{port}", "x:1"):
                await world.ask(f"/probe?target={target}&module=tcp")
        assert [3, 2, 0] == [kept.id for kept in history]
        assert history.by_id(1) is None

    play(tmp_path, score, history=2)


def test_reload_takes_a_good_file_and_keeps_the_old_modules_over_a_bad_one(tmp_path: Path) -> None:
    async def score(world: Served) -> None:
        world.file.write_text("modules: {other: {prober: tcp}}")
        assert (200, "") == await _reloaded(world)
        assert "other:" in (await world.ask("/config")).text
        loaded = "blackbox_exporter_config_last_reload_successful"
        assert 1 == await world.metric(loaded)
        world.file.write_text("modules: {other: {prober: tcp, timeout: 5}}")
        expected = (
            f"failed to reload config: error parsing config file: {world.file}:1:41: `5` is not a "
            "duration: write it like 5s, 500ms or 1m30s\n"
        )
        assert (500, expected) == await _reloaded(world)
        assert 0 == await world.metric(loaded)
        assert "Target parameter" in (await world.ask("/probe?module=other")).text
        world.file.unlink()
        status, text = await _reloaded(world)
        assert (500, True) == (status, text.endswith("no such file or directory\n"))

    play(tmp_path, score)


async def _reloaded(world: Served) -> tuple[int, str]:
    answer = await world.ask("/-/reload", method="POST")
    return answer.status, answer.text


def test_a_bad_first_file_is_not_served(tmp_path: Path) -> None:
    with pytest.raises(Unread, match=r"error parsing config file: .*blackbox\.yml:1:1: EOF"):
        play(tmp_path, lambda world: world.ask("/"), text="")


def test_it_lives_and_says_what_it_is(tmp_path: Path) -> None:
    async def score(world: Served) -> None:
        healthy = await world.ask("/-/healthy")
        assert (200, "Healthy") == (healthy.status, healthy.text)
        assert 1 == await world.metric("blackbox_exporter_build_info")
        assert 0 < await world.metric("process_resident_memory_bytes")
        shown = await world.ask("/config")
        assert "text/plain" == shown.headers["content-type"]
        assert "geheim" not in shown.text

    play(tmp_path, score)


def test_below_a_prefix_the_root_leads_to_the_external_url(tmp_path: Path) -> None:
    async def score(world: Served) -> None:
        root, outside = await world.ask("/"), await world.ask("/probe")
        assert (302, "https://x.example/bb") == (root.status, root.headers["location"])
        assert (404, "404 page not found\n") == (outside.status, outside.text)
        assert "/bb/" == (await world.ask("/bb")).headers["location"]
        assert "Target parameter" in (await world.ask("/bb/probe")).text
        assert "Blackbox Exporter" in (await world.ask("/bb/")).text

    play(tmp_path, score, prefix="/bb/", url="https://x.example/bb")


def test_metadata_is_never_probed_neither_is_a_path_that_may_not_be(tmp_path: Path) -> None:
    async def score(world: Served) -> None:
        for target in ("169.254.169.254", "[fd00:ec2::254]:80", "[::ffff:169.254.169.254]:80"):
            answer = await world.ask(f"/probe?target={target}&module=http_2xx")
            assert 'reason="address_refused"' in answer.text, target
        world.exporter.prober.path_allowed = {"/run/a.sock"}.__contains__
        answer = await world.ask("/probe?target=/run/b.sock&module=socket&debug=true")
        assert 'reason="address_refused"' in answer.text
        assert 'msg="This path may not be probed" module=socket' in answer.text

    play(tmp_path, score)


def test_too_many_parameters_are_refused(tmp_path: Path) -> None:
    async def score(world: Served) -> None:
        answer = await world.ask("/probe?" + "&".join(f"a{n}=1" for n in range(101)))
        assert (400, "More than 100 parameters\n") == (answer.status, answer.text)

    play(tmp_path, score)


@pytest.mark.parametrize("size", [0, 1, 70_000, 2 * 1024 * 1024])
def test_a_file_is_read_whole(tmp_path, size):
    file = tmp_path / "authorities.pem"
    file.write_bytes(b"x" * size)

    assert b"x" * size == read_file(str(file))


def test_a_file_of_no_size_is_read_too():
    """Those of the kernel's, say."""
    assert Path("/proc/cpuinfo").read_bytes()[:20] == read_file("/proc/cpuinfo")[:20]


@pytest.mark.parametrize("size", [2 * 1024 * 1024 + 1, 8 * 1024 * 1024])
def test_a_file_is_read_so_far_and_no_further(tmp_path, size):
    file = tmp_path / "authorities.pem"
    with file.open("wb") as sparse:
        sparse.truncate(size)

    with pytest.raises(OSError, match="larger than 2 MiB"):
        read_file(str(file))
    with pytest.raises(OSError, match="larger than 2 MiB"):
        read_file("/dev/zero")
