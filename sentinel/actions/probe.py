"""One more check of a declared probe, at this moment of a run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from sentinel.expression import Declaration
from sentinel.kinds import ActionWorld, Done, Failed, Outcomes, key


@dataclass(frozen=True, slots=True)
class Probe:
    """Checks a declared probe now and gives what it saw to later steps.

    The step succeeds whenever the check was made, also when the probe fails: use `outcome` in the
    `when` of later steps, or the wait `healthy` to hold the run until it is well. The check counts
    for nothing else: neither the probe's verdict nor its baselines change.

    Outputs: `outcome` (`ok`, `warn`, `failed` or `unknown`), `reason`, `text`, `duration_s` and
    `values`, the values that the probe's expectations named.
    """

    KIND: ClassVar[str] = "probe"
    OUTPUTS: ClassVar[Declaration] = {
        "outcome": "string",
        "reason": "string",
        "text": "string",
        "duration_s": "double",
        "values": "map",
    }
    WRITES: ClassVar[bool] = False

    id: str = key("The probe to check.", examples=["acme-checkout"])

    async def act(self, inputs: Mapping[str, Any], world: ActionWorld) -> Outcomes:
        """Check once."""
        probe = str(inputs.get("id", self.id))
        try:
            seen = await world.check(probe)
        except KeyError:
            return Failed("no_such_probe", f"no document declares a probe `{probe}`")
        text = " ".join(str(seen.get(name, "")) for name in ("outcome", "reason")).strip()
        return Done(dict(seen), f"{probe}: {text}")
