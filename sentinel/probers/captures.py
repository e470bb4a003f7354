"""What the patterns of a dialogue catch: values for expectations, and for what is sent later."""

import re
from collections.abc import Mapping
from typing import Any

MOST_LENGTH = 1000
"""Characters that are kept of one capture."""
_REFERENCE = re.compile(r"\\(?:(\d)|g<(\w{1,100})>)")


class Captures:
    """Groups of one dialogue's patterns. `named` are those with a name, the later one winning."""

    def __init__(self) -> None:
        self.named: dict[str, str] = {}
        self._last: tuple[str, ...] = ()

    def take(self, match: Any) -> None:
        """Remember what a pattern caught; a group that took no part is ``""``."""
        self._last = tuple((each or "")[:MOST_LENGTH] for each in (match[0], *match.groups()))
        found: Mapping[str, str | None] = match.groupdict()
        self.named |= {name: (value or "")[:MOST_LENGTH] for name, value in found.items()}

    def filled(self, text: str) -> str:
        """`text` with ``\\1`` replaced by the last pattern's groups (``\\0``: all that fitted) and
        ``\\g<name>`` by any earlier named one; what was never caught is ``""``."""
        return _REFERENCE.sub(self._value, text) if "\\" in text else text

    def _value(self, reference: "re.Match[str]") -> str:
        number, name = reference.groups()
        if name is not None:
            return self.named.get(name, "")
        return self._last[int(number)] if int(number) < len(self._last) else ""
