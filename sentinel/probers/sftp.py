"""Files on SFTP servers: whether the feed, the order file or the settlement has come."""

import asyncio
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Literal

import asyncssh

from sentinel.expression import Declaration
from sentinel.kinds import ProbeWorld, Secrets, key
from sentinel.monitor.probe import Evidence, MetricFamily, Observation, Sample
from sentinel.probers.filefacts import (
    FILE_METRICS,
    FILE_NAMES,
    MOST_NAMES,
    File,
    Files,
    fits,
    refused_path,
)
from sentinel.probers.sshclient import Contact, HostKey, Login, meet, refused_fingerprint
from sentinel.transport.reasons import NETWORK, Reason
from sentinel.transport.wire import IpVersion
from sentinel.words import Outcome, Secret, shortened

_FAMILIES: Mapping[str, IpVersion] = {"any": "any", "ipv4": "4", "ipv6": "6"}
_MOST_KNOWN_HOSTS = 1 << 20


@dataclass(frozen=True, slots=True)
class Sftp:
    """Signs in to an SFTP server and looks at a file, or at the files of a folder.

    Without `pattern`, `path` is a file; with it, a folder, whose files that fit the pattern are
    looked at (folders in it are not; a link counts as it is itself). Nothing is read or written.
    The server must be the right one: its key is in `fingerprints` or in `known_hosts`.

    When there is no file, the check fails with `no_such_file` or `no_files`, unless an expectation
    names `exists` or `count`.

    Other reasons are `host_key_refused`, `key_exchange_failed`, `login_refused`, `no_such_folder`,
    `not_permitted` and `sftp_failed` (any other refusal of the server's).

    Expectations may use `exists`, `size_bytes` and `age_s` (of the file, or of the newest one),
    `count`, `total_bytes`, `newest` and `oldest` (each `name`, `size_bytes`, `age_s`), `names`
    (the first 100), `truncated` (the folder holds more than 10,000 names), `timing` and `address`.
    """

    KIND: ClassVar[str] = "sftp"
    NAMES: ClassVar[Declaration] = {
        **FILE_NAMES,
        "timing": {
            "total_s": "double",
            "resolve_s": "double",
            "connect_s": "double",
            "exchange_s": "double",
            "list_s": "double",
        },
        "address": "string",
    }
    METRICS: ClassVar[tuple[MetricFamily, ...]] = FILE_METRICS

    host_: str = key("Host name or address to connect to.", examples=["sftp.acme.example"])
    user: str = key("Who signs in.", examples=["monitor"])
    path: str = key(
        "The file, or with `pattern` the folder; relative to where the server lets one in.",
        examples=["/out/feed.csv"],
    )
    pattern: str = key(
        "Names of files in the folder, with `*`, `?` and `[…]`.",
        default="",
        examples=["orders-*.xml"],
    )
    port: int = key("Port to connect to.", default=22, minimum=1, maximum=65535)
    password: Secret | None = key(
        "Password, by reference.", default=None, examples=["env:SFTP_PASSWORD"]
    )
    key_: Secret | None = key(
        "Private key, by reference: what an OpenSSH or PEM file holds.",
        default=None,
        examples=["file:/run/secrets/sftp_key"],
    )
    passphrase: Secret | None = key("What the private key is encrypted with.", default=None)
    fingerprints: tuple[str, ...] = key(
        "Fingerprints that the host key may have (SHA-256, as ssh-keygen -l prints them).",
        default=(),
        maxItems=20,
        examples=[["SHA256:/9H4HhO+FVlHk7SJDxe0b5zsPMFQV/hETXvFkvrW9C0"]],
    )
    known_hosts: str = key(
        "Instead of fingerprints: a file in OpenSSH's format.",
        default="",
        examples=["/etc/ssh/ssh_known_hosts"],
    )
    verify: bool = key("Refuse a server whose key is not known.", default=True)
    ip: Literal["any", "ipv4", "ipv6"] = key("Which addresses to use.", default="any")

    def __post_init__(self) -> None:
        wrong = refused_path(self.path, self.pattern) or refused_fingerprint(self.fingerprints)
        if wrong:
            raise ValueError(wrong)
        if self.password is None and self.key_ is None:
            raise ValueError("give a `password` or a `key`")
        if self.verify and not (self.fingerprints or self.known_hosts):
            raise ValueError("give the host's `fingerprints` or a `known_hosts` file")

    def host(self) -> str:
        """The host that is connected to."""
        return self.host_.lower()

    async def observe(self, world: ProbeWorld) -> Observation:
        """Look once."""
        try:
            login = await asyncio.to_thread(_login, self, world.secrets)
            known = await asyncio.to_thread(_read, self.known_hosts)
        except (ValueError, OSError) as error:
            return Observation(
                {}, 0.0, Reason.invalid_request, shortened(str(error), 300), outcome=Outcome.unknown
            )
        contact = await meet(
            self.host_,
            self.port,
            world.deadline,
            accepts=self._accepts,
            now=world.transport.now,
            login=login,
            known_hosts=known,
            ip=_FAMILIES[self.ip],
        )
        files: Files | None = None
        if contact.connection is not None:
            started = world.transport.now()
            files = await self._looked(contact, contact.connection, world.deadline)
            contact.phases["list"] = world.transport.now() - started
        await contact.close()
        return _observed(contact, files, world)

    def _accepts(self, offered: HostKey) -> bool:
        return not self.verify or offered.fingerprint in self.fingerprints

    async def _looked(
        self, contact: Contact, connection: asyncssh.SSHClientConnection, deadline: float
    ) -> Files | None:
        """The files; None, and why in `contact`, when they could not be looked at."""
        try:
            async with asyncio.timeout_at(deadline):
                client = await connection.start_sftp_client(path_errors="replace")
                if self.pattern:
                    return await _listed(client, self.path, self.pattern)
                return await _one(client, self.path)
        except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
            contact.reason, contact.text = "no_such_folder", f"there is no folder {self.path}"
        except asyncssh.SFTPPermissionDenied:
            contact.reason, contact.text = "not_permitted", f"{self.path} may not be looked at"
        except asyncssh.ConnectionLost as error:
            contact.reason, contact.text = Reason.reset, shortened(str(error), 300)
        except TimeoutError:
            contact.reason, contact.text = Reason.timeout, "no answer within the timeout"
        except (asyncssh.Error, asyncssh.ChannelOpenError, OSError, ValueError) as error:
            contact.reason, contact.text = "sftp_failed", shortened(str(error), 300)
        return None


def _login(prober: Sftp, secrets: Secrets) -> Login:
    """Who signs in. Raises ValueError for a key that cannot be read."""
    password = secrets.reveal(prober.password) if prober.password else None
    if prober.key_ is None:
        return Login(prober.user, password)
    passphrase = secrets.reveal(prober.passphrase) if prober.passphrase else None
    try:
        private = asyncssh.import_private_key(secrets.reveal(prober.key_), passphrase)
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        raise ValueError(f"the private key cannot be read: {error}") from error
    return Login(prober.user, password, (private,))


def _read(known_hosts: str) -> str:
    if not known_hosts:
        return ""
    with Path(known_hosts).open(encoding="utf-8", errors="replace") as file:
        return file.read(_MOST_KNOWN_HOSTS)


async def _one(client: asyncssh.SFTPClient, path: str) -> Files:
    try:
        attributes = await client.stat(path)
    except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
        return Files(())
    return Files((_file(path.rpartition("/")[2], attributes),))


async def _listed(client: asyncssh.SFTPClient, path: str, pattern: str) -> Files:
    found: list[File] = []
    count = 0
    async for entry in client.scandir(path):
        count += 1
        if count > MOST_NAMES:
            return Files(found, pattern, truncated=True)
        name = str(entry.filename)
        folder = stat.S_ISDIR(entry.attrs.permissions or 0)
        if not folder and fits(name, pattern):
            found.append(_file(name, entry.attrs))
    return Files(found, pattern)


def _file(name: str, attributes: asyncssh.SFTPAttrs) -> File:
    changed_at = None
    if attributes.mtime is not None:
        changed_at = datetime.fromtimestamp(float(attributes.mtime), UTC)
    return File(name, attributes.size or 0, changed_at)


def _observed(contact: Contact, files: Files | None, world: ProbeWorld) -> Observation:
    reason, text = contact.reason, contact.text
    total_s = sum(contact.phases.values())
    timing = {f"{phase}_s": seconds for phase, seconds in contact.phases.items()}
    values: dict[str, Any] = {
        "timing": {**timing, "total_s": total_s},
        "address": contact.address,
    }
    samples = [Sample("timing.total_s", total_s, "s")]
    metrics: Mapping[str, Any] = {}
    if files is not None:
        values |= files.values(world.now)
        samples += files.samples(world.now)
        metrics = files.metrics(world.now)
        reason, text = files.verdict(world.needed), files.text(world.now)
    ours = reason in (Reason.client_failed, Reason.invalid_request)
    facts: dict[str, Any] = {"address": contact.address, "phases": dict(contact.phases)}
    if contact.key is not None:
        facts["host_key"] = {"type": contact.key.kind, "fingerprint": contact.key.fingerprint}
    if files is not None:
        facts["names"] = values["names"]
    return Observation(
        values=values,
        duration_s=total_s,
        reason=reason,
        text=text,
        network=reason in NETWORK,
        outcome=(Outcome.unknown if ours else Outcome.failed) if reason else None,
        phases=contact.phases,
        address=contact.address,
        samples=samples,
        evidence=Evidence(response=contact.version, facts=facts),
        metrics=metrics,
    )
