"""Final shifts as an iCalendar file (RFC 5545), which every calendar program reads.

One entry a shift, in UTC, so that no time zone has to be described; a gap is an entry too, for it
is what its reader should see. The identity of an entry (section 3.8.4.7) is made of the rotation,
the begin and the people: a file made again, or the next weeks' file, updates what is there and
doubles nothing. Entries are transparent (section 3.8.2.7): to be on call is not to be busy.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from hashlib import sha256

from sentinel.oncall.schedule import Shift

LINE_BYTES = 75
"""Longest line without its line break (section 3.1)."""
TYPE = "text/calendar"


def icalendar(
    rotation: str, shifts: Iterable[Shift], *, names: Mapping[str, str], stamped_at: datetime
) -> str:
    """The file, with the line breaks of the standard (CR LF). `names` are people's names by id;
    `stamped_at` is when it was made (DTSTAMP)."""
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Sentinel//On call//EN",
        "CALSCALE:GREGORIAN",
        "METHOD:PUBLISH",
        f"X-WR-CALNAME:{_text(f'On call: {rotation}')}",
    ]
    for shift in shifts:
        lines += _entry(rotation, shift, names, stamped_at)
    lines.append("END:VCALENDAR")
    return "".join(f"{folded}\r\n" for line in lines for folded in _folded(line))


def _entry(
    rotation: str, shift: Shift, names: Mapping[str, str], stamped_at: datetime
) -> list[str]:
    who = ", ".join(names.get(person, person) for person in shift.people) or "Nobody"
    about = f"layer {shift.layer}" if shift.layer else "a gap: pages go to whom on_gap names"
    return [
        "BEGIN:VEVENT",
        f"UID:{_identity(rotation, shift)}",
        f"DTSTAMP:{_instant(stamped_at)}",
        f"DTSTART:{_instant(shift.start)}",
        f"DTEND:{_instant(shift.end)}",
        f"SUMMARY:{_text(f'{who} on call: {rotation}')}",
        f"DESCRIPTION:{_text(f'{rotation}, {about}')}",
        f"CATEGORIES:{'on-call' if shift.people else 'gap'}",
        "TRANSP:TRANSPARENT",
        "END:VEVENT",
    ]


def _identity(rotation: str, shift: Shift) -> str:
    what = "/".join((rotation, _instant(shift.start), *shift.people))
    return f"{sha256(what.encode()).hexdigest()[:32]}@sentinel"


def _instant(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _text(value: str) -> str:
    """A value of type TEXT (section 3.3.11); what is no character of a line is left out."""
    plain = "".join(c for c in value if c == "\n" or (c >= " " and c != "\x7f"))
    for character in ("\\", ";", ","):
        plain = plain.replace(character, f"\\{character}")
    return plain.replace("\n", "\\n")


def _folded(line: str) -> Iterator[str]:
    """The line in pieces of at most 75 bytes, never cut inside a character; all but the first begin
    with a space."""
    piece, size = "", 0
    for character in line:
        bytes_ = len(character.encode())
        if size + bytes_ > LINE_BYTES:
            yield piece
            piece, size = " ", 1
        piece, size = piece + character, size + bytes_
    yield piece
