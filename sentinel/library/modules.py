"""A `blackbox.yml` into modules, by blackbox_exporter's own rules, so that its files work unchanged.

What it refuses is refused here, with file, line and column, all at once: unknown and doubled keys,
``timeout: 5`` and ``1d`` (Go's durations only), ``body_size_limit: 100`` (a size has a unit, and
``10MB`` is 10 · 2²⁰), a scalar where a list belongs, regular expressions that RE2 and conditions that
CEL do not compile, keys that exclude each other, an empty file (``EOF``). What it takes is taken: null
for a block or key, ``yes`` and ``on``, merge keys, ``modules: {}``, a module of nothing. Stricter, each
case one that could never succeed: ``modules_rules`` names them.

YAML is read as Go's yaml.v3 reads it, which is not how our own documents are read: ``modules_yaml``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sentinel.blackbox.module import Hidden, Module
from sentinel.library.document import Problem
from sentinel.library.modules_build import module
from sentinel.library.modules_dump import shown
from sentinel.library.modules_read import Reader, nothing_at
from sentinel.library.modules_schema import FILE, MODULE, schema_keys
from sentinel.library.modules_yaml import Empty, Refused, parse

__all__ = ["Modules", "ModulesRefused", "read_modules", "schema_keys"]

_OLD_REDIRECTS = (
    "no_follow_redirects is deprecated and will be removed in the next release. It is replaced by "
    "follow_redirects."
)


@dataclass(frozen=True, slots=True)
class Modules:
    """What a file declares. `warnings` are pairs of a module's name and what was said about it;
    `digest` is of the file's bytes, equal for a file that did not change."""

    modules: Mapping[str, Module]
    warnings: Sequence[tuple[str, str]] = ()
    digest: str = ""


class ModulesRefused(Exception):
    """A file has problems and cannot be used; each has a place."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


def read_modules(path: str, content: bytes) -> Modules:
    """The modules of a file's bytes; `path` is only for messages. Raises ModulesRefused."""
    reader = Reader()
    try:
        top = parse(path, content)
        values: Mapping[str, Any] = {} if top.is_null else reader.read(FILE, top)
    except Empty:
        raise ModulesRefused([nothing_at(path)]) from None
    except Refused as refused:
        found = [*reader.problems, refused.problem]
        raise ModulesRefused(list(dict.fromkeys(found))) from refused
    if reader.problems:
        raise ModulesRefused(reader.problems)
    warnings = []
    modules = {}
    for name, each in values.get("modules", {}).items():
        if each["http"]["no_follow_redirects"] is not None:
            warnings.append((name, _OLD_REDIRECTS))
        now = _with_new_keys(each)
        modules[name] = module(name, now, shown(MODULE, now))
    return Modules(modules, warnings, sha256(content).hexdigest())


def _with_new_keys(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """A module that says with today's keys what it said with old ones."""
    http, websocket = values["http"], values["websocket"]
    followed = http["follow_redirects"]
    if http["no_follow_redirects"] is not None:
        followed = not http["no_follow_redirects"]
    return {
        **values,
        "http": {**_client(http), "follow_redirects": followed, "no_follow_redirects": None},
        "websocket": {**websocket, "http_config": _client(websocket["http_config"])},
    }


def _client(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """A client block whose bearer token is its `authorization`."""
    given = values["authorization"]
    token, file = values["bearer_token"], values["bearer_token_file"]
    if given is None and not (token or file):
        return values
    if given is None:
        given = {"type": "", "credentials": token, "credentials_file": file}
    given = {**given, "type": given["type"].strip() or "Bearer"}
    return {**values, "authorization": given, "bearer_token": Hidden(), "bearer_token_file": ""}
