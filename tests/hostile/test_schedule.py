"""Fifty healthy probes beside fifty hostile ones: the healthy ones keep their schedule."""

import asyncio
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from sentinel.engine.redaction import Redactor
from sentinel.engine.wallclock import WallClock
from sentinel.engine.watcher import Watcher
from sentinel.metrics.registry import Metrics
from sentinel.monitor.probe import Probe
from sentinel.probers.http import Http
from sentinel.store.sqlite import SqliteJournal
from sentinel.testing import KnownSecrets
from sentinel.transport.curl import Transport
from sentinel.words import Outcome, Seconds
from tests.hostile.acts import END, Drip, Hear, Hold, Repeat, Reset, Say, acting, gzip_bomb
from tests.hostile.http_cases import CHUNKED, HEAD
from tests.hostile.targets import HOST, OVER_TLS, WAYS
from tests.transport.servers import OK, Script, saying, serving

EVERY_S = 1.0
SECONDS = 6.0
HEALTHY = 50

SICK: dict[str, tuple[str, Script]] = {
    "silent": ("http", acting(Hear(END), Hold())),
    "slow": ("http", acting(Hear(END), Say(HEAD), Drip(b"X: y\r\n" * 99))),
    "endless": ("http", acting(Hear(END), Say(HEAD + b"\r\n"), Repeat(b"b"))),
    "chunked": ("http", acting(Hear(END), Say(CHUNKED), Repeat(b"1\r\nb\r\n"))),
    "bomb": (
        "http compressed",
        acting(Hear(END), Say(HEAD + b"Content-Encoding: gzip\r\n\r\n" + gzip_bomb())),
    ),
    "resets": ("tcp", acting(Reset())),
    "noise": ("redis", acting(Repeat(b"\xff"))),
    "greets": ("smtp", acting(Repeat(b"220-hello\r\n"))),
    "secure": ("tls", acting(Hear(), Repeat(bytes.fromhex("160303000400000000")))),
    "feed": ("feed", acting(Hear(END), Say(HEAD + b"\r\n"), Repeat(b"<rss><item>"))),
}
"""Each five times: fifty in all."""


def healthy(port: int, number: int) -> Probe:
    return Probe(
        id=f"well-{number}",
        prober=Http(url=f"http://{HOST}:{port}/?{number}"),
        every_s=Seconds(EVERY_S),
        timeout_s=Seconds(EVERY_S),
    )


def sick(port: int, name: str, way: str, number: int) -> Probe:
    aims = OVER_TLS if way == "tls" else WAYS
    return Probe(
        id=f"sick-{name}-{number}",
        prober=aims[way](port),
        every_s=Seconds(EVERY_S),
        timeout_s=Seconds(0.5),
    )


@pytest.mark.slow
def test_hostile_targets_do_not_touch_the_schedule_of_the_others(tmp_path: Path) -> None:
    async def main() -> tuple[dict[str, list[object]], dict[str, set[str]]]:
        clock, metrics = WallClock(), Metrics()
        journal = SqliteJournal.open(tmp_path / "sentinel.db")
        async with Transport() as transport, serving(saying(OK)) as port, _all_sick() as ports:
            probes = [healthy(port, number) for number in range(HEALTHY)]
            probes += [
                sick(ports[name], name, way, number)
                for name, (way, _) in SICK.items()
                for number in range(HEALTHY // len(SICK))
            ]
            watcher = Watcher(
                probes=probes,
                location="local",
                journal=journal,
                clock=clock,
                transport=transport,
                secrets=KnownSecrets(),
                metrics=metrics,
                redactor=Redactor(()),
            )
            began_at = clock.now()
            running = asyncio.create_task(watcher.run())
            await asyncio.sleep(SECONDS)
            watcher.stop()
            await running
            span = (began_at - timedelta(minutes=1), clock.now() + timedelta(minutes=1))
            results = {
                probe.id: await journal.view(
                    lambda view, id=probe.id: tuple(view.results(id, *span))
                )
                for probe in probes
            }
        await journal.close()
        return (
            {id: list(found) for id, found in results.items() if id.startswith("well")},
            {id: {each.reason for each in found} for id, found in results.items()},
        )

    well, reasons = asyncio.run(main())

    assert HEALTHY == len(well)
    for id, results in well.items():
        _, *slots = sorted(each.due_at for each in results)  # the first is spread over the start
        missed = {later - earlier for earlier, later in pairwise(slots)}
        assert missed == {timedelta(seconds=EVERY_S)}, f"{id} missed a slot: {slots}"
        assert {Outcome.ok} == {each.outcome for each in results}, id
    unwell = {id: found for id, found in reasons.items() if id.startswith("sick")}
    assert all(
        found and "" not in found and "internal" not in found for found in unwell.values()
    ), unwell


class _all_sick:
    """All sick servers at once: their ports by name."""

    async def __aenter__(self) -> dict[str, int]:
        self._open = [(name, serving(script)) for name, (_, script) in SICK.items()]
        return {name: await server.__aenter__() for name, server in self._open}

    async def __aexit__(self, *error: object) -> None:
        for _, server in self._open:
            await server.__aexit__(None, None, None)
