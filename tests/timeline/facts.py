"""One fact of every type, each field filled with something other than its default."""

import dataclasses
import json
import typing
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sentinel.timeline import codec
from sentinel.timeline.facts import AnyFact
from sentinel.words import Outcome, Severity, Urgency

GOLDEN = Path(__file__).parent / "golden"
AT = datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=UTC)
KINDS: tuple[type, ...] = tuple(
    sorted(typing.get_args(AnyFact), key=lambda kind: str(kind.__name__))
)
_OWN: dict[str, Any] = {
    "because": {"began_at": AT, "people": ["ana"], "silence": {"ends_at": AT, "count": 2}},
    "outputs": {"ratio": 0.25, "expires_at": 1_700_000_000, "names": ["ä", "ö"]},
    "matchers": {"client": "acme", "service": ("checkout", "payments"), "vendor": "~acme.*"},
}
_BY_TYPE: dict[Any, Any] = {
    str: "text",
    int: 7,
    float: 1.5,
    bool: True,
    datetime: AT,
    Severity: Severity.critical,
    Urgency: Urgency.high,
    Outcome: Outcome.failed,
    tuple[str, ...]: ("ana", "ben"),
    Mapping[str, str]: {"client": "acme", "service": "Zahlung ü"},
}


def filled(kind: type) -> Any:
    """A fact of this kind, the same at every call."""
    hints = typing.get_type_hints(kind)
    return kind(**{one.name: _value(one.name, hints[one.name]) for one in dataclasses.fields(kind)})


def _value(name: str, hint: Any) -> Any:
    if name in _OWN:
        return _OWN[name]
    if hint in _BY_TYPE:
        return _BY_TYPE[hint]
    (present,) = [part for part in typing.get_args(hint) if part is not type(None)]
    return _BY_TYPE[present]


def golden_files(name: str) -> list[Path]:
    """A fact's golden files, oldest first: ``NoteAdded.1.json``, then one for every change."""
    return sorted(GOLDEN.glob(f"{name}.*.json"), key=lambda path: int(path.name.split(".")[1]))


def stored(path: Path) -> tuple[str, int, str]:
    """What a golden file holds: type, version and data."""
    read = json.loads(path.read_text("utf-8"))
    return read["type"], read["v"], read["data"]


def write_missing() -> list[str]:
    """Golden files for facts that are new or were given a field; a released one is never changed."""
    written = []
    for kind in KINDS:
        type_, v, data = codec.encode(filled(kind))
        before = golden_files(type_)
        if before and stored(before[-1]) == (type_, v, data):
            continue
        path = GOLDEN / f"{type_}.{len(before) + 1}.json"
        content = {"type": type_, "v": v, "data": data}
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")
        written.append(path.name)
    return written


if __name__ == "__main__":  # python -m tests.timeline.facts, after a fact was added or grew
    print(write_missing())
