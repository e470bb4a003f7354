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

TOO_MUCH = "protocol_error body_too_large"

REASONS: Mapping[str, Mapping[str, str]] = {}


def cases_of(way: str) -> tuple[Case, ...]:
    """Every sickness with the reasons that this kind has for it."""
    return tuple(
        Case(sickness, acting(*acts), frozenset(REASONS.get(way, {}).get(sickness, "?").split()))
        for sickness, acts in ACTS.items()
    )
