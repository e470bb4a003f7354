"""Cookies that a redirect sets for the hops behind it, as libcurl's lines, where they are simple.

libcurl decides which cookie goes where; this only tells it of one that it has not seen come. So
nothing is judged here: a cookie with a domain, an age, a special name or any other attribute on
which a judgement hangs is not simple, and libcurl must see it come itself.
"""

import re
from urllib.parse import urlsplit

_SET = re.compile(rb"(?i)\r\nset-cookie:([^\r\n]*)")
_PAIR = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,200})=([!-:<-~]{0,3000})")
_PATH = re.compile(rb"/[!-:<-~]*")
_HARMLESS = (b"samesite", b"httponly")
_SPECIAL = (b"__host-", b"__secure-")
MOST = 20
"""Cookies that one answer sets; more are not simple."""


def set_by(head: bytes, url: str) -> list[bytes] | None:
    """The cookies that a response head sets, in Netscape's format; None when one is not simple."""
    values = _SET.findall(head)
    if len(values) > MOST:
        return None
    asked = urlsplit(url)
    host, path = (asked.hostname or "").encode(), (asked.path or "/").encode()
    lines = [_line(value, host, path) for value in values]
    return [line for line in lines if line is not None] if None not in lines else None


def _line(value: bytes, host: bytes, path: bytes) -> bytes | None:
    first, *attributes = (part.strip() for part in value.split(b";"))
    pair = _PAIR.fullmatch(first)
    if pair is None or pair[1].lower().startswith(_SPECIAL):
        return None
    scope = path[: path.rindex(b"/")] or b"/"  # RFC 6265, 5.1.4
    for attribute in attributes:
        name, _, said = (part.strip() for part in attribute.partition(b"="))
        if name.lower() == b"path" and _PATH.fullmatch(said):
            scope = said
        elif name and name.lower() not in _HARMLESS:
            return None
    return b"\t".join([host, b"FALSE", scope, b"FALSE", b"0", pair[1], pair[2]])
