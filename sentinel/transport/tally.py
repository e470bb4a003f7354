"""Counting a feed row by row, at flat memory.

Four things let a million rows be judged in a few megabytes:

- *Content* is a sum of row hashes: the same rows in another order, or under a new timestamp, are
  the same content.
- *Duplicates* are counted exactly over 8-byte hashes of the ids, in 64 heaps; the ids shown are
  those that a small filter caught.
- *Churn* is judged on a sample, the ids with the smallest hashes (``monitor.churn``).
- *Groups* (brands) are counted, the largest 100 are remembered, so that one that vanished is named.
"""

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

from sentinel.monitor.churn import GROUPS, SAMPLE, Churn, Counts
from sentinel.monitor.products import NOTICES, price_of
from sentinel.words import shortened

SHOWN = 20
"""Bad rows that are shown."""
MOST_ITEMS = 8_000_000
"""Rows whose ids are remembered for duplicates (64 MB); beyond that duplicates are a lower bound."""

_FILTER_BITS = 1 << 22
_HEAPS = 64


class Tally:
    """Adds rows up. `id_name` is the field that identifies, `group_name` the one to count by."""

    def __init__(self, id_name: str, group_name: str = "") -> None:
        self.id_name = id_name
        self.group_name = group_name
        self.items = 0
        self.invalid = 0
        self.reasons: Counter[str] = Counter()
        self.samples: list[Mapping[str, Any]] = []
        self.currencies: Counter[str] = Counter()
        self.groups: Counter[str] = Counter()
        self._content = 0
        self._heaps = [array("Q") for _ in range(_HEAPS)]
        self._seen = bytearray(_FILTER_BITS // 8)
        self._caught: dict[int, str] = {}
        self._sample: dict[int, float] = {}
        self._below = 1 << 64

    def add(self, line: int, fields: Mapping[str, str], codes: Sequence[str]) -> None:
        """One row with the codes of what is wrong with it."""
        self.items += 1
        if codes:
            self._note(line, fields, codes)
        packed = "\x1f".join([name + "\x1e" + text for name, text in fields.items()])
        row = blake2b(packed.encode("utf-8", "replace"), digest_size=16).digest()
        self._content = (self._content + int.from_bytes(row, "little")) & ((1 << 128) - 1)
        if self.group_name and (group := fields.get(self.group_name)):
            self._group(group[:60])
        price = price_of(fields.get("price", ""))
        if price is not None and (price.currency in self.currencies or len(self.currencies) < 50):
            self.currencies[price.currency] += 1
        if name := fields.get(self.id_name):
            self._identify(name, price.amount if price is not None else -1.0)

    def _note(self, line: int, fields: Mapping[str, str], codes: Sequence[str]) -> None:
        self.reasons.update(codes)
        if any(code not in NOTICES for code in codes):
            self.invalid += 1
        if len(self.samples) < SHOWN:
            name = shortened(fields.get(self.id_name, ""), 100)
            self.samples.append({"line": line, "id": name, "problems": list(codes[:10])})

    def _group(self, group: str) -> None:
        """Counted until there are too many to be groups; then only those that are known."""
        if group in self.groups or len(self.groups) < GROUPS * 10:
            self.groups[group] += 1

    def _identify(self, name: str, price: float) -> None:
        digest = blake2b(name.encode("utf-8", "replace"), digest_size=8).digest()
        number = int.from_bytes(digest, "little")
        if self.items <= MOST_ITEMS:
            self._heaps[number & (_HEAPS - 1)].append(number)
        if self._probably_seen(number) and len(self._caught) < 500:
            self._caught[number] = shortened(name, 100)
        if number < self._below:
            self._sample[number] = price
            if len(self._sample) >= 2 * SAMPLE:
                self._thin()

    def _probably_seen(self, number: int) -> bool:
        """Whether both bits of an id were set already; sets them."""
        seen, both = self._seen, True
        for bit in (number % _FILTER_BITS, (number >> 32) % _FILTER_BITS):
            mask = 1 << (bit & 7)
            if not seen[bit >> 3] & mask:
                both = False
                seen[bit >> 3] |= mask
        return both

    def _thin(self) -> None:
        kept = sorted(self._sample)[: SAMPLE + 1]
        if len(kept) > SAMPLE:
            self._below = kept[-1]
            self._sample = {number: self._sample[number] for number in kept[:-1]}

    def digest(self) -> str:
        """The content's, 32 hexadecimal digits; rows count, their order does not."""
        return f"{self._content:032x}"

    def duplicates(self) -> tuple[int, tuple[str, ...]]:
        """How many rows repeat an id that came before, and some of those ids."""
        count = 0
        shown: list[str] = []
        for heap in self._heaps:
            again = len(heap) - len(set(heap))
            count += again
            if again and len(shown) < SHOWN:
                times = Counter(heap)
                shown += [name for number, name in self._caught.items() if times[number] > 1]
        return count, tuple(shown[:SHOWN])

    def churn(self) -> Churn:
        """The sample, to be kept."""
        self._thin()
        ids = sorted(self._sample)
        prices = array("f", [self._sample[number] for number in ids])
        return Churn(min(self._below, (1 << 64) - 1), array("Q", ids).tobytes(), prices.tobytes())

    def counts(self) -> Counts:
        """What to hold against the past."""
        return Counts(self.items, self.digest(), self.churn(), self.groups)
