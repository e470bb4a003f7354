"""How each protocol is asked to go on over TLS, in the least that its server accepts.

SMTP RFC 3207, IMAP RFC 9051 6.2.1, POP3 RFC 2595, FTP RFC 4217, LDAP RFC 4511 4.14, and
PostgreSQL's SSLRequest. What the server says before TLS is believed by nobody (it may be a
stranger's), and what it says too early would count as said over TLS: that ends the conversation.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Literal

from sentinel.transport.lines import Ended, Lines
from sentinel.words import shortened

Asking = Literal["smtp", "imap", "pop3", "ftp", "ldap", "postgres"]
STARTTLS_REFUSED = "starttls_refused"
"""The server does not go on over TLS."""
PORTS: Mapping[Asking, int] = {
    "smtp": 25,
    "imap": 143,
    "pop3": 110,
    "ftp": 21,
    "ldap": 389,
    "postgres": 5432,
}
MOST_LINES = 100
"""Lines of one reply, or before one."""

_SSL_REQUEST = bytes.fromhex("0000000804d2162f")
_LDAP_REQUEST = bytes.fromhex("301d02010177188016") + b"1.3.6.1.4.1.1466.20037"
_LDAP_SUCCESS = bytes.fromhex("0a0100")


async def asked_for_tls(lines: Lines, protocol: Asking) -> None:
    """Say what comes before the TLS handshake. Raises Ended: `starttls_refused`, or why the
    connection ended."""
    await _WAYS[protocol](lines)
    if lines.waiting:
        raise Ended(STARTTLS_REFUSED, "the server said more before TLS than it was asked")


async def _smtp(lines: Lines) -> None:
    await _replied(lines, "220")
    await lines.send(b"EHLO sentinel.invalid\r\n")
    await _replied(lines, "250")
    await lines.send(b"STARTTLS\r\n")
    await _replied(lines, "220")


async def _ftp(lines: Lines) -> None:
    await _replied(lines, "220")
    await lines.send(b"AUTH TLS\r\n")
    await _replied(lines, "234")


async def _imap(lines: Lines) -> None:
    await _begins(lines, b"* OK")
    await lines.send(b"a1 STARTTLS\r\n")
    for _ in range(MOST_LINES):
        line = await lines.line("a1 OK")
        if line.startswith(b"* "):
            continue
        if line.upper().startswith(b"A1 OK"):
            return
        raise _refused(line)
    raise Ended(STARTTLS_REFUSED, f"more than {MOST_LINES} lines came")


async def _pop3(lines: Lines) -> None:
    await _begins(lines, b"+OK")
    await lines.send(b"STLS\r\n")
    await _begins(lines, b"+OK")


async def _postgres(lines: Lines) -> None:
    await lines.send(_SSL_REQUEST)
    answer = await lines.exactly(1, "S")
    if answer != b"S":
        raise _refused(answer)


async def _ldap(lines: Lines) -> None:
    await lines.send(_LDAP_REQUEST)
    head = await lines.exactly(2, "an extended response")
    if head[0] != 0x30:
        raise _refused(head)
    size = head[1]
    if size & 0x80:  # BER's long form; some servers use it for every length
        size = int.from_bytes(await lines.exactly(min(size & 0x7F, 4), "a length"), "big")
    answer = await lines.exactly(size, "an extended response")
    if _LDAP_SUCCESS not in answer[:16]:
        raise _refused(answer)


async def _begins(lines: Lines, expected: bytes) -> None:
    line = await lines.line(expected.decode())
    if not line.upper().startswith(expected):
        raise _refused(line)


async def _replied(lines: Lines, code: str) -> None:
    """A reply of one or more lines (``250-…``), the last with this code."""
    for _ in range(MOST_LINES):
        line = await lines.line(code)
        if line[:3] != code.encode():
            raise _refused(line)
        if line[3:4] != b"-":
            return
    raise Ended(STARTTLS_REFUSED, f"a reply of more than {MOST_LINES} lines")


def _refused(said: bytes) -> Ended:
    shown = shortened(said.decode("utf-8", "backslashreplace"), 120)
    return Ended(STARTTLS_REFUSED, f"the server does not go on over TLS: {shown}")


_WAYS: Mapping[Asking, Callable[[Lines], Awaitable[None]]] = {
    "smtp": _smtp,
    "imap": _imap,
    "pop3": _pop3,
    "ftp": _ftp,
    "ldap": _ldap,
    "postgres": _postgres,
}
