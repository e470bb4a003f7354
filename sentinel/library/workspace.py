"""The files of a workspace, and the documents in them with their shapes checked.

Every ``*.yaml`` under ``probes/``, ``playbooks/``, ``rotations/``, and ``sentinel.yaml`` at the
root. The folder is a habit: any file may hold any kind.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path as Folder
from typing import Any

from sentinel.library.declared import Declared, checked, note
from sentinel.library.document import MAX_BYTES, Problem, read, too_large
from sentinel.library.reading import At, Origin, Reading
from sentinel.library.schema import DEFAULTED, KINDS, SINGLETONS, document_schema
from sentinel.library.shape import Shape, meant, shown
from sentinel.library.widening import DISCOVERIES, widened
from sentinel.words import ID, Place

FOLDERS = ("probes", "playbooks", "rotations")
ROOT_FILE = "sentinel.yaml"
MOST_FILES = 5_000
_YML = re.compile(r"\.yml\Z")

Documents = Mapping[str, list[Declared]]


def files(root: Folder) -> tuple[list[str], list[Problem]]:
    """Paths of the workspace's files relative to its root, ``sentinel.yaml`` first; and the problems of
    files that will not be read."""
    found, problems = [], []
    for path in _walk(root):
        if path.endswith(".yaml"):
            found.append(path)
        elif _YML.search(path):
            problems.append(
                Problem(Place(path, 1, 1), "this file is not read", "name it .yaml, not .yml")
            )
    if (root / ROOT_FILE).is_file():
        found.append(ROOT_FILE)
    if not found:
        place = Place(ROOT_FILE, 1, 1)
        problems.append(
            Problem(place, f"there is no workspace in {root}", "make one with `sentinel init`")
        )
    if len(found) > MOST_FILES:
        place = Place(found[MOST_FILES], 1, 1)
        problems.append(
            Problem(place, f"there are {len(found)} files", f"use at most {MOST_FILES}")
        )
    return sorted(found, key=lambda path: (path != ROOT_FILE, path))[:MOST_FILES], problems


def _walk(root: Folder) -> Iterator[str]:
    for folder in FOLDERS:
        # os.walk does not follow links to folders, so it ends.
        for parent, below, names in os.walk(root / folder):
            below[:] = sorted(each for each in below if not each.startswith("."))
            for name in names:
                if not name.startswith("."):
                    yield (Folder(parent) / name).relative_to(root).as_posix()


def gather(root: Folder, reading: Reading) -> tuple[Documents, list[Problem]]:
    """Every document of the workspace, and the problems of files that cannot be read. What is
    wrong with documents is noted in `reading`."""
    paths, problems = files(root)
    values: dict[str, dict[str, Any]] = {}
    for path in paths:
        content = _content(root / path)
        if not isinstance(content, bytes):
            reading.check_references = False
        if isinstance(content, str):
            problems.append(Problem(Place(path, 1, 1), content, "make it readable, or remove it"))
        elif isinstance(content, int):
            problems.append(too_large(path, content))
        else:
            document, wrong = read(path, content)
            problems += wrong
            if document is None:
                reading.check_references = False
            else:
                values[path] = document.values
                reading.texts[path] = document.text
                reading.places[path] = document.places
    return _check(widened(_collect(values, reading), reading), reading), problems


def _content(path: Folder) -> bytes | int | str:
    """A file's bytes, its size when that is too large, or why it cannot be read."""
    try:
        size_bytes = path.stat().st_size
        return size_bytes if size_bytes > MAX_BYTES else path.read_bytes()
    except OSError as error:
        return f"this file cannot be read: {error.strerror}"


def gather_one(path: str, content: bytes, reading: Reading) -> tuple[Documents, list[Problem]]:
    """The documents of a single file that need not be in a workspace."""
    document, problems = read(path, content)
    if document is None:
        return {}, problems
    reading.texts[path] = document.text
    reading.places[path] = document.places
    collected = _collect({path: document.values}, reading)
    return _check(widened(collected, reading), reading), problems


def _collect(
    values: Mapping[str, Mapping[str, Any]], reading: Reading
) -> dict[str, list[Declared]]:
    """Documents by kind, in the order of files and lines; their ids are declared from here on."""
    documents: dict[str, list[Declared]] = {kind: [] for kind in KINDS}
    for path, content in values.items():
        defaults = _defaults(content, path, reading)
        for kind, body in content.items():
            at = reading.at(path, kind)
            if kind not in KINDS:
                at.wrong(f"unknown kind of document `{kind}`", meant(kind, KINDS), at_key=True)
            elif body is None:
                continue  # `probes:` with everything below it commented out
            elif not isinstance(body, dict):
                at.wrong(f"a mapping belongs here, not {shown(body)}")
            elif kind == "site":
                _declare(documents, kind, "site", body, at, Place(path, 1, 1))
            elif kind not in SINGLETONS:
                _collect_kind(documents, kind, body, at, defaults.get(kind, {}))
    return documents


def _collect_kind(
    documents: dict[str, list[Declared]],
    kind: str,
    bodies: Mapping[str, Any],
    at: At,
    defaults: Mapping[str, Any],
) -> None:
    places = at.reading.places[at.file]
    for name, body in bodies.items():
        below = At(at.reading, at.file, (kind, name))
        if not ID.match(name):
            below.wrong(
                f"`{name}` is not an id", "use lower-case letters, digits and hyphens", at_key=True
            )
        elif body is not None and not isinstance(body, dict):
            below.wrong(f"a mapping belongs here, not {shown(body)}")
            at.reading.declared.setdefault(kind, {}).setdefault(name, below.line())
        else:
            own = body or {}
            inherited = defaults.keys() - own.keys()
            merged = {**defaults, **own} if inherited else own
            origins: dict[str | int, Origin] = {
                key: Origin(at.file, ("defaults", kind, key)) for key in inherited
            }
            place = At(at.reading, at.file, (kind, name), origins)
            _declare(documents, kind, name, merged, place, places[kind, name])


def _declare(
    documents: dict[str, list[Declared]], kind: str, name: str, body: Any, at: At, place: Place
) -> None:
    known = at.reading.declared.setdefault(kind, {})
    if name in known:
        what = "the site" if kind == "site" else f"`{name}` of the {kind}"
        at.wrong(f"{what} is declared a second time", f"the first is at {known[name]}", at_key=True)
        return
    known[name] = place
    documents[kind].append(Declared(kind, name, body, body, at, place))


def _defaults(
    content: Mapping[str, Any], path: str, reading: Reading
) -> Mapping[str, Mapping[str, Any]]:
    """A file's defaults by kind, those of the right shape."""
    value = content.get("defaults")
    if not isinstance(value, dict):
        if value is not None:
            reading.at(path, "defaults").wrong(f"a mapping belongs here, not {shown(value)}")
        return {}
    misshapes = _shape("defaults", reading, ()).misshapes(value)
    note(misshapes, reading.at(path, "defaults"))
    wrong = {each.path[:2] for each in misshapes}
    return {
        kind: {key: each for key, each in body.items() if (kind, key) not in wrong}
        for kind, body in value.items()
        if kind in DEFAULTED and isinstance(body, dict) and (kind,) not in wrong
    }


def _check(documents: dict[str, list[Declared]], reading: Reading) -> Documents:
    """The documents with their shapes checked, what is misshapen noted and taken out."""
    shaped: dict[str, list[Declared]] = {}
    for kind, declared in documents.items():
        if declared and kind != DISCOVERIES:  # those are held against it with values filled in
            shape = _shape(kind, reading, _used(kind, declared))
            shaped[kind] = [checked(each, shape) for each in declared]
        elif declared:
            shaped[kind] = declared
    return shaped


def _shape(kind: str, reading: Reading, used: Sequence[str]) -> Shape:
    return Shape(document_schema(kind, reading.lookup, used=used))


def _used(kind: str, documents: Sequence[Declared]) -> Sequence[str]:
    """The keys that documents, or steps of playbooks, use: the kinds whose code is needed."""
    if kind in ("probes", "templates"):
        return tuple({key for each in documents for key in each.body})
    used: set[str] = set()
    for each in documents if kind == "playbooks" else ():
        for part in ("steps", "finally"):
            steps = each.body.get(part)
            for step in steps if isinstance(steps, list) else ():
                used.update(_step_keys(step))
    return tuple(used)


def _step_keys(step: Any) -> Iterator[str]:
    if isinstance(step, dict):
        yield from step
        rollback = step.get("rollback")
        yield from rollback if isinstance(rollback, dict) else ()
