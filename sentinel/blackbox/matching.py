"""Go's regular expressions as blackbox_exporter uses them, by RE2, which is the same engine.

Go reads bytes that are not UTF-8 as U+FFFD, RE2 does not let ``.`` match them: such bytes are
replaced before they are searched. Templates (``${1}``, ``$name``) are those of Go's
``Regexp.Expand``.
"""

import re
from typing import Any

from sentinel.labels import pattern

LONGEST_PATTERN = 64 * 1024
"""Characters of a pattern; the original sets no limit, and lists of words grow long."""

_REFERENCE = re.compile(rb"\$(?:\$|\{(\w+)\}|(\w+))", re.ASCII)


def found(source: str, content: bytes) -> Any | None:
    """The first match of `source` anywhere in `content`, over bytes; None when there is none.
    Raises ValueError for a pattern that RE2 does not accept."""
    return pattern(source, longest=LONGEST_PATTERN).search(content)


def readable(content: bytes) -> bytes:
    """`content` as Go's engine reads it: what is not UTF-8 replaced by U+FFFD."""
    if content.isascii():
        return content
    return content.decode("utf-8", "replace").encode()


def expanded(template: str, match: Any) -> str:
    """`template` with its references replaced by what they matched; nothing for groups that do not
    exist or took no part."""

    def value(reference: re.Match[bytes]) -> bytes:
        name = reference[1] or reference[2]
        return b"$" if name is None else _group(match, name.decode())

    return _REFERENCE.sub(value, template.encode()).decode("utf-8", "replace")


def _group(match: Any, name: str) -> bytes:
    number = int(name) if name.isdigit() else match.re.groupindex.get(name, -1)
    if not 0 <= number <= match.re.groups:
        return b""
    content: bytes | None = match.group(number)
    return content or b""
