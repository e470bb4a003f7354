"""`oauth2`: a token for client credentials, or for an assertion that we sign.

Tokens are kept while they are good (`transport.oauth2`); the original asks for one at every
probe. One that the target answers with 401 is forgotten and asked for anew, once.
"""

import uuid
from dataclasses import dataclass, field
from functools import partial

from sentinel.blackbox.check import Check
from sentinel.blackbox.ended import Ended
from sentinel.blackbox.module import Oauth2
from sentinel.blackbox.proxying import proxy_for
from sentinel.blackbox.reasons import Because
from sentinel.blackbox.signing import signed
from sentinel.blackbox.tlsfiles import material, revealed
from sentinel.blackbox.urls import Url
from sentinel.transport.oauth2 import JWT_BEARER, Grant, NoToken, tokens_of
from sentinel.transport.wire import Request

JWT_GOOD_FOR_S = 3600
"""Seconds between ``iat`` and ``exp`` of an assertion."""


@dataclass(frozen=True, slots=True)
class Bearer:
    """An Authorization header; `kept` says that its token was not asked for just now, so that a
    target which takes it no more is worth another one."""

    header: str = field(repr=False)
    kept: bool


async def bearer(check: Check, config: Oauth2, *, refused: Bearer | None = None) -> Bearer:
    """A good token. `refused` is one that the target takes no more. Raises Ended (``oauth2_failed``,
    ``file_unreadable``)."""
    grant = _grant(check, config)
    tokens = tokens_of(check.transport)
    if refused is not None:
        tokens.forget(grant, refused.header.removeprefix("Bearer "))
    before = tokens.kept(grant)
    claim = None
    if config.grant_type == JWT_BEARER:
        claim = partial(_assertion, check, config, revealed(check, config.certificate_key))
    try:
        token = await tokens.token(check.transport, grant, check.deadline, claim=claim)
    except ValueError as wrong:  # of the key
        check.notes.error("Error for HTTP request", err=f"the assertion cannot be signed: {wrong}")
        raise Ended(Because.oauth2_failed) from wrong
    if isinstance(token, NoToken):
        check.notes.error("Error for HTTP request", err=token.text)
        raise Ended(Because.oauth2_failed)
    return Bearer(f"Bearer {token}", token == before)


def _grant(check: Check, config: Oauth2) -> Grant:
    try:
        url = Url.parse(config.token_url)
    except ValueError as wrong:
        check.notes.error("Error for HTTP request", err=f"the token URL: {wrong}")
        raise Ended(Because.oauth2_failed) from wrong
    tls = material(check, config.tls)
    proxy = proxy_for(config.proxy, url)
    asking = Request(
        url.text,
        verify=tls.verify,
        ca_pem=tls.ca_pem,
        cert_pem=tls.cert_pem,
        key_pem=tls.key_pem,
        server_name=tls.server_name if url.scheme == "https" else "",
        tls_min_version=tls.minimum,
        tls_max_version=tls.maximum,
        proxy=proxy,
        proxy_headers=tuple(
            (name, revealed(check, value))
            for name, values in config.proxy.connect_header.items()
            for value in values
            if proxy
        ),
    )
    return Grant(
        asking,
        config.client_id,
        revealed(check, config.client_secret),
        config.scopes,
        tuple(config.endpoint_params.items()),
    )


def _assertion(check: Check, config: Oauth2, key: str) -> str:
    now = int(check.clock())
    claims = {
        "iss": config.issuer or config.client_id,
        "sub": config.client_id,
        "aud": config.audience or config.token_url,
        "jti": str(uuid.uuid4()),
        "iat": now,
        "exp": now + JWT_GOOD_FOR_S,
        **({"scope": " ".join(config.scopes)} if config.scopes else {}),
        **config.claims,
    }
    return signed(
        claims,
        key,
        algorithm=config.signature_algorithm or "RS256",
        key_id=config.certificate_key_id,
    )
