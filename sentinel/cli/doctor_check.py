"""One look of ``sentinel doctor``: what was looked at, how it stands, and what would mend it."""

from dataclasses import dataclass
from enum import StrEnum


class Standing(StrEnum):
    """How a thing stands. `finding`: Sentinel runs, and this will hurt one day; `wrong`: it does not
    run, or somebody is not reached."""

    ok = "ok"
    finding = "finding"
    wrong = "wrong"


@dataclass(frozen=True, slots=True)
class Check:
    """A look at one thing. `name` is stable; `text` says what was seen and never holds a secret's
    value; `mend` is what to do, empty when all is well."""

    name: str
    standing: Standing
    text: str
    mend: str = ""


def ok(name: str, text: str) -> Check:
    """All is well."""
    return Check(name, Standing.ok, text)


def finding(name: str, text: str, mend: str) -> Check:
    """It will hurt one day."""
    return Check(name, Standing.finding, text, mend)


def wrong(name: str, text: str, mend: str) -> Check:
    """It does not work."""
    return Check(name, Standing.wrong, text, mend)
