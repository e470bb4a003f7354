"""What ``sentinel doctor`` looks at in the documents and what they need of this machine: secrets,
addresses of people, packages, the permission to ping.

No message is sent, no address looked up, and no secret's value printed: names only.
"""

import socket
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

from sentinel.cli.doctor_check import Check, finding, ok, wrong
from sentinel.engine.redaction import references_in
from sentinel.engine.secrets import LiveSecrets
from sentinel.errors import ExtraMissing, SecretMissing
from sentinel.kinds import FAMILIES, find, names
from sentinel.library.catalog import Catalog, load
from sentinel.library.document import Level
from sentinel.library.lint import lint
from sentinel.localtime import zone
from sentinel.notifiers.wire.address import check_address
from sentinel.oncall.person import Person
from sentinel.words import Secret

NAMED = 8
"""So many are named where many are missing."""
A_ZONE = "Europe/Helsinki"


def look(root: Path, *, now: datetime) -> Iterator[Check]:
    """The documents first; what they need only when they can be read."""
    yield _documents(root, now)
    yield _packages()
    yield _zones()
    catalog = load(root).catalog
    if catalog is None:
        return
    secrets = LiveSecrets(root)
    yield _secrets(catalog, secrets)
    yield from _people(catalog.policy.people.values(), secrets)
    if any(probe.kind == "icmp" for probe in catalog.policy.probes.values()):
        yield _ping()


def _documents(root: Path, now: datetime) -> Check:
    problems = lint(root, now=now)
    errors = [each for each in problems if each.level is Level.error]
    mend = f"sentinel lint {root}"
    if errors:
        return wrong("documents", f"errors: {len(errors)}; the first: {errors[0]}", mend)
    if problems:
        text = f"findings: {len(problems)}; the first: {problems[0]}"
        return finding("documents", text, mend)
    return ok("documents", "nothing wrong")


def _packages() -> Check:
    """Kinds that are there but for their package. A declared one is an error of the documents."""
    missing = []
    for family in FAMILIES:
        for name in names(family):
            try:
                find(family, name)
            except ExtraMissing:
                missing.append(name)
    if missing:
        return ok(
            "packages",
            f"without the package of: {', '.join(missing)}; no document may ask for them",
        )
    return ok("packages", "every kind has what it needs")


def _zones() -> Check:
    try:
        zone(A_ZONE)
    except ValueError as unknown:
        return wrong("time zones", str(unknown), "pip install tzdata, or the system's tzdata")
    return ok("time zones", "the database is there")


def _secrets(catalog: Catalog, secrets: LiveSecrets) -> Check:
    documents = (catalog.policy, catalog.site, catalog.discoveries)
    asked = sorted({reference for each in documents for reference in references_in(each)})
    missing = [reference for reference in asked if not _is_there(reference, secrets)]
    if not missing:
        return ok("secrets", f"all {len(asked)} are there" if asked else "none is asked for")
    more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
    return wrong(
        "secrets",
        f"missing: {', '.join(missing[:NAMED])}{more}",
        "set them in the node's environment, or write the files; this looked at its own environment",
    )


def _is_there(reference: str, secrets: LiveSecrets) -> bool:
    try:
        return bool(secrets.reveal(Secret(reference)))
    except SecretMissing:
        return False


def _people(people: Iterable[Person], secrets: LiveSecrets) -> Iterator[Check]:
    """Whether each contact method can be used whose secret is there; an unusable one is a check of its
    own, since somebody waits for a page that never comes."""
    usable, unknown = 0, 0
    sick: list[Check] = []
    for person in people:
        for name, address in person.methods.items():
            try:
                why = check_address(secrets.reveal(address).strip())
            except SecretMissing:
                unknown += 1
                continue
            usable += not why
            if why:
                mend = f"mend it, then `sentinel page {person.id} --test`"
                sick.append(wrong("people", f"{person.id} by {name}: {why}", mend))
    yield from sick[:NAMED]
    told = f"{usable} contact methods can be used; nothing was sent"
    if unknown:
        told += f"; of {unknown} the secret is missing"
    if not sick:
        yield ok("people", told)


def _ping() -> Check:
    """A datagram socket for ICMP is allowed by group, a raw one by capability."""
    refused = ""
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            with closing(socket.socket(socket.AF_INET, kind, socket.IPPROTO_ICMP)):
                return ok("ping", "this user may ping")
        except OSError as error:
            refused = error.strerror or str(error)
    return wrong(
        "ping",
        f"this user may not ping, and icmp probes are declared: {refused}",
        "sysctl -w net.ipv4.ping_group_range='0 2147483647', or give the node CAP_NET_RAW",
    )
