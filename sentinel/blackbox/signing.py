"""A signed JSON web token for a JWT bearer grant (RFC 7523): who we are, by a key and not a password.

RS256, RS384 and RS512 (RFC 7518, 3.3) are RSASSA-PKCS1-v1_5 (RFC 8017, 8.2): a padded hash, raised
to the private exponent. That is one call of `pow`, so no cryptography package is needed; the key
signs at most once for each token that is fetched.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from typing import Any

_HASHES: Mapping[str, tuple[str, str]] = {
    # the DER that stands before the digest (RFC 8017, 9.2, note 1)
    "RS256": ("sha256", "3031300d060960864801650304020105000420"),
    "RS384": ("sha384", "3041300d060960864801650304020205000430"),
    "RS512": ("sha512", "3051300d060960864801650304020305000440"),
}
_BEGIN, _END = "-----BEGIN ", "-----END "
_INTEGER, _OCTETS, _SEQUENCE = 0x02, 0x04, 0x30
_LEAST_BITS, _MOST_BITS = 1024, 16384


def signed(
    claims: Mapping[str, Any], key_pem: str, *, algorithm: str = "RS256", key_id: str = ""
) -> str:
    """The token in its compact form (RFC 7515, 3.1). `key_pem` is an RSA key, PKCS #1 or PKCS #8,
    without a passphrase. Raises ValueError, which never repeats any of it."""
    if algorithm not in _HASHES:
        raise ValueError(f"`{algorithm[:20]}` is no algorithm: one of {', '.join(_HASHES)}")
    name, prefix = _HASHES[algorithm]
    header = {"alg": algorithm, "typ": "JWT", **({"kid": key_id} if key_id else {})}
    text = f"{_encoded(_json(header))}.{_encoded(_json(claims))}"
    modulus, exponent = _rsa(key_pem)
    size = (modulus.bit_length() + 7) // 8
    digest = bytes.fromhex(prefix) + hashlib.new(name, text.encode()).digest()
    padded = b"\x00\x01" + b"\xff" * (size - len(digest) - 3) + b"\x00" + digest
    signature = pow(int.from_bytes(padded, "big"), exponent, modulus).to_bytes(size, "big")
    return f"{text}.{_encoded(signature)}"


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), default=str).encode()


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _rsa(pem: str) -> tuple[int, int]:
    """Modulus and private exponent."""
    kind = pem.partition(_BEGIN)[2].partition("-----")[0]
    body = pem.partition(f"{_BEGIN}{kind}-----")[2].partition(_END)[0]
    try:
        numbers = _elements(_within(binascii.a2b_base64(body), _SEQUENCE))
        if kind == "PRIVATE KEY":  # RFC 5958: the key of RFC 8017 stands inside
            inner = next(content for tag, content in numbers if tag == _OCTETS)
            numbers = _elements(_within(inner, _SEQUENCE))
        found = [int.from_bytes(content, "big") for tag, content in numbers if tag == _INTEGER]
        _, modulus, _, exponent, *_ = found
    except (ValueError, StopIteration, IndexError):
        raise ValueError("this is no RSA key in PEM without a passphrase") from None
    if not _LEAST_BITS <= modulus.bit_length() <= _MOST_BITS or exponent <= 0:
        raise ValueError("the RSA key is too small or too large")
    return modulus, exponent


def _within(der: bytes, wanted: int) -> bytes:
    (tag, content), *_ = _elements(der)
    if tag != wanted:
        raise ValueError("another element")
    return content


def _elements(der: bytes) -> list[tuple[int, bytes]]:
    found: list[tuple[int, bytes]] = []
    while der:  # each turn takes at least two bytes
        tag, size, start = der[0], der[1], 2
        if size & 0x80:
            start = 2 + (size & 0x7F)
            size = int.from_bytes(der[2:start], "big")
        if start + size > len(der):
            raise ValueError("cut short")
        found.append((tag, der[start : start + size]))
        der = der[start + size :]
    return found
