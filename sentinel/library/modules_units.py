"""Go's spans of time and sizes of memory, read and written as Go does it.

``time.ParseDuration`` knows ``ns us µs ms s m h`` and wants one of them (only ``0`` stands alone), so
``5`` and ``1d`` are refused. Sizes are ``alecthomas/units``' Base2Bytes: ``KB`` and ``KiB`` both mean
1,024, and again a bare number (but 0) is refused.
"""

import re

_NS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "μs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_PART = re.compile(r"([0-9]*)(?:\.([0-9]*))?(ns|us|µs|μs|ms|s|m|h)")
_SIZES = ("", "K", "M", "G", "T", "P", "E")
_FACTOR = {
    f"{letter}{unit}": 1024**power
    for power, letter in enumerate(_SIZES)
    for unit in (("B", "iB") if letter else ("B",))
}
_SIZE_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)([A-Za-z]*)")
MOST_BYTES = 2**63 - 2
_MOST_NS = 2**63 - 1
_LONGEST = 100


def nanoseconds(text: str) -> int:
    """``1h2m3.5s`` in nanoseconds. Raises ValueError for what ParseDuration refuses."""
    sign = -1 if text.startswith("-") else 1
    rest = text[1:] if text[:1] in ("-", "+") else text
    if rest == "0":
        return 0
    total, at = 0, 0
    while at < len(rest) and len(rest) <= _LONGEST:
        part = _PART.match(rest, at)
        if part is None or not (part[1] or part[2]):
            break
        total += int(part[1] or "0") * _NS[part[3]] + _fraction(part[2] or "", _NS[part[3]])
        at = part.end()
    if not rest or at < len(rest) or total > _MOST_NS:
        raise ValueError(f"`{text}` is not a duration: write it like 5s, 500ms or 1m30s")
    return sign * total


def _fraction(digits: str, unit: int) -> int:
    return int(digits or "0") * unit // int(10 ** len(digits))


def duration_text(nanoseconds_: int) -> str:
    """As Go's ``Duration.String``: ``1m5.5s``, ``500ms``, ``0s``."""
    sign, left = ("-", -nanoseconds_) if nanoseconds_ < 0 else ("", nanoseconds_)
    if left == 0:
        return "0s"
    for unit in ("ns", "µs", "ms"):
        if left < _NS[unit] * 1000:
            return f"{sign}{_decimal(left, _NS[unit])}{unit}"
    minutes, ns = divmod(left, _NS["m"])
    hours, minutes = divmod(minutes, 60)
    text = f"{_decimal(ns, _NS['s'])}s"
    if hours:
        return f"{sign}{hours}h{minutes}m{text}"
    return f"{sign}{minutes}m{text}" if minutes else f"{sign}{text}"


def _decimal(value: int, unit: int) -> str:
    whole, rest = divmod(value, unit)
    digits = f"{rest:0{len(str(unit)) - 1}d}".rstrip("0") if rest else ""
    return f"{whole}.{digits}" if digits else str(whole)


def size_bytes(text: str) -> int:
    """``1.5MB`` in bytes. Raises ValueError for what Base2Bytes refuses."""
    sign = -1 if text.startswith("-") else 1
    rest = text[1:] if text[:1] in ("-", "+") else text
    if rest == "0":
        return 0
    total, at = 0.0, 0
    while at < len(rest) and len(rest) <= _LONGEST:
        part = _SIZE_PART.match(rest, at)
        if part is None:
            break
        if part[2] not in _FACTOR:
            raise ValueError(f"unknown unit `{part[2]}` in `{text}`: write it like 10MB or 512KB")
        total += float(part[1]) * _FACTOR[part[2]]
        at = part.end()
    if not rest or at < len(rest):
        raise ValueError(f"`{text}` is not a size: write it like 10MB or 512KB")
    return sign * int(min(total, float(MOST_BYTES)))


def size_text(size: int) -> str:
    """As Base2Bytes prints itself: ``1MiB512KiB``."""
    if size == 0:
        return "0B"
    parts = []
    left = abs(size)
    for power in range(len(_SIZES) - 1, -1, -1):
        count, left = divmod(left, 1024**power)
        if count:
            parts.append(f"{count}{_SIZES[power]}{'iB' if power else 'B'}")
    return ("-" if size < 0 else "") + "".join(parts)
