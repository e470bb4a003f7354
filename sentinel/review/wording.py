"""Words for people: spans, clocks, lists of names, reasons, and text inside Markdown.

Local time is always shown with its UTC offset, so that 02:30 on the night when the clocks
go back is one instant and not two.
"""

import re
from collections.abc import Sequence
from datetime import datetime

from sentinel.localtime import wall

NEVER = "n/a"
"""What stands for a figure that cannot be known. Never 0."""
MOST_NAMED = 8
NEAR_S = 300
_MARKS = re.compile(r"([\\`*_{}\[\]<>|#~&!])")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069]+")


def clock(at: datetime, timezone: str) -> str:
    """``02:31:07``, local."""
    return wall(at, timezone).strftime("%H:%M:%S")


def offset(at: datetime, timezone: str) -> str:
    """``+02:00``: how local time stood to UTC at that instant."""
    text = wall(at, timezone).strftime("%z")
    return f"{text[:3]}:{text[3:5]}"


def day(at: datetime, timezone: str) -> str:
    """``Monday, 2 March 2026``, local."""
    local = wall(at, timezone)
    return f"{local:%A}, {local.day} {local:%B %Y}"


def moment(at: datetime, now: datetime, timezone: str) -> str:
    """A later or earlier instant as one would say it at `now`: the time, with seconds when it is less
    than five minutes away, with the date when that is another day."""
    there, here = wall(at, timezone), wall(now, timezone)
    near = abs((at - now).total_seconds()) < NEAR_S
    time = there.strftime("%H:%M:%S" if near else "%H:%M")
    return time if there.date() == here.date() else f"{time} on {there.day} {there:%B}"


def spell(seconds: float) -> str:
    """A span in its two largest units: ``45 s``, ``2 min 5 s``, ``3 h 12 min``, ``2 d 4 h``."""
    whole = max(0, round(seconds))
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    parts: list[str] = []
    for index, (unit, size) in enumerate(units):
        count, whole = divmod(whole, size)
        if count:
            parts.append(f"{count} {unit}")
            if index + 1 < len(units):
                below_unit, below = units[index + 1]
                parts += [f"{whole // below} {below_unit}"] if whole // below else []
            break
    return " ".join(parts) or "0 s"


def listed(names: Sequence[str]) -> str:
    """``Ana``, ``Ana and Bo``, ``Ana, Bo and Kim``; after eight, how many more."""
    shown = list(names[:MOST_NAMED])
    if len(names) > MOST_NAMED:
        shown.append(f"{len(names) - MOST_NAMED} more")
    if len(shown) < 2:
        return "".join(shown)
    return f"{', '.join(shown[:-1])} and {shown[-1]}"


def plain(code: str) -> str:
    """A stable code as words: ``unexpected_status`` → ``unexpected status``."""
    return code.replace("_", " ")


def one_line(text: str, limit: int = 500) -> str:
    """Text from outside as one line: control and direction characters become a space."""
    flat = " ".join(_CONTROL.sub(" ", text).split())
    return flat if len(flat) <= limit else f"{flat[: limit - 1]}…"


def sentence(text: str) -> str:
    """Text with an end: a full stop unless it has one."""
    return text if not text or text[-1] in ".!?…" else f"{text}."


def quoted(text: str | None) -> str:
    """What somebody wrote, in quotes; or that it has been removed."""
    return "[removed]" if text is None else f"“{one_line(text)}”"


def markdown(text: str) -> str:
    """Text from outside, so that Markdown and the HTML made of it show it as it is."""
    return _MARKS.sub(r"\\\1", one_line(text, 2000)).replace("://", ":&#47;&#47;")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table of cells that are Markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
