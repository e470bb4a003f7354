"""One request: sent as written, its answer told, and what is not known said to be unknown."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from sentinel.actions.http import Basic, Effect, Http, extended, retry_after_s
from sentinel.kinds import Done, Failed, Outcomes, Unsure
from sentinel.playbook.context import render
from sentinel.playbook.decision import Found
from sentinel.playbook.playbook import Reference, Step
from sentinel.words import Secret
from tests.actions.conftest import NOW, Kept, Server, a_server, a_world, answer

OUTSIDE: Any = Reference(expression=None)  # type: ignore[arg-type]


def acted(
    folder: Path,
    http: Http,
    given: bytes | None,
    inputs: dict[str, Any] | None = None,
    timeout_s: float = 5.0,
    key: str = "run-1/switch/1",
) -> tuple[Outcomes, Server, Kept]:
    async def main() -> tuple[Outcomes, Server, Kept]:
        async with a_server(given) as server, a_world(folder, timeout_s=timeout_s, key=key) as pair:
            world, kept = pair
            asked = replace(http, url=server.url + http.url)
            return await asked.act(inputs or {}, world), server, kept

    return asyncio.run(main())


def test_an_answer_is_given_to_later_steps(tmp_path: Path) -> None:
    given = answer("200 OK", '{"ratio": 0.61}', "X-Node: a")
    outcome, _, kept = acted(tmp_path, Http(url="/ratio"), given)
    assert isinstance(outcome, Done)
    assert outcome.values["json"] == {"ratio": 0.61}
    assert outcome.values["status"] == 200
    assert outcome.values["headers"]["x-node"] == "a"
    assert b'{"ratio": 0.61}' in kept.evidence[0][1]


def test_a_write_carries_its_key_and_a_read_does_not(tmp_path: Path) -> None:
    given = answer("204 No Content")
    _, wrote, _ = acted(tmp_path, Http(url="/", method="POST"), given)
    _, read, _ = acted(tmp_path, Http(url="/"), given)
    assert "Idempotency-Key: run-1/switch/1\r\n" in wrote.requests[0]
    assert "idempotency-key" not in read.requests[0].lower()


def test_a_key_that_is_no_header_is_sent_by_its_hash(tmp_path: Path) -> None:
    http = Http(url="/", method="POST")
    _, server, _ = acted(tmp_path, http, answer("200 OK"), key="run\r\nX-Evil: 1")
    assert "X-Evil" not in server.requests[0]
    assert "Idempotency-Key: " in server.requests[0]


def test_what_writes_is_told_by_the_method() -> None:
    assert (
        Http.WRITES,
        Http(url="http://a").WRITES,
        Http(url="http://a", method="PUT").WRITES,
    ) == (
        False,
        False,
        True,
    )


def test_values_from_outside_stay_values(tmp_path: Path) -> None:
    http = Http(url="/api", path=(OUTSIDE, "weight"), query={"q": OUTSIDE}, method="PUT")
    inputs = {"path": ("a/../b?x=1#y", "weight"), "query": {"q": "1&admin=1"}}
    outcome, server, _ = acted(tmp_path, http, answer("200 OK"), inputs)
    assert isinstance(outcome, Done)
    first = server.requests[0].split("\r\n")[0]
    assert first == "PUT /api/a%2F..%2Fb%3Fx%3D1%23y/weight?q=1%26admin%3D1 HTTP/1.1"


@pytest.mark.parametrize(
    "inputs",
    [
        {"path": ("..",)},
        {"path": ("", "x")},
        {"query": {"q": {"a": 1}}},
        {"query": {"q": "x" * 9000}},
        {"headers": {"X-Vendor": "a\r\nX-Evil: 1"}},
    ],
)
def test_values_that_could_be_more_than_values_are_refused_unsent(
    tmp_path: Path, inputs: dict[str, Any]
) -> None:
    outcome, server, _ = acted(tmp_path, Http(url="/"), answer("200 OK"), inputs)
    assert isinstance(outcome, Failed)
    assert outcome.reason == "invalid_input"
    assert server.requests == []


def test_secrets_are_revealed_on_the_wire_only(tmp_path: Path) -> None:
    http = Http(
        url="/",
        secret_headers={"X-Api-Key": Secret("env:TOKEN")},
        basic=Basic("ana", Secret("env:TOKEN")),
    )
    _, server, kept = acted(tmp_path, http, answer("200 OK"))
    assert "X-Api-Key: t0psecret" in server.requests[0]
    assert "Authorization: Basic YW5hOnQwcHNlY3JldA==" in server.requests[0]
    assert b"t0psecret" not in kept.evidence[0][1]
    assert b"YW5h" not in kept.evidence[0][1]


def test_a_value_from_outside_never_reveals_a_secret(tmp_path: Path) -> None:
    http = Http(url="/", headers={"X-Vendor": OUTSIDE}, query={"q": OUTSIDE})
    inputs = {"headers": {"X-Vendor": "env:TOKEN"}, "query": {"q": "{env:TOKEN}"}}
    _, server, _ = acted(tmp_path, http, answer("200 OK"), inputs)
    assert "X-Vendor: env:TOKEN" in server.requests[0]
    assert "t0psecret" not in server.requests[0]


@pytest.mark.parametrize(("method", "follows"), [("GET", True), ("POST", False)])
def test_only_what_does_not_write_follows_redirects(
    tmp_path: Path, method: Any, follows: bool
) -> None:
    given = answer("302 Found", "", "Location: /elsewhere")
    _, server, _ = acted(tmp_path, Http(url="/", method=method), given)
    assert (len(server.requests) > 1) is follows


@pytest.mark.parametrize(
    ("status", "retryable"),
    [("404 Not Found", False), ("429 Too Many Requests", True), ("503 Unavailable", True)],
)
def test_a_refusal_says_whether_another_attempt_may_help(
    tmp_path: Path, status: str, retryable: bool
) -> None:
    given = answer(status, "", "Retry-After: 7")
    outcome, _, _ = acted(tmp_path, Http(url="/", method="POST"), given)
    assert isinstance(outcome, Failed)
    assert (outcome.reason, outcome.retryable) == ("unexpected_status", retryable)
    assert outcome.retry_after_s == 7.0


def test_expected_statuses_replace_2xx(tmp_path: Path) -> None:
    http = Http(url="/", expect_status=(409,))
    assert isinstance(acted(tmp_path, http, answer("409 Conflict"))[0], Done)
    assert isinstance(acted(tmp_path, http, answer("200 OK"))[0], Failed)


@pytest.mark.parametrize("given", [b"", None, answer("504 Gateway Timeout")])
def test_a_write_whose_answer_was_lost_is_unsure(tmp_path: Path, given: bytes | None) -> None:
    http = Http(url="/", method="POST")
    assert isinstance(acted(tmp_path, http, given, timeout_s=0.3)[0], Unsure)


@pytest.mark.parametrize("given", [b"", None])
def test_a_read_whose_answer_was_lost_may_be_tried_again(
    tmp_path: Path, given: bytes | None
) -> None:
    outcome, _, _ = acted(tmp_path, Http(url="/"), given, timeout_s=0.3)
    assert isinstance(outcome, Failed)
    assert outcome.retryable


def test_nobody_listening_is_a_certain_failure_also_for_a_write(tmp_path: Path) -> None:
    async def main() -> Outcomes:
        async with a_world(tmp_path) as (world, _):
            return await Http(url="http://127.0.0.1:1/", method="POST").act({}, world)

    outcome = asyncio.run(main())
    assert isinstance(outcome, Failed)
    assert (outcome.reason, outcome.retryable) == ("connect_refused", True)


@pytest.mark.parametrize(
    ("status", "kind"),
    [("200 OK", "done"), ("404 Not Found", "not_done"), ("500 Oops", "unknown")],
)
def test_an_effect_is_looked_up(tmp_path: Path, status: str, kind: str) -> None:
    async def main() -> tuple[Found, Server]:
        async with a_server(answer(status)) as server, a_world(tmp_path) as (world, _):
            effect = Effect(f"{server.url}/routes/acmepay")
            http = Http(url=server.url, method="POST", json={"weight": 0}, effect=effect)
            return await http.look_up({}, world), server

    found, server = asyncio.run(main())
    assert found.kind == kind
    assert server.requests[0].startswith("GET /routes/acmepay ")


def test_without_a_way_to_look_nothing_is_looked_up() -> None:
    assert not hasattr(Http(url="http://127.0.0.1:1/", method="POST"), "look_up")


def test_json_and_forms_are_encoded(tmp_path: Path) -> None:
    given = answer("200 OK")
    _, sent, _ = acted(tmp_path, Http(url="/", method="PUT", json={"weight": 0}), given)
    _, filled, _ = acted(tmp_path, Http(url="/", method="POST", form={"a b": "c&d"}), given)
    assert json.loads(sent.requests[0].split("\r\n\r\n")[1]) == {"weight": 0}
    assert filled.requests[0].endswith("\r\n\r\na+b=c%26d")


def test_outputs_stay_within_64_kib(tmp_path: Path) -> None:
    body = json.dumps({"x": "y" * 200_000})
    outcome, _, _ = acted(tmp_path, Http(url="/"), answer("200 OK", body))
    assert isinstance(outcome, Done)
    assert outcome.values["json"] is None
    assert len(json.dumps(outcome.values)) <= 64 * 1024


def test_inputs_come_as_a_playbook_renders_them(tmp_path: Path) -> None:
    """Nested keys as mappings, lists for tuples, secrets still sealed."""
    http = Http(
        url="/api",
        path=("a", "b"),
        method="PUT",
        json={"weight": 0},
        basic=Basic("ana", Secret("env:TOKEN")),
        expect_status=(201,),
        effect=Effect("http://127.0.0.1:1/"),
    )

    async def main() -> tuple[Outcomes, Server, Found]:
        given = answer("201 Created")
        async with a_server(given) as server, a_world(tmp_path) as (world, _):
            asked = replace(http, url=server.url + http.url)
            inputs = render(Step("switch", asked), {})
            return await asked.act(inputs, world), server, await asked.look_up(inputs, world)

    outcome, server, found = asyncio.run(main())
    assert isinstance(outcome, Done)
    assert server.requests[0].startswith("PUT /api/a/b ")
    assert "Authorization: Basic YW5hOnQwcHNlY3JldA==" in server.requests[0]
    assert found.kind == "unknown"


def test_two_bodies_are_refused_at_load() -> None:
    with pytest.raises(ValueError, match="only one of"):
        Http(url="http://a", json={}, form={"a": "b"})


def test_a_url_from_outside_is_refused_at_load() -> None:
    with pytest.raises(ValueError, match="written out"):
        Http(url=OUTSIDE)


def test_a_trailing_empty_piece_makes_a_trailing_slash() -> None:
    assert extended("http://a/b?x=1", ("c", ""), {"y": "ä"}) == "http://a/b/c/?x=1&y=%C3%A4"


def test_retry_after_is_seconds_or_a_date() -> None:
    later = format_datetime(NOW + timedelta(seconds=90), usegmt=True)
    said = [retry_after_s(text, NOW) for text in ("30", later, "soon", "", "9" * 6000)]
    assert said == [30.0, 90.0, None, None, 86400.0]


@pytest.mark.parametrize(
    "text", ["²", "-1", "Mon, 01 Jan 99999999999999999999 00:00:00 GMT", f"{'9' * 30} Jan 2026"]
)
def test_a_retry_after_that_no_clock_has_is_none(text: str) -> None:
    assert retry_after_s(text, NOW) is None
