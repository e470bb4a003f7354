"""What may not be stored is taken out, and what explains a failure stays."""

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.engine.redaction import Redactor, clean_result, secret_values
from sentinel.errors import SecretMissing
from sentinel.monitor.probe import CheckResult, Sample
from sentinel.words import Outcome, Secret

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
PASSWORD = 'h"unter/2 + two'
plain = Redactor()
knowing = Redactor([PASSWORD])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Authorization: Basic dXNlcjpwdw==", "Authorization: ***"),
        ("x: 1\r\nCookie: sid=abc; b=2\r\ny: 2", "x: 1\r\nCookie: ***\ny: 2"),
        (
            "Set-Cookie: sid=abc123; Path=/; HttpOnly",
            "Set-Cookie: sid=***; Path=/; HttpOnly",
        ),
        ("X-Api-Key: 12345", "X-Api-Key: ***"),
        ("GET /a?q=mug&access_token=abc.def&x=1", "GET /a?q=mug&access_token=***&x=1"),
        ("user=ana&password=hunter2&next=/", "user=ana&password=***&next=/"),
        ('{"api_key": "abc", "items": 3}', '{"api_key": "***", "items": 3}'),
        ("redis://app:pa55@cache:6379/0", "redis://app:***@cache:6379/0"),
        ("sent Bearer abcdefgh12345", "sent Bearer ***"),
        ("t=eyJhbGciOi.eyJzdWIiOiIx.c2ln", "t=***token***"),
        ("mail ana.silva+x@acme.example now", "mail ***email*** now"),
        ("card 4111 1111 1111 1111.", "card ***card***."),
        ("card 4111-1111-1111-1111", "card ***card***"),
        ('{"token": "cut in the mid', '{"token": "***"'),
        ("redis://app:pa5…", "redis://app:***…"),
        ("`redis://app:pa5…` is no address", "`redis://app:***…` is no address"),
        ("t=eyJhbGciOi.eyJzdWIi…", "t=***token***…"),
        ("mail ana.silva@acm…", "mail ***email***…"),
        ("card 4111 1111 11…", "card ***card***…"),
    ],
)
def test_what_may_not_be_stored_is_taken_out(text: str, expected: str):
    assert expected.replace("\r", "") == plain.text(text).replace("\r", "")


@pytest.mark.parametrize(
    "text",
    [
        "HTTP/1.1 503 Service Unavailable\r\nServer: nginx\r\nRetry-After: 30",
        "order 4111 1111 1111 1112 of 2026-03-02",
        "0000000000000000",
        "status == 200 does not hold: status = 503",
        "monkey=1&keyboard=qwerty",
        "took 0.1234567890123456 s",
        "http://shop.acme.example:8080/search?q=mug",
        "redirected to http://shop.acme.example:8080…",
        "sha256 00a4111111111111111fc0d1e2b3a4958677",
    ],
)
def test_what_explains_a_failure_stays(text: str):
    assert text == plain.text(text)


@given(st.text(max_size=30), st.text(max_size=30))
def test_a_secret_is_found_in_every_form_it_travels_in(before: str, later: str):
    forms = [
        PASSWORD,
        quote(PASSWORD, safe=""),
        json.dumps(PASSWORD)[1:-1],
    ]
    for form in forms:
        assert form not in knowing.text(f"{before} {form} {later}")
    encoded = base64.b64encode(f"{before}{PASSWORD}{later}".encode()).decode()
    left = knowing.text(encoded)
    for start in range(3):
        alone = base64.b64encode(b"x" * start + PASSWORD.encode())[4:-4].decode()
        assert alone not in left


SAID = "the server, which has a good deal to say about those who come to it, says: "


@pytest.mark.parametrize("kept", range(4, len(PASSWORD)))
def test_a_secret_that_was_cut_in_two_is_a_secret_still(kept: int):
    begun = PASSWORD[:kept]

    assert f"{SAID}***" == knowing.text(SAID + begun)
    assert f"{SAID}***" == knowing.text(f"{SAID}{begun}\ufffd").rstrip("\ufffd")
    assert '"***…" is no greeting' == knowing.text(f'"{begun}…" is no greeting')


def test_a_short_text_that_was_not_cut_may_begin_like_a_secret():
    assert "monitor" == Redactor(["monitor-of-acme"]).text("monitor")
    assert "monitor… and more" != Redactor(["monitor-of-acme"]).text("monitor… and more")


def test_secrets_echoed_in_a_page_are_found_as_html_has_them():
    redactor = Redactor(["a&b<c>'d\""])

    assert "*** ***" == redactor.text("a&amp;b&lt;c&gt;&#x27;d&quot; a&amp;b&lt;c&gt;'d\"")


def test_bytes_that_are_no_text_keep_no_secret():
    redactor = Redactor(["grüße-an-alle", "an ascii one"])
    content = b"\0\xff" + "grüße-an-alle".encode() + b"\xfe an ascii one \0"

    assert b"\0\xff***\xfe *** \0" == redactor.content(content)


def test_who_wants_to_know_is_told_when_there_is_more_to_take_out():
    redactor, told = Redactor(["first one"]), list[str]()
    redactor.when_learnt(lambda: told.append(redactor.text("second one")))
    redactor.know(["first one"])
    redactor.know(["second one"])

    assert ["***"] == told


def test_values_that_later_steps_act_on_lose_secrets_only():
    said = {"to": "ana@acme.example", "token": 7, "echo": [{PASSWORD: f"it was {PASSWORD}"}]}

    cleaned = {"to": "ana@acme.example", "token": 7, "echo": [{"***": "it was ***"}]}
    assert cleaned == knowing.known(said)


def test_the_names_of_measurements_hold_no_secret_either():
    samples = (Sample("timing.total_s", 1.0, "s"), Sample(PASSWORD, 2.0), Sample(PASSWORD, 3.0))
    cleaned = clean_result(a_result(samples=samples), knowing)

    assert (Sample("timing.total_s", 1.0, "s"), Sample("***", 2.0)) == cleaned.samples


def test_a_very_short_secret_does_not_blank_every_page():
    assert Redactor(["a"]).text("a page") == "a page"


def test_a_secret_learnt_later_is_taken_out_from_then_on():
    redactor = Redactor(["first one"])
    before = redactor.short("first one, second one")
    redactor.know(["second one"])
    assert [before, redactor.short("first one, second one")] == ["***, second one", "***, ***"]


def test_values_are_taken_out_at_any_depth_and_by_name():
    seen = {"token": 7, "headers": [{"Cookie": ["a=b"]}], "note": f"it was {PASSWORD}", "n": 3}
    cleaned = {
        "token": "***",
        "headers": [{"Cookie": "***"}],
        "note": "it was ***",
        "n": 3,
    }
    assert cleaned == knowing.value(seen)


@dataclass(frozen=True, slots=True)
class Login:
    url: Secret
    headers: dict[str, Secret]


class Environment:
    def reveal(self, secret: Secret) -> str:
        known = {"env:PW": "hunter2\n", "file:/run/key": "k-123456"}
        if secret.template not in known:
            raise SecretMissing(secret.template)
        return known[secret.template]


def test_the_secrets_of_documents_are_found_wherever_they_are_referred_to():
    login = Login(
        Secret("https://app:{env:PW}@shop.example"),
        {"X-Key": Secret("file:/run/key"), "X-Other": Secret("env:GONE")},
    )
    assert frozenset({"hunter2", "k-123456"}) == secret_values([{"a": (login,)}], Environment())


def test_the_secrets_inside_a_plain_url_are_secrets_too():
    documents = [("https://shop.example/hook/{env:PW}", "env:PW", "see {env:GONE}")]

    assert frozenset({"hunter2"}) == secret_values(documents, Environment())


def a_result(
    outcome: Outcome = Outcome.ok, text: str = "", samples: tuple[Sample, ...] = ()
) -> CheckResult:
    return CheckResult(
        probe="orders",
        location="local",
        due_at=NOON,
        started_at=NOON,
        duration_s=0.1,
        outcome=outcome,
        reason="",
        text=text,
        network=False,
        judged=(),
        phases={},
        samples=samples,
    )


@pytest.mark.parametrize("outcome", list(Outcome))
def test_no_results_text_holds_a_secret_whatever_it_came_to(outcome: Outcome):
    result = a_result(outcome, "the first row is s3cret-of-the-shop")
    assert "the first row is ***" == clean_result(result, Redactor(["s3cret-of-the-shop"])).text
