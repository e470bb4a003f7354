"""Overrides through the API and the console: who is on call, who is told, what is refused."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from sentinel.kinds import Refused
from tests.web.asgi import WORKSPACE, World, play

LIST = "/api/v1/overrides"


async def on_call(world: World) -> list[str]:
    found: list[str] = (await world.ask("GET", "/api/v1/oncall/shop")).json()["on_call"]
    return found


async def swap(world: World, *, hours: float = 8, begins_in: float = 0, **keys: Any) -> Any:
    begin = world.clock.now() + timedelta(hours=begins_in)
    body = {
        "rotation": "shop",
        "from_at": begin.isoformat() if begins_in else "",
        "to_at": (begin + timedelta(hours=hours)).isoformat(),
        "replace": "ana",
        "with": "bo",
        **keys,
    }
    return await world.ask("POST", LIST, body=body)


def test_from_now_on_another_is_on_call_and_both_are_told(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        assert ["ana"] == await on_call(world)
        made = await swap(world, reason="fever", by="bo", hours=0.2)
        assert (201, ["bo"], ["ana", "bo"]) == (
            made.status,
            made.json()["on_call"],
            made.json()["told"],
        )
        assert ["bo"] == await on_call(world)
        said = {address: message.title for address, message in world.notifier.sent}
        assert "You are no longer on call: shop." in said["env:ANA"]
        assert "You are on call from now on: shop." in said["env:BO"]
        assert "by bo: fever" in said["env:BO"]
        await world.advance(minutes=12)
        assert ["ana"] == await on_call(world)

    play(tmp_path, score)


def test_one_to_come_changes_nothing_yet_and_they_are_told_when(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        assert 201 == (await swap(world, begins_in=10)).status
        assert ["ana"] == await on_call(world)
        (said,) = [m.title for address, m in world.notifier.sent if address == "env:BO"]
        assert "You are on call in shop from Mon 02 Mar 19:00 UTC to Tue 03 Mar 03:00 UTC" in said

    play(tmp_path, score)


def test_who_cannot_be_told_keeps_nobody_from_being_on_call(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        world.notifier.answers["env:BO"] = Refused("down", "no such number")
        assert 201 == (await swap(world)).status
        assert ["bo"] == await on_call(world)

    play(tmp_path, score)


def test_it_is_ended_by_its_id_and_only_once(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        name = (await swap(world)).json()["override"]
        await world.advance(minutes=5)
        ended = await world.ask("POST", f"{LIST}/{name}/end", body={"by": "ana"})
        assert (200, ["ana"]) == (ended.status, ended.json()["on_call"])
        again = await world.ask("DELETE", f"{LIST}/{name}")
        assert (404, "unknown_override") == (again.status, again.json()["error"])
        then = (world.clock.now() - timedelta(minutes=2)).isoformat().replace("+", "%2B")
        past = (await world.ask("GET", f"/api/v1/oncall/shop?at={then}")).json()
        assert ["bo"] == past["on_call"], "what was so before stays so"

    play(tmp_path, score)


def test_declared_ones_are_listed_too_and_are_ended_in_their_document(tmp_path: Path) -> None:
    declared = 'overrides: [{from: "2026-03-03 09:00", to: "2026-03-04 09:00", with: bo}]'
    text = WORKSPACE.replace("{timezone: UTC,", f"{{timezone: UTC, {declared},")

    async def score(world: World) -> None:
        name = (await swap(world)).json()["override"]
        rows = (await world.ask("GET", LIST)).json()["overrides"]
        assert [(name, False, True), ("shop/0", True, False)] == [
            (row["id"], row["declared"], row["in_force"]) for row in rows
        ]
        assert [] == (await world.ask("GET", f"{LIST}?rotation=other")).json()["overrides"]
        page = await world.ask("GET", "/overrides")
        assert "Bo Lind stands in for Ana Silva" in page.text
        assert page.text.count(">End</button>") == 1

    play(tmp_path, score, text)


def test_what_is_refused_says_why_and_changes_nothing(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        for keys, status, reason in (
            ({"with": "dee"}, 409, "unknown_person"),
            ({"rotation": "ship"}, 404, "unknown_rotation"),
            ({"to_at": "2026-03-01T09:00Z"}, 409, "past"),
            ({"to_at": "tomorrow"}, 400, "bad_request"),
            ({"to_at": ""}, 400, "bad_request"),
            ({"reason": 7}, 400, "bad_request"),
            ({"replace": "bo", "with": "ana"}, 409, "no_turn"),
        ):
            answer = await swap(world, **keys)
            assert (status, reason) == (answer.status, answer.json()["error"])
        assert [] == (await world.ask("GET", LIST)).json()["overrides"]
        assert 401 == (await world.ask("POST", LIST, body={}, peer="10.1.2.3")).status

    play(tmp_path, score)


def test_a_wall_clock_is_the_rotations(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        made = await swap(world, to_at="2026-03-02 18:00")
        assert "2026-03-02T16:00:00Z" == made.json()["to_at"]

    play(tmp_path, score, WORKSPACE.replace("timezone: UTC,", "timezone: Europe/Helsinki,"))


def test_the_console_ends_what_is_in_force_but_not_for_another_site(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        name = (await swap(world, reason="<i>flu</i>")).json()["override"]
        muted = {"matchers": {"client": "acme"}, "for_s": 3600, "reason": "<b>known</b>"}
        silence = (await world.ask("POST", "/api/v1/silences", body=muted)).json()["silence"]
        for page, button in (("/overrides", name), ("/silences", silence)):
            shown = (await world.ask("GET", page)).text
            assert f'action="{page}/{button}/end"' in shown
            assert "<i>" not in shown
            assert "<b>" not in shown
            evil = {"sec-fetch-site": "cross-site"}
            form = {"x": "1"}
            path = f"{page}/{button}/end"
            assert 403 == (await world.ask("POST", path, form=form, headers=evil)).status
            assert 401 == (await world.ask("POST", path, form=form, peer="10.1.2.3")).status
            assert 405 == (await world.ask("GET", path)).status
            assert 303 == (await world.ask("POST", path, form=form)).status
            assert f"{page}/{button}/end" not in (await world.ask("GET", page)).text
            again = await world.ask("POST", f"{page}/nosuch/end", form=form)
            assert "refused" in again.headers["location"]
        assert ["ana"] == await on_call(world)

    play(tmp_path, score)


async def shifts(world: World, query: str) -> Any:
    found = (await world.ask("GET", f"/api/v1/oncall/shop/shifts?{query}")).json()["shifts"]
    return [(each["start"][5:16], each["end"][5:16], each["people"]) for each in found]


def test_final_shifts_are_with_overrides_past_and_to_come_until_each_was_ended(
    tmp_path: Path,
) -> None:
    async def score(world: World) -> None:
        early = (await swap(world, hours=8)).json()["override"]
        await swap(world, begins_in=20, hours=2, replace="", **{"with": "bo"})
        await world.advance(hours=1)
        assert 200 == (await world.ask("POST", f"{LIST}/{early}/end", body={})).status
        assert [
            ("03-02T09:00", "03-02T10:00", ["bo"]),
            ("03-02T10:00", "03-03T05:00", ["ana"]),
            ("03-03T05:00", "03-03T07:00", ["ana", "bo"]),
            ("03-03T07:00", "03-03T09:00", ["ana"]),
        ] == await shifts(world, "from=2026-03-02%2009:00&to=2026-03-03T10:00%2B01:00")
        ahead = await shifts(world, "")
        assert ("03-02T10:00", "03-30T10:00") == (ahead[0][0], ahead[-1][1])

    play(tmp_path, score)


def test_a_span_that_cannot_be_answered_is_refused(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        for status, path in (
            (404, "nowhere/shifts"),
            (404, "nowhere"),
            (400, "shop?at=noon"),
            (400, "shop/shifts?from=noon"),
            (400, "shop/shifts?from=2026-03-03&to=2026-03-02"),
            (400, "shop/shifts?from=2026-03-03&to=2036-03-03"),
        ):
            assert status == (await world.ask("GET", f"/api/v1/oncall/{path}")).status, path

    play(tmp_path, score)
