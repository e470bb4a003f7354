"""``/probe`` on a node's port: only where the site allows it, only whom it allows."""

import gzip
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.transport.servers import OK, redirect, saying, serving
from tests.web.asgi import WORKSPACE, World, play

MODULES = "modules: {http_2xx: {prober: http, http: {preferred_ip_protocol: ip4}}, socket: {prober: unix}}"
FAR = "203.0.113.9"


def played(folder: Path, score: Callable[[World], Awaitable[None]], *, allow: str) -> None:
    (folder / "blackbox.yml").write_text(MODULES)
    line = f"site:\n  blackbox: {{modules: blackbox.yml, allow: [{allow}]}}"
    play(folder, score, WORKSPACE.replace("site:", line, 1))


def test_whom_the_site_names_is_probed(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        async with serving(saying(OK)) as port:
            path = f"/probe?target=127.0.0.1:{port}"
            answer = await world.ask("GET", path, headers={"accept-encoding": "gzip"})
        assert (200, "text/plain; version=0.0.4; charset=utf-8", "gzip") == (
            answer.status,
            answer.headers["content-type"],
            answer.headers["content-encoding"],
        )
        assert "\nprobe_success 1\n" in gzip.decompress(answer.body).decode()

    played(tmp_path, score, allow="127.0.0.0/8")


def test_a_host_is_allowed_by_its_name(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        async with serving(saying(OK)) as port:
            answer = await world.ask("GET", f"/probe?target=localhost:{port}")
        assert "\nprobe_success 1\n" in answer.text

    played(tmp_path, score, allow="localhost")


def test_nobody_else_is_not_by_redirect_and_not_by_socket(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        async with serving(saying(redirect("http://127.0.0.2:1/"))) as port:
            for target, module in (
                (f"127.0.0.1:{port}", "http_2xx"),
                ("127.0.0.2:1", "http_2xx"),
                ("169.254.169.254", "http_2xx"),
                ("/run/shop.sock", "socket"),
            ):
                answer = await world.ask("GET", f"/probe?target={target}&module={module}")
                assert 200 == answer.status
                assert 'sentinel_probe_failure{reason="address_refused"} 1' in answer.text, target

    played(tmp_path, score, allow="127.0.0.1/32")


def test_nothing_is_allowed_that_is_not_named(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        answer = await world.ask("GET", "/probe?target=127.0.0.1:1")
        assert 'reason="address_refused"' in answer.text

    played(tmp_path, score, allow="")


def test_only_who_may_read_the_metrics_may_ask(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        path = "/probe?target=127.0.0.1:1"
        assert 401 == (await world.ask("GET", path, peer=FAR)).status
        other = {"sec-fetch-site": "cross-site"}
        assert 403 == (await world.ask("GET", path, headers=other)).status

    played(tmp_path, score, allow="127.0.0.0/8")


def test_a_reload_brings_the_files_new_modules(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        path = "/probe?module=renewed"
        assert 'Unknown module "renewed"\n' == (await world.ask("GET", path)).text
        (tmp_path / "blackbox.yml").write_text("modules: {renewed: {prober: tcp}}")
        assert 200 == (await world.ask("POST", "/-/reload")).status
        assert "Target parameter is missing\n" == (await world.ask("GET", path)).text
        (tmp_path / "blackbox.yml").write_text("modules: {renewed: {prober: tcp, timeout: 5}}")
        refused = await world.ask("POST", "/-/reload")
        assert (422, True) == (refused.status, "blackbox.yml:1:43" in refused.text)
        assert "Target parameter is missing\n" == (await world.ask("GET", path)).text

    played(tmp_path, score, allow="127.0.0.0/8")


def test_a_site_without_it_has_no_such_page(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        assert 404 == (await world.ask("GET", "/probe?target=127.0.0.1:1")).status

    play(tmp_path, score)
