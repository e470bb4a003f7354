"""What deserves a look in a workspace that could be activated: findings beside the errors.

Literal secrets, gaps in rotations, levels that page nobody, steps that can never run, playbooks
that do nothing. Nothing here keeps a workspace from being activated.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path as Folder
from typing import Any

from sentinel.library.catalog import Catalog, Read, read_workspace
from sentinel.library.document import Problem
from sentinel.library.quoting import EXPRESSION_KEYS
from sentinel.library.reading import At, Lookup
from sentinel.library.secrets import literal_under, tells
from sentinel.oncall.coverage import Roll, findings

LOOK_AHEAD = timedelta(days=28)
_KINDS = {"rotation": "rotations", "escalation": "escalations", "person": "people"}
_NOT_BODIES = frozenset({"people", "escalations"})
"""Kinds whose secrets their own readers look at."""


def lint(
    root: Folder,
    *,
    now: datetime,
    addresses: Mapping[str, str] | None = None,
    lookup: Lookup | None = None,
) -> tuple[Problem, ...]:
    """Every problem and finding of the workspace in `root`, by file and line. `now` (aware UTC) is
    where the four weeks begin in which rotations are looked at for gaps."""
    return read_workspace(
        root, addresses=addresses, lookup=lookup, more=lambda read: _look(read, now)
    ).problems


def _look(read: Read, now: datetime) -> None:
    for kind, documents in read.documents.items():
        for declared in documents if kind not in _NOT_BODIES else ():
            _secrets(declared.sound, declared.at)
    if read.catalog is None:
        return
    places = {
        (declared.kind, declared.id): declared.at
        for kind in ("rotations", "escalations", "people", "playbooks")
        for declared in read.documents.get(kind, ())
    }
    _oncall(read.catalog, places, now)
    _playbooks(read.catalog, places)


def _secrets(value: Any, at: At) -> None:
    """Literal secrets anywhere in a document; depth is bounded by the reader."""
    items: Iterator[tuple[str | int, Any]] = iter(())
    if isinstance(value, dict):
        items = iter(value.items())
    elif isinstance(value, list):
        items = iter(enumerate(value))
    for key, each in items:
        if key in EXPRESSION_KEYS:
            continue  # code, which names secrets and holds none
        if isinstance(each, dict | list):
            _secrets(each, at / key)
        elif isinstance(each, str) and (_tells(str(key)) or ("@" in each and "://" in each)):
            literal = literal_under(str(key), each)
            if literal:
                (at / key).finding(literal, "write env:NAME or file:PATH in its place")


_tells = cache(tells)


def _oncall(catalog: Catalog, places: Mapping[tuple[str, str], At], now: datetime) -> None:
    """Gaps, levels that page nobody and people whom nothing reaches, in the weeks to come."""
    policy = catalog.policy
    roll = Roll(policy.rotations, policy.escalations, policy.people, policy.teams)
    for each in findings(roll, now, now + LOOK_AHEAD):
        family, _, name = each.about.partition("/")
        at = places[_KINDS[family], name]
        if each.level:
            (at / "levels" / (each.level - 1)).finding(each.sentence)
        else:
            at.finding(each.sentence, at_key=True)


def _playbooks(catalog: Catalog, places: Mapping[tuple[str, str], At]) -> None:
    for name, playbook in catalog.policy.playbooks.items():
        at = places["playbooks", name]
        if not playbook.steps and not playbook.lastly and playbook.page is None:
            at.finding("this playbook does nothing", "give it `steps:` or `page:`", at_key=True)
        for index, step in enumerate(playbook.steps):
            if step.when is not None and step.when.source.strip() == "false":
                (at / "steps" / index / "when").finding(
                    f"step `{step.id}` never runs", "remove it, or write when it should"
                )
        never = {s.id for s in playbook.steps if s.when and s.when.source.strip() == "false"}
        for index, step in enumerate(playbook.steps):
            for need in sorted(never.intersection(step.needs or ())):
                (at / "steps" / index / "needs").finding(
                    f"step `{step.id}` is never reached, because `{need}` never runs",
                    "need another step",
                )
