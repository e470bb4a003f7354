"""What a benchmark found: figures with what is wanted of them, as one line or as JSON for the table."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value, the smaller the better.

    `limit` is what it is compared with: another program's value in the same unit (`against` names
    the program), or a bound (`against` empty). `wanted` is the share of the limit that it may be at
    most, `reach` the share that would be better still (0: none named). `beside` is said with it.
    """

    what: str
    measured: float
    unit: str
    limit: float
    against: str = ""
    wanted: float = 1.0
    reach: float = 0.0
    beside: str = ""

    @property
    def ratio(self) -> float:
        """How many times smaller it is than its limit."""
        return self.limit / self.measured if self.measured else float("inf")

    @property
    def met(self) -> bool:
        """Whether it is what is wanted."""
        return self.measured <= self.limit * self.wanted

    def value(self) -> str:
        """The measured value with its unit."""
        return shown(self.measured, self.unit)

    def aim(self) -> str:
        """What is wanted: ``1/2.5 (reach 1/4)``, or ``20 ms``."""
        if not self.against:
            return shown(self.limit, self.unit)
        reach = f" (reach 1/{1 / self.reach:g})" if self.reach else ""
        return f"1/{1 / self.wanted:g}{reach}" if self.wanted != 1 else "no more"

    def __str__(self) -> str:
        limit = f", {self.against} {shown(self.limit, self.unit)}" if self.against else ""
        beside = f"; {self.beside}" if self.beside else ""
        verdict = "" if self.met else ", MISSED"
        return (
            f"{self.what} {self.value()}{limit}: ratio {self.ratio:.2f}"
            f" (wanted {self.aim()}{verdict}){beside}"
        )


def shown(value: float, unit: str) -> str:
    """A value as people read it: three figures, and the unit."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    text = f"{value:.{digits}f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} {unit}"


def tell(name: str, figures: Sequence[Figure], *, as_json: bool) -> int:
    """Print the line, or the figures as a line of JSON; 1 when one of them is not what is wanted."""
    if as_json:
        print(json.dumps([asdict(each) for each in figures]))
    else:
        print(f"{name}: {'; '.join(map(str, figures))}", flush=True)
    return int(not all(each.met for each in figures))


def parser_of(description: str | None, *, rounds: int, seconds: float) -> argparse.ArgumentParser:
    """The options that every benchmark has."""
    parser = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=rounds, help="medians of so many")
    parser.add_argument("--seconds", type=float, default=seconds, help="measured in each round")
    parser.add_argument("--json", action="store_true", help=argparse.SUPPRESS)
    return parser


def progress(text: str) -> None:
    """Where a long benchmark is, for whoever looks at standard error."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
