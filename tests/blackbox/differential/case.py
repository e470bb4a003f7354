"""What a case is, and what most of them are made of.

A case is a module and a target; ``<name>`` stands for a port, path or text of the stage. `known`
says whether the original of version 0.23.0 knows the key: if not, ours alone is asked.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

FOUR = {"preferred_ip_protocol": "ip4"}


@dataclass(frozen=True)
class Case:
    """`keys` are those it stands for. `differs` names the accepted difference that it shows."""

    name: str
    keys: tuple[str, ...]
    passes: bool
    prober: str
    block: Mapping[str, Any]
    target: str
    known: bool = True
    hostname: str = ""
    timeout: str = "3s"
    differs: str = ""

    @property
    def module(self) -> Mapping[str, Any]:
        return {"prober": self.prober, "timeout": self.timeout, self.prober: dict(self.block)}


def pair(
    key: str,
    good: tuple[Mapping[str, Any], str],
    bad: tuple[Mapping[str, Any], str],
    *,
    known: bool = True,
    differs: str = "",
    bad_differs: str = "",
    timeout: str = "3s",
) -> Iterator[Case]:
    """A key's two cases. Blocks ask for IPv4 unless they say otherwise; unix has no such key."""
    prober = key.partition(".")[0]
    base = {} if prober == "unix" else FOUR
    for passes, (block, target) in ((True, good), (False, bad)):
        yield Case(
            f"{key}-{'passes' if passes else 'fails'}",
            (key,),
            passes,
            prober,
            {**base, **block},
            target,
            known=known,
            differs=differs if passes else (bad_differs or differs),
            timeout=timeout,
        )


OK, GONE = "http://localhost:<http>/ok", "http://localhost:<http>/status/404"
HTTP, HTTPS = "http://localhost:<http>", "https://localhost:<https>"
TRUST = {"tls_config": {"ca_file": "<ca_path>"}}
REFUSED = "refused-certificates"


def families(prober: str, target: str) -> Iterator[Case]:
    """The two keys of every prober that connects to an address."""
    for key in ("preferred_ip_protocol", "ip_protocol_fallback"):
        good = {"preferred_ip_protocol": "ip4" if key[0] == "p" else "ip6"}
        bad = {"preferred_ip_protocol": "ip6", "ip_protocol_fallback": False}
        known = prober != "websocket"
        yield from pair(f"{prober}.{key}", (good, target), (bad, target), known=known)


def wants(header: str, value: str, *, scheme: str = "http") -> str:
    where = HTTP if scheme == "http" else HTTPS
    return f"{where}/wants?h={header}&v={value.replace(' ', '%20')}"


MATERIAL = (
    ("ca_file", "<ca_path>", "<self_cert_path>", True),
    ("ca", "<ca_pem>", "<self_cert_pem>", False),
    ("server_name", "a.shop.example", "other.example", True),
)


def secured(
    prober: str,
    where: Mapping[str, str],
    extra: Mapping[str, Any],
    *,
    nest: str = "",
    known: bool = True,
    asks: bool = True,
) -> Iterator[Case]:
    """`tls_config` of a prober. `where` are targets by the server's kind, `extra` what makes it
    speak TLS, `nest` the block that the configuration stands in."""

    def config(**tls: Any) -> Mapping[str, Any]:
        if not nest:
            return {**extra, "tls_config": tls}
        inner = {**extra.get(nest, {}), "tls_config": tls}
        return {**extra, nest: inner}

    trust = {"ca_file": "<ca_path>"}
    if prober == "unix":
        trust["server_name"] = "localhost"
    prefix = f"{prober}.{nest}.tls_config" if nest else f"{prober}.tls_config"

    def both(key: str, good: Any, bad: Any, *, at: tuple[str, str], old: bool = True) -> Any:
        shown = prober not in ("dns", "websocket")
        differs = REFUSED if shown and "version" not in key else ""
        return pair(
            f"{prefix}.{key}",
            (config(**good), where[at[0]]),
            (config(**bad), where[at[1]]),
            known=known and old,
            bad_differs=differs,
        )

    for key, good, bad, old in MATERIAL:
        named = {**trust, key: good}, {**trust, key: bad}
        if key == "ca":
            for each in named:
                del each["ca_file"]
        yield from both(key, *named, at=("", ""), old=old)
    yield from both(
        "insecure_skip_verify",
        {"insecure_skip_verify": True},
        {**trust, "insecure_skip_verify": False},
        at=("_self", "_self"),
    )
    versions = ("12", "13") if f"_{12}" in where else ("", "")
    if versions[0]:
        yield from both(
            "min_version",
            {**trust, "min_version": "TLS12"},
            {**trust, "min_version": "TLS13"},
            at=("_12", "_12"),
        )
        yield from both(
            "max_version",
            {**trust, "max_version": "TLS13"},
            {**trust, "max_version": "TLS12"},
            at=("_13", "_13"),
            old=False,
        )
    if asks:
        for cert, key_, old in (("cert_file", "key_file", True), ("cert", "key", False)):
            end = "path" if old else "pem"
            good = {**trust, cert: f"<good_cert_{end}>", key_: f"<good_key_{end}>"}
            bad = {**trust, cert: f"<self_cert_{end}>", key_: f"<self_key_{end}>"}
            for key in (cert, key_):
                yield from both(key, good, bad, at=("_asks", "_asks"), old=old)


def kinds(template: str) -> Mapping[str, str]:
    """Targets by the kind of server: ``%s`` is where the kind stands."""
    return {kind: template % kind for kind in ("", "_self", "_expired", "_asks", "_12", "_13")}
