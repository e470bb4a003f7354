"""Who may come to an exporter's port: TLS and passwords of ``--web.config.file``, read anew each time.

As with Prometheus' exporter toolkit, a changed file counts from the next connection (certificate and
key) and the next request (passwords, headers) on, without a reload; other settings of TLS count from the
start. A file that has become unreadable or wrong lets
nobody in. Passwords are compared as bcrypt hashes, which is slow by design (some 50 ms at cost 10), so an
answer is remembered, and done in a thread.
"""

import asyncio
import hmac
import logging
import secrets
import ssl
import tempfile
from base64 import b64decode
from collections.abc import Mapping
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

try:
    import bcrypt
except ModuleNotFoundError:  # an extra; said where a file asks for passwords
    bcrypt = None  # type: ignore[assignment]

from sentinel.errors import ExtraMissing
from sentinel.library.modules import ModulesRefused
from sentinel.library.modules_web import WebConfig, WebTls, read_web_config
from sentinel.web.blackbox import Exporter, Receive, Scope, Send, read_file, sent
from sentinel.web.blackbox_probing import Answer

log = logging.getLogger("sentinel.blackbox.guard")

_NOBODY = "$2b$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi"
"""A hash of nothing anybody knows: unknown users take as long as known ones."""
_REMEMBERED = 100
_VERSIONS = {
    "TLS10": ssl.TLSVersion.TLSv1,
    "TLS11": ssl.TLSVersion.TLSv1_1,
    "TLS12": ssl.TLSVersion.TLSv1_2,
    "TLS13": ssl.TLSVersion.TLSv1_3,
}
_CLIENT_AUTH = {
    "none": ssl.CERT_NONE,
    "if_given": ssl.CERT_OPTIONAL,
    "required": ssl.CERT_REQUIRED,
}


class Unguarded(Exception):
    """The file cannot be used; the text says why."""


class WebFile:
    """The file, read again whenever it is asked for and has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._content: bytes | None = None
        self._config = WebConfig()

    def read(self) -> WebConfig:
        """What the file says now. Raises Unguarded, ExtraMissing."""
        try:
            content = read_file(str(self._path))
            if content != self._content:
                self._config = read_web_config(str(self._path), content)
                self._content = content
        except (OSError, ModulesRefused) as wrong:
            raise Unguarded(str(wrong)) from wrong
        if self._config.users and bcrypt is None:
            raise ExtraMissing(
                "`basic_auth_users` needs the package `bcrypt`: pip install 'sentinel[blackbox]'"
            )
        return self._config


class Guarded:
    """The application behind its file: passwords are asked for, headers added."""

    def __init__(self, app: Exporter, file: WebFile) -> None:
        self._app = app
        self._file = file
        self._salt = secrets.token_bytes(16)
        self._known: dict[bytes, bool] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            config = self._file.read()
        except (Unguarded, ExtraMissing) as wrong:
            log.error("the web configuration cannot be used", extra={"error": str(wrong)})
            await sent(Answer(500, "Internal Server Error\n"), b"", send)
            return
        send = _with_headers(send, config.headers)
        headers: Mapping[bytes, bytes] = dict(scope.get("headers", ()))
        if config.users and not await self._knows(config, headers.get(b"authorization", b"")):
            asks = (("www-authenticate", "Basic"), ("x-content-type-options", "nosniff"))
            await sent(Answer(401, "Unauthorized\n", headers=asks), b"", send)
            return
        await self._app(scope, receive, send)

    async def _knows(self, config: WebConfig, authorization: bytes) -> bool:
        scheme, _, encoded = authorization.partition(b" ")
        if scheme.lower() != b"basic":
            return False
        try:
            user, _, password = b64decode(encoded.strip(), validate=True).partition(b":")
        except ValueError:
            return False
        known = config.users.get(user.decode(errors="replace"))
        hashed = (known or _NOBODY).encode()
        key = hmac.digest(self._salt, b"\0".join((user, hashed, password)), sha256)
        if key not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = await asyncio.to_thread(_fits, password, hashed)
        return self._known[key] and known is not None


def _fits(password: bytes, hashed: bytes) -> bool:
    try:
        return bool(bcrypt.checkpw(password[:72], hashed))
    except ValueError:  # no hash of bcrypt
        return False


def _with_headers(send: Send, headers: Mapping[str, str]) -> Send:
    if not headers:
        return send
    added = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]

    async def sending(message: Any) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *added]}
        await send(message)

    return sending


def server_context(file: WebFile) -> ssl.SSLContext | None:
    """The TLS of a port, which follows the file from handshake to handshake; None when the file asks
    for none. Raises Unguarded, ExtraMissing."""
    config = file.read()
    if config.tls is None:
        return None
    first = _context(config.tls)
    first.sni_callback = partial(_renewed, file)
    return first


def _renewed(
    file: WebFile, socket: ssl.SSLObject, name: str | None, first: ssl.SSLContext
) -> int | None:
    """Give a connection what the file says now. Certificates are read again too."""
    try:
        config = file.read()
        if config.tls is not None:
            socket.context = _context(config.tls)
            return None
        log.error("the web configuration no longer asks for TLS: restart to serve without it")
    except (Unguarded, ExtraMissing) as wrong:
        log.error("the web configuration cannot be used", extra={"error": str(wrong)})
    return ssl.ALERT_DESCRIPTION_INTERNAL_ERROR


def _context(tls: WebTls) -> ssl.SSLContext:
    """Raises Unguarded."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.minimum_version = _VERSIONS[tls.min_version]
        if tls.max_version:
            context.maximum_version = _VERSIONS[tls.max_version]
        if tls.ciphers:
            context.set_ciphers(":".join(tls.ciphers))
        _load_pair(context, tls)
        context.verify_mode = _CLIENT_AUTH[tls.client_auth]
        if tls.client_auth != "none":
            context.load_verify_locations(tls.client_ca_file or None, cadata=tls.client_ca or None)
    except (OSError, ValueError, ssl.SSLError) as wrong:
        raise Unguarded(f"TLS cannot be served: {wrong}") from wrong
    return context


def _load_pair(context: ssl.SSLContext, tls: WebTls) -> None:
    """Python loads a certificate from files only, so inline ones pass through files of our own."""
    if tls.cert_file and tls.key_file:
        context.load_cert_chain(tls.cert_file, tls.key_file)
        return
    with tempfile.TemporaryDirectory() as folder:
        cert = tls.cert_file or _written(Path(folder, "cert.pem"), tls.cert)
        key = tls.key_file or _written(Path(folder, "key.pem"), tls.key)
        context.load_cert_chain(cert, key)


def _written(path: Path, text: str) -> str:
    path.touch(mode=0o600)
    path.write_text(text)
    return str(path)
