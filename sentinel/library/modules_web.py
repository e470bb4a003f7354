"""``--web.config.file``: TLS and passwords of an exporter's port, in the exporter toolkit's format.

Read by the same rules as a `blackbox.yml`. Paths are relative to the file. Some keys of Go's TLS have no
counterpart here: `http2`, `prefer_server_cipher_suites` and `curve_preferences` are taken and change
nothing; client certificates that are asked for and not verified, `client_allowed_sans` and `rate_limit`
are refused, since a guard that is not there should not seem to be.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from sentinel.library.modules import ModulesRefused
from sentinel.library.modules_read import Reader
from sentinel.library.modules_rules import Refuse
from sentinel.library.modules_schema import Block, Key, Leaf, ListOf, MapOf
from sentinel.library.modules_yaml import Empty, Refused, parse

ClientAuth = Literal["none", "if_given", "required"]
_CLIENT_AUTH: Mapping[str, ClientAuth] = {
    "": "none",
    "NoClientCert": "none",
    "VerifyClientCertIfGiven": "if_given",
    "RequireAndVerifyClientCert": "required",
}
_TEXT, _TEXTS = Leaf.text, ListOf(Leaf.text)


@dataclass(frozen=True, slots=True)
class WebTls:
    """`tls_server_config`. A PEM is inline or in a file. `ciphers` are OpenSSL's names, for TLS 1.2."""

    cert: str = ""
    cert_file: str = ""
    key: str = field(default="", repr=False)
    key_file: str = ""
    client_ca: str = ""
    client_ca_file: str = ""
    client_auth: ClientAuth = "none"
    min_version: str = "TLS12"
    max_version: str = ""
    ciphers: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class WebConfig:
    """What the port asks of who comes. `users` are names and bcrypt hashes; `headers` are added to
    every answer."""

    tls: WebTls | None = None
    users: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)


def _check_tls(values: Mapping[str, Any], refuse: Refuse) -> None:
    for one, file in (("cert", "cert_file"), ("key", "key_file"), ("client_ca", "client_ca_file")):
        if values[one] and values[file]:
            refuse(f"at most one of {one} & {file} must be configured", file)
    if not (values["cert"] or values["cert_file"]):
        refuse("missing one of cert or cert_file")
    if not (values["key"] or values["key_file"]):
        refuse("missing one of key or key_file")
    asked = values["client_auth_type"]
    if asked not in _CLIENT_AUTH:
        refuse(
            f"`{asked}` is not understood: one of {', '.join(filter(None, _CLIENT_AUTH))}",
            "client_auth_type",
        )
    elif _CLIENT_AUTH[asked] != "none" and not (values["client_ca"] or values["client_ca_file"]):
        refuse(
            "a client_ca or client_ca_file is needed to verify client certificates",
            "client_auth_type",
        )
    elif _CLIENT_AUTH[asked] == "none" and (values["client_ca"] or values["client_ca_file"]):
        refuse("Client CA's have been configured without a ClientAuth policy")
    for name in values["cipher_suites"]:
        if not cipher(name):
            refuse(f"`{name}` is not a cipher suite that is understood", "cipher_suites")


def cipher(name: str) -> str:
    """OpenSSL's name for a suite of TLS 1.2 as the standard calls it, ``""`` for an unknown one:
    ``TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256`` → ``ECDHE-RSA-AES128-GCM-SHA256``."""
    exchange, separator, cipher_ = name.removeprefix("TLS_").partition("_WITH_")
    if not separator or not name.startswith("TLS_"):
        return ""
    words = cipher_.replace("AES_", "AES").replace("CBC_", "").split("_")
    if "CHACHA20" in words:
        words = ["CHACHA20", "POLY1305"]
    before = [] if exchange == "RSA" else exchange.split("_")
    return "-".join([*before, *words])


_TLS = Block(
    (
        *(Key(name, _TEXT) for name in ("cert", "cert_file", "key", "key_file")),
        *(Key(name, _TEXT) for name in ("client_ca", "client_ca_file", "client_auth_type")),
        Key("min_version", Leaf.tls_version, default="TLS12"),
        Key("max_version", Leaf.tls_version),
        Key("cipher_suites", _TEXTS),
        Key("prefer_server_cipher_suites", Leaf.flag, default=True),
        Key("curve_preferences", _TEXTS),
    ),
    _check_tls,
    absent="nothing",
)
_FILE = Block(
    (
        Key("tls_server_config", _TLS),
        Key(
            "http_server_config",
            Block((Key("http2", Leaf.flag, default=True), Key("headers", MapOf(_TEXT)))),
        ),
        Key("basic_auth_users", MapOf(_TEXT)),
    )
)


def read_web_config(path: str, content: bytes) -> WebConfig:
    """The configuration in a file's bytes; an empty file asks for nothing. Raises ModulesRefused."""
    reader = Reader()
    try:
        top = parse(path, content)
        values = None if top.is_null else reader.read(_FILE, top)
    except Empty:
        return WebConfig()
    except Refused as refused:
        raise ModulesRefused([*reader.problems, refused.problem]) from refused
    if reader.problems:
        raise ModulesRefused(reader.problems)
    if values is None:
        return WebConfig()
    tls = values["tls_server_config"]
    return WebConfig(
        tls=None if tls is None else _tls(tls, Path(path).parent),
        users=values["basic_auth_users"],
        headers=values["http_server_config"]["headers"],
    )


def _tls(values: Mapping[str, Any], folder: Path) -> WebTls:
    def beside(name: str) -> str:
        return str(folder / values[name]) if values[name] else ""

    return WebTls(
        cert=values["cert"],
        cert_file=beside("cert_file"),
        key=values["key"],
        key_file=beside("key_file"),
        client_ca=values["client_ca"],
        client_ca_file=beside("client_ca_file"),
        client_auth=_CLIENT_AUTH[values["client_auth_type"]],
        min_version=values["min_version"],
        max_version=values["max_version"],
        ciphers=tuple(cipher(name) for name in values["cipher_suites"]),
    )
