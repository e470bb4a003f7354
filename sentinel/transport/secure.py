"""TLS without sockets: bytes that came go in, bytes to send come out.

Verification is as strict as libcurl's in `transport.handle`, so that a certificate is judged
alike whichever way it is met: against the authorities of the machine, of a file or of a text, an
intermediate among them being enough; by the name or address that was asked for; TLS 1.2 at
least; no session is resumed, so that every handshake is a full one. What is loaded from files
is kept until a file changes.
"""

import os
import re
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

from sentinel.transport.naming import misnamed, no_name_fits
from sentinel.transport.reasons import Reason, of_verification
from sentinel.transport.tls import chain

PIECE = 64 * 1024
"""Bytes that are encrypted or read at a time."""

_VERSIONS = {
    "": ssl.TLSVersion.TLSv1_2,
    "TLS 1.0": ssl.TLSVersion.TLSv1,
    "TLS 1.1": ssl.TLSVersion.TLSv1_1,
    "TLS 1.2": ssl.TLSVersion.TLSv1_2,
    "TLS 1.3": ssl.TLSVersion.TLSv1_3,
}
_DER = 2
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")
_USUAL = 12 * 1024
"""Bytes of a certificate that is remembered: a hostile server may present ever new ones."""
_Stamp = tuple[str, int, int, int]


@dataclass(frozen=True, slots=True)
class Terms:
    """How to speak TLS. Files are paths to PEM, `ca_pem` is PEM text and wins over `ca_file`; `alpn`
    the protocols offered, best first; `minimum` the lowest version taken (``"TLS 1.0"`` to
    ``"TLS 1.3"``; ``""``: 1.2), `maximum` the highest."""

    verify: bool = True
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    alpn: tuple[str, ...] = ()
    minimum: str = ""
    maximum: str = ""
    ca_pem: str = field(default="", repr=False)


class Unusable(Exception):
    """The terms cannot be met here: a file is missing or is not what it should be."""


class Tls:
    """One side of a TLS connection. `feed` what came, send what `outgoing` gives."""

    __slots__ = ("_below", "_closed", "_incoming", "_object", "_outgoing", "_read", "_want")

    def __init__(self, terms: Terms, server_name: str, *, library: Any = ssl) -> None:
        """`library` is `ssl` or shaped like it. Raises Unusable."""
        self._want = library.SSLWantReadError
        self._incoming = library.MemoryBIO()
        self._outgoing = library.MemoryBIO()
        try:
            made = context(terms, library=library)
            self._object = made.wrap_bio(
                self._incoming, self._outgoing, server_hostname=server_name or None
            )
        except (OSError, ValueError) as error:
            raise Unusable(f"TLS cannot be spoken: {error}") from error
        self._read, self._below = _reading(self._object, library)
        self._closed = False

    def feed(self, received: bytes) -> None:
        """Take in what came; ``b""``: the peer closed."""
        if received:
            self._incoming.write(received)
        else:
            self._incoming.write_eof()

    def outgoing(self) -> bytes:
        """What is to be sent now; ``b""``: nothing."""
        sent: bytes = self._outgoing.read()
        return sent

    def shaken(self) -> bool:
        """Go on with the handshake; whether it is done. Raises OSError (`ssl.SSLError`): `why`."""
        try:
            self._object.do_handshake()
        except self._want as waiting:
            waiting.__traceback__ = None  # see `_untied`
            return False
        except OSError as error:
            raise _untied(error) from error.__cause__
        return True

    def write(self, content: bytes) -> None:
        """Encrypt it. Raises OSError."""
        try:
            self._object.write(content)
        except OSError as error:
            raise _untied(error) from error.__cause__

    def read(self) -> bytes | None:
        """At most 64 KiB of what came, decrypted; ``b""`` when the peer has closed, None when more
        must come first. Raises OSError. A peer that closes without saying goodbye has closed:
        many do."""
        if not self._incoming.pending and not self._incoming.eof and not self._object.pending():
            return b"" if self._closed else None  # to be told by an error costs as much as reading
        try:
            got: bytes = self._read(PIECE)
        except self._want as waiting:
            waiting.__traceback__ = None
            return None
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError) as closed:
            closed.__traceback__ = None
            got = b""
        except OSError as error:
            raise _untied(error) from error.__cause__
        except self._below as error:
            if error.args[0] == "WantRead":
                return None
            if error.args[0] not in ("Eof", "ZeroReturn"):
                raise ssl.SSLError(error.args[-1]) from error
            got = b""
        self._closed = not got
        return got

    def pems(self) -> tuple[str, ...]:
        """The chain as presented, leaf first, in PEM; also when it was refused; empty before."""
        ask = getattr(self._object, "get_unverified_chain", None)
        if ask is None:  # public from Python 3.13 on
            ask = self._object._sslobj.get_unverified_chain
        return tuple(_pem(one) for one in ask() or ())

    def version(self) -> str:
        """``TLS 1.3``; ``""`` before it was agreed on. Of a handshake that was refused, the one that
        the cipher suite belongs to."""
        said = self._object.version() or ""
        suite = self.cipher()
        if not said and suite:  # names of 1.3's suites begin in a way of their own (RFC 8446, B.4)
            return "TLS 1.3" if suite.startswith("TLS_") else "TLS 1.2"
        return said.replace("TLSv", "TLS ")

    def cipher(self) -> str:
        """OpenSSL's name of the cipher suite."""
        chosen = self._object.cipher()
        return chosen[0] if chosen else ""

    def protocol(self) -> str:
        """What ALPN agreed on; ``""``: nothing."""
        return self._object.selected_alpn_protocol() or ""


def _reading(made: Any, library: Any) -> tuple[Any, type[Exception] | tuple[()]]:
    """How to read, and what that raises besides OSError. What utls raises within itself at the end of
    a connection nobody else can untie (see `_untied`): it is read from below its Python part,
    where it has one."""
    native, error = getattr(made, "_conn", None), getattr(library, "_core", None)
    if native is None or error is None:
        return made.read, ()
    return native.read, error.CoreError


def _untied(error: OSError) -> OSError:
    """The error without its traceback. A library written in Python keeps what it raises in the frame
    that raises it: that circle would hold all of a connection until the cyclic collector comes,
    which in a node is minutes and thousands of connections later."""
    return error.with_traceback(None)


def why(error: OSError, tls: Tls, server_name: str) -> tuple[Reason, str]:
    """The reason for a handshake that failed, and a sentence. Without a certificate nothing was
    verified, whatever a library calls it; with two faults it is the name's, as libcurl tells it."""
    if isinstance(error, ssl.SSLCertVerificationError) and (pems := tls.pems()):
        code, said = error.verify_code or 0, error.verify_message or str(error)
        reason, leaf = of_verification(code, ""), chain(pems[:1])
        other = misnamed(leaf[0], server_name) if leaf and server_name else ""
        if other or reason is Reason.certificate_name:
            return Reason.certificate_name, f"SSL: {other or no_name_fits(server_name)}"
        return reason, f"SSL certificate OpenSSL verify result: {said} ({code})"
    if isinstance(error, ssl.SSLError):
        what = getattr(error, "reason", None) or (error.args[-1] if error.args else error)
        return Reason.tls_failed, f"TLS handshake failed: {what}"
    return Reason.reset, f"the connection was lost: {error.strerror or error}"


def context(terms: Terms, *, library: Any = ssl) -> Any:
    """The library's context for these terms, kept until one of their files changes. Raises OSError
    or ValueError."""
    files = (*_authority_files(terms), terms.cert_file, terms.key_file)
    return _made(terms, library, tuple([_stamp(path) for path in files if path]))


def _authority_files(terms: Terms) -> Sequence[str]:
    if terms.ca_pem:
        return ()
    return (terms.ca_file,) if terms.ca_file else trusted()


@cache
def trusted() -> Sequence[str]:
    """The file, else the folder, where this machine keeps the authorities it trusts
    (``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` win); empty when it keeps none."""
    paths = ssl.get_default_verify_paths()
    return [path for path in (paths.cafile or paths.capath,) if path]


def _stamp(path: str) -> _Stamp:
    facts = os.stat(path)
    return path, facts.st_mtime_ns, facts.st_size, facts.st_ino


@lru_cache(maxsize=512)
def _made(terms: Terms, library: Any, _stamps: tuple[_Stamp, ...]) -> Any:
    made = library.SSLContext(library.PROTOCOL_TLS_CLIENT)
    made.minimum_version = _VERSIONS[terms.minimum]
    if terms.maximum:
        made.maximum_version = _VERSIONS[terms.maximum]
    if not terms.verify:
        made.check_hostname = False
        made.verify_mode = library.CERT_NONE
    else:
        made.verify_flags |= library.VERIFY_X509_PARTIAL_CHAIN
        for path in _authority_files(terms):
            folder = os.path.isdir(path)
            made.load_verify_locations(**{"capath" if folder else "cafile": path})
        if terms.ca_pem:
            made.load_verify_locations(cadata=_certificates(terms.ca_pem))
    if terms.cert_file:
        made.load_cert_chain(terms.cert_file, terms.key_file or None)
    if terms.alpn:
        made.set_alpn_protocols(list(terms.alpn))
    return made


def _certificates(pem: str) -> str:
    """The certificates of a PEM text, without the remarks between them, which may be in any
    language. Raises ValueError when there are none."""
    found = _CERTIFICATE.findall(pem)
    if not found:
        raise ValueError("the authorities' text holds no certificate")
    return "\n".join(found)


def _pem(one: Any) -> str:
    der = one if isinstance(one, bytes) else one.public_bytes(_DER)
    return _armoured(der) if len(der) <= _USUAL else ssl.DER_cert_to_PEM_cert(der)


@lru_cache(maxsize=4096)  # the same few certificates are seen at every check
def _armoured(der: bytes) -> str:
    return ssl.DER_cert_to_PEM_cert(der)
