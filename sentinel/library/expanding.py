"""What a list of addresses comes to: a probe for each, read as if it had been written by hand.

Pure: the list has been fetched by somebody else. An address that cannot become a probe is left
out and said why; the others are not held up by it.

**Ids** are the declaration's and, behind it, ``name:`` or else the address, in lower case with a
hyphen for whatever no id may hold. They are stable: an address that is more than a plain host and
port gets the beginning of its hash behind it, and so do two that would be called alike.
**Labels** of a group become the probe's further labels, but for those that begin with ``__``
and those that Sentinel gives itself: whose alert it is, is said by the declaration alone.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sentinel.library import spans
from sentinel.library.declared import Declared, canonical, checked, digest_of
from sentinel.library.discovery import (
    EVERY_S,
    MOST_UNLESS_SAID,
    Found,
    Source,
    read_source,
    unfit,
)
from sentinel.library.filling import Filling, Unfilled, filled, places_of
from sentinel.library.matrices import id_part
from sentinel.library.probes import OWN_LABELS, read_probe, schema
from sentinel.library.reading import At, Reading, Scope
from sentinel.library.shape import Shape
from sentinel.monitor.probe import Probe
from sentinel.words import Seconds

ROOT = "discovered"
NAMES: Mapping[str, Any] = {
    ROOT: {"address": "string", "host": "string", "port": "int", "url": "string", "labels": "map"}
}
MOST_LABELS = 20
MOST_ID = 80
_PLAIN = re.compile(r"[a-z0-9.-]+(?::[0-9]+)?\Z")


@dataclass(frozen=True, slots=True)
class Discovery:
    """A declaration that a list of addresses completes. `most` is how many they may be."""

    id: str
    source: Source
    every_s: Seconds
    most: int
    name: str
    declared: Declared = field(repr=False)
    reading: Reading = field(repr=False)
    calendars: Mapping[str, frozenset[str]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Expanded:
    """What came of a list: probes by id, and why addresses were left out, ``ADDRESS: why``."""

    probes: Mapping[str, Probe]
    left_out: Sequence[str] = ()


def read_discovery(declared: Declared, calendars: Mapping[str, frozenset[str]]) -> Discovery | None:
    """The declaration, tried on an address that stands for any; None, and said, when it is wrong."""
    at, body = declared.at / "discover", declared.body["discover"]
    source = read_source(body, at)
    rest = {key: each for key, each in declared.body.items() if key != "discover"}
    plain = Declared(declared.kind, declared.id, rest, rest, declared.at, declared.place)
    _try(plain, body.get("name", ""), at / "name", calendars)
    if source is None:
        return None
    return Discovery(
        id=declared.id,
        source=source,
        every_s=spans.seconds(body["every"]) if "every" in body else EVERY_S,
        most=body.get("most", MOST_UNLESS_SAID),
        name=body.get("name", ""),
        declared=plain,
        reading=at.reading.again(),
        calendars=calendars,
    )


class _AnyLabels(Mapping[str, str]):
    """Stands for labels that are not known yet: there is every one."""

    def __getitem__(self, name: str) -> str:
        return "any"

    def __contains__(self, name: object) -> bool:
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def _try(declared: Declared, name: str, at: At, calendars: Mapping[str, frozenset[str]]) -> None:
    """Say what is wrong with a declaration whatever comes; what only a real value shows is not."""
    reading = at.reading
    filling = Filling(ROOT, Scope(NAMES), Found("any.invalid:443", _AnyLabels()).values())
    mark = reading.mark()
    try:
        if name:
            filled(name, at, filling)
        body = filled(declared.body, declared.at, filling)
    except Unfilled:
        return
    own = Declared(declared.kind, declared.id, body, body, declared.at, declared.place)
    read_probe(checked(own, _shape(reading, body)), calendars, "")
    reading.forget(mark, set(places_of(declared.body, declared.at, ROOT)))


def _shape(reading: Reading, body: Mapping[str, Any]) -> Shape:
    return Shape(schema(reading.lookup, tuple(body)))


def expanded(discovery: Discovery, found: Sequence[Found]) -> Expanded:
    """A probe for each address. Takes some 100 µs an address and touches nothing shared, so it may
    run beside an event loop."""
    reading = discovery.reading.again()
    declared = discovery.declared
    at = At(reading, declared.at.file, declared.at.path, declared.at.origins)
    scope, shape = Scope(NAMES), _shape(reading, declared.body)
    left_out: list[str] = []
    fit: list[tuple[str, Found, Filling]] = []
    for each in found:
        why = unfit(each)
        filling = Filling(ROOT, scope, each.values() if not why else {})
        suffix = "" if why else _suffix(discovery, each, filling, at)
        if suffix:
            fit.append((suffix, each, filling))
        else:
            left_out.append(f"{each.address[:200]}: {why or 'it has nothing to be called by'}")
    often = Counter(suffix for suffix, _, _ in fit)
    probes: dict[str, Probe] = {}
    for suffix, each, filling in fit:
        own = suffix if often[suffix] == 1 else f"{suffix}-{_hash(each)}"
        id = f"{discovery.id}-{own}"
        mark = reading.mark()
        probe = _probe(id, each, filling, discovery, at, shape)
        wrong = reading.errors_since(mark)
        if probe is not None and not wrong:
            probes[id] = probe
        else:
            left_out.append(f"{each.address[:200]}: {'; '.join(wrong[:3])}")
    return Expanded(probes, left_out)


def _suffix(discovery: Discovery, found: Found, filling: Filling, at: At) -> str:
    if discovery.name:
        try:
            return id_part(str(filled(discovery.name, at / "name", filling)))[:MOST_ID]
        except Unfilled:
            return ""
    bare = found.address.partition("://")[2] or found.address
    part = id_part(bare)[:MOST_ID].strip("-")
    if _PLAIN.match(found.address) and len(found.address) <= MOST_ID:
        return part
    return f"{part}-{_hash(Found(found.address))}".strip("-")


def _hash(found: Found) -> str:
    content = canonical([found.address, dict(found.labels)])
    return hashlib.sha256(content).hexdigest()[:8]


def _probe(
    id: str, found: Found, filling: Filling, discovery: Discovery, at: At, shape: Shape
) -> Probe | None:
    """One probe; None, and noted, when it cannot be."""
    known = discovery.reading.declared.get("probes", {})
    if id in known:
        at.wrong(f"`{id}` is declared at {known[id]}")
        return None
    try:
        body = filled(discovery.declared.body, at, filling)
    except Unfilled:
        return None
    labels = {**_own_labels(found), **(body.get("labels") or {})}
    body = {**body, "labels": labels} if labels else body
    own = Declared("probes", id, body, body, at, discovery.declared.place)
    return read_probe(checked(own, shape), discovery.calendars, digest_of(body))


def _own_labels(found: Found) -> Mapping[str, str]:
    """The labels of the list that the probe gets, the first 20 by name."""
    kept = sorted(
        (name, value)
        for name, value in found.labels.items()
        if value and name not in OWN_LABELS and not name.startswith("__")
    )
    return dict(kept[:MOST_LABELS])
