"""When this node itself was too slow for a failure to say anything about the target.

A busy machine, a paused virtual one, or a fault of our own that blocks the event loop makes
every clock of a check run out at once: without this, a monitor short of CPU would page people
about shops that are well. So a check that was under way while the loop came late by `STALL` or
more (it is due at least once a second while checks are in flight), and that failed by a matter
of time (a timeout, or a condition on ``timing``), is unknown, reason ``overloaded``, which
neither confirms nor clears. A refused connection or a wrong status stays what it is.
"""

import re
from datetime import timedelta

from msgspec.structs import replace

from sentinel.monitor.probe import CheckResult
from sentinel.words import Outcome

STALL = timedelta(milliseconds=250)
OVERLOADED = "overloaded"

_ABOUT_TIME = re.compile(r"\b(?:timing|duration_s|total_s)\b")
_BAD = frozenset({Outcome.failed, Outcome.warn})


def excused(result: CheckResult) -> CheckResult:
    """The result of a check that met a stall: unknown, if it failed by a matter of time."""
    if result.outcome not in _BAD or not _about_time(result):
        return result
    return replace(
        result,
        outcome=Outcome.unknown,
        reason=OVERLOADED,
        text=f"this node was too slow to tell; it looked like {result.reason}: {result.text}",
        network=False,
    )


def _about_time(result: CheckResult) -> bool:
    if "timeout" in result.reason:
        return True
    failed = [each for each in result.judged if each.outcome in _BAD]
    return bool(failed) and all(_ABOUT_TIME.search(each.source) for each in failed)
