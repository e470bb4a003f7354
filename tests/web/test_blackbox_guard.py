"""The port's passwords and TLS follow their file."""

import asyncio
import ssl
import subprocess
from base64 import b64encode
from pathlib import Path
from typing import Any

import bcrypt
import pytest

from sentinel.library.modules import ModulesRefused
from sentinel.library.modules_web import WebTls, cipher, read_web_config
from sentinel.web.blackbox_guard import Guarded, Unguarded, WebFile, server_context


def hashed(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()


class Answering:
    """Stands behind the guard."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"in"})


def status(guarded: Guarded, credentials: str | None = None, scheme: str = "Basic") -> int:
    return int(answered(guarded, credentials, scheme)[0]["status"])


def answered(guarded: Guarded, credentials: str | None, scheme: str = "Basic") -> list[Any]:
    got: list[Any] = []

    async def send(message: Any) -> None:
        got.append(message)

    async def receive() -> Any:
        return {}

    headers = []
    if credentials is not None:
        headers = [
            (b"authorization", f"{scheme} {b64encode(credentials.encode()).decode()}".encode())
        ]
    asyncio.run(guarded({"type": "http", "headers": headers}, receive, send))
    return got


def guard(path: Path) -> Guarded:
    return Guarded(Answering(), WebFile(path))  # type: ignore[arg-type]


def test_only_who_knows_the_password_comes_in(tmp_path: Path) -> None:
    file = tmp_path / "web.yml"
    file.write_text(f"basic_auth_users: {{ana: '{hashed('open sesame')}'}}")
    guarded = guard(file)
    assert [401, 401, 401, 401, 200, 200, 401] == [
        status(guarded),
        status(guarded, "ana:no"),
        status(guarded, "bo:open sesame"),
        status(guarded, "ana:open sesame", "Bearer"),
        status(guarded, "ana:open sesame"),
        status(guarded, "ana:open sesame"),
        status(guarded, "ana:"),
    ]
    assert (b"www-authenticate", b"Basic") in answered(guarded, None)[0]["headers"]


def test_a_changed_file_counts_from_the_next_request(tmp_path: Path) -> None:
    file = tmp_path / "web.yml"
    file.write_text(f"basic_auth_users: {{ana: '{hashed('old')}'}}")
    guarded = guard(file)
    assert 200 == status(guarded, "ana:old")
    file.write_text(f"basic_auth_users: {{ana: '{hashed('new')}'}}")
    assert [401, 200] == [status(guarded, "ana:old"), status(guarded, "ana:new")]
    file.write_text("basic_auth_userz: {}")
    assert 500 == status(guarded, "ana:new"), "a wrong file lets nobody in"
    file.unlink()
    assert 500 == status(guarded, "ana:new")


def test_headers_are_added_and_an_empty_file_asks_for_nothing(tmp_path: Path) -> None:
    file = tmp_path / "web.yml"
    file.write_text("")
    assert 200 == status(guard(file))
    file.write_text("http_server_config: {headers: {X-Frame-Options: deny}}")
    assert [(b"X-Frame-Options", b"deny")] == answered(guard(file), None)[0]["headers"]


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    argv = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ]
    argv += ["-keyout", str(key), "-out", str(cert), "-days", "2", "-subj", f"/CN={name}"]
    subprocess.run(argv, check=True, capture_output=True, timeout=20)
    return cert, key


@pytest.mark.needs("openssl")
def test_a_renewed_certificate_is_shown_to_the_next_who_connects(tmp_path: Path) -> None:
    certificate(tmp_path, "first")
    certificate(tmp_path, "second")
    file = tmp_path / "web.yml"

    def use(name: str) -> None:
        file.write_text(f"tls_server_config: {{cert_file: {name}.pem, key_file: {name}.key}}")

    async def shown(port: int) -> bytes:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        cert: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        return cert

    async def score() -> None:
        use("first")
        context = server_context(WebFile(file))
        server = await asyncio.start_server(
            lambda _, writer: writer.close(), "127.0.0.1", ssl=context
        )
        port = server.sockets[0].getsockname()[1]
        async with server, asyncio.timeout(20):
            for name in ("first", "second"):
                use(name)
                expected = ssl.PEM_cert_to_DER_cert((tmp_path / f"{name}.pem").read_text())
                assert expected == await shown(port)
            file.write_text("nope: 1")
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await shown(port)

    asyncio.run(score())


@pytest.mark.needs("openssl")
def test_inline_certificates_serve_too(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "inline")
    file = tmp_path / "web.yml"
    text = f"tls_server_config:\n  cert: |\n{_indented(cert)}\n  key: |\n{_indented(key)}\n"
    file.write_text(text)
    assert server_context(WebFile(file)) is not None
    assert "PRIVATE" not in repr(WebFile(file).read())
    file.write_text(text.replace("BEGIN", "BEGUN"))
    with pytest.raises(Unguarded, match="TLS cannot be served"):
        server_context(WebFile(file))


def _indented(path: Path) -> str:
    return "\n".join(f"    {line}" for line in path.read_text().splitlines())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tls_server_config: {key_file: a}", "missing one of cert or cert_file"),
        ("tls_server_config: {cert_file: a}", "missing one of key or key_file"),
        ("tls_server_config: {cert_file: a, key_file: a, client_auth_type: RequireAnyClientCert}", "is not understood"),
        ("tls_server_config: {cert_file: a, key_file: a, client_auth_type: RequireAndVerifyClientCert}", "is needed"),
        ("tls_server_config: {cert_file: a, key_file: a, client_ca_file: a}", "without a ClientAuth policy"),
        ("tls_server_config: {cert_file: a, key_file: a, client_allowed_sans: [a]}", "is not known here"),
        ("tls_server_config: {cert_file: a, key_file: a, cipher_suites: [a]}", "is not a cipher suite"),
    ],
)  # fmt: skip
def test_a_guard_that_would_not_be_there_is_refused(text: str, said: str) -> None:
    with pytest.raises(ModulesRefused, match=said):
        read_web_config("web.yml", text.encode())


def test_paths_are_beside_the_file_and_ciphers_are_openssls() -> None:
    text = (
        "tls_server_config: {cert_file: a.pem, key_file: /k, client_ca_file: c,"
        " client_auth_type: VerifyClientCertIfGiven,"
        " cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256], curve_preferences: [X25519]}"
    )
    expected = WebTls(
        cert_file="/etc/a.pem",
        key_file="/k",
        client_ca_file="/etc/c",
        client_auth="if_given",
        ciphers=("ECDHE-RSA-AES128-GCM-SHA256",),
    )
    assert expected == read_web_config("/etc/web.yml", text.encode()).tls
    context = ssl.create_default_context()
    for name in (
        "TLS_RSA_WITH_AES_256_GCM_SHA384",
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    ):
        context.set_ciphers(cipher(name))
