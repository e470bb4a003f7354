"""What Apprise says becomes a stable reason; what is sent begins with link and code."""

import logging

import pytest

from sentinel.notifiers.wire.frames import Letter, Reply
from sentinel.notifiers.wire.send import conclude, fit, mask

SHORT = "Shop down. K7QM https://sentinel.example/a/tok"


def letter(body: str = "long story") -> Letter:
    return Letter("json://h.example", "Shop down", SHORT, body)


@pytest.mark.parametrize(
    ("said", "status", "reason"),
    [
        ("Failed to send JSON POST notification: Found, error=302.", "refused", "redirected"),
        ("Unauthorized, error=401.", "refused", "login"),
        ("Too Many Requests, error=429.", "refused", "throttled"),
        ("Not Found, error=404.", "refused", "rejected"),
        ("Internal Server Error, error=500.", "refused", "vendor_error"),
        ("Gateway Timeout, error=504.", "uncertain", "answer_lost"),
        ("Socket Exception: [Errno 111] Connection refused", "refused", "unreachable"),
        ("Socket Exception: NameResolutionError(...)", "refused", "unreachable"),
        ("Socket Exception: ConnectTimeoutError: timed out", "refused", "unreachable"),
        ("Socket Exception: Read timed out. (read timeout=4.0)", "uncertain", "answer_lost"),
        ("Socket Exception: Connection unexpectedly closed", "uncertain", "answer_lost"),
        ("Socket Exception: [SSL: CERTIFICATE_VERIFY_FAILED]", "refused", "tls"),
        ("Socket Exception: (535, b'bad login')", "refused", "login"),
        ("Socket Exception: (550, b'no such user')", "refused", "rejected"),
        ("There was nothing to say", "refused", "not_sent"),
    ],
)
def test_log_lines_become_a_reason(said: str, status: str, reason: str) -> None:
    reply = conclude(False, [(logging.DEBUG, said)], "json://h.example")
    assert Reply(status, reason) == reply


def test_only_what_is_said_aloud_is_told() -> None:
    lines = [(logging.DEBUG, "payload hunter2"), (logging.WARNING, "Failed, error=500.")]
    assert conclude(False, lines, "json://h.example").text == "Failed, error=500."


def test_credentials_are_masked_in_every_form() -> None:
    url = "json://us%40er:pa%2Fss@h.example/path-token?+X-Tok=he%20ader&to=ana@acme.example"
    text = "us@er pa/ss pa%2Fss path-token he ader ana@acme.example h.example"
    assert mask(text, url) == "*** *** *** *** *** *** h.example"


def test_a_host_that_is_a_token_is_masked() -> None:
    assert mask("T1JJ3T3L2 gone", "slack://T1JJ3T3L2/A1/B1") == "*** gone"


def test_a_text_message_is_the_short_text_alone() -> None:
    assert fit(letter(), 0, len(SHORT)) == ("", SHORT)


def test_a_long_body_is_cut_at_its_end() -> None:
    title, body = fit(letter("x" * 500), 250, 200)
    assert title == "Shop down"
    assert body.startswith(f"{SHORT}\n\nxxx")
    assert body.endswith("…")
    assert len(title) + len(body) <= 200


def test_a_service_without_titles_gets_the_link_first() -> None:
    assert ("", f"{SHORT}\n\nlong story") == fit(letter(), 0, 4096)
