"""``site.blackbox``: the modules a node probes with for Prometheus, and whom it may probe."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from sentinel.blackbox.module import Module
from sentinel.library import pieces
from sentinel.library.document import MAX_BYTES, Problem
from sentinel.library.modules import ModulesRefused, read_modules
from sentinel.library.reading import At
from sentinel.library.shape import Schema

_HOST = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62}\.?)+\Z")


@dataclass(frozen=True, slots=True)
class SiteBlackbox:
    """`modules` is the path of a file like a `blackbox.yml`, relative to the workspace; `allow` are
    networks, hosts and paths of unix sockets. Nothing is allowed that is not named."""

    modules: str
    allow: tuple[str, ...] = ()


BLACKBOX: Schema = pieces.entry(
    {
        "modules": pieces.text("A file like blackbox_exporter's", "blackbox.yml", minLength=1),
        "allow": pieces.listed(
            pieces.text("A network, a host, or the path of a unix socket", "10.0.0.0/8"),
            "Whom `/probe` may be sent to; nobody else, and never link-local addresses",
        ),
    },
    "Answers Prometheus on `/probe` as blackbox_exporter does",
    "modules",
)


def read_blackbox(value: Any, at: At) -> SiteBlackbox | None:
    """The entry; None, and said where it is wrong, when it names no file."""
    if not value or "modules" not in value:
        return None
    for index, each in enumerate(value.get("allow", ())):
        if not (_is_network(each) or each.startswith("/") or _HOST.match(each)):
            hint = "write 10.0.0.0/8, shop.example or /run/shop.sock"
            (at / "allow" / index).wrong(f"`{each}` is no network, host or path", hint)
    return SiteBlackbox(value["modules"], tuple(value.get("allow", ())))


def _is_network(text: str) -> bool:
    try:
        ip_network(text)
    except ValueError:
        return False
    return True


def site_modules(
    root: Path, blackbox: SiteBlackbox | None, at: At
) -> tuple[Mapping[str, Module], Sequence[Problem]]:
    """The modules of the site's file, and what is wrong in it; that it cannot be read is said at the
    entry `at`."""
    if blackbox is None:
        return {}, ()
    path = root / blackbox.modules
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        said = f"`{blackbox.modules}` cannot be read: {error.strerror}"
        (at / "modules").wrong(said, "write the path from the workspace's folder")
        return {}, ()
    try:
        return read_modules(blackbox.modules, content).modules, ()
    except ModulesRefused as refused:
        return {}, refused.problems
