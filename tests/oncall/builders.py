"""Short ways to declare layers and to name instants."""

from datetime import UTC, datetime, time

from sentinel.oncall.person import Person
from sentinel.oncall.rotation import Layer, Override, Rotation, Turn, TurnUnit, Window
from sentinel.words import Secret

UNITS = {"h": TurnUnit.hour, "d": TurnUnit.day, "w": TurnUnit.week, "mo": TurnUnit.month}
ALL_DAYS = frozenset(range(7))


def at(text: str) -> datetime:
    """``2026-01-05T09:00Z``, with any offset."""
    return datetime.fromisoformat(text).astimezone(UTC)


def turn(text: str, *, active_days: bool = False) -> Turn:
    """``12h``, ``1d``, ``1w``, ``1mo``."""
    digits = "".join(each for each in text if each.isdigit())
    return Turn(int(digits), UNITS[text.removeprefix(digits)], active_days)


def window(from_: str, to: str, days: frozenset[int] = ALL_DAYS) -> Window:
    return Window(days, time.fromisoformat(from_), time.fromisoformat(to))


def layer(
    people: str,
    anchor: str,
    every: str = "1w",
    *,
    timezone: str = "UTC",
    id: str = "main",
    rank: int = 0,
    only: tuple[Window, ...] = (),
    active_days: bool = False,
    valid: tuple[str, str] = ("", ""),
) -> Layer:
    begin, end = (datetime.fromisoformat(each) if each else None for each in valid)
    return Layer(
        id=id,
        people=tuple(people.split()),
        timezone=timezone,
        anchor=datetime.fromisoformat(anchor),
        turn=turn(every, active_days=active_days),
        rank=rank,
        only=only,
        valid_from=begin,
        valid_to=end,
    )


def rotation(
    *layers: Layer, overrides: tuple[Override, ...] = (), on_gap: tuple[str, ...] = ()
) -> Rotation:
    return Rotation("x", "UTC", layers, overrides, on_gap)


def override(
    begin: str, end: str, *, replace: str = "", with_: str = "", order: int = 0
) -> Override:
    return Override(at(begin), at(end), replace, with_, order=order, id=f"o{order}")


def person(id: str, **kwargs: object) -> Person:
    return Person(id, id.title(), methods={"mail": Secret("env:MAIL")}, **kwargs)  # type: ignore[arg-type]
