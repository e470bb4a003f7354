"""gRPC servers, asked by the health checking protocol."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal

from sentinel.expression import Declaration
from sentinel.kinds import ProbeWorld, Secrets, key
from sentinel.monitor.probe import Evidence, MetricFamily, Observation, Sample
from sentinel.transport.grpc import MOST_SERVICE, SERVING, Code, Health, check
from sentinel.transport.reasons import Reason
from sentinel.transport.shown import (
    CERTIFICATE_NAMES,
    address_metrics,
    certificate_values,
    facts_of,
    tls_metrics,
)
from sentinel.transport.wire import Exchange, IpVersion, Request
from sentinel.words import Outcome, Secret

NOT_SERVING = "not_serving"
"""The reason when the service says that it does not serve."""
SERVICE_UNKNOWN = "service_unknown"
"""The reason when the server knows no service of this name (code NOT_FOUND)."""
CALL_FAILED = "call_failed"
"""The reason when the call ended with any other code than OK."""

_FAMILIES: Mapping[str, IpVersion] = {"any": "any", "ipv4": "4", "ipv6": "6"}
_NAME = re.compile(r"[0-9a-z_.-]+")
_JUDGED = frozenset({"status", "code", "serving"})


@dataclass(frozen=True, slots=True)
class Grpc:
    """Asks a gRPC server whether it serves (`grpc.health.v1.Health`, call `Check`).

    Each check opens a new HTTP/2 connection, over TLS where asked, and tells the server the time
    that is left. Unless an expectation names `status`, `code` or `serving`, the service must be
    SERVING: else the reason is `not_serving`, `service_unknown` (the server knows no such service)
    or `call_failed` (the call ended with another code, which the text names).

    Expectations may use `status` (`OK`, `NOT_FOUND`, `UNAVAILABLE`…), `code` (its number),
    `serving` (`SERVING`, `NOT_SERVING`, `UNKNOWN`; empty when the call failed), `message` (the
    server's own), `timing`, `certificate` (with `tls`) and `address`.
    """

    KIND: ClassVar[str] = "grpc"
    NAMES: ClassVar[Declaration] = {
        "status": "string",
        "code": "int",
        "serving": "string",
        "message": "string",
        "timing": {
            "total_s": "double",
            "resolve_s": "double",
            "connect_s": "double",
            "tls_s": "double",
            "processing_s": "double",
            "transfer_s": "double",
        },
        "certificate": CERTIFICATE_NAMES,
        "address": "string",
    }
    METRICS: ClassVar[tuple[MetricFamily, ...]] = (
        MetricFamily(
            "probe_grpc_duration_seconds", "Duration of gRPC request by phase", ("phase",)
        ),
        MetricFamily("probe_grpc_ssl", "Indicates if SSL was used for the connection"),
        MetricFamily("probe_grpc_status_code", "Response gRPC status code"),
        MetricFamily(
            "probe_grpc_healthcheck_response", "Response HealthCheck response", ("serving_status",)
        ),
    )

    host_: str = key(
        "Host name or address to connect to.", examples=["basket.acme.example", "10.0.0.7"]
    )
    port: int = key("Port to connect to.", minimum=1, maximum=65535, examples=[50051])
    service: str = key(
        "The service to ask about, as it is registered; empty: the server as a whole.",
        default="",
        maxLength=MOST_SERVICE,
        examples=["acme.basket.v1.Basket"],
    )
    metadata: Mapping[str, str] = key(
        "Metadata sent with the call; of a name that ends in `-bin` the value is base64.",
        default_factory=dict,
        examples=[{"x-tenant": "acme"}],
    )
    secret_metadata: Mapping[str, Secret] = key(
        "Metadata that is secret: by reference, never shown.",
        default_factory=dict,
        examples=[{"authorization": "Bearer {env:BASKET_TOKEN}"}],
    )
    tls: bool = key("Speak TLS.", default=False)
    verify: bool = key("Refuse a certificate that cannot be verified.", default=True)
    ca_file: str = key("PEM file of the authorities to trust instead of the system's.", default="")
    cert_file: str = key("PEM file of a client certificate.", default="")
    key_file: str = key("PEM file of its key, when it is not in the same file.", default="")
    server_name: str = key("Name to ask for and to verify, when it is not the host's.", default="")
    ip: Literal["any", "ipv4", "ipv6"] = key("Which addresses to use.", default="any")

    def __post_init__(self) -> None:
        for name in (*self.metadata, *self.secret_metadata):
            if not _NAME.fullmatch(name) or name.startswith("grpc-"):
                raise ValueError(
                    f"`{name}` is no name for metadata: lower-case letters, digits, `_`, `.` and "
                    "`-`, and `grpc-` is the protocol's own"
                )

    def host(self) -> str:
        """The host that is connected to."""
        return self.host_.lower()

    async def observe(self, world: ProbeWorld) -> Observation:
        """Ask once."""
        health = await check(
            world.transport,
            self._request(),
            world.deadline,
            service=self.service,
            metadata=self._metadata(world.secrets),
        )
        return self._observed(health, world)

    def _request(self) -> Request:
        host = f"[{self.host_}]" if ":" in self.host_ else self.host_
        return Request(
            f"{'https' if self.tls else 'http'}://{host}:{self.port}",
            server_name=self.server_name,
            verify=self.verify,
            ca_file=self.ca_file,
            cert_file=self.cert_file,
            key_file=self.key_file,
            ip=_FAMILIES[self.ip],
            private=frozenset(self.secret_metadata),
        )

    def _metadata(self, secrets: Secrets) -> list[tuple[str, str]]:
        hidden = ((name, secrets.reveal(value)) for name, value in self.secret_metadata.items())
        return [*self.metadata.items(), *hidden]

    def _observed(self, health: Health, world: ProbeWorld) -> Observation:
        exchange = health.exchange
        reason, outcome, text = _verdict(health, world.needed)
        samples = [Sample("timing.total_s", exchange.duration_s, "s")]
        if exchange.certificates:
            days_left = exchange.certificates[0].days_left(world.now)
            samples.append(Sample("certificate.days_left", days_left, "d"))
        return Observation(
            values=_Seen(health, world.now),
            duration_s=exchange.duration_s,
            reason=reason,
            text=text,
            network=exchange.network,
            outcome=outcome,
            phases=exchange.phases,
            address=exchange.address,
            samples=samples,
            evidence=self._evidence(health),
            metrics=_metrics(health),
        )

    def _evidence(self, health: Health) -> Evidence:
        hidden = dict.fromkeys(self.secret_metadata, "***")
        sent = [f"{name}: {value}" for name, value in {**self.metadata, **hidden}.items()]
        said = {"status": health.code.name, "serving": health.serving, "message": health.message}
        return Evidence(
            request="\r\n".join([f"Check {self.service}".rstrip(), *sent]),
            response=health.exchange.head_text(),
            facts={**facts_of(health.exchange), **said},
        )


def _verdict(health: Health, needed: frozenset[str]) -> tuple[str, Outcome | None, str]:
    exchange, failed = health.exchange, Outcome.failed
    if exchange.reason is not None:
        ours = exchange.ours or exchange.reason is Reason.invalid_request
        return exchange.reason, Outcome.unknown if ours else failed, exchange.text
    told = f"{health.code.name}: {health.message}" if health.message else health.code.name
    if needed & _JUDGED or health.serving == "SERVING":
        return "", None, health.serving or told
    match health.code:
        case Code.OK:
            return NOT_SERVING, failed, f"the service is {health.serving}"
        case Code.NOT_FOUND:
            return SERVICE_UNKNOWN, failed, "the server knows no such service"
        case _:
            return CALL_FAILED, failed, f"the call ended with {told}"


def _metrics(health: Health) -> dict[str, Any]:
    exchange = health.exchange
    resolve = exchange.phases.get("resolve", 0.0)
    return {
        **address_metrics(exchange),
        **tls_metrics(exchange),
        "probe_grpc_duration_seconds": {
            "resolve": resolve,
            "check": max(0.0, exchange.duration_s - resolve),
        },
        "probe_grpc_ssl": int(bool(exchange.tls_version)),
        "probe_grpc_status_code": int(health.code),
        "probe_grpc_healthcheck_response": {each: int(each == health.serving) for each in SERVING},
    }


class _Seen(Mapping[str, Any]):
    """The names that expectations use."""

    __slots__ = ("_health", "_now")

    def __init__(self, health: Health, now: datetime) -> None:
        self._health = health
        self._now = now

    def __getitem__(self, name: str) -> Any:
        exchange: Exchange = self._health.exchange
        match name:
            case "status":
                return self._health.code.name
            case "code":
                return int(self._health.code)
            case "serving" | "message":
                return getattr(self._health, name)
            case "timing":
                phases = {f"{phase}_s": seconds for phase, seconds in exchange.phases.items()}
                return {"total_s": exchange.duration_s, **phases}
            case "certificate":
                return certificate_values(exchange, self._now)
            case "address":
                return exchange.address
            case _:
                raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        plain = not self._health.exchange.certificates
        return (name for name in Grpc.NAMES if not (plain and name == "certificate"))

    def __len__(self) -> int:
        return len(list(iter(self)))
