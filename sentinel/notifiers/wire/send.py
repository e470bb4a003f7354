"""One message over one URL, and what came of it in words that are safe to keep.

Apprise gives a yes or no and log lines; there is no status and no exception. The lines at
warning level say what failed, those at debug level why the socket failed; both are read here,
only the former are given on, and every part of the URL that may be a credential is masked in
them (Apprise's own masked URL shows custom headers in clear).
"""

import logging
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import apprise
from apprise.common import NotifyFormat

from sentinel.notifiers.wire.address import AddressRefused, open_address
from sentinel.notifiers.wire.frames import Letter, Reply

MAX_TEXT = 400
"""Characters of a reason's text."""


class _Lines(logging.Handler):
    """Keeps what Apprise says during one send, at most 50 lines of 2,000 characters."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[tuple[int, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        if len(self.lines) < 50:
            self.lines.append((record.levelno, record.getMessage()[:2000]))


def send(letter: Letter) -> Reply:
    """Send once. Blocks for as long as the service does: the caller's process has a deadline."""
    try:
        service = open_address(letter.url)
    except AddressRefused as refused:
        return Reply("refused", "address", str(refused))
    title, body = fit(letter, _length(service, "title_maxlen"), _length(service, "body_maxlen"))
    lines = _Lines()
    logger = logging.getLogger("apprise")
    logger.setLevel(logging.DEBUG)
    logger.addHandler(lines)
    try:
        one = apprise.Apprise()
        one.add(service)
        sent = bool(one.notify(body=body, title=title, body_format=NotifyFormat.TEXT))
    finally:
        logger.removeHandler(lines)
    return conclude(sent, lines.lines, letter.url)


def _length(service: Any, name: str) -> int:
    value = getattr(service, name, 0)
    return value if isinstance(value, int) else 0


def fit(letter: Letter, title_most: int, body_most: int) -> tuple[str, str]:
    """Title and body for a service that takes so many characters of each.

    The short text comes first, so that what is cut at the end is never the link or the code. A
    service without titles gets none: merged into the body it would push the link out.
    """
    title = letter.title[:title_most] if title_most > 0 else ""
    body = f"{letter.short}\n\n{letter.body}" if letter.body else letter.short
    room = body_most - len(title) - 2 if body_most > 0 else len(body)
    if len(body) <= room:
        return title, body
    if room <= len(letter.short):
        return title, letter.short
    return title, body[: room - 1].rstrip() + "…"


_HTTP = re.compile(r"error[=:]\s*(\d{3})\b")
_SMTP = re.compile(r"\(\s*([45]\d\d)\s*,")
_UNREACHABLE = re.compile(
    r"refused|NewConnectionError|ConnectTimeout|getaddrinfo|Name or service|NameResolution"
    r"|name resolution|unreachable|No route to host|Errno (?:-[2-5]|10[13]|11[13])\b",
    re.IGNORECASE,
)
_TLS = re.compile(r"SSLError|CERTIFICATE_VERIFY|certificate|ssl\.", re.IGNORECASE)
_LOST = re.compile(
    r"timed out|Read timed|Connection aborted|RemoteDisconnected|unexpectedly closed"
    r"|reset by peer|IncompleteRead|ProtocolError|Broken pipe",
    re.IGNORECASE,
)


def conclude(sent: bool, lines: Sequence[tuple[int, str]], url: str) -> Reply:
    """What Apprise's answer and log lines come to.

    Refused: ``address redirected login throttled rejected vendor_error tls unreachable
    not_sent``; uncertain, because the message may have gone: ``answer_lost``.
    """
    if sent:
        told = [text for level, text in lines if level == logging.INFO]
        return Reply("accepted", "", mask(" ".join(told[-1:]), url)[:MAX_TEXT])
    text = mask(" ".join(text for level, text in lines if level > logging.INFO), url)[:MAX_TEXT]
    reason = _reason(" ".join(text for _, text in lines))
    return Reply("uncertain" if reason == "answer_lost" else "refused", reason, text)


def _reason(said: str) -> str:
    if code := _HTTP.search(said):
        return _http_reason(int(code.group(1)))
    if code := _SMTP.search(said):
        return {"535": "login", "530": "login", "421": "throttled"}.get(code.group(1), "rejected")
    for pattern, reason in ((_TLS, "tls"), (_UNREACHABLE, "unreachable"), (_LOST, "answer_lost")):
        if pattern.search(said):
            return reason
    return "not_sent"


def _http_reason(status: int) -> str:
    """A gateway that gave up (502, 504) may have passed the message on before it did."""
    if 300 <= status < 400:
        return "redirected"
    if status in (502, 504):
        return "answer_lost"
    if status >= 500:
        return "vendor_error"
    return {401: "login", 403: "login", 407: "login", 429: "throttled"}.get(status, "rejected")


def mask(text: str, url: str) -> str:
    """The text with every part of the URL that may be a credential replaced by ``***``.

    Users and passwords from 3 characters, path pieces and query values from 5, each as written,
    unquoted and quoted; the host only where it has no dot and no colon (there it is a token).
    """
    for secret in sorted(_credentials(url), key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def _credentials(url: str) -> set[str]:
    split = urlsplit(url)
    userinfo, _, place = split.netloc.rpartition("@")
    strong = [userinfo, *userinfo.split(":", 1)]
    host = place.partition(":")[0]
    if "." not in host and host != "localhost" and not place.startswith("["):
        strong.append(host)
    weak = [*split.path.split("/"), split.fragment]
    weak += [value for _, value in parse_qsl(split.query)]
    weak += [piece.split("=", 1)[-1] for piece in split.query.split("&")]
    return {
        form
        for parts, least in ((strong, 3), (weak, 5))
        for part in parts
        for form in (part, unquote(part), quote(part, safe=""))
        if len(form) >= least
    }
