"""A `tls_config` with what its files hold, as the transport takes it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from sentinel.blackbox.certificates import authorities_of, system_authorities
from sentinel.blackbox.check import Check
from sentinel.blackbox.ended import Ended
from sentinel.blackbox.module import Hidden, TlsConfig, TlsVersion
from sentinel.blackbox.reasons import Because
from sentinel.transport.tls import Certificate

Version = Literal["", "1.0", "1.1", "1.2", "1.3"]
_VERSIONS: Mapping[TlsVersion, Version] = {
    "": "",
    "TLS10": "1.0",
    "TLS11": "1.1",
    "TLS12": "1.2",
    "TLS13": "1.3",
}


@dataclass(frozen=True, slots=True, repr=False)
class TlsMaterial:
    """PEM texts (``""``: none) and what the handshake may be. `key_pem` is a secret."""

    ca_pem: str = ""
    cert_pem: str = ""
    key_pem: str = ""
    server_name: str = ""
    verify: bool = True
    minimum: Version = ""
    maximum: Version = ""

    @property
    def authorities(self) -> Sequence[Certificate]:
        """Who is trusted."""
        return authorities_of(self.ca_pem) if self.ca_pem else system_authorities()


def material(check: Check, config: TlsConfig) -> TlsMaterial:
    """The files read anew, as at every probe. Raises Ended (``file_unreadable``)."""
    return TlsMaterial(
        ca_pem=_shared(config.ca or content_of(check, config.ca_file)),
        cert_pem=config.cert or content_of(check, config.cert_file),
        key_pem=revealed(check, config.key) or content_of(check, config.key_file),
        server_name=config.server_name,
        verify=not config.insecure_skip_verify,
        minimum=_VERSIONS[config.min_version],
        maximum=_VERSIONS[config.max_version],
    )


@lru_cache(maxsize=64)
def _shared(text: str) -> str:
    """The same text for all who read the same: requests that are remembered hold it, and a machine's
    authorities are 200 KB. Never for what is secret."""
    return text


def content_of(check: Check, path: str) -> str:
    """What the file holds; ``""`` without a path. Raises Ended."""
    if not path:
        return ""
    try:
        return check.read_file(path).decode("utf-8", "replace")
    except OSError as unreadable:
        check.notes.error("A file of the module cannot be read", file=path, err=unreadable.strerror)
        raise Ended(Because.file_unreadable) from unreadable


def revealed(check: Check, hidden: Hidden) -> str:
    """The secret: of its file, without the spaces and line ends around it. Raises Ended."""
    return hidden.text or content_of(check, hidden.file).strip()
