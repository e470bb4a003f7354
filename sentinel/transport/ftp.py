"""One conversation with an FTP server, by libcurl (RFC 959, 2428, 3659, 4217).

Signing in, then commands, then perhaps one list of a folder. Each conversation is a new connection.
Over TLS the lists are encrypted too, in the session of the commands, as servers demand. Nothing of
a file is ever read. What the server answers is kept with the command that it answers.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import pycurl

from sentinel.transport.flood import Flood
from sentinel.transport.poller import Poller
from sentinel.transport.preset import trusted
from sentinel.transport.reasons import NETWORK, Reason, of_curl, of_verification
from sentinel.transport.wire import Exchange, IpVersion
from sentinel.words import shortened

LIST_LIMIT = 2 << 20
"""Bytes of a folder's list."""
REPLY_LIMIT = 256 * 1024
"""Bytes of all replies together."""
_REPLY = 3
_NEGOTIATED = b"SSL connection using "
_IP = {"any": pycurl.IPRESOLVE_WHATEVER, "4": pycurl.IPRESOLVE_V4, "6": pycurl.IPRESOLVE_V6}
_OWN = {
    9: "not_permitted",  # REMOTE_ACCESS_DENIED
    10: "data_refused",  # FTP_ACCEPT_FAILED
    11: "protocol_error",  # FTP_WEIRD_PASS_REPLY
    12: "data_refused",  # FTP_ACCEPT_TIMEOUT
    13: "data_refused",  # FTP_WEIRD_PASV_REPLY
    14: "data_refused",  # FTP_WEIRD_227_FORMAT
    15: "data_refused",  # FTP_CANT_GET_HOST
    17: "ftp_failed",  # FTP_COULDNT_SET_TYPE
    19: "ftp_failed",  # FTP_COULDNT_RETR_FILE
    21: "ftp_failed",  # QUOTE_ERROR
    23: "body_too_large",  # WRITE_ERROR: our own limit
    30: "data_refused",  # FTP_PORT_FAILED
    64: "tls_failed",  # USE_SSL_FAILED
    67: "login_refused",  # LOGIN_DENIED
    78: "ftp_failed",  # REMOTE_FILE_NOT_FOUND
}
"""libcurl's codes that only FTP has, and those that mean another thing here."""


@dataclass(frozen=True, slots=True)
class FtpAsked:
    """What is to be said: `commands` in order (one that begins with ``*`` may fail), then `listing`
    (``MLSD``, ``NLST`` or nothing) of the folder that the commands lead to."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    commands: tuple[str, ...] = ()
    listing: Literal["", "MLSD", "NLST"] = ""
    tls: Literal["off", "explicit", "implicit"] = "off"
    verify: bool = True
    ca_file: str = ""
    ip: IpVersion = "any"


@dataclass(frozen=True, slots=True)
class Turn:
    """A command (without its password) and the last line of its reply; the first turn is the
    greeting and has no command. `code` is 0 while there is no reply."""

    command: str
    code: int = 0
    text: str = ""


@dataclass(frozen=True, slots=True)
class FtpAnswered:
    """How it went. `reason` is one of `Reason`, or ``login_refused not_permitted data_refused
    ftp_failed server_refused``; ``""`` when all was said. `exchange` has phases (*resolve*,
    *connect*, *tls*, *login* and *list*), address and certificates."""

    exchange: Exchange
    reason: str = ""
    text: str = ""
    turns: tuple[Turn, ...] = ()
    body: bytes = b""

    @property
    def network(self) -> bool:
        """Whether the reason lies between us and the server."""
        return self.reason in NETWORK

    def reply(self, command: str) -> Turn:
        """The turn of a command; one without a reply when it was never said."""
        return next((turn for turn in self.turns if turn.command == command), Turn(command))


class _Talk:
    """What libcurl says and hears, as its callbacks tell."""

    def __init__(self) -> None:
        self.turns: list[Turn] = [Turn("")]
        self.chunks: list[bytes] = []
        self.negotiated = ""
        self._size = 0
        self._heard = 0
        self.flood = Flood()

    def on_debug(self, kind: int, raw: bytes) -> None:
        if kind == pycurl.INFOTYPE_HEADER_OUT:
            command = raw.decode("utf-8", "replace").rstrip("\r\n")
            shown = "PASS ***" if command[:5].upper() == "PASS " else command
            self.turns.append(Turn(shown))
        elif kind == pycurl.INFOTYPE_TEXT and raw.startswith(_NEGOTIATED) and not self.negotiated:
            self.negotiated = raw[len(_NEGOTIATED) :].decode("ascii", "replace")
        elif kind == pycurl.INFOTYPE_SSL_DATA_IN:
            self.flood.on_tls(raw)

    def on_reply(self, line: bytes) -> int | None:
        """A line of a reply; the one that ends it has a space after its code."""
        self._heard += len(line)
        if self._heard > REPLY_LIMIT:
            return 0
        code, rest = line[:_REPLY], line[_REPLY:]
        if code.isdigit() and rest[:1] == b" " and not self.turns[-1].code:
            text = rest.decode("utf-8", "replace").strip()
            self.turns[-1] = Turn(self.turns[-1].command, int(code), shortened(text, 1000))
        return None

    def on_body(self, chunk: bytes) -> int | None:
        self._size += len(chunk)
        if self._size > LIST_LIMIT:
            return 0
        self.chunks.append(chunk)
        return None


async def converse(poller: Poller, asked: FtpAsked, deadline: float, now: float) -> FtpAnswered:
    """Have one conversation, until `deadline` at most (monotonic, as is `now`). Never raises for
    what the server does."""
    talk = _Talk()
    url = f"{'ftps' if asked.tls == 'implicit' else 'ftp'}://{_bracketed(asked.host)}:{asked.port}/"
    if deadline <= now:
        return FtpAnswered(Exchange(url), Reason.timeout, "no time was left to ask")
    curl = pycurl.Curl()
    try:
        _preset(curl, asked, talk, url)
        curl.setopt(pycurl.TIMEOUT_MS, max(1, int((deadline - now) * 1000)))
        code, text = await _ended(poller, curl)
        return _answered(curl, asked, talk, url, code, text)
    except (pycurl.error, ValueError) as error:
        return FtpAnswered(Exchange(url), Reason.invalid_request, str(error.args[-1]))
    finally:
        poller.stop(curl)
        curl.close()


async def _ended(poller: Poller, curl: Any) -> tuple[int, str]:
    ended: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()

    def settle(code: int, text: str) -> None:
        if not ended.done():  # the waiter may have been cancelled
            ended.set_result((code, text))

    poller.start(curl, settle)
    return await ended


def _preset(curl: Any, asked: FtpAsked, talk: _Talk, url: str) -> None:
    for said in (asked.user, asked.password, *asked.commands):
        if any(letter in said for letter in "\r\n\0"):
            raise ValueError("what is to be said holds a line end")
    curl.setopt(pycurl.NOSIGNAL, 1)
    curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_FTP | pycurl.PROTO_FTPS)
    curl.setopt(pycurl.PROXY, "")
    curl.setopt(pycurl.NETRC, pycurl.NETRC_IGNORED)
    curl.setopt(pycurl.FRESH_CONNECT, 1)
    curl.setopt(pycurl.FORBID_REUSE, 1)
    curl.setopt(pycurl.DNS_CACHE_TIMEOUT, 0)
    curl.setopt(pycurl.IPRESOLVE, _IP[asked.ip])
    curl.setopt(pycurl.URL, url)
    curl.setopt(pycurl.USERNAME, asked.user)
    curl.setopt(pycurl.PASSWORD, asked.password)
    curl.setopt(pycurl.FTP_FILEMETHOD, pycurl.FTPMETHOD_NOCWD)
    curl.setopt(pycurl.FTP_SKIP_PASV_IP, 1)
    curl.setopt(pycurl.QUOTE, [each.encode() for each in asked.commands])
    if asked.listing:
        curl.setopt(pycurl.CUSTOMREQUEST, asked.listing)
    else:
        curl.setopt(pycurl.NOBODY, 1)
    curl.setopt(pycurl.VERBOSE, 1)
    curl.setopt(pycurl.DEBUGFUNCTION, talk.on_debug)
    curl.setopt(pycurl.HEADERFUNCTION, talk.on_reply)
    curl.setopt(pycurl.WRITEFUNCTION, talk.on_body)
    if asked.tls == "off":
        return
    curl.setopt(pycurl.SOCKOPTFUNCTION, talk.flood.on_socket)
    curl.setopt(pycurl.USE_SSL, pycurl.USESSL_ALL)
    curl.setopt(pycurl.OPT_CERTINFO, 1)
    curl.setopt(pycurl.SSL_VERIFYPEER, 1 if asked.verify else 0)
    curl.setopt(pycurl.SSL_VERIFYHOST, 2 if asked.verify else 0)
    for option, path in ((pycurl.CAINFO, asked.ca_file),) if asked.ca_file else trusted():
        curl.setopt(option, path)


def _answered(
    curl: Any, asked: FtpAsked, talk: _Talk, url: str, code: int, text: str
) -> FtpAnswered:
    phases = _phases(curl)
    reason = _reason(curl, talk, code, text) if code else ""
    version, _, cipher = talk.negotiated.partition(" / ")
    exchange = Exchange(
        url,
        phases=phases,
        duration_s=curl.getinfo(pycurl.TOTAL_TIME),
        address=curl.getinfo(pycurl.PRIMARY_IP) or "",
        port=curl.getinfo(pycurl.PRIMARY_PORT),
        verified=_verified(asked, code, talk),
        tls_version=version.replace("TLSv", "TLS "),
        tls_cipher=cipher.partition(" / ")[0],
        size_bytes=sum(map(len, talk.chunks)),
        pems=_pems(curl) if asked.tls != "off" else (),
    )
    said = text or reason.replace("_", " ")  # libcurl has no words for a line without an end
    return FtpAnswered(exchange, reason, said, tuple(talk.turns), b"".join(talk.chunks))


def _verified(asked: FtpAsked, code: int, talk: _Talk) -> bool | None:
    if asked.tls == "off" or not asked.verify:
        return None
    if code == pycurl.E_PEER_FAILED_VERIFICATION:
        return False
    return True if talk.negotiated else None


def _phases(curl: Any) -> dict[str, float]:
    """Seconds by phase; the one in which it ended has lasted until the end."""
    info = curl.getinfo
    total = info(pycurl.TOTAL_TIME)
    marks = {
        "resolve": info(pycurl.NAMELOOKUP_TIME),
        "connect": info(pycurl.CONNECT_TIME),
        "tls": info(pycurl.APPCONNECT_TIME),
        "login": info(pycurl.PRETRANSFER_TIME),
    }
    phases: dict[str, float] = {}
    before = 0.0
    for name, at in marks.items():
        if at:
            phases[name] = max(at - before, 0.0)
            before = max(at, before)
    phases["list" if marks["login"] else "login"] = max(total - before, 0.0)
    return phases


def _reason(curl: Any, talk: _Talk, code: int, text: str) -> str:
    info = curl.getinfo
    greeting = talk.turns[0]
    if greeting.code >= 400 and len(talk.turns) == 1:
        return "server_refused"
    if code == pycurl.E_PEER_FAILED_VERIFICATION:
        return of_verification(info(pycurl.SSL_VERIFYRESULT), text)
    if code in _OWN:
        return _OWN[code]
    return of_curl(
        code,
        system_error=info(pycurl.OS_ERRNO),
        resolved=info(pycurl.NAMELOOKUP_TIME) > 0,
        connected=info(pycurl.CONNECT_TIME) > 0,
        text=text,
    )


def _pems(curl: Any) -> Sequence[str]:
    """The presented chain in PEM, leaf first; also when it was refused."""
    listed = curl.getinfo_raw(pycurl.INFO_CERTINFO)
    return tuple(
        value.decode("ascii", "replace") for one in listed for name, value in one if name == b"Cert"
    )


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
