"""Lists are read again and again: from a file, from a real server, over a restart."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from prometheus_client import CollectorRegistry

from sentinel.engine.discovery import Discovering
from sentinel.library.catalog import Catalog, load
from sentinel.metrics.registry import Metrics
from sentinel.testing import KnownSecrets, ManualClock
from sentinel.transport.curl import Transport
from tests.engine.watching import SECOND, played
from tests.library.samples import Samples, workspace
from tests.transport.servers import serving

SHOPS = (
    "probes:\n  shops: {{discover: {{{0}, every: 10s}}, page: {{url: '${{discovered.url}}'}}}}\n"
)


def catalog(root: Path, source: str) -> Catalog:
    loaded = load(
        workspace(root, {"probes/shops.yaml": SHOPS.format(source)}),
        lookup=Samples(),
    )
    assert loaded.catalog is not None, loaded.problems
    return loaded.catalog


def listed(*addresses: str) -> str:
    return json.dumps([{"targets": list(addresses)}])


class Node:
    """What a node does around it."""

    def __init__(self, root: Path, transport: Transport) -> None:
        self.clock = ManualClock()
        self.metrics = Metrics()
        self.applied: list[list[str]] = []
        self.discovering = Discovering(
            folder=root,
            data=root,
            clock=self.clock,
            transport=transport,
            secrets=KnownSecrets({"env:TOKEN": "open sesame"}),
            metrics=self.metrics,
            on_changed=self._apply,
        )

    async def _apply(self) -> None:
        self.applied.append(sorted(self.discovering.probes()))

    def shown(self, name: str) -> float | None:
        registry: CollectorRegistry = self.metrics.registry
        return registry.get_sample_value(f"sentinel_discovery_{name}", {"discovery": "shops"})

    async def until(self, holds: Callable[[], bool]) -> None:
        for _ in range(2000):
            if holds():
                return
            await asyncio.sleep(0.002)
        raise AssertionError(f"it never held: {self.applied}")


@asynccontextmanager
async def node(root: Path, source: str) -> AsyncIterator[Node]:
    async with Transport() as transport:
        made = Node(root, transport)
        made.discovering.adopt(catalog(root, source).discoveries)
        running = asyncio.ensure_future(made.discovering.run())
        try:
            yield made
        finally:
            running.cancel()


@played
async def test_a_file_is_read_again_and_its_probes_come_and_go(tmp_path: Path) -> None:
    file = tmp_path / "shops.json"
    file.write_text(listed("a.fi", "b.fi"))
    async with node(tmp_path, "file: shops.json") as made:
        await made.until(lambda: made.applied == [["shops-a-fi", "shops-b-fi"]])
        file.write_text(listed("b.fi", "c.fi"))
        await made.clock.advance(10 * SECOND)
        await made.until(lambda: made.applied[1:] == [["shops-b-fi", "shops-c-fi"]])

        assert (1, 2, 0) == (made.shown("up"), made.shown("probes"), made.shown("left_out"))


@played
async def test_a_list_that_is_the_same_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "shops.json").write_text(listed("a.fi"))
    async with node(tmp_path, "file: shops.json") as made:
        await made.until(lambda: len(made.applied) == 1)
        before = made.shown("last_success_timestamp_seconds")
        await made.clock.advance(10 * SECOND)
        await made.until(lambda: made.shown("last_success_timestamp_seconds") != before)

        assert 1 == len(made.applied)


@played
async def test_a_list_that_fails_keeps_the_last_one_and_says_so(tmp_path: Path) -> None:
    file = tmp_path / "shops.json"
    file.write_text(listed("a.fi"))
    async with node(tmp_path, "file: shops.json") as made:
        await made.until(lambda: made.shown("up") == 1)
        file.write_text("half a li")
        await made.clock.advance(10 * SECOND)
        await made.until(lambda: made.shown("up") == 0)
        assert ["shops-a-fi"] == list(made.discovering.probes())

        file.unlink()
        await made.clock.advance(10 * SECOND)
        assert ["shops-a-fi"] == list(made.discovering.probes())

        file.write_text(listed())
        await made.clock.advance(10 * SECOND)
        await made.until(lambda: made.applied[1:] == [[]])


@played
async def test_the_last_list_is_kept_over_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "shops.json"
    file.write_text(listed("a.fi"))
    async with node(tmp_path, "file: shops.json") as made:
        await made.until(lambda: len(made.applied) == 1)
    file.unlink()
    async with node(tmp_path, "file: shops.json") as made:
        assert ["shops-a-fi"] == list(made.discovering.probes())
        await made.until(lambda: made.shown("up") == 0)
        assert ["shops-a-fi"] == list(made.discovering.probes())


@played
async def test_kept_lists_that_are_spoilt_are_as_none(tmp_path: Path) -> None:
    (tmp_path / "discovered.json").write_text('{"shops": ')
    (tmp_path / "shops.json").write_text(listed("a.fi"))
    async with node(tmp_path, "file: shops.json") as made:
        await made.until(lambda: made.applied == [["shops-a-fi"]])


@played
async def test_an_endpoint_is_asked_with_its_token(tmp_path: Path) -> None:
    heads: list[str] = []
    answers = [b"200 OK\r\nContent-Type: application/json", b"503 Service Unavailable"]

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        body = listed("a.fi", "https://ana:pass@b.fi/").encode()
        head = b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n" % (answers[0], len(body))
        writer.write(head + body)

    async with serving(script) as port:
        source = f'url: "http://127.0.0.1:{port}/sd", bearer: "env:TOKEN"'
        async with node(tmp_path, source) as made:
            await made.until(lambda: made.applied == [["shops-a-fi"]])
            assert (1, 1) == (made.shown("up"), made.shown("left_out"))
            answers.pop(0)
            await made.clock.advance(10 * SECOND)
            await made.until(lambda: made.shown("up") == 0)

            assert ["shops-a-fi"] == list(made.discovering.probes())
    assert heads[0].startswith("GET /sd HTTP")
    assert "Authorization: Bearer open sesame\r\n" in heads[0]
    assert "X-Prometheus-Refresh-Interval-Seconds: 10\r\n" in heads[0]


@played
async def test_a_reload_takes_and_forgets_declarations(tmp_path: Path) -> None:
    (tmp_path / "shops.json").write_text(listed("a.fi"))
    async with node(tmp_path, "file: shops.json") as made:
        await made.until(lambda: len(made.applied) == 1)
        (tmp_path / "more.json").write_text(listed("a.fi", "b.fi"))

        made.discovering.adopt(catalog(tmp_path, "file: more.json").discoveries)
        assert ["shops-a-fi"] == list(made.discovering.probes())
        await made.until(lambda: made.applied[1:] == [["shops-a-fi", "shops-b-fi"]])

        made.discovering.adopt({})
        assert {} == made.discovering.probes()
        assert made.shown("probes") is None
