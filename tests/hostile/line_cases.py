"""What a sick server can do whatever it should speak, and what each kind calls it."""

from collections.abc import Mapping

from tests.hostile.acts import Act, Drip, Hear, Hold, Repeat, Reset, Say, acting
from tests.hostile.suite import Case

NOISE = bytes(range(256)) * 64
WEB = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"

ACTS: Mapping[str, tuple[Act, ...]] = {
    "closes": (),
    "resets": (Reset(),),
    "says nothing": (Hold(),),
    "hears and closes": (Hear(),),
    "hears and resets": (Hear(), Reset()),
    "noise": (Say(NOISE), Hold()),
    "endless noise": (Repeat(NOISE),),
    "endless NUL": (Repeat(b"\0"),),
    "endless line": (Repeat(b"x"),),
    "endless lines": (Repeat(b"hello\r\n"),),
    "one byte at a time": (Drip(b"2" * 9999),),
    "a web server": (Hear(), Say(WEB), Hold()),
    "an SSH server": (Say(b"SSH-2.0-OpenSSH_9.2p1\r\n"), Hold()),
    "a mail server": (Say(b"220 mail.shop.example ESMTP\r\n"), Hold()),
}

_UNLIKE_ANY = dict.fromkeys(
    ("noise", "endless noise", "endless NUL", "endless line", "endless lines"), "protocol_error"
)
_ASKS = {
    "closes": "reset empty_reply",
    "resets": "reset",
    "says nothing": "timeout",
    "hears and closes": "empty_reply reset",
    "hears and resets": "reset",
    **_UNLIKE_ANY,
    "one byte at a time": "timeout",
    "a web server": "timeout",
    "an SSH server": "timeout",
    "a mail server": "timeout",
}
"""A kind that speaks first."""
_LISTENS = {
    **_ASKS,
    "closes": "empty_reply",
    "hears and closes": "timeout",
    "hears and resets": "timeout",
}
"""A kind that waits for a greeting."""
_TCP = {**_LISTENS, "noise": "timeout"}
_TOO_MUCH = ("endless noise", "endless NUL", "endless line", "endless lines")
_STRANGERS = ("one byte at a time", "a web server", "an SSH server", "a mail server")
_OTHERS = dict.fromkeys(_STRANGERS, "protocol_error")
_NO_TLS = dict.fromkeys((*_UNLIKE_ANY, *_STRANGERS), "tls_failed")
_SSH = {**_ASKS, "noise": "timeout"}

REASONS: Mapping[str, Mapping[str, str]] = {
    "http": {**_ASKS, **_OTHERS, "a web server": ""},
    "http own lane": {**_ASKS, **_OTHERS, "a web server": ""},
    "http2": {
        **_ASKS,
        "one byte at a time": "protocol_error",
        "hears and closes": "protocol_error reset empty_reply",
    },
    "grpc": {
        **_ASKS,
        "one byte at a time": "protocol_error",
        "hears and closes": "protocol_error reset empty_reply",
    },
    "tcp": {**_TCP, **dict.fromkeys((*_TOO_MUCH, "closes"), "unexpected_line")},
    "tcp bytes": {**_TCP, **dict.fromkeys((*_TOO_MUCH, "closes"), "unexpected_bytes")},
    "dns": _ASKS,
    "websocket": {
        **_ASKS,
        **dict.fromkeys(_TOO_MUCH, "headers_too_large"),
        "noise": "timeout",
        "a web server": "upgrade_refused",
    },
    "redis": {**_ASKS, **_OTHERS, "one byte at a time": "timeout"},
    "smtp": {**_LISTENS, "an SSH server": "protocol_error"},
    "imap": {**_LISTENS, "an SSH server": "protocol_error", "a mail server": "protocol_error"},
    "mqtt": _ASKS,
    "ssh": _SSH,
    "sftp": _SSH,
    "ftp": {
        **_LISTENS,
        "closes": "protocol_error",
        "endless NUL": "headers_too_large protocol_error",
        "endless line": "headers_too_large",
        "endless lines": "body_too_large",
    },
    "sql postgresql": {
        **_ASKS,
        **_NO_TLS,
        "an SSH server": "timeout",  # its first letter says that it will go on over TLS
    },
    "sql mysql": {**_LISTENS, "closes": "reset", **_OTHERS, "a web server": "timeout"},
    "tls": {**_ASKS, **_NO_TLS, "hears and closes": "tls_failed", "closes": "reset tls_failed"},
}


def cases_of(way: str) -> tuple[Case, ...]:
    """Every sickness with the reasons that this kind has for it."""
    return tuple(
        Case(sickness, acting(*acts), frozenset(REASONS[way][sickness].split() or [""]))
        for sickness, acts in ACTS.items()
    )
