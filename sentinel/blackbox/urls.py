"""Targets as URLs and as ``host:port``, read as strictly as Go reads them."""

import re
from base64 import b64encode
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from typing import Self
from urllib.parse import unquote, urlsplit, urlunsplit

from sentinel.blackbox.check import Check
from sentinel.blackbox.ended import Ended
from sentinel.blackbox.reasons import Because

_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_BAD_HOST = re.compile(r"[\x00-\x20\x7f<>\"\\^`{|}]")
_USER = re.compile(r"[A-Za-z0-9\-._:~!$&'()*+,;=%@]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SERVICES = {"http": 80, "https": 443, "domain": 53, "smtp": 25, "imap": 143, "ssh": 22}
PORTS = {"http": "80", "https": "443", "ws": "80", "wss": "443"}


@dataclass(frozen=True, slots=True)
class Url:
    """A URL taken apart. `port` is ``""`` when none was written, `credentials` are decoded."""

    scheme: str
    host: str
    port: str
    rest: str
    """Path and query."""
    credentials: str = ""

    @classmethod
    @lru_cache(maxsize=16_384)
    def parse(cls, text: str) -> Self:
        """Raises ValueError for what is not a URL with a host's place."""
        if _CONTROL.search(text):
            raise ValueError("it holds a control character")
        parts = urlsplit(text)
        user, _, place = parts.netloc.rpartition("@")
        if not _USER.fullmatch(user):
            raise ValueError("credentials hold characters that a URL cannot")
        host, port = split_host_port(place) if _has_port(place) else (_bare(place), "")
        if port and not (port.isascii() and port.isdigit()):
            raise ValueError(f"`{port[:20]}` is not a port")
        if _BAD_HOST.search(host):
            raise ValueError("a host's name cannot hold such characters")
        if _BAD_ESCAPE.search(parts.path):
            raise ValueError("a percent sign is not followed by two hexadecimal digits")
        rest = urlunsplit(("", "", parts.path, parts.query, ""))
        credentials = ":".join(map(unquote, user.split(":", 1))) if user else ""
        return cls(parts.scheme.lower(), host, port, rest, credentials)

    @property
    def place(self) -> str:
        """Host and port as written, without credentials."""
        return joined(self.host, self.port)

    @property
    def connect_port(self) -> int:
        """The port that is connected to; 0 when it is out of range."""
        port = int(self.port or PORTS.get(self.scheme, "0"))
        return port if port < 65536 else 0

    @property
    def text(self) -> str:
        """The whole, without credentials and fragment."""
        return f"{self.scheme}://{self.place}{self.rest}"

    def at(self, host: str) -> str:
        """The same with another host."""
        return f"{self.scheme}://{joined(host, self.port)}{self.rest}"

    def basic(self) -> str:
        """What an Authorization header says for its credentials; ``""`` without any."""
        if not self.credentials:
            return ""
        whole = self.credentials if ":" in self.credentials else f"{self.credentials}:"
        return f"Basic {b64encode(whole.encode()).decode()}"


def split_host_port(text: str) -> tuple[str, str]:
    """Host and port of ``host:port``, ``[v6]:port``. Raises ValueError as Go's SplitHostPort errs."""
    if text.startswith("["):
        host, bracket, port = text[1:].partition("]")
        if not bracket or not port.startswith(":"):
            raise ValueError("missing port in address")
        port = port[1:]
    else:
        host, colon, port = text.rpartition(":")
        if not colon:
            raise ValueError("missing port in address")
        if ":" in host:
            raise ValueError("too many colons in address")
    if "[" in host or "]" in host or ":" in port:
        raise ValueError("unexpected bracket or colon in address")
    return host, port


def numbered(check: Check, text: str) -> int:
    """A port by number, or by the name of one of the commonest services. Raises Ended."""
    port = _SERVICES.get(text) or (int(text) if text.isascii() and text.isdigit() else 0)
    if not 0 < port < 65536:
        check.notes.error("Error dialing", err=f"`{text[:20]}` is not a port")
        raise Ended(Because.invalid_target)
    return port


def joined(host: str, port: str) -> str:
    """``host:port``, with brackets around an IPv6 address."""
    shown = f"[{host}]" if ":" in host else host
    return f"{shown}:{port}" if port else shown


def is_address(host: str) -> bool:
    """Whether it is an IP address and not a name."""
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _has_port(place: str) -> bool:
    return ":" in place.rpartition("]")[2]


def _bare(place: str) -> str:
    if place.startswith("[") and place.endswith("]"):
        return place[1:-1]
    return place
