"""Which products came, went and changed price between two feeds, judged on a sample.

The sample holds the ids with the smallest hashes (a bottom-k sketch; Cohen and Kaplan 2007). The
same ids are in the sample of every day, so two samples show what happened in between: exactly up to
2,048 ids, beyond that within about 2 points (1/√k).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

import msgspec

SAMPLE = 2048
GROUPS = 100
"""Groups that are remembered, the largest."""
GROUP_LEAST = 10
"""Items a group needs before its absence is worth a name."""


class Churn(msgspec.Struct, frozen=True):
    """A sample of a feed: id hashes below `below`, ascending, with their prices (-1: none)."""

    below: int = 0
    ids: bytes = b""
    prices: bytes = b""

    def by_id(self) -> dict[int, float]:
        """Prices by the ids' hashes."""
        ids, prices = memoryview(self.ids).cast("Q"), memoryview(self.prices).cast("f")
        return dict(zip(ids, prices, strict=True))


@dataclass(frozen=True, slots=True)
class Counts:
    """A feed in numbers: rows, a digest of its content, a sample of its ids, items by group."""

    items: int
    digest: str
    churn: Churn
    groups: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Difference:
    """How a feed differs from the last good one; shares are of the last good one's ids."""

    added_ratio: float = 0.0
    removed_ratio: float = 0.0
    prices_changed_ratio: float = 0.0
    price_jumps: int = 0
    """Prices in the sample that went times or by a hundred: the cents mistake."""
    price_change_median: float = 0.0
    """Median of new price over old, minus one, among those that changed."""


def difference(before: Churn, after: Churn) -> Difference:
    """What changed between two samples; nothing when there is no earlier one."""
    below = min(before.below, after.below)
    old = {number: price for number, price in before.by_id().items() if number < below}
    new = {number: price for number, price in after.by_id().items() if number < below}
    if not old:
        return Difference()
    both = old.keys() & new.keys()
    priced = [(old[one], new[one]) for one in both if old[one] > 0 and new[one] > 0]
    moved = [now / then for then, now in priced if now != then]
    return Difference(
        added_ratio=len(new.keys() - old.keys()) / len(old),
        removed_ratio=len(old.keys() - new.keys()) / len(old),
        prices_changed_ratio=len(moved) / len(priced) if priced else 0.0,
        price_jumps=sum(abs(one / 100 - 1) < 0.02 or abs(one * 100 - 1) < 0.02 for one in moved),
        price_change_median=median(moved) - 1.0 if moved else 0.0,
    )


def gone(before: Mapping[str, int], after: Mapping[str, int]) -> list[str]:
    """Groups that had at least 10 items and have none now, the largest first."""
    large = [name for name, count in before.items() if count >= GROUP_LEAST and name not in after]
    return sorted(large, key=lambda name: (-before[name], name))
