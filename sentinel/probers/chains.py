"""What a server presented for a name, address by address, and what is wrong with it.

A server should send its certificate first and then each one's issuer, the root left out (RFC 8446,
4.4.2). Browsers mend what it leaves out, most other clients do not; OpenSSL, which judges here,
builds its chain from what was sent and from the machine's authorities alone, as these do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from sentinel.transport.reasons import Reason
from sentinel.transport.tls import Certificate
from sentinel.transport.wire import Exchange

CHAIN_INCOMPLETE = "chain_incomplete"
"""The chain ends at an issuer that was neither sent nor is trusted."""
SELF_SIGNED = "self_signed"
"""The certificate vouches for itself."""
VERSION_TOO_OLD = "version_too_old"
"""An older version of TLS was agreed on than `min_version`."""

_CHAIN_WAS_BUILT = frozenset(
    {
        Reason.certificate_expired,
        Reason.certificate_not_yet_valid,
        Reason.certificate_name,
    }
)
"""OpenSSL looks at times and names after it has built a chain to a trusted authority."""


@dataclass(frozen=True, slots=True)
class Presented:
    """One address, and how speaking TLS with it went. `reason` is ``""`` when it is well;
    `skipped` that this machine has no way to addresses of that kind, which says nothing of it."""

    address: str
    exchange: Exchange
    reason: str = ""
    text: str = ""
    protocol: str = ""
    """What ALPN agreed on."""
    skipped: bool = False
    talk_s: float = 0.0
    """How long asking for TLS took, where it had to be asked for."""

    @property
    def certificates(self) -> Sequence[Certificate]:
        return self.exchange.certificates

    def days_left(self, now: datetime) -> float:
        """Of the first certificate to expire; infinity where none was presented."""
        return min((one.days_left(now) for one in self.certificates), default=float("inf"))

    def values(self, now: datetime) -> dict[str, Any]:
        """What an expectation sees of one of `addresses`."""
        seen: dict[str, Any] = {
            "address": self.address,
            "ok": not self.reason,
            "reason": self.reason,
            "skipped": self.skipped,
            "version": self.exchange.tls_version,
        }
        if self.certificates:
            leaf = self.certificates[0]
            seen |= {
                "days_left": leaf.days_left(now),
                "chain_days_left": self.days_left(now),
                "fingerprint": leaf.fingerprint,
            }
        return seen


def chain_values(exchange: Exchange) -> dict[str, Any]:
    """What an expectation sees as `chain`; `complete` is left out where nobody looked."""
    certificates = exchange.certificates
    seen: dict[str, Any] = {
        "length": len(certificates),
        "ordered": ordered(certificates),
        "self_signed": bool(certificates) and _vouches_for_itself(certificates[0]),
        "root_sent": len(certificates) > 1 and any(map(_vouches_for_itself, certificates[1:])),
    }
    if exchange.verified is not None:
        seen["complete"] = exchange.verified or exchange.reason in _CHAIN_WAS_BUILT
    return seen


def ordered(certificates: Sequence[Certificate]) -> bool:
    """Whether each certificate is followed by the one of its issuer."""
    return all(one.issuer == following.subject for one, following in pairwise(certificates))


def refined(exchange: Exchange) -> tuple[str, str]:
    """The reason and a sentence for a handshake that ended early, *untrusted* told apart."""
    certificates = exchange.certificates
    if exchange.reason != Reason.certificate_untrusted or not certificates:
        return exchange.reason or "", exchange.text
    if _vouches_for_itself(certificates[0]):
        return SELF_SIGNED, f"{certificates[0].subject} is signed by itself"
    missing = _end(certificates)
    if missing is not None:
        return CHAIN_INCOMPLETE, f"the issuer was neither sent nor is trusted here: {missing}"
    return exchange.reason, exchange.text


def _end(certificates: Sequence[Certificate]) -> str | None:
    """The issuer at which the chain ends, from the leaf on; None when it ends at a root."""
    by_subject = {one.subject: one for one in certificates}
    one = certificates[0]
    for _ in certificates:
        if _vouches_for_itself(one):
            return None
        following = by_subject.get(one.issuer)
        if following is None:
            return one.issuer
        one = following
    return None


def _vouches_for_itself(certificate: Certificate) -> bool:
    return certificate.subject == certificate.issuer
