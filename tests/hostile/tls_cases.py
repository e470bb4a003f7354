"""What a sick server can do at each step of TLS, and what each kind calls it."""

from collections.abc import Mapping

from tests.hostile.acts import Drip, Hear, Hold, Repeat, Reset, Say, acting
from tests.hostile.handshakes import (
    APPLICATION,
    CERTIFICATE,
    HANDSHAKE,
    HELLO_DONE,
    SERVER_HELLO,
    after,
    after_finished,
    alert,
    encrypted,
    old_only,
    record,
    server_with_tickets,
)
from tests.hostile.suite import Case
from tests.transport import certificates
from tests.transport.servers import Script

HEARD = Hear()
HUGE = bytes([11, 0xFF, 0xFF, 0xFF])
"""A certificate message of 16 MB begins like this."""

SCRIPTS: Mapping[str, Script] = {
    "closed after ClientHello": acting(HEARD),
    "reset after ClientHello": acting(HEARD, Reset()),
    "silent after ClientHello": acting(HEARD, Hold()),
    "alert after ClientHello": acting(HEARD, Say(alert(40)), Hold()),
    "alert of no known number": acting(HEARD, Say(alert(213)), Hold()),
    "goodbye after ClientHello": acting(HEARD, Say(alert(0, level=1)), Hold()),
    "warnings for ever": acting(HEARD, Repeat(alert(112, level=1))),
    "plain text": acting(HEARD, Say(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Hold()),
    "records of nothing for ever": acting(HEARD, Repeat(record(HANDSHAKE, b""))),
    "a record of no known kind": acting(HEARD, Say(record(99, b"hello")), Hold()),
    "a record beyond its limit": acting(HEARD, Say(b"\x16\x03\x03\xff\xff"), Repeat(b"\0")),
    "data before the handshake": acting(HEARD, Say(record(APPLICATION, b"hello")), Hold()),
    "HelloRequest for ever": acting(HEARD, Repeat(record(HANDSHAKE, bytes(4)))),
    "one byte at a time": acting(HEARD, Drip(record(HANDSHAKE, bytes(9999)))),
    "alert after ServerHello": after(SERVER_HELLO, Say(alert(80)), Hold()),
    "reset after ServerHello": after(SERVER_HELLO, Reset()),
    "silent after ServerHello": after(SERVER_HELLO, Hold()),
    "noise after ServerHello": after(SERVER_HELLO, Say(record(HANDSHAKE, b"\xff" * 99)), Hold()),
    "a certificate of 16 MB": after(
        SERVER_HELLO, Say(record(HANDSHAKE, HUGE)), Repeat(record(HANDSHAKE, bytes(16_000)))
    ),
    "alert after Certificate": after(CERTIFICATE, Say(alert(80)), Hold()),
    "reset after Certificate": after(CERTIFICATE, Reset()),
    "alert after ServerHelloDone": after(HELLO_DONE, Say(alert(51)), Hold()),
    "reset after ServerHelloDone": after(HELLO_DONE, Hear(), Reset()),
    "silent after ServerHelloDone": after(HELLO_DONE, Hold()),
    "alert in the clear after Finished": after_finished(Say(alert(80)), Hold()),
    "reset after Finished": after_finished(Reset()),
    "closed after Finished": after_finished(),
    "a wrong authentication code": after_finished(Hold(), corrupt=b"HTTP/1.1 200 OK\r\n\r\n"),
    "wants a certificate of ours": encrypted(certificates.server_that_asks, Hold()),
    "session tickets without number": encrypted(server_with_tickets, Hold()),
    "speaks TLS 1.0 only": encrypted(old_only, Hold()),
    "a certificate of another name": encrypted(lambda: certificates.server("other"), Hold()),
    "a certificate that has expired": encrypted(lambda: certificates.server("expired"), Hold()),
    "a certificate of its own": encrypted(lambda: certificates.server("own"), Hold()),
    "one of its own for another name": encrypted(lambda: certificates.server("self"), Hold()),
}

REASONS: Mapping[str, str] = {
    "closed after ClientHello": "tls_failed",
    "reset after ClientHello": "reset",
    "silent after ClientHello": "timeout",
    "alert after ClientHello": "tls_failed",
    "alert of no known number": "tls_failed",
    "goodbye after ClientHello": "tls_failed",
    "warnings for ever": "tls_failed",
    "plain text": "tls_failed",
    "records of nothing for ever": "tls_failed",
    "a record of no known kind": "tls_failed",
    "a record beyond its limit": "tls_failed",
    "data before the handshake": "tls_failed",
    "HelloRequest for ever": "tls_failed",
    "one byte at a time": "timeout",
    "alert after ServerHello": "tls_failed",
    "reset after ServerHello": "reset",
    "silent after ServerHello": "timeout",
    "noise after ServerHello": "tls_failed",
    "a certificate of 16 MB": "tls_failed",
    "alert after Certificate": "tls_failed",
    "reset after Certificate": "reset",
    "alert after ServerHelloDone": "tls_failed",
    "reset after ServerHelloDone": "reset",
    "silent after ServerHelloDone": "timeout",
    "alert in the clear after Finished": "tls_failed",
    "reset after Finished": "reset",
    "closed after Finished": "empty_reply",
    "a wrong authentication code": "tls_failed",
    "wants a certificate of ours": "empty_reply",
    "session tickets without number": "timeout",
    "speaks TLS 1.0 only": "tls_failed",
    "a certificate of another name": "certificate_name",
    "a certificate that has expired": "certificate_expired",
    "a certificate of its own": "certificate_untrusted",
    "one of its own for another name": "certificate_name",
}
"""What most kinds say."""

_FINISHED = (
    "alert in the clear after Finished",
    "reset after Finished",
    "closed after Finished",
    "a wrong authentication code",
    "wants a certificate of ours",
    "session tickets without number",
)
_LIBCURL = {
    **dict.fromkeys(_FINISHED, "reset"),
    "session tickets without number": "tls_failed",
}
"""To libcurl whatever breaks a connection that was secured is a failure to send or receive."""

_OTHERWISE: Mapping[str, Mapping[str, str]] = {
    **dict.fromkeys(("http", "http2", "journey", "grpc"), _LIBCURL),
    "ftp": {
        **_LIBCURL,
        "HelloRequest for ever": "reset",
        "session tickets without number": "reset",
    },
    "http own lane": {
        "alert in the clear after Finished": "timeout tls_failed",
        "a wrong authentication code": "timeout tls_failed",
    },
    "dns": {"one of its own for another name": "certificate_untrusted"},  # asked for localhost
    "tcp": {
        "closed after Finished": "unexpected_line",
        "wants a certificate of ours": "unexpected_line",
    },
    "tls": {  # the handshake is all that it wants
        **dict.fromkeys(_FINISHED, ""),
        "a certificate of its own": "self_signed",
    },
}


def cases_of(way: str) -> tuple[Case, ...]:
    """Every sickness with the reasons that this kind has for it."""
    words = {**REASONS, **_OTHERWISE.get(way, {})}
    return tuple(
        Case(sickness, script, frozenset(words[sickness].split() or [""]))
        for sickness, script in SCRIPTS.items()
    )
