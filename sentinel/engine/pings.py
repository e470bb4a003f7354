"""What others send to a heartbeat probe: read from a URL, kept with the probe's state.

The last part of ``/ping/<secret>/…`` says what it means, as Healthchecks.io does it: nothing is a
success, ``start``, ``fail`` and ``log`` are themselves, a number from 0 to 255 is an exit code
(0 a success, others a failure).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sentinel.kinds import Pings
from sentinel.monitor.verdict import EPOCH, instant, microseconds

MOST_PINGS = 100
_WORDS = {"": "success", "start": "start", "fail": "fail", "log": "log"}


def read_ping(rest: str, *, at: datetime) -> Pings | None:
    """The ping that the rest of a URL's path means; None: it means none."""
    rest = rest.strip("/")
    if rest in _WORDS:
        return Pings(at, _WORDS[rest])
    if rest.isascii() and rest.isdigit() and len(rest) <= 3 and int(rest) <= 255:
        return Pings(at, "fail" if int(rest) else "success", int(rest))
    return None


def add_ping(pings: Sequence[Pings], ping: Pings) -> tuple[Pings, ...]:
    """With one more, in order of time, at most 100. A log line never pushes out what counts: of
    ``log`` only the newest ten stay."""
    ordered = sorted((*pings, ping), key=lambda each: each.at)
    logs = [each for each in ordered if each.what == "log"]
    dropped = {id(each) for each in logs[:-10]}
    return tuple(each for each in ordered if id(each) not in dropped)[-MOST_PINGS:]


def pings_to_json(pings: Sequence[Pings]) -> list[dict[str, Any]]:
    """JSON-able, newest last, instants in microseconds."""
    return [
        {"at": microseconds(each.at), "what": each.what}
        | ({} if each.exit_code is None else {"exit_code": each.exit_code})
        for each in pings
    ]


def pings_from_json(stored: Sequence[Mapping[str, Any]]) -> tuple[Pings, ...]:
    """What `pings_to_json` gave."""
    return tuple(
        Pings(instant(each["at"]) or EPOCH, each["what"], each.get("exit_code")) for each in stored
    )
