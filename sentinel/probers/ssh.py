"""SSH servers: what they say they are, and whether their key is the one that it was."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from sentinel.expression import Declaration
from sentinel.kinds import ProbeWorld, key
from sentinel.monitor.probe import Evidence, MetricFamily, Observation, Sample
from sentinel.probers.sshclient import Contact, meet, refused_fingerprint
from sentinel.transport.reasons import NETWORK, Reason
from sentinel.transport.wire import IpVersion
from sentinel.words import Outcome

_FAMILIES: Mapping[str, IpVersion] = {"any": "any", "ipv4": "4", "ipv6": "6"}
_VERSION = re.compile(r"SSH-([^-\s]+)-(\S*)(?: (.*))?")


@dataclass(frozen=True, slots=True)
class Ssh:
    """Connects to an SSH server and looks at its version and its host key; nobody signs in.

    Keys are exchanged as far as the server proves that it holds its key, then the connection ends.
    With `fingerprints` a key that is none of them fails with `host_key_changed`. Without, the
    first good check remembers the key, and `host_key.changed` says whether it is another one now.

    When no way to exchange keys is known to both, the reason is `key_exchange_failed`.

    Expectations may use `banner` (the server's first line), `protocol` (`2.0`), `software`
    (`OpenSSH_9.2p1`), `comment` (what follows it), `host_key` (`type`, `fingerprint`, `changed`),
    `timing` and `address`.
    """

    KIND: ClassVar[str] = "ssh"
    NAMES: ClassVar[Declaration] = {
        "banner": "string",
        "protocol": "string",
        "software": "string",
        "comment": "string",
        "host_key": {"type": "string", "fingerprint": "string", "changed": "bool"},
        "timing": {
            "total_s": "double",
            "resolve_s": "double",
            "connect_s": "double",
            "exchange_s": "double",
        },
        "address": "string",
    }
    METRICS: ClassVar[tuple[MetricFamily, ...]] = (
        MetricFamily("probe_ssh_duration_seconds", "Duration of the contact by phase", ("phase",)),
        MetricFamily(
            "probe_ssh_host_key_info", "The server's host key, always 1", ("type", "fingerprint")
        ),
        MetricFamily("probe_ssh_version_info", "The server's version, always 1", ("banner",)),
    )

    host_: str = key("Host name or address to connect to.", examples=["sftp.acme.example"])
    port: int = key("Port to connect to.", default=22, minimum=1, maximum=65535)
    fingerprints: tuple[str, ...] = key(
        "Fingerprints that the host key may have (SHA-256, as ssh-keygen -l prints them).",
        default=(),
        maxItems=20,
        examples=[["SHA256:/9H4HhO+FVlHk7SJDxe0b5zsPMFQV/hETXvFkvrW9C0"]],
    )
    key_type: Literal["any", "ed25519", "ecdsa", "rsa"] = key(
        "Which of its keys the server is asked for; any: the first of these that it has.",
        default="any",
    )
    ip: Literal["any", "ipv4", "ipv6"] = key("Which addresses to use.", default="any")

    def __post_init__(self) -> None:
        wrong = refused_fingerprint(self.fingerprints)
        if wrong:
            raise ValueError(wrong)

    def host(self) -> str:
        """The host that is connected to."""
        return self.host_.lower()

    async def observe(self, world: ProbeWorld) -> Observation:
        """Connect once."""
        contact = await meet(
            self.host_,
            self.port,
            world.deadline,
            accepts=lambda _: False,
            now=world.transport.now,
            key_type=self.key_type,
            ip=_FAMILIES[self.ip],
        )
        await contact.close()
        reason, text = contact.reason, contact.text
        if contact.key is not None and self._is_other(contact.key.fingerprint):
            reason = "host_key_changed"
            text = f"the host key is {contact.key.kind} {contact.key.fingerprint}"
        ours = reason == Reason.client_failed
        total_s = sum(contact.phases.values())
        return Observation(
            values=self._values(contact, total_s, world.kept),
            duration_s=total_s,
            reason=reason,
            text=text or contact.version,
            network=reason in NETWORK,
            outcome=(Outcome.unknown if ours else Outcome.failed) if reason else None,
            phases=contact.phases,
            address=contact.address,
            samples=[Sample("timing.total_s", total_s, "s")],
            evidence=Evidence(response=contact.version, facts=_facts(contact)),
            metrics=_metrics(contact),
            keep=contact.key.fingerprint.encode() if contact.key else None,
        )

    def _is_other(self, fingerprint: str) -> bool:
        """Whether it is none of those that are declared."""
        return bool(self.fingerprints) and fingerprint not in self.fingerprints

    def _values(self, contact: Contact, total_s: float, kept: bytes | None) -> Mapping[str, Any]:
        protocol, software, comment = version_parts(contact.version)
        timing = {f"{phase}_s": seconds for phase, seconds in contact.phases.items()}
        values: dict[str, Any] = {
            "banner": contact.version,
            "protocol": protocol,
            "software": software,
            "comment": comment,
            "timing": {**timing, "total_s": total_s},
            "address": contact.address,
        }
        if contact.key is not None:
            fingerprint = contact.key.fingerprint
            changed = kept is not None and kept.decode() != fingerprint
            if self.fingerprints:
                changed = self._is_other(fingerprint)
            values["host_key"] = {
                "type": contact.key.kind,
                "fingerprint": fingerprint,
                "changed": changed,
            }
        return values


def version_parts(line: str) -> tuple[str, str, str]:
    """Protocol, software and comment of ``SSH-2.0-OpenSSH_9.2p1 Debian-2`` (RFC 4253, 4.2)."""
    parts = _VERSION.fullmatch(line)
    return (parts[1], parts[2], parts[3] or "") if parts else ("", "", "")


def _facts(contact: Contact) -> Mapping[str, Any]:
    facts: dict[str, Any] = {"address": contact.address, "phases": dict(contact.phases)}
    if contact.key is not None:
        facts["host_key"] = {"type": contact.key.kind, "fingerprint": contact.key.fingerprint}
    return facts


def _metrics(contact: Contact) -> Mapping[str, Any]:
    shown: dict[str, Any] = {"probe_ssh_duration_seconds": dict(contact.phases)}
    if contact.version:
        shown["probe_ssh_version_info"] = {contact.version: 1}
    if contact.key is not None:
        shown["probe_ssh_host_key_info"] = {(contact.key.kind, contact.key.fingerprint): 1}
    return shown
