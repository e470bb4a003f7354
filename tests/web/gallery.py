"""Every page of the console in every state, with content as hostile as senders make it."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from sentinel.engine import links
from sentinel.engine.objectives import Objectives
from sentinel.monitor.probe import CheckResult, Judged
from sentinel.monitor.verdict import Verdict, VerdictState
from sentinel.store.journal import Change, ProbeState
from sentinel.words import Outcome, Severity
from tests.engine.kernel import START
from tests.web.asgi import WORKSPACE, World

URL = "https://shop.example/" + "very-long-path-without-a-single-break" * 5
WORDS = "the payment page did not answer in time " * 62
RTL = "سلة التسوق لا تعمل في متجر أكمي الآن"
EMOJI = "🔥🛒 тест 支払いページ"

HARD = (
    WORKSPACE
    + """
clients:
  acme:
    name: Acme
    services:
      checkout: {objective: {availability: 99.9, window: 30d}}
      storefront: {objective: {availability: 99.5, latency: {under: 500ms, share: 95}}}
playbooks:
  switch:
    when: 'labels.service == "checkout"'
    steps:
      - {id: allowed, approval: {by: person/ana, text: "Switch to invoice?"}, timeout: 1h}
      - {id: by_hand, checklist: {by: person/ana, items: [Switch it, Place an order]}, timeout: 1h}
      - {id: say, note: {text: "switched"}}
probes:
  checkout-of-the-largest-client-with-a-rather-long-name-indeed:
    {client: acme, service: checkout, every: 1h, http: {url: "http://127.0.0.1:9/"}}
"""
    + "".join(
        f"  home-{n:02}: {{client: acme, service: storefront, every: 1h, http: {{url: 'http://127.0.0.1:9/'}}}}\n"
        for n in range(40)
    )
)
"""A workspace whose every page has something to show."""

SICK = "checkout-of-the-largest-client-with-a-rather-long-name-indeed"


async def hang(world: World) -> dict[str, str]:
    """Bring everything about; the addresses of the pages by name."""
    await _probes(world)
    await _standing(world)
    pages = {
        "incidents": "/",
        "no-incident": "/?status=closed&before=2020-01-01T00:00:00Z",
        "probes": "/probes",
        "probe": f"/probes/{SICK}",
        "probe-unchecked": "/probes/home-39",
        "objectives": "/objectives",
        "oncall": "/oncall",
        "silences": "/silences",
        "overrides": "/overrides",
        "no-address": "/nowhere",
        "no-probe": "/probes/nothing",
        "no-incident-of-this-name": "/incidents/nothing",
    }
    await world.alert(severity=Severity.critical, service="checkout")
    pages |= {"asked": await _incident(world), "a-fresh": world.link()}
    await world.advance(seconds=61)
    pages["a-question"] = world.link()
    fresh = links.read(
        world.node.link_key, pages["a-fresh"].removeprefix("/a/"), world.node.present.policy.people
    )
    assert fresh is not None
    old = replace(fresh, expires_at=world.clock.now() - timedelta(hours=1))
    pages |= {
        "a-expired": f"/a/{links.sign(world.node.link_key, old)}",
        "a-unknown": "/a/nothing",
    }
    for name, service, done in (
        ("taken-by-another", EMOJI, [("ack", {"by": "bo"})]),
        ("acknowledged", RTL, [("ack", {"by": "ana"}), ("note", {"text": WORDS})]),
        ("mitigated", URL, [("mitigate", {"by": "ana"}), ("note", {"text": URL})]),
        ("resolved-while-firing", "feed", [("resolve", {"by": "ana"})]),
        ("merged", "search", [("merge", {"by": "ana", "into": "acknowledged"})]),
    ):
        await world.advance(seconds=61)
        await world.alert(service=service, alertname=service, **{EMOJI: RTL, "where": URL})
        pages |= {name: await _incident(world), f"a-{name}": world.link()}
        for command, body in done:
            if command == "merge":
                body = body | {"into": pages[body["into"]].removeprefix("/incidents/")}
            address = f"/api/v1{pages[name]}/{command}"
            answer = await world.ask("POST", address, body=body)
            assert 200 == answer.status, answer.text
    pages["every-fact"] = f"{pages['acknowledged']}?all=1&timezone=Europe/Helsinki"
    world.node.objectives = objectives = Objectives(world.node)  # as after a restart
    reading = asyncio.ensure_future(objectives.run())
    await world.clock.settle()
    reading.cancel()
    return pages


async def _incident(world: World) -> str:
    return f"/incidents/{await world.incident()}"


async def _standing(world: World) -> None:
    """Silences and overrides."""
    for value, reason in (("x-home", "known"), (URL, WORDS), (f"~{EMOJI}.*", RTL)):
        body = {"matchers": {"path": value}, "for_s": 600000, "reason": reason[:2000]}
        assert 201 == (await world.ask("POST", "/api/v1/silences", body=body)).status
    body = {
        "rotation": "shop",
        "to_at": (world.clock.now() + timedelta(hours=8)).isoformat(),
        "replace": "ana",
        "with": "bo",
        "reason": URL,
    }
    assert 201 == (await world.ask("POST", "/api/v1/overrides", body=body)).status


async def _probes(world: World) -> None:
    """A probe that fails at two locations, many that are well, and one never looked at."""
    ok = VerdictState(Verdict.ok, START, recent=(Outcome.ok,) * 20)
    sick = VerdictState(
        Verdict.firing,
        START,
        degraded=True,
        flapping=True,
        recent=(Outcome.failed,) * 20,
        started_at=START,
        reason="unexpected_status",
        text=f"status == 200 does not hold at {URL}",
    )
    states = [ProbeState(SICK, place, START, sick.to_json()) for place in ("local", "eu")]
    states += [ProbeState(f"home-{n:02}", "local", START, ok.to_json()) for n in range(39)]
    judged = Judged("status == 200", Outcome.failed, "unexpected_status", {"url": URL, "st": 503})
    results = [
        CheckResult(
            probe=SICK,
            location="local",
            due_at=START - timedelta(minutes=number),
            started_at=START - timedelta(minutes=number),
            duration_s=0.123456,
            outcome=Outcome.failed if number < 5 else Outcome.ok,
            reason="unexpected_status" if number < 5 else "",
            text=f"{WORDS if number == 3 else RTL} 503 {EMOJI}" if number < 5 else "",
            network=False,
            judged=(judged,) if number < 5 else (),
            phases={"resolve": 0.01, "connect": 0.02},
            samples=(),
            evidence="0" * 64 if number < 5 else "",
        )
        for number in range(1, 20)
    ]
    await world.node.journal.transact(
        [], lambda view: (Change(probe_states=states, results=results), None), now=START
    )
