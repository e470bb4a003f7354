"""A connected socket for libraries that bring their own protocol, and what their failures are called.

``Transport.connect`` is for what we speak ourselves. Database drivers and SSH speak for themselves
and only need a socket; here it is opened, with the same phases and the same reasons.
"""

import asyncio
import errno
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from sentinel.transport.reasons import Reason, of_verification
from sentinel.transport.wire import IpVersion

_FAMILIES = {"any": socket.AF_UNSPEC, "4": socket.AF_INET, "6": socket.AF_INET6}


@dataclass(frozen=True, slots=True)
class Opened:
    """A connected, non-blocking socket, or the reason why there is none. Whoever gets it closes it.

    `phases` are ``resolve`` and ``connect`` in seconds, `address` is the one last tried.
    """

    socket: socket.socket | None
    address: str = ""
    reason: Reason | None = None
    text: str = ""
    phases: Mapping[str, float] = field(default_factory=dict)


async def open_socket(host: str, port: int, deadline: float, *, ip: IpVersion = "any") -> Opened:
    """Resolve the name and connect to the first of its addresses that takes it, in their order.

    An address that does not answer gets its even share of the time that is left. Never raises for
    what the network does; nothing outlives `deadline` (monotonic clock).
    """
    started = time.monotonic()
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout_at(deadline):
            found = await loop.getaddrinfo(
                host, port, family=_FAMILIES[ip], type=socket.SOCK_STREAM
            )
    except TimeoutError:
        return Opened(None, reason=Reason.dns_timeout, text=f"nobody answered for {host}")
    except (OSError, UnicodeError) as error:
        return Opened(None, reason=Reason.dns_failed, text=f"{host}: {_said(error)}")
    resolve_s = time.monotonic() - started
    failed = Opened(None, reason=Reason.dns_failed, text=f"{host} has no address")
    started = time.monotonic()
    for tried, (family, kind, protocol, _, address) in enumerate(found):
        now = time.monotonic()
        until = now + max(deadline - now, 0.0) / (len(found) - tried)
        failed = await _connected(socket.socket(family, kind, protocol), address, until)
        if failed.socket is not None:
            break
    phases = {"resolve": resolve_s, "connect": time.monotonic() - started}
    return Opened(failed.socket, failed.address, failed.reason, failed.text, phases)


async def _connected(sock: socket.socket, address: tuple[object, ...], until: float) -> Opened:
    sock.setblocking(False)
    named = str(address[0])
    try:
        async with asyncio.timeout_at(until):
            await asyncio.get_running_loop().sock_connect(sock, address)
    except TimeoutError:
        sock.close()
        return Opened(None, named, Reason.connect_timeout, f"{named} did not answer")
    except OSError as error:
        sock.close()
        return Opened(None, named, of_os_error(error), f"{named}: {_said(error)}")
    except BaseException:
        sock.close()
        raise
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Opened(sock, named)


def of_os_error(error: OSError) -> Reason:
    """The reason for an error of a socket, a name lookup or TLS."""
    match error:
        case ssl.SSLCertVerificationError():
            return of_verification(error.verify_code, "")
        case ssl.SSLError():
            return Reason.tls_failed
        case socket.gaierror():
            return Reason.dns_failed
        case ConnectionRefusedError():
            return Reason.connect_refused
        case ConnectionError():
            return Reason.reset
        case TimeoutError():
            return Reason.timeout
        case _ if error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL):
            return Reason.connect_unreachable
        case _:
            return Reason.client_failed


def _said(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
