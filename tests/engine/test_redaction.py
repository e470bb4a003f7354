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
from sentinel.monitor.probe import CheckResult
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


@pytest.mark.parametrize("outcome", list(Outcome))
def test_no_results_text_holds_a_secret_whatever_it_came_to(outcome: Outcome):
    result = CheckResult(
        probe="orders",
        location="local",
        due_at=NOON,
        started_at=NOON,
        duration_s=0.1,
        outcome=outcome,
        reason="",
        text="the first row is s3cret-of-the-shop",
        network=False,
        judged=(),
        phases={},
        samples=(),
    )
    assert "the first row is ***" == clean_result(result, Redactor(["s3cret-of-the-shop"])).text
