"""A workspace as values: read, checked, cross-checked, or refused with every problem at once.

`load` never raises for what people wrote. With errors there is no catalogue; with findings
only, there is one, and they are worth a look. Reading 10,000 probes makes a million objects
and no garbage, so the collector is paused meanwhile.
"""

import gc
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path as Folder
from typing import Any

import msgspec

from sentinel.blackbox.module import Module
from sentinel.incident.policy import Policy
from sentinel.library import directory
from sentinel.library.crosscheck import cross_check
from sentinel.library.declared import Declared, canonical
from sentinel.library.directory import Client, Location, Team, User, Vendor
from sentinel.library.document import Level, Problem
from sentinel.library.expanding import Discovery, read_discovery
from sentinel.library.modules_site import site_modules
from sentinel.library.people import read_person
from sentinel.library.playbooks import read_playbook
from sentinel.library.probes import read_probe
from sentinel.library.reading import At, InstalledKinds, Lookup, Reading
from sentinel.library.rotations import read_escalation, read_rotation
from sentinel.library.shape import meant
from sentinel.library.site import Site, read_maintenance, read_site
from sentinel.library.widening import DISCOVERIES
from sentinel.library.workspace import ROOT_FILE, Documents, gather, gather_one
from sentinel.oncall.escalation import Escalation
from sentinel.oncall.rotation import Rotation
from sentinel.playbook.playbook import Playbook
from sentinel.words import Place

Body = Mapping[str, Any]
Name = tuple[str, str]


class Bodies(Mapping[Name, tuple[str, Body]]):
    """(kind, id) to (digest, body) of every document. Bodies are held as canonical JSON, which is
    a tenth of what they take as objects, and made on access."""

    def __init__(self, stored: Mapping[Name, tuple[str, bytes]]) -> None:
        self._stored = stored

    def __getitem__(self, name: Name) -> tuple[str, Body]:
        digest, content = self._stored[name]
        return digest, msgspec.json.decode(content)

    def __iter__(self) -> Iterator[Name]:
        return iter(self._stored)

    def __len__(self) -> int:
        return len(self._stored)

    def digest(self, kind: str, id: str) -> str:
        """A document's digest alone. Raises KeyError."""
        return self._stored[kind, id][0]

    def digests(self) -> Mapping[Name, str]:
        """Every document's digest."""
        return {name: digest for name, (digest, _) in self._stored.items()}


@dataclass(frozen=True, slots=True)
class Catalog:
    """A workspace that may be activated. `policy` is what the response reads; `digest` is that of
    all documents together; calendars are sets of dates as text."""

    policy: Policy
    site: Site
    clients: Mapping[str, Client]
    vendors: Mapping[str, Vendor]
    locations: Mapping[str, Location]
    teams: Mapping[str, Team]
    users: Mapping[str, User]
    calendars: Mapping[str, frozenset[str]]
    documents: Bodies
    digest: str
    root: Folder
    modules: Mapping[str, Module] = field(default_factory=dict)
    """Those of the file that `site.blackbox` names."""
    discoveries: Mapping[str, Discovery] = field(default_factory=dict)
    """Declarations that come to probes while a node runs (``engine.discovery``)."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What reading came to. Problems are in the order of files and lines; the catalogue is None
    when one of them is an error."""

    catalog: Catalog | None
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """What a reload changes: ids by kind, sorted."""

    added: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    changed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    removed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)


@contextmanager
def collector_paused() -> Iterator[None]:
    """No garbage collection meanwhile; as it was before, afterwards."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def load(
    root: Folder, *, addresses: Mapping[str, str] | None = None, lookup: Lookup | None = None
) -> Loaded:
    """Read the workspace in `root`. `addresses` replace those of ``site.addresses`` by name."""
    return read_workspace(root, addresses=addresses, lookup=lookup)


@dataclass(frozen=True, slots=True)
class Read:
    """What a further look is given: the documents with their places, and the catalogue they made,
    None when there are errors."""

    documents: Documents
    catalog: Catalog | None


def read_workspace(
    root: Folder,
    *,
    addresses: Mapping[str, str] | None = None,
    lookup: Lookup | None = None,
    more: Callable[[Read], None] | None = None,
) -> Loaded:
    """As `load`, with a further look at what was read, which may say findings at its places."""
    with collector_paused():
        reading = Reading(lookup or InstalledKinds())
        documents, problems = gather(root, reading)
        _addresses(documents, addresses or {}, reading)
        made = _Values(documents, reading)
        cross_check(made.probes, documents, reading)
        if made.site is not None:
            entry = documents["site"][0].at / "blackbox"
            made.modules, wrong = site_modules(root, made.site.blackbox, entry)
            problems += wrong
        refused = any(each.level is Level.error for each in [*problems, *reading.problems()])
        catalog = None if refused else made.catalog(root)
        if more is not None:
            more(Read(documents, catalog))
        return Loaded(catalog, _ordered([*problems, *reading.problems()]))


def check_alone(path: str, content: bytes, *, lookup: Lookup | None = None) -> tuple[Problem, ...]:
    """What is wrong with a file by itself: all but whether what it refers to is declared."""
    reading = Reading(lookup or InstalledKinds(), check_references=False)
    documents, problems = gather_one(path, content, reading)
    _addresses(documents, {}, reading)
    made = _Values(documents, reading)
    cross_check(made.probes, documents, reading)
    return _ordered([*problems, *reading.problems()])


def _ordered(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """Each problem once, by file, line and column."""
    unique = dict.fromkeys(problems)
    return tuple(
        sorted(unique, key=lambda each: (each.place.path, each.place.line, each.place.column))
    )


def _addresses(documents: Documents, given: Mapping[str, str], reading: Reading) -> None:
    """Lay the addresses given over those declared."""
    sites = documents.get("site", [])
    declared: Mapping[str, str] = sites[0].sound.get("addresses", {}) if sites else {}
    for name in given:
        if name not in declared:
            at = sites[0].at if sites else At(reading, ROOT_FILE, ())
            hint = meant(name, list(declared))
            at.wrong(f"`--address {name}` replaces no address", hint, at_key=True)
    reading.addresses = {**declared, **given}
    reading.addresses_known = bool(sites)


class _Values:
    """Every document as a value. Made in an order in which what is read needs only what is read."""

    def __init__(self, documents: Documents, reading: Reading) -> None:
        self._documents = documents
        self._digests: dict[Name, tuple[str, bytes]] = {}
        reading.services = {
            each.id: frozenset(each.sound.get("services", {})) for each in self._of("clients")
        }
        self.calendars = {each.id: directory.read_calendar(each) for each in self._of("calendars")}
        self.locations = {each.id: directory.read_location(each) for each in self._of("locations")}
        self.vendors = {each.id: directory.read_vendor(each) for each in self._of("vendors")}
        reading.statuspages = {
            each.id: (each.statuspage, each.components) for each in self.vendors.values()
        }
        self.clients = {each.id: directory.read_client(each) for each in self._of("clients")}
        self.people = {each.id: read_person(each) for each in self._of("people")}
        self.teams = {each.id: directory.read_team(each) for each in self._of("teams")}
        self.users = {each.id: directory.read_user(each) for each in self._of("users")}
        self.probes = _present(
            read_probe(each, self.calendars, self._digest(each)) for each in self._of("probes")
        )
        self.discoveries = _present(
            read_discovery(each, self.calendars) for each in self._of(DISCOVERIES)
        )
        self.rotations = {
            each.id: read_rotation(each, self._digest(each)) for each in self._of("rotations")
        }
        self.escalations = {
            each.id: read_escalation(each, self._digest(each)) for each in self._of("escalations")
        }
        self.playbooks = _present(
            read_playbook(each, self._digest(each)) for each in self._of("playbooks")
        )
        self.maintenance = _present(read_maintenance(each) for each in self._of("maintenance"))
        sites = [read_site(each, reading.addresses) for each in self._of("site")]
        self.site = sites[0] if sites else None
        self.modules: Mapping[str, Module] = {}
        if not sites:
            _no_site(documents, reading)

    def _of(self, kind: str) -> Sequence[Declared]:
        return self._documents.get(kind, ())

    def _digest(self, declared: Declared) -> str:
        name = (declared.kind, declared.id)
        if name not in self._digests:
            content = canonical(declared.body)
            self._digests[name] = (hashlib.sha256(content).hexdigest(), content)
        return self._digests[name][0]

    def catalog(self, root: Folder) -> Catalog | None:
        """The catalogue; None without a site."""
        if self.site is None:
            return None
        for declared in self._documents.values():
            for each in declared:
                self._digest(each)
        policy = Policy(
            unmatched=self.site.unmatched,
            fallback=self.site.fallback,
            grouping=self.site.group,
            severity_of=self.site.severity_of,
            probes=self.probes,
            playbooks=self.playbooks,
            escalations=self.escalations,
            rotations=self.rotations,
            people=self.people,
            teams={name: team.people for name, team in self.teams.items()},
            maintenance=self.maintenance,
            url=self.site.url,
        )
        listing = sorted((*name, digest) for name, (digest, _) in self._digests.items())
        return Catalog(
            policy=policy,
            site=self.site,
            clients=self.clients,
            vendors=self.vendors,
            locations=self.locations,
            teams=self.teams,
            users=self.users,
            calendars=self.calendars,
            documents=Bodies(self._digests),
            digest=hashlib.sha256(canonical(listing)).hexdigest(),
            root=root,
            modules=self.modules,
            discoveries=self.discoveries,
        )


def _present(values: Iterator[Any]) -> dict[str, Any]:
    return {each.id: each for each in values if each is not None}


def _no_site(documents: Documents, reading: Reading) -> None:
    if not any(documents.values()) or not reading.check_references:
        return  # nothing could be read at all, which has been said; or the site is elsewhere
    At(reading, ROOT_FILE, ()).wrong(
        "there is no `site:`", "add one; it says who is paged when no playbook matches"
    )


def difference(old: Catalog | None, new: Catalog) -> Difference:
    """What activating `new` in the place of `old` changes; None: nothing was active."""
    before = old.documents.digests() if old is not None else {}
    after = new.documents.digests()
    return Difference(
        added=_by_kind(after.keys() - before.keys()),
        changed=_by_kind(
            {name for name in after.keys() & before.keys() if after[name] != before[name]}
        ),
        removed=_by_kind(before.keys() - after.keys()),
    )


def _by_kind(names: Any) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for kind, name in sorted(names):
        found.setdefault(kind, []).append(name)
    return {kind: tuple(each) for kind, each in found.items()}


def read_one(
    kind: str,
    id: str,
    body: Body,
    *,
    addresses: Mapping[str, str] | None = None,
    lookup: Lookup | None = None,
) -> Playbook | Escalation | Rotation:
    """A value again from a body that was stored when it was activated; what it names may be gone.

    Raises ValueError when the body cannot be read any more, KeyError for any other kind.
    """
    reading = Reading(lookup or InstalledKinds(), addresses or {}, check_references=False)
    at = At(reading, f"{kind}/{id}", (kind, id))
    declared = Declared(kind, id, body, body, at, Place("", 0, 0))
    digest = hashlib.sha256(canonical(body)).hexdigest()
    readers = {
        "playbooks": read_playbook,
        "escalations": read_escalation,
        "rotations": read_rotation,
    }
    value = readers[kind](declared, digest)
    wrong = [each for each in reading.problems() if each.level is Level.error]
    if value is None or wrong:
        raise ValueError("; ".join(map(str, wrong)) or f"{kind} {id} cannot be read")
    return value
