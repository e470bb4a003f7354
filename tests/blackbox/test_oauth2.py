"""`oauth2` of a module: tokens from a server that asks for a password, or for a signed assertion."""

import asyncio
import base64
import json
import time
from contextlib import AsyncExitStack

import pytest

from sentinel.blackbox.module import Hidden, HttpClient, Oauth2, TlsConfig
from sentinel.blackbox.signing import signed
from sentinel.transport.curl import Transport
from tests.blackbox.differential.web import heard, site
from tests.blackbox.probes import http, probed, said
from tests.transport.certificates import authority, openssl, server
from tests.transport.servers import serving

pytestmark = pytest.mark.needs("openssl")


def asking(port, *, query="", scheme="http", **fields):
    how = {"client_secret": Hidden("secret"), **fields}
    oauth2 = Oauth2("ana", f"{scheme}://localhost:{port}/token{query}", **how)
    return http(client=HttpClient(oauth2=oauth2))


def on(*modules, tls=None, scripts=(), **fields):
    """What each probe says of a page that wants the token, with one transport for all."""

    async def main():
        async with AsyncExitStack() as stack:
            transport = await stack.enter_async_context(Transport())
            tokens = await stack.enter_async_context(serving(site, tls))
            port = await stack.enter_async_context(serving(scripts[0] if scripts else site))
            target = f"http://localhost:{port}/wants?h=Authorization&v=Bearer%20t0ken"
            given = modules or (fields,)
            return [
                await probed(
                    asking(tokens, scheme="https" if tls else "http", **each), target, transport
                )
                for each in given
            ]

    return asyncio.run(main())


def test_a_token_is_asked_for_and_never_shown():
    [outcome] = on()

    assert outcome.success, said(outcome)
    assert "Bearer t0ken" not in said(outcome)


@pytest.mark.parametrize(
    "fields",
    [
        {"client_secret": Hidden("other")},
        {"query": "?scope=a+b", "scopes": ("a",)},
        {"query": "?shop=acme", "endpoint_params": {"shop": "other"}},
    ],
)
def test_without_a_token_nothing_is_asked(fields):
    [outcome] = on(**fields)

    assert "oauth2_failed" == outcome.reason


def test_scopes_and_parameters_are_sent():
    [outcome] = on(
        query="?scope=a+b&shop=acme", scopes=("a", "b"), endpoint_params={"shop": "acme"}
    )

    assert outcome.success, said(outcome)


def test_the_token_s_server_is_verified():
    trusting = {"tls": TlsConfig(ca_file=authority())}

    good, bad = on(trusting, {}, tls=server("good"))

    assert (True, "oauth2_failed") == (good.success, bad.reason)


def test_a_token_is_kept_and_renewed_when_it_is_refused():
    asked = []

    async def forgetful(reader, writer):
        """Takes each token at every second request only."""
        request = await heard(reader)
        asked.append(request.first("authorization"))
        status = b"401 No" if len(asked) == 2 else b"200 OK"
        writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")

    first, second = on({}, {}, scripts=(forgetful,))

    assert (True, True, 3) == (first.success, second.success, len(asked))


# Assertions


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    path = tmp_path_factory.mktemp("keys") / "rsa.pem"
    openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", path)
    openssl("pkey", "-in", path, "-pubout", "-out", path.with_suffix(".pub"))
    openssl("rsa", "-traditional", "-in", path, "-out", path.with_suffix(".pkcs1"))
    return path


def unpacked(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512"])
@pytest.mark.parametrize("form", [".pem", ".pkcs1"])
def test_a_token_that_is_signed_verifies(key, tmp_path, algorithm, form):
    token = signed(
        {"iss": "ana"}, key.with_suffix(form).read_text(), algorithm=algorithm, key_id="k1"
    )
    head, body, signature = token.split(".")
    (tmp_path / "text").write_text(f"{head}.{body}")
    (tmp_path / "signature").write_bytes(unpacked(signature))

    assert {"alg": algorithm, "typ": "JWT", "kid": "k1"} == json.loads(unpacked(head))
    assert {"iss": "ana"} == json.loads(unpacked(body))
    how = ["-verify", key.with_suffix(".pub"), "-signature", tmp_path / "signature"]
    name = f"-sha{algorithm[2:]}"
    assert "Verified OK" in openssl("dgst", name, *how, tmp_path / "text")


@pytest.mark.parametrize("pem", ["", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END", "nonsense"])
def test_what_is_no_key_is_refused_without_being_repeated(pem):
    with pytest.raises(ValueError, match="no RSA key"):
        signed({}, pem)


def test_an_assertion_stands_in_for_the_password(key):
    claims = []

    async def tokens(reader, writer):
        request = await heard(reader)
        form = dict(pair.split("=") for pair in request.body.decode().split("&"))
        claims.append(json.loads(unpacked(form["assertion"].split(".")[1])))
        content = b'{"access_token": "t0ken", "token_type": "Bearer"}'
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\n\r\n"
        writer.write(head.encode() + content)

    async def main():
        async with AsyncExitStack() as stack:
            transport = await stack.enter_async_context(Transport())
            port = await stack.enter_async_context(serving(tokens))
            page = await stack.enter_async_context(serving(site))
            module = asking(
                port,
                grant_type="urn:ietf:params:oauth:grant-type:jwt-bearer",
                certificate_key=Hidden(file=str(key)),
                scopes=("read",),
                claims={"shop": "acme"},
            )
            target = f"http://localhost:{page}/wants?h=Authorization&v=Bearer%20t0ken"
            return await probed(module, target, transport)

    outcome = asyncio.run(main())

    assert outcome.success, said(outcome)
    [sent] = claims
    assert ("ana", "read", "acme") == (sent["iss"], sent["scope"], sent["shop"])
    assert 3600 == sent["exp"] - sent["iat"]
    assert abs(time.time() - sent["iat"]) < 60
