"""Ways to sign in over HTTP, as documents declare them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sentinel.kinds import Secrets, key
from sentinel.transport.oauth2 import Grant
from sentinel.transport.wire import Request
from sentinel.words import Secret


@dataclass(frozen=True, slots=True)
class Basic:
    """Credentials of HTTP's basic scheme (RFC 7617)."""

    user: str = key("User name.", examples=["monitor"])
    password: Secret = key("Password, by reference.", examples=["env:SHOP_PASSWORD"])


@dataclass(frozen=True, slots=True)
class OAuth2:
    """Client credentials of OAuth 2 (RFC 6749, 4.4). The token endpoint is reached as the shop is:
    the same proxy, the same trust."""

    token_url: str = key(
        "Where tokens are given.",
        examples=["https://login.acme.example/oauth2/token"],
        reads_secrets=True,
    )
    client_id: str = key("The client's id.", examples=["sentinel"])
    client_secret: Secret = key("The client's secret.", examples=["env:ACME_CLIENT_SECRET"])
    scopes: tuple[str, ...] = key("Scopes to ask for.", default=(), examples=[["stock.read"]])
    params: Mapping[str, str] = key(
        "Further fields of the request for a token.",
        default_factory=dict,
        examples=[{"audience": "https://api.acme.example"}],
    )
    sent_in: Literal["auto", "header", "body"] = key(
        "Where id and secret are sent: in the basic scheme, in the form, or in the form when the "
        "server refused the basic scheme.",
        default="auto",
    )

    def grant(self, request: Request, secrets: Secrets) -> Grant:
        """What is asked for a token that `request` is to be sent with. Raises SecretMissing."""
        url = self.token_url
        asking = Request(
            secrets.reveal(Secret(url)) if "{" in url else url,
            verify=request.verify,
            ca_file=request.ca_file,
            ip=request.ip,
            source_ip=request.source_ip,
            proxy=request.proxy,
            no_proxy=request.no_proxy,
            tls_min_version=request.tls_min_version,
            tls_max_version=request.tls_max_version,
        )
        return Grant(
            asking,
            self.client_id,
            secrets.reveal(self.client_secret),
            scopes=self.scopes,
            params=tuple(self.params.items()),
            sent_in=self.sent_in,
        )
