"""Sample kinds, declared as plug-in authors would, so that the library is tested without any
real one; and a workspace in a folder."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from sentinel.errors import ExtraMissing
from sentinel.expression import Declaration, Expression
from sentinel.kinds import Family, key
from sentinel.words import Seconds, Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Asks for a web page. It is a sample."""

    KIND: ClassVar[str] = "page"
    NAMES: ClassVar[Declaration] = {
        "status": "int",
        "body": "string",
        "json": "dyn",
        "timing": {"total_s": "double"},
        "certificate": {"days_left": "double"},
    }

    url: str = key(
        "Where it is", default="", examples=["https://shop.example/"], reads_secrets=True
    )
    at: str = key("Instead of url, one of the site's addresses", default="")
    path: tuple[str, ...] = key("Pieces of the path", default=())
    query: Mapping[str, str] = key("Query parameters", default_factory=dict)
    method: Literal["GET", "POST"] = key("The method", default="GET")
    headers: Mapping[str, Secret] = key("Headers", default_factory=dict)
    redirects: int = key("How many to follow", default=10, minimum=0, maximum=20)

    def host(self) -> str:
        return self.url


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """Reads a product feed."""

    KIND: ClassVar[str] = "feed"
    NAMES: ClassVar[Declaration] = {"items": "int", "change_ratio": "double"}

    url: str = key("Where it is")

    def host(self) -> str:
        return self.url


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step."""

    id: str = key("Its name", pattern="^[a-z][a-z0-9_]*$")
    expect: tuple[Expression, ...] = key("What must hold", default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Calls an address."""

    KIND: ClassVar[str] = "call"
    OUTPUTS: ClassVar[Declaration] = {"status": "int", "json": "dyn"}
    WRITES: ClassVar[bool] = False

    url: str = key("Where", reads_secrets=True)
    form: Mapping[str, str] = key("Fields to send", default_factory=dict)
    wait: Seconds = key("How long", default=Seconds(1.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """Runs a program."""

    KIND: ClassVar[str] = "command"
    OUTPUTS: ClassVar[Declaration] = {"stdout": "string", "exit_code": "int"}
    WRITES: ClassVar[bool] = True

    argv: tuple[str, ...] = key("Program and arguments")

    def __post_init__(self) -> None:
        if not self.argv:
            raise ValueError("`argv` names no program")


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Writes to the timeline."""

    KIND: ClassVar[str] = "note"
    OUTPUTS: ClassVar[Declaration] = {}
    WRITES: ClassVar[bool] = False

    text: str = key("What")


class Samples:
    """Finds the sample kinds."""

    _kinds: ClassVar[Mapping[str, Mapping[str, Callable[..., Any]]]] = {
        "probers": {"page": Page, "feed": Feed},
        "actions": {"call": Call, "command": Command, "note": Note},
        "notifiers": {},
    }

    def names(self, family: Family) -> Sequence[str]:
        extra = ["browser"] if family == "probers" else []
        return sorted([*self._kinds[family], *extra])

    def find(self, family: Family, name: str) -> Callable[..., Any]:
        if name == "browser":
            raise ExtraMissing(
                "kind `browser` needs the package `playwright`: pip install 'sentinel[browser]'"
            )
        return self._kinds[family][name]


SITE = """\
site:
  addresses: {shop: "https://shop.acme.example"}
  unmatched: escalation/storefront
  fallback: {page: [person/ana]}
people:
  ana: {name: Ana, methods: {push: "env:ANA_PUSH"}}
  bo: {name: Bo, methods: {push: "env:BO_PUSH"}}
rotations:
  storefront:
    layers:
      - {id: all, people: [ana, bo], anchor: "2026-01-05 09:00"}
escalations:
  storefront:
    levels: [{page: [rotation/storefront]}]
"""


def workspace(root: Path, files: Mapping[str, str]) -> Path:
    """A workspace with these files, and a site that needs nothing more."""
    for path, text in {"sentinel.yaml": SITE, **files}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root
