"""What a TLS handshake showed, as blackbox_exporter prints it.

``probe_ssl_last_chain_expiry_timestamp_seconds`` is about *verified* chains, those that lead
from the leaf over presented certificates to an authority that is trusted: the best of them
counts, since a client needs only one. OpenSSL has verified; here the chains are only found
again, by names, so that the expiry of the authority itself is known.
"""

import binascii
import ssl
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path

from sentinel.blackbox.check import Gauges
from sentinel.blackbox.ciphers import NAMES
from sentinel.blackbox.distinguished import go_name
from sentinel.transport.tls import Certificate, parse
from sentinel.transport.wire import Exchange

NEVER = -62135596800.0
"""Go's zero time in seconds: what the original says when no chain was verified."""
_USUAL = 16 * 1024
"""Characters of a certificate's names that are remembered: a hostile server may present ever new
ones, of any size."""
_MOST_CHAINS = 32
_LONGEST_CHAIN = 10
_MOST_FILES = 2000
_END = "-----END CERTIFICATE-----"
_BEGIN = "-----BEGIN CERTIFICATE-----"


def show(
    gauges: Gauges, exchange: Exchange, *, authorities: Sequence[Certificate], cipher: bool
) -> None:
    """The families of a handshake, as far as there was one. `authorities` are those that were
    trusted, `cipher` says whether the prober has that family."""
    if not exchange.certificates:
        return
    expires = min(certificate.not_after for certificate in exchange.certificates)
    gauges.set("probe_ssl_earliest_cert_expiry", expires.timestamp())
    gauges.set(
        "probe_ssl_last_chain_expiry_timestamp_seconds",
        last_chain_expiry(exchange.certificates, authorities) if exchange.verified else NEVER,
    )
    leaf(gauges, exchange.certificates[0])
    gauges.set("probe_tls_version_info", 1, version=exchange.tls_version or "unknown")
    if cipher:
        gauges.set("probe_tls_cipher_info", 1, cipher=cipher_name(exchange.tls_cipher))


def show_call(gauges: Gauges, exchange: Exchange) -> None:
    """The families of TLS that a `grpc` module has."""
    show_refused(gauges, exchange)
    gauges.set("probe_tls_version_info", 1, version=exchange.tls_version or "unknown")


def show_refused(gauges: Gauges, exchange: Exchange) -> None:
    """What a certificate said that was refused: whoever is to mend it wants to know when it ended."""
    if exchange.certificates:
        expires = min(certificate.not_after for certificate in exchange.certificates)
        gauges.set("probe_ssl_earliest_cert_expiry", expires.timestamp())
        leaf(gauges, exchange.certificates[0])


def leaf(gauges: Gauges, certificate: Certificate) -> None:
    """``probe_ssl_last_chain_info``."""
    size = len(certificate.subject) + len(certificate.issuer) + sum(map(len, certificate.names))
    labels = (_remembered if size < _USUAL else _labels)(certificate)
    gauges.set("probe_ssl_last_chain_info", 1, **labels)


@lru_cache(maxsize=1024)  # the same few certificates are seen at every probe
def _remembered(certificate: Certificate) -> Mapping[str, str]:
    return _labels(certificate)


def _labels(certificate: Certificate) -> Mapping[str, str]:
    return {
        "fingerprint_sha256": certificate.fingerprint,
        "subject": go_name(certificate.subject),
        "issuer": go_name(certificate.issuer),
        "subjectalternative": ",".join(n for n in certificate.names if not _is_address(n)),
        "serialnumber": _serial(certificate.serial),
    }


def cipher_name(openssl: str) -> str:
    """A cipher suite by the name that IANA and Go give it."""
    return NAMES.get(openssl, openssl)


def last_chain_expiry(
    presented: Sequence[Certificate], authorities: Sequence[Certificate]
) -> float:
    """The latest of the verified chains' ends, each chain ending with its first certificate that
    does; seconds since 1970."""
    trusted = _by_subject(authorities)
    between = _by_subject(presented[1:])
    ends = [
        min(certificate.not_after for certificate in chain)
        for chain in _chains((presented[0],), between, trusted)
    ]
    # An authority may be trusted by a certificate that no file of ours shows.
    last = max(ends) if ends else min(certificate.not_after for certificate in presented)
    return last.timestamp()


def _chains(
    begun: tuple[Certificate, ...],
    between: Mapping[str, Sequence[Certificate]],
    trusted: Mapping[str, Sequence[Certificate]],
) -> Iterator[tuple[Certificate, ...]]:
    """Every chain from the leaf to an authority, at most `_MOST_CHAINS` of them."""
    waiting, given = [begun], 0
    while waiting and given < _MOST_CHAINS:
        chain = waiting.pop()
        issuer, known = chain[-1].issuer, {certificate.fingerprint for certificate in chain}
        for root in trusted.get(issuer, ()):
            given += 1
            yield chain if root.fingerprint in known else (*chain, root)
        if len(chain) < _LONGEST_CHAIN and len(waiting) < _MOST_CHAINS:
            fresh = (one for one in between.get(issuer, ()) if one.fingerprint not in known)
            waiting += [(*chain, one) for one in fresh]


def _by_subject(certificates: Iterable[Certificate]) -> Mapping[str, list[Certificate]]:
    found: dict[str, list[Certificate]] = {}
    for certificate in certificates:
        found.setdefault(certificate.subject, []).append(certificate)
    return found


def authorities_of(pem: str) -> tuple[Certificate, ...]:
    """The certificates of a PEM text; what cannot be read is left out, since OpenSSL has judged."""
    return _authorities(pem)


@lru_cache(maxsize=64)
def _authorities(pem: str) -> tuple[Certificate, ...]:
    return tuple(_read(pem))


def _read(pem: str) -> Iterator[Certificate]:
    for part in pem.split(_BEGIN)[1:]:
        try:
            yield parse(binascii.a2b_base64(part.partition(_END)[0]))
        except ValueError:
            continue


@lru_cache(maxsize=1)
def system_authorities() -> tuple[Certificate, ...]:
    """What this machine trusts, read once, as OpenSSL finds it (`SSL_CERT_FILE`, `SSL_CERT_DIR`)."""
    paths = ssl.get_default_verify_paths()
    if paths.cafile:
        files = [Path(paths.cafile)]
    else:
        files = sorted(Path(paths.capath).iterdir())[:_MOST_FILES] if paths.capath else []
    found = [authority for path in files if path.is_file() for authority in _read(_text(path))]
    return tuple({authority.fingerprint: authority for authority in found}.values())


def _text(path: Path) -> str:
    return path.read_bytes().decode("ascii", "replace")


def _serial(transmitted: str) -> str:
    """Without the byte that only keeps a number positive."""
    return transmitted[2:] if transmitted.startswith("00") else transmitted


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
