"""Cases of the client block, which `http` and `websocket` share: credentials, tokens, proxies."""

from collections.abc import Iterator, Mapping
from typing import Any

from tests.blackbox.differential.case import FOUR, HTTP, HTTPS, OK, TRUST, Case, pair, wants

BASIC, BEARER = "Basic YW5hOnNlY3JldA==", "Bearer t0ken"
TOKEN = "http://127.0.0.1:<http>/token"
SAYS_WHO = r"^(Basic YW5hOnNlY3JldA==|Bearer t0ken|welcome t0ken)$"
JWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
NEW_IN_OAUTH2 = frozenset(
    {
        "no_proxy",
        "proxy_from_environment",
        "proxy_connect_header",
        "max_version",
        "ca",
        "cert",
        "key",
    }
)
VIA, DEAD = {"proxy_url": "http://127.0.0.1:<proxy>"}, {"proxy_url": "http://127.0.0.1:<nobody>"}


class Client:
    """Where a client block stands: inline in `http`, or as `http_config` of `websocket`."""

    def __init__(self, prober: str) -> None:
        self.prober = prober
        self.prefix = "http" if prober == "http" else "websocket.http_config"

    def block(self, client: Mapping[str, Any]) -> Mapping[str, Any]:
        if self.prober == "http":
            return client
        return {"http_config": client, "query_response": [{"expect": SAYS_WHO}]}

    def wanting(self, value: str) -> str:
        """A target that lets in who sends this as Authorization."""
        if self.prober == "http":
            return wants("Authorization", value)
        return "ws://localhost:<ws_guarded>/"

    def pair(
        self, key: str, good: Any, bad: Any, target: str, *, known: bool = True, timeout: str = "3s"
    ) -> Iterator[Case]:
        return pair(
            f"{self.prefix}.{key}",
            (self.block(good), target),
            (self.block(bad), target),
            known=known and self.prober == "http",
            timeout=timeout,
        )


def signed(client: Client) -> Iterator[Case]:
    """Passwords, tokens and headers that are given."""
    basic, bearer = client.wanting(BASIC), client.wanting(BEARER)
    for key, good, bad, known in (
        ("password", "secret", "other", True),
        ("password_file", "<password_file>", "<wrong_file>", True),
        ("username", "ana", "bo", True),
        ("username_file", "<user_file>", "<wrong_file>", False),
    ):
        base = {"password": "secret"} if key.startswith("user") else {"username": "ana"}
        blocks = [{"basic_auth": {**base, key: each}} for each in (good, bad)]
        yield from client.pair(f"basic_auth.{key}", *blocks, basic, known=known)
    for key, good, bad in (
        ("credentials", {"credentials": "t0ken"}, {"credentials": "other"}),
        (
            "credentials_file",
            {"credentials_file": "<token_file>"},
            {"credentials_file": "<wrong_file>"},
        ),
        (
            "type",
            {"type": "Bearer", "credentials": "t0ken"},
            {"type": "Token", "credentials": "t0ken"},
        ),
    ):
        both = [{"authorization": each} for each in (good, bad)]
        yield from client.pair(f"authorization.{key}", *both, bearer)
    for key, good, bad in (
        ("bearer_token", "t0ken", "other"),
        ("bearer_token_file", "<token_file>", "<wrong_file>"),
    ):
        yield from client.pair(key, {key: good}, {key: bad}, bearer)
    plain = wants("X-Who", "t0ken") if client.prober == "http" else "ws://localhost:<ws>/"
    for key, good, bad in (
        ("values", "t0ken", "other"),
        ("secrets", "t0ken", "other"),
        ("files", "<token_file>", "<wrong_file>"),
    ):
        both = [{"http_headers": {"X-Who": {key: [each]}}} for each in (good, bad)]
        yield from client.pair(f"http_headers.{key}", *both, plain, known=False)


def tokens(client: Client) -> Iterator[Case]:
    """`oauth2`. Each case has a grant of its own, since tokens are kept."""
    base = {"client_id": "ana", "client_secret": "secret", "token_url": TOKEN}
    bearer = client.wanting(BEARER)

    def asked(key: str, good: Any, bad: Any, *, known: bool = True, **both: Any) -> Iterator[Case]:
        name = f"oauth2.{key}"
        blocks = []
        for number, each in enumerate((good, bad)):
            own = {"endpoint_params": {"case": f"{client.prober} {key} {number}"}}
            given = {**base, **own, **both, **each}
            blocks.append({"oauth2": {key: one for key, one in given.items() if one is not None}})
        return client.pair(name, *blocks, bearer, known=known, timeout="1s")

    for key, good, bad in (
        ("client_id", "ana", "bo"),
        ("client_secret", "secret", "other"),
        ("token_url", TOKEN, "http://127.0.0.1:<http>/status/500"),
    ):
        yield from asked(key, {key: good}, {key: bad})
    yield from asked(
        "client_secret_file",
        {"client_secret_file": "<password_file>"},
        {"client_secret_file": "<wrong_file>"},
        client_secret=None,
    )
    yield from asked(
        "scopes", {"scopes": ["a", "b"]}, {"scopes": ["a"]}, token_url=f"{TOKEN}?scope=a+b"
    )
    yield from asked(
        "endpoint_params",
        {"endpoint_params": {"shop": "acme"}},
        {"endpoint_params": {"shop": "other"}},
        token_url=f"{TOKEN}?shop=acme",
    )
    yield from assertions(asked)
    yield from token_ways(asked)


def assertions(asked: Any) -> Iterator[Case]:
    """The keys of a JWT bearer grant, which 0.23.0 lacks."""
    given = {"client_secret": None, "grant_type": JWT, "client_certificate_key": "<rsa_pem>"}

    def claimed(key: str, good: Any, bad: Any, query: str = "", **more: Any) -> Iterator[Case]:
        how = {**given, "token_url": f"{TOKEN}{query}", **more}
        return asked(key, {key: good}, {key: bad}, known=False, **how)

    yield from claimed("client_certificate_key", "<rsa_pem>", "no key")
    yield from claimed(
        "client_certificate_key_file", "<rsa_path>", "<wrong_file>", client_certificate_key=None
    )
    yield from claimed("client_certificate_key_id", "k1", "k2", "?kid=k1")
    yield from claimed("signature_algorithm", "RS384", "RS512", "?alg=RS384")
    yield from claimed("iss", "shop", "other", "?iss=shop")
    yield from claimed("audience", "them", "others", "?aud=them")
    yield from claimed("claims", {"shop": "acme"}, {"shop": "other"}, "?shop=acme")
    yield from asked(
        "grant_type",
        {**given, "grant_type": JWT},
        {"grant_type": "client_credentials", "client_secret": "other"},
        known=False,
    )


def token_ways(asked: Any) -> Iterator[Case]:
    """Over which TLS and through which proxy a token is asked for."""
    secure, trust = "https://localhost:<https%s>/token", {"ca_file": "<ca_path>"}
    for key, good, bad, kind in (
        ("ca_file", trust, {"ca_file": "<self_cert_path>"}, ""),
        ("ca", {"ca": "<ca_pem>"}, {"ca": "<self_cert_pem>"}, ""),
        (
            "server_name",
            {**trust, "server_name": "a.shop.example"},
            {**trust, "server_name": "other.example"},
            "",
        ),
        ("insecure_skip_verify", {"insecure_skip_verify": True}, trust, "_self"),
        (
            "min_version",
            {**trust, "min_version": "TLS12"},
            {**trust, "min_version": "TLS13"},
            "_12",
        ),
        (
            "max_version",
            {**trust, "max_version": "TLS13"},
            {**trust, "max_version": "TLS12"},
            "_13",
        ),
        *(
            (
                key,
                {**trust, cert: f"<good_cert_{end}>", name: f"<good_key_{end}>"},
                {**trust, cert: f"<self_cert_{end}>", name: f"<self_key_{end}>"},
                "_asks",
            )
            for cert, name, end in (("cert_file", "key_file", "path"), ("cert", "key", "pem"))
            for key in (cert, name)
        ),
    ):
        yield from asked(
            f"tls_config.{key}",
            {"tls_config": good},
            {"tls_config": bad},
            known=key not in NEW_IN_OAUTH2,
            token_url=secure % kind,
        )
    yield from asked("proxy_url", VIA, DEAD)
    yield from asked(
        "no_proxy",
        {**DEAD, "no_proxy": "127.0.0.1"},
        {**DEAD, "no_proxy": "192.0.2.1", "token_url": "http://shop.invalid/token"},
        known=False,
    )
    yield from asked(
        "proxy_from_environment",
        {"proxy_from_environment": True},
        {"proxy_from_environment": True, "token_url": "http://127.0.0.1:<nobody>/token"},
        known=False,
    )
    out = {**VIA, "token_url": secure % "", "tls_config": trust}
    yield from asked(
        "proxy_connect_header",
        {**out, "proxy_connect_header": {"X-Out": ["yes"]}},
        {**out, "proxy_connect_header": {"X-Out": ["no"]}},
        known=False,
    )


def proxied() -> Iterator[Case]:
    """`http` through a proxy."""
    yield from pair("http.proxy_url", (VIA, wants("X-Through", "proxy")), (DEAD, OK))
    yield from pair(
        "http.no_proxy",
        ({**DEAD, "no_proxy": "127.0.0.1"}, OK),
        ({**DEAD, "no_proxy": "192.0.2.1"}, "http://192.0.2.2/"),
        known=False,
    )
    yield from pair(
        "http.proxy_from_environment",
        ({"proxy_from_environment": True}, OK),
        ({"proxy_from_environment": True}, "http://127.0.0.1:<nobody>/"),
        known=False,
    )
    out = {**VIA, **TRUST}
    yield from pair(
        "http.proxy_connect_header",
        ({**out, "proxy_connect_header": {"X-Out": ["yes"]}}, f"{HTTPS}/ok"),
        ({**out, "proxy_connect_header": {"X-Out": ["no"]}}, f"{HTTPS}/ok"),
        known=False,
    )
    skip = {"skip_resolve_phase_with_proxy": True}
    yield from pair(
        "http.skip_resolve_phase_with_proxy",
        ({**skip, **VIA}, f"{HTTP}/lacks?h=X-Nothing"),
        ({**skip, **DEAD}, "http://nothing.invalid/"),
    )
    yield Case("https-through-a-proxy", (), True, "http", {**FOUR, **out}, f"{HTTPS}/ok")


def tunnelled() -> Iterator[Case]:
    """`websocket` through a proxy."""
    where = "ws://localhost:<ws>/"

    def asked(key: str, good: Any, bad: Any) -> Iterator[Case]:
        both = [
            {"http_config": each, "query_response": [{"expect": "welcome"}]} for each in (good, bad)
        ]
        name = f"websocket.http_config.{key}"
        return pair(name, (both[0], where), (both[1], where), known=False, timeout="1s")

    yield from asked("proxy_url", VIA, DEAD)
    yield from asked(
        "no_proxy", {**DEAD, "no_proxy": "127.0.0.1"}, {"proxy_url": "http://127.0.0.1:<nobody>"}
    )
    yield from asked(
        "proxy_connect_header",
        {**VIA, "proxy_connect_header": {"X-Out": ["yes"]}},
        {**VIA, "proxy_connect_header": {"X-Out": ["no"]}},
    )
    block = {"http_config": {"proxy_from_environment": True}}
    yield from pair(
        "websocket.http_config.proxy_from_environment",
        (block, where),
        (block, "ws://127.0.0.1:<nobody>/"),
        known=False,
    )


def clients() -> Iterator[Case]:
    """All of them."""
    for prober in ("http", "websocket"):
        yield from signed(Client(prober))
        yield from tokens(Client(prober))
    yield from proxied()
    yield from tunnelled()
