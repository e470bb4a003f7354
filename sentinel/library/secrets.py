"""Secrets that stand in a document as they are, where a reference belongs.

Found are literal passwords in the user part of a URL, tokens of messengers' URLs, and plain text
under a key that says it is secret. Nothing of the literal is ever repeated in a message.
"""

import re

_REFERENCE = re.compile(r"(env:[A-Za-z_][A-Za-z0-9_]*|file:[^{}]+)\Z")
_INSIDE = re.compile(r"\{(env:[A-Za-z_][A-Za-z0-9_]*|file:[^{}]+)\}")
_URL = re.compile(r"([a-z][a-z0-9+.-]*)://([^/?#]*)", re.IGNORECASE)
_TELLING = re.compile(
    r"(password|passwd|secret|token|api[-_]?key|authorization|credential|cookie)", re.IGNORECASE
)
TOKENLESS = frozenset(
    {"http", "https", "mailto", "mailtos", "json", "jsons", "xml", "xmls", "form", "forms"}
    | {"file", "syslog", "mqtt", "mqtts", "ntfy", "ntfys", "dbus", "ftp", "ftps", "sftp", "rsync"}
    | {"socks4", "socks4a", "socks5", "socks5h"}
)
"""Schemes whose URL names a place and holds no token of its own."""


def is_reference(text: str) -> bool:
    """Whether the whole text is ``env:NAME`` or ``file:PATH``."""
    return _REFERENCE.match(text) is not None


def literal_secret(text: str) -> str:
    """What is secret in a text that may hold secrets, in words; empty when nothing is."""
    if is_reference(text):
        return ""
    url = _URL.match(text)
    if url is None:
        return "" if _INSIDE.search(text) else "a secret stands here as it is"
    if _has_password(url.group(2)):
        return "the password of this URL stands here as it is"
    if url.group(1).lower() not in TOKENLESS and not _INSIDE.search(text):
        return f"the token of this {url.group(1)} URL stands here as it is"
    return ""


def tells(key: str) -> bool:
    """Whether a key says of itself that it is secret."""
    return _TELLING.search(key) is not None


def literal_under(key: str, text: str) -> str:
    """What is secret in a text that stands under a key, where any text may stand."""
    url = _URL.match(text)
    if url is not None:
        return (
            "the password of this URL stands here as it is" if _has_password(url.group(2)) else ""
        )
    if (
        tells(key)
        and text
        and not (is_reference(text) or _INSIDE.search(text) or text.startswith("${"))
    ):
        return f"what `{key}` holds stands here as it is"
    return ""


def _has_password(authority: str) -> bool:
    user, sign, _ = authority.rpartition("@")
    _, colon, password = _INSIDE.sub("", user).partition(":")
    return bool(sign and colon and password and not is_reference(password))
