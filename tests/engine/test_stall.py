"""Which failures are doubted when this node was too slow."""

import pytest

from sentinel.engine.stall import excused
from sentinel.monitor.probe import Judged
from sentinel.words import Outcome
from tests.monitor.builders import a_result

SLOW = Judged("timing.total_s < 1.5", Outcome.warn, "slow", {})
WRONG = Judged("status == 200", Outcome.failed, "unexpected_status", {})
HELD = Judged("status == 200", Outcome.ok, "", {})


@pytest.mark.parametrize(
    ("letter", "reason", "judged", "doubted"),
    [
        ("f", "timeout", (), True),
        ("f", "dns_timeout", (), True),
        ("w", "slow", (HELD, SLOW), True),
        ("f", "unexpected_status", (WRONG, SLOW), False),
        ("f", "connect_refused", (), False),
        ("o", "", (HELD,), False),
        ("u", "internal", (), False),
    ],
)
def test_only_failures_by_a_matter_of_time_are_doubted(
    letter: str, reason: str, judged: tuple[Judged, ...], doubted: bool
):
    result = a_result(letter, reason=reason, judged=judged, network=letter == "f")
    after = excused(result)
    if not doubted:
        assert result is after
    else:
        assert (after.outcome, after.reason, after.network) == (
            Outcome.unknown,
            "overloaded",
            False,
        )
        assert reason in after.text
