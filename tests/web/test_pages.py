"""What the console's pages say: probes, rota, objectives, refusals, and where nothing is yet."""

from datetime import timedelta
from pathlib import Path

from sentinel.monitor.verdict import Verdict, VerdictState
from sentinel.store.journal import Change, ProbeState
from tests.engine.kernel import START
from tests.web.asgi import WORKSPACE, World, play

SHOP = """
clients: {acme: {name: Acme, services: {storefront: {}}}}
probes:
  zebra: {client: acme, service: storefront, every: 1h, http: {url: "http://127.0.0.1:9/"}}
  aardvark: {every: 1h, http: {url: "http://127.0.0.1:9/"}}
  heron: {every: 1h, http: {url: "http://127.0.0.1:9/"}}
"""
BROWSER = {"accept": "text/html,application/xhtml+xml"}


async def stands(world: World, probe: str, verdict: Verdict, *, at: int, **keys: str) -> None:
    """Store a verdict state of a slot `at` seconds after the first."""
    slot_at = START + timedelta(seconds=at)
    place = keys.pop("location", "local")
    row = ProbeState(probe, place, slot_at, VerdictState(verdict, START, **keys).to_json())
    await world.node.journal.transact(
        [], lambda view: (Change(probe_states=[row]), None), now=world.clock.now()
    )


def order(text: str) -> list[str]:
    return sorted(("aardvark", "heron", "zebra"), key=lambda name: text.find(f"/probes/{name}"))


def test_the_sick_stand_first_and_a_verdict_that_changed_is_seen(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        await stands(world, "zebra", Verdict.firing, at=4000, reason="timeout", location="eu")
        await stands(world, "zebra", Verdict.ok, at=4000, location="us")
        await stands(world, "aardvark", Verdict.ok, at=4000)
        page = (await world.ask("GET", "/probes")).text
        assert ["zebra", "heron", "aardvark"] == order(page)
        row = page.split("/probes/zebra", 1)[1].split("</tr>", 1)[0]
        assert all(part in row for part in ("firing", "timeout", ">eu<", "acme · storefront"))
        await stands(world, "aardvark", Verdict.firing, at=8000, reason="dns_failed")
        await stands(world, "zebra", Verdict.ok, at=8000, location="eu")
        page = (await world.ask("GET", "/probes")).text
        assert ["aardvark", "heron", "zebra"] == order(page)
        assert "timeout" not in page
        assert "dns_failed" in page

    play(tmp_path, score, WORKSPACE + SHOP)


def test_the_list_is_filtered_by_verdict(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        await stands(world, "zebra", Verdict.firing, at=4000)
        await stands(world, "aardvark", Verdict.ok, at=4000)
        await stands(world, "heron", Verdict.ok, at=4000)
        page = (await world.ask("GET", "/probes?state=firing")).text
        assert "/probes/zebra" in page
        assert "/probes/aardvark" not in page
        assert "firing 1</a>" in page
        assert "ok 2</a>" in page
        assert "No probe is pending now" in (await world.ask("GET", "/probes?state=pending")).text

    play(tmp_path, score, WORKSPACE + SHOP)


def test_a_probe_is_checked_by_its_button_only(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        async def shown(method: str, **headers: str) -> tuple[int, bool]:
            answer = await world.ask(method, "/probes/heron", headers=headers)
            return answer.status, "Checked now" in answer.text

        assert (200, False) == await shown("GET")
        assert (200, True) == await shown("POST")
        assert (403, False) == await shown("POST", **{"sec-fetch-site": "cross-site"})
        assert 404 == (await world.ask("POST", "/probes/nobody")).status

    play(tmp_path, score, WORKSPACE + SHOP)


def test_a_probe_leads_to_the_incident_of_its_alert(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        await world.advance(minutes=70)  # nothing listens at port 9
        answer = await world.ask("GET", "/api/v1/incidents")
        page = (await world.ask("GET", "/probes/aardvark")).text
        (name,) = {r["incident"] for r in answer.json()["incidents"] if "aardvark" in r["title"]}
        assert f'href="/incidents/{name}"' in page
        assert "<strong>0 %</strong>" in page
        assert 'href="/probes/aardvark"' in (await world.ask("GET", f"/incidents/{name}")).text

    play(tmp_path, score, WORKSPACE + SHOP)


def test_a_browser_is_refused_with_a_page_and_others_with_a_line(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        large = {"content-length": str(10**9)}
        elsewhere = {"sec-fetch-site": "cross-site"}
        for method, path, status, headers, peer in (
            ("GET", "/nowhere", 404, {}, None),
            ("POST", "/objectives", 405, {}, None),
            ("POST", "/silences/x/end", 413, large, None),
            ("POST", "/silences/x/end", 403, elsewhere, None),
            ("GET", "/oncall", 401, {}, "10.1.2.3"),
            ("GET", "/objectives", 401, {}, "10.1.2.3"),
            ("GET", "/probes/heron", 401, {}, "10.1.2.3"),
        ):
            page = await world.ask(method, path, headers=headers | BROWSER, peer=peer)
            line = await world.ask(method, path, headers=headers, peer=peer)
            assert (status, status) == (page.status, line.status)
            assert "<h1>" in page.text
            assert "default-src 'none'" in page.headers["content-security-policy"]
            assert "heron" not in page.text
            assert "text/plain; charset=utf-8" == line.headers["content-type"]
            assert 1 == line.text.count("\n")

    play(tmp_path, score, WORKSPACE + SHOP)


def test_who_answers_now_and_next_and_where_nobody_does(tmp_path: Path) -> None:
    gap = """
  night: {timezone: Europe/Helsinki, layers: [{id: dark, people: [bo], turn: 1w,
          anchor: "2026-01-05 09:00", only: [{days: Mon-Sun, from: "22:00", to: "06:00"}]}]}
escalations:"""

    async def score(world: World) -> None:
        page = (await world.ask("GET", "/oncall")).text
        night, shop = page.split('aria-label="Rotation ')[1:]
        assert "nobody</span></strong>" in night
        assert "until <time" in night
        assert "2026-03-02 22:00:00 EET" in night
        assert "<strong>Ana Silva</strong>" in shop
        assert "2026-03-09 09:00:00 UTC" in shop

    play(tmp_path, score, WORKSPACE.replace("\nescalations:", gap))


def test_an_instant_asked_for_is_the_rotations_wall_clock(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        async def at(text: str) -> str:
            found = await world.ask("GET", f"/api/v1/oncall/shop?at={text}")
            return str(found.json().get("at", found.status))

        assert "2026-07-01T09:00:00Z" == await at("2026-07-01T12:00")
        assert "2026-07-01T12:00:00Z" == await at("2026-07-01T12:00Z")
        assert "400" == await at("noon")

    play(tmp_path, score, WORKSPACE.replace("timezone: UTC", "timezone: Europe/Helsinki"))


def test_the_list_goes_on_where_a_page_ends(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        for number in range(103):
            await world.alert(service=f"s{number:03}")
            await world.advance(seconds=1)
        first = (await world.ask("GET", "/?status=triggered")).text
        older = first.split('">Older ones')[0].rsplit('href="', 1)[1].replace("&amp;", "&")
        assert "status=triggered" in older
        second = (await world.ask("GET", older)).text
        shown = [text.count('<a class="card') for text in (first, second)]
        assert [100, 3] == shown
        assert "Older ones" not in second

    play(tmp_path, score)


def test_a_refused_reload_is_said_on_every_page(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        assert "reload was refused" not in (await world.ask("GET", "/")).text
        (tmp_path / "sentinel.yaml").write_text(WORKSPACE + "\nprobez: {}\n")
        await world.ask("POST", "/-/reload")
        for path in ("/", "/probes", "/oncall"):
            page = (await world.ask("GET", path)).text
            assert "reload was refused" in page
            assert "probez" in page

    play(tmp_path, score)


def test_who_was_paged_takes_it_over_from_another(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        await world.alert()
        name, link = await world.incident(), world.link()
        await world.ask("POST", f"/api/v1/incidents/{name}/ack", body={"by": "bo"})
        page = (await world.ask("GET", link)).text
        assert "Bo Lind has it" in page
        assert "Hand back" not in page
        assert "Take it over" in page
        await world.ask("POST", link, form={"command": "ack", "incident": name})
        page = (await world.ask("GET", link)).text
        assert "you have it" in page
        assert "Hand back" in page
        assert "Take it over" not in page

    play(tmp_path, score)


def test_what_an_address_claims_was_said_is_kept_short(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        page = (await world.ask("GET", "/silences?said=" + "x" * 5000)).text
        assert "x" * 300 in page
        assert "x" * 301 not in page

    play(tmp_path, score)


def test_once_all_is_well_again_the_link_says_so(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        await world.alert()
        name, link = await world.incident(), world.link()
        assert "Nothing is left to do" not in (await world.ask("GET", link)).text
        await world.ask("POST", f"/api/v1/incidents/{name}/resolve", body={"by": "bo"})
        page = (await world.ask("GET", link)).text
        assert "Nothing is left to do" in page
        assert "WET</time> by Bo Lind" in page
        assert "<button" not in page

    play(tmp_path, score)
