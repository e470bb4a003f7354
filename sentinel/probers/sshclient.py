"""SSH for the kinds `ssh` and `sftp`, by asyncssh: connecting, and whether it is the right server.

Nothing of the machine's own settings is used: no configuration, agent, key or known host of the
user that Sentinel runs as. A host is known by its key's fingerprint or by a file in the format of
OpenSSH's ``known_hosts``; certificates of hosts are not understood.
"""

import asyncio
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import asyncssh

from sentinel.transport.raw import of_os_error, open_socket
from sentinel.transport.reasons import Reason
from sentinel.transport.wire import IpVersion
from sentinel.words import shortened

_TYPES: Mapping[str, tuple[str, ...]] = {
    "ed25519": ("ssh-ed25519",),
    "ecdsa": ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"),
    "rsa": ("rsa-sha2-512", "rsa-sha2-256"),
}
ALGORITHMS: Mapping[str, tuple[str, ...]] = {"any": sum(_TYPES.values(), ()), **_TYPES}
"""What a server is asked for by type of key; `any` in this order, as ssh itself prefers."""
FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")
"""As ``ssh-keygen -l`` prints one."""
_GOODBYE_S = 0.2

asyncssh.set_log_level(logging.WARNING)


def refused_fingerprint(fingerprints: Sequence[str]) -> str:
    """What is wrong with fingerprints as they are declared; ``""`` when nothing is."""
    wrong = [each for each in fingerprints if not FINGERPRINT.fullmatch(each)]
    return f"`{wrong[0]}` is no fingerprint: SHA256: and 43 characters" if wrong else ""


@dataclass(frozen=True, slots=True)
class HostKey:
    """A server's public key: its type (``ssh-ed25519``) and fingerprint (``SHA256:…``)."""

    kind: str
    fingerprint: str


class Witness(asyncssh.SSHClient):
    """Sees the server's key as it is offered, and says whether it is the right one."""

    def __init__(self, accepts: Callable[[HostKey], bool]) -> None:
        self._accepts = accepts
        self._connection: asyncssh.SSHClientConnection | None = None
        self.key: HostKey | None = None

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        """asyncssh's: the connection begins."""
        self._connection = conn

    def validate_host_public_key(
        self, host: str, addr: str, port: int, key: asyncssh.SSHKey
    ) -> bool:
        """asyncssh's: whether the key, which no list of known hosts names, is to be trusted."""
        self.key = HostKey(key.get_algorithm(), key.get_fingerprint())
        return self._accepts(self.key)

    @property
    def version(self) -> str:
        """The line that the server began with, ``""`` before it came."""
        if self._connection is None:
            return ""
        return str(self._connection.get_extra_info("server_version", ""))


@dataclass(slots=True)
class Contact:
    """A connection to an SSH server: how far it came, and why no further."""

    reason: str = ""
    text: str = ""
    address: str = ""
    phases: dict[str, float] = field(default_factory=dict)
    version: str = ""
    key: HostKey | None = None
    connection: asyncssh.SSHClientConnection | None = None

    async def close(self) -> None:
        """Say good-bye; who does not answer is left."""
        if self.connection is None:
            return
        self.connection.close()
        with suppress(TimeoutError, OSError, asyncssh.Error):
            async with asyncio.timeout(_GOODBYE_S):
                await self.connection.wait_closed()
        self.connection.abort()
        self.connection = None


@dataclass(frozen=True, slots=True)
class Login:
    """Who signs in, revealed. Without it nobody does, and the connection ends after the key."""

    user: str
    password: str | None = field(default=None, repr=False)
    keys: tuple[asyncssh.SSHKey, ...] = field(default=(), repr=False)


async def meet(
    host: str,
    port: int,
    deadline: float,
    *,
    accepts: Callable[[HostKey], bool],
    now: Callable[[], float],
    login: Login | None = None,
    known_hosts: str = "",
    key_type: str = "any",
    ip: IpVersion = "any",
) -> Contact:
    """Connect, look at the server's key, and sign in where a login is given.

    Never raises for what the server does; `known_hosts` is the file's text.
    """
    opened = await open_socket(host, port, deadline, ip=ip)
    contact = Contact(address=opened.address, phases=dict(opened.phases))
    if opened.socket is None:
        contact.reason, contact.text = opened.reason or "", opened.text
        return contact
    witness = Witness(lambda key: login is not None and accepts(key))
    started = now()
    try:
        async with asyncio.timeout_at(deadline):
            contact.connection = await asyncssh.connect(
                host=host,
                port=port,
                sock=opened.socket,
                client_factory=lambda: witness,
                **_options(login, known_hosts, key_type),
            )
    except (asyncssh.Error, OSError, TimeoutError, ValueError) as error:
        _explain(error, contact, witness)
    finally:
        if contact.connection is None:
            opened.socket.close()
    contact.phases["exchange"] = now() - started
    contact.version, contact.key = witness.version, witness.key
    if contact.connection is not None and witness.key is None:
        known = contact.connection.get_server_host_key()
        contact.key = HostKey(known.get_algorithm(), known.get_fingerprint()) if known else None
    if login is None and contact.key is not None:
        contact.reason = contact.text = ""  # the key is all that was wanted
    return contact


def _options(login: Login | None, known_hosts: str, key_type: str) -> dict[str, Any]:
    options: dict[str, Any] = {
        "config": None,
        "agent_path": None,
        "known_hosts": asyncssh.import_known_hosts(known_hosts) if known_hosts else ([], [], []),
        "username": login.user if login else "sentinel",
        "client_keys": list(login.keys) if login and login.keys else None,
        "password": login.password if login else None,
        "gss_host": None,
        "login_timeout": 0,
        "keepalive_interval": 0,
    }
    if not known_hosts:  # else the types of the keys that the file has for the host
        options["server_host_key_algs"] = list(ALGORITHMS[key_type])
    return options


def _explain(error: Exception, contact: Contact, witness: Witness) -> None:
    said = str(getattr(error, "reason", "") or error)
    contact.text = shortened(" ".join(said.split()), 300)
    match error:
        case asyncssh.HostKeyNotVerifiable():
            contact.reason = "host_key_refused"
            contact.text = f"the host key is {witness.key.fingerprint}" if witness.key else said
        case asyncssh.PermissionDenied():
            contact.reason = "login_refused"
        case asyncssh.KeyExchangeFailed():
            contact.reason = "key_exchange_failed"
        case asyncssh.ConnectionLost():
            contact.reason = Reason.reset if witness.version else Reason.empty_reply
        case asyncssh.DisconnectError() | UnicodeDecodeError():
            contact.reason = Reason.protocol_error
        case TimeoutError():
            contact.reason, contact.text = Reason.timeout, "no answer within the timeout"
        case OSError():
            contact.reason = of_os_error(error)
        case _:
            contact.reason = Reason.protocol_error
