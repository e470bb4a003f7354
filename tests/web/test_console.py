"""The console and the API: who may ask, what is refused, what is escaped."""

from pathlib import Path

import pytest

from sentinel.kinds import Refused
from tests.web.asgi import WORKSPACE, World, play


def test_what_senders_wrote_is_escaped(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        await world.alert(service="<script>alert(1)</script>")
        page = await world.ask("GET", f"/incidents/{await world.incident()}")
        assert page.status == 200
        assert "<script>" not in page.text
        assert "<b>down" not in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]

    play(tmp_path, score)


def test_a_stranger_gets_nothing_and_a_token_opens(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        await world.alert()
        for path in (
            "/",
            "/metrics",
            "/api/v1/incidents",
            f"/incidents/{await world.incident()}",
            "/probes",
        ):
            assert (await world.ask("GET", path, peer="10.1.2.3")).status == 401
        made = await world.ask("POST", "/api/v1/tokens", body={"name": "ci", "user": "ana"})
        bearer = {"authorization": f"Bearer {made.json()['token']}"}
        assert (await world.ask("GET", "/metrics", peer="10.1.2.3", headers=bearer)).status == 200
        await world.ask("POST", "/api/v1/tokens/ci/revoke")
        assert (await world.ask("GET", "/metrics", peer="10.1.2.3", headers=bearer)).status == 401
        assert (await world.ask("GET", "/-/healthy", peer="10.1.2.3")).status == 200

    play(tmp_path, score)


def test_a_refused_command_is_a_value_and_a_line_in_the_story(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        await world.alert()
        name = await world.incident()
        answer = await world.ask("POST", f"/api/v1/incidents/{name}/close")
        assert (answer.status, answer.json()["error"]) == (409, "state")
        story = await world.ask("GET", f"/api/v1/incidents/{name}/story")
        assert "refused" in story.text
        assert (await world.ask("POST", f"/api/v1/incidents/{name}/dance")).status == 400
        assert (await world.ask("POST", "/api/v1/incidents/nobody00/ack")).status == 404

    play(tmp_path, score)


def test_every_document_of_an_incident_can_be_had(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        await world.alert()
        name = await world.incident()
        await world.ask(
            "POST", f"/api/v1/incidents/{name}/note", body={"text": "looking", "by": "ana"}
        )
        for what in ("story", "postmortem", "export", "export?format=markdown"):
            assert (await world.ask("GET", f"/api/v1/incidents/{name}/{what}")).status == 200
        proof = (await world.ask("GET", f"/api/v1/incidents/{name}/verify")).json()
        assert proof["findings"] == []
        assert proof["facts"] > 5

    play(tmp_path, score)


def test_a_note_is_redacted_and_the_chain_still_verifies(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        await world.alert()
        name = await world.incident()
        await world.ask("POST", f"/api/v1/incidents/{name}/note", body={"text": "card 4111 1111"})
        facts = (await world.ask("GET", f"/api/v1/incidents/{name}")).json()["facts"]
        note = next(fact for fact in facts if fact["type"] == "NoteAdded")
        body = {"version": note["version"], "reason": "card number"}
        assert (
            await world.ask("POST", f"/api/v1/incidents/{name}/redact", body=body)
        ).status == 200
        story = (await world.ask("GET", f"/api/v1/incidents/{name}/story")).text
        assert "4111" not in story
        assert "removed" in story
        assert (await world.ask("GET", f"/api/v1/incidents/{name}/verify")).json()["findings"] == []

    play(tmp_path, score)


def test_a_silence_mutes_and_its_end_makes_the_alert_new(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        body = {"matchers": {"service": "~store.*"}, "for_s": 600, "reason": "known"}
        assert (await world.ask("POST", "/api/v1/silences", body=body)).status == 201
        await world.alert()
        assert (await world.ask("GET", "/api/v1/incidents")).json()["incidents"] == []
        await world.advance(minutes=11)
        assert len((await world.ask("GET", "/api/v1/incidents")).json()["incidents"]) == 1

    play(tmp_path, score)


def test_a_bad_reload_keeps_the_old_set_and_says_where(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        before = world.node.catalog.digest
        (tmp_path / "sentinel.yaml").write_text(WORKSPACE + "\nprobez: {}\n")
        answer = await world.ask("POST", "/-/reload")
        assert answer.status == 422
        assert "sentinel.yaml:" in answer.json()["problems"][0]
        assert before == world.node.catalog.digest
        metrics = (await world.ask("GET", "/metrics")).text
        assert "sentinel_config_last_reload_successful 0.0" in metrics
        (tmp_path / "sentinel.yaml").write_text(WORKSPACE.replace("Bo Lind", "Bo Berg"))
        assert (await world.ask("POST", "/-/reload")).status == 200
        assert before != world.node.catalog.digest

    play(tmp_path, score)


def test_a_body_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        answer = await world.ask(
            "POST", "/api/v1/silences", body={}, headers={"content-length": str(10**9)}
        )
        assert answer.status in (400, 413)
        endless = {"content-length": "9" * 5000}
        assert (await world.ask("POST", "/api/v1/silences", headers=endless)).status == 413

    play(tmp_path, score)


RUBBISH = {
    "broken": b"{",
    "a list": b"[]",
    "not UTF-8": b"\xff",
    "endless": b"[" * 100_000,
    "deep": b'{"a":' * 10_000,
    "a long number": b'{"on":' + b"9" * 5000 + b"}",
    "half a character": b'{"reason": "\\ud800"}',
}


@pytest.mark.parametrize("raw", RUBBISH.values(), ids=RUBBISH)
def test_a_body_that_is_no_json_object_is_refused_by_each(tmp_path: Path, raw: bytes) -> None:
    async def score(world: World) -> None:
        posts = ("tokens", "automation", "silences", "overrides", "overrides/x/end")
        for path in (*posts, "incidents/x/ack"):
            answer = await world.ask("POST", f"/api/v1/{path}", raw=raw)
            assert (400, "bad_request") == (answer.status, answer.json()["error"]), path

    play(tmp_path, score)


NO_TIMES = [
    "2026-13-01",
    "0001-01-01",
    "0001-01-01T00:00%2B14:00",
    "9999-12-31T23:59-14:00",
    "%C2%B2",
]


@pytest.mark.parametrize("text", NO_TIMES)
def test_a_time_that_no_clock_has_is_refused(tmp_path: Path, text: str) -> None:
    async def score(world: World) -> None:
        for path in ("incidents?before=", "oncall/shop?at=", "oncall/shop/shifts?from="):
            answer = await world.ask("GET", f"/api/v1/{path}{text}")
            assert (400, "bad_request") == (answer.status, answer.json()["error"]), path
        assert (await world.ask("GET", f"/?before={text}")).status == 200

    play(tmp_path, score)


def test_a_time_without_an_offset_is_utc(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        await world.alert()
        for before, shown in (("2999-01-01", 1), ("2000-01-01T00:00", 0)):
            answer = await world.ask("GET", f"/api/v1/incidents?before={before}")
            assert shown == len(answer.json()["incidents"])

    play(tmp_path, score)


def test_what_nothing_is_called_is_not_there(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        await world.alert()
        for path in ("/incidents/\0", "/api/v1/incidents/\0", "/evidence/\0", "/a/\0", "/ping/\0"):
            assert (await world.ask("GET", path)).status == 404, path
        for status, code in (("open", 400), ("%00", 400), ("triggered", 200)):
            answer = await world.ask("GET", f"/api/v1/incidents?status=closed&status={status}")
            assert code == answer.status

    play(tmp_path, score)


def test_a_silence_that_is_none_is_refused(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        good = {"matchers": {"probe": "home"}, "for_s": 600}
        for wrong in (
            {"matchers": {"probe": ["~["]}},
            {"matchers": [[]]},
            {"matchers": {"probe": [""], "client": []}, "for_s": 10**400},
            {"for_s": None},
        ):
            answer = await world.ask("POST", "/api/v1/silences", body={**good, **wrong})
            assert 400 == answer.status, wrong
        numbers = {"matchers": {"probe": [1, [2]]}}
        assert 201 == (await world.ask("POST", "/api/v1/silences", body={**good, **numbers})).status

    play(tmp_path, score)


def test_an_origin_that_is_no_url_is_foreign(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        for headers in ({"origin": "http://["}, {"host": "[", "origin": "http://["}, {"host": "["}):
            answer = await world.ask("POST", "/api/v1/automation", body={}, headers=headers)
            assert answer.status == 403, headers

    play(tmp_path, score)


def test_no_get_acts(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        await world.alert()
        name = await world.incident()
        for path in (f"/api/v1/incidents/{name}/ack", "/-/reload", "/api/v1/silences/x/expire"):
            assert (await world.ask("GET", path)).status in (404, 405)
        assert (await world.ask("GET", f"/api/v1/incidents/{name}")).json()["status"] == "triggered"

    play(tmp_path, score)


def test_a_reload_that_changes_who_is_on_call_tells_both(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        swapped = WORKSPACE.replace("people: [ana, bo]", "people: [bo, ana]")
        swapped = swapped.replace(
            'methods: {push: "env:BO"}', 'methods: {chat: "env:NO", push: "env:BO"}'
        )
        (tmp_path / "sentinel.yaml").write_text(swapped)
        world.notifier.answers["env:NO"] = Refused("rejected")
        assert (await world.ask("POST", "/-/reload")).status == 200
        told = {address: message.body for address, message in world.notifier.sent}
        assert sorted(told) == ["env:ANA", "env:BO", "env:NO"]
        assert {text.split(":")[0] for text in told.values()} == {
            "You are on call from now on",
            "You are no longer on call",
        }
        facts = await world.node.journal.view(lambda view: view.read("override/shop"))
        assert [type(record.what).__name__ for record in facts] == ["OnCallChanged"]

    play(tmp_path, score)


def test_the_page_tells_what_matters_and_by_a_link_every_fact(tmp_path: Path) -> None:
    async def score(world: World) -> None:
        await world.alert()
        page = f"/incidents/{await world.incident()}"
        short = (await world.ask("GET", page)).text
        whole = (await world.ask("GET", f"{page}?all=1")).text
        told, facts = (
            text.split("<ol>")[1].split("</ol>")[0].count("<time") for text in (short, whole)
        )
        assert "?all=1&amp;timezone=UTC" in short
        assert told < facts
        assert f"Every fact ({facts})" in short
        assert "Only what matters" in whole

    play(tmp_path, score)


def test_a_playbook_is_run_from_the_page_and_over_the_api(tmp_path: Path) -> None:
    book = """
playbooks:
  look: {when: 'severity < info', steps: [{id: say, note: {text: "looked at"}}]}
"""

    async def score(world: World) -> None:
        await world.alert()
        name = await world.incident()
        form = {"command": "run", "playbook": "look"}
        done = await world.ask("POST", f"/incidents/{name}", form=form)
        assert (303, True) == (done.status, "run" in done.headers["location"])
        again = await world.ask("POST", f"/api/v1/incidents/{name}/run", body={"playbook": "look"})
        assert (200, "running") == (again.status, again.json()["run_status"])
        story = (await world.ask("GET", f"/api/v1/incidents/{name}/story")).text
        assert 2 == story.count("looked at")
        assert "operator asked for playbook look" in story
        refused = await world.ask("POST", f"/api/v1/incidents/{name}/run", body={"playbook": "x"})
        assert (409, "unknown_playbook") == (refused.status, refused.json()["error"])

    play(tmp_path, score, WORKSPACE + book)
