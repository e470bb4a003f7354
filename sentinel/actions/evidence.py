"""What will be asked for tomorrow, kept tonight."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import msgspec

from sentinel.expression import Declaration
from sentinel.kinds import ActionWorld, Done, Failed, Outcomes, key
from sentinel.playbook.playbook import Reference
from sentinel.transport.wire import Request
from sentinel.words import Secret


@dataclass(frozen=True, slots=True)
class Evidence:
    """Keeps evidence with the incident: a probe's result now, an address's answer, or both.

    What is kept is redacted, stored under its SHA-256 and listed on the timeline. The answer is
    kept whatever its status. The step fails only when nothing could be kept at all.

    Outputs: `kept`, a list of `{name, sha256, size_bytes}`, and `missing`, the names that could not
    be had, with why.
    """

    KIND: ClassVar[str] = "evidence"
    OUTPUTS: ClassVar[Declaration] = {"kept": "list", "missing": "map"}
    WRITES: ClassVar[bool] = False

    probe: str = key("A probe to check now.", default="", examples=["acme-checkout"])
    url: str = key(
        "An address to GET, at most 1 MiB of it. `{env:NAME}` may stand in a user, password or "
        "token place.",
        default="",
        examples=["https://shop.acme.example/-/status"],
        reads_secrets=True,
    )

    def __post_init__(self) -> None:
        if isinstance(self.url, Reference):
            raise ValueError("scheme and host are written out")
        if not self.probe and not self.url:
            raise ValueError("nothing to keep: give `probe:` or `url:`")

    async def act(self, inputs: Mapping[str, Any], world: ActionWorld) -> Outcomes:
        """Collect each, keep what came."""
        wanted = replace(self, **inputs)
        found: dict[str, bytes] = {}
        missing: dict[str, str] = {}
        if wanted.probe:
            await _checked(wanted.probe, world, found, missing)
        if wanted.url:
            await _fetched(wanted.url, world, found, missing)
        kept = [
            {
                "name": name,
                "sha256": await world.store_evidence(name, content),
                "size_bytes": len(content),
            }
            for name, content in found.items()
        ]
        values = {"kept": kept, "missing": missing}
        if not kept:
            return Failed(
                "nothing_kept", "; ".join(missing.values()), retryable=True, values=values
            )
        return Done(values, f"kept {len(kept)}", str(kept[0]["sha256"]))


async def _checked(
    probe: str, world: ActionWorld, found: dict[str, bytes], missing: dict[str, str]
) -> None:
    name = f"probe {probe}"
    try:
        seen = await world.check(probe)
    except KeyError:
        missing[name] = f"no document declares a probe `{probe}`"
        return
    found[name] = msgspec.json.format(msgspec.json.encode(seen, enc_hook=str), indent=2)


async def _fetched(
    url: str, world: ActionWorld, found: dict[str, bytes], missing: dict[str, str]
) -> None:
    request = Request(world.secrets.reveal(Secret(url)) if "{" in url else url)
    exchange = await world.transport.fetch(request, world.deadline)
    if not exchange.status:
        missing["answer"] = exchange.text or str(exchange.reason)
        return
    found["answer"] = (
        f"{request.head()}\r\n\r\n{exchange.head_text()}\r\n\r\n".encode() + exchange.body
    )
