"""The page behind the link: a look changes nothing, the button does (rules 18, 19)."""

from dataclasses import replace
from pathlib import Path

from sentinel.engine import links
from tests.web.asgi import World, play


def test_opening_the_link_changes_nothing(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        await world.alert()
        before = (await world.ask("GET", f"/api/v1/incidents/{await world.incident()}")).json()[
            "facts"
        ]
        for method in ("GET", "HEAD"):
            assert (await world.ask(method, world.link())).status == 200
        after = (await world.ask("GET", f"/api/v1/incidents/{await world.incident()}")).json()
        assert len(before) == len(after["facts"])
        assert after["status"] == "triggered"

    play(tmp_path, score)


def test_the_button_acknowledges_for_the_person_the_link_was_sent_to(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        await world.alert()
        answer = await world.ask("POST", world.link(), form={"command": "ack"})
        assert answer.status == 303
        found = (await world.ask("GET", f"/api/v1/incidents/{await world.incident()}")).json()
        assert (found["status"], found["holder"]) == ("acknowledged", "ana")
        page = await world.ask("GET", answer.headers["location"])
        assert "You have it." in page.text
        assert len(page.body) < 30_000
        assert "<script" not in page.text

    play(tmp_path, score)


def test_the_link_of_a_bundle_acknowledges_exactly_its_incidents(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        for number in range(4):
            await world.alert(service=f"s{number}")
        await world.advance(seconds=61)
        await world.ask("POST", world.link(), form={"command": "ack"})
        rows = (await world.ask("GET", "/api/v1/incidents")).json()["incidents"]
        stood = {row["labels"]["service"]: row["status"] for row in rows}
        assert stood == {"s0": "triggered"} | dict.fromkeys(("s1", "s2", "s3"), "acknowledged")

    play(tmp_path, score)


def test_a_forged_or_expired_link_is_refused_and_says_so(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        await world.alert()
        link = world.link()
        forged = [link[:-1] + last for last in "ABCD" if last != link[-1]]
        for bad in (
            *forged,
            link + "=",
            link[:-1] + "!" + link[-1],
            "/a/x",
            "/a/%00",
            "/a/" + "é" * 10,
        ):
            assert (await world.ask("POST", bad, form={"command": "ack"})).status == 404
        key, people = world.node.link_key, world.node.present.policy.people
        known = links.read(key, link.removeprefix("/a/"), people)
        assert known is not None
        old = "/a/" + links.sign(key, replace(known, expires_at=world.clock.now()))
        assert (await world.ask("GET", old)).status == 410
        assert (await world.ask("POST", old, form={"command": "ack"})).status == 410
        found = (await world.ask("GET", f"/api/v1/incidents/{await world.incident()}")).json()
        assert found["status"] == "triggered"

    play(tmp_path, score)


def test_another_sites_form_is_refused(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        await world.alert()
        for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "http://evil.example"}):
            answer = await world.ask("POST", world.link(), form={"command": "ack"}, headers=headers)
            assert answer.status == 404
        rebound = await world.ask(
            "POST", world.link(), form={"command": "ack"}, headers={"host": "evil.example"}
        )
        assert rebound.status == 404
        found = (await world.ask("GET", f"/api/v1/incidents/{await world.incident()}")).json()
        assert found["status"] == "triggered"

    play(tmp_path, score)
