"""Documents in the making, with remarks on what could not be carried over.

An importer only fills in keys that the installed kinds have, never a secret as it stands (it becomes
``env:NAME``, and a remark says so), and never a text that would be read as ``${…}``.
"""

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sentinel.errors import ExtraMissing
from sentinel.library.document import Problem
from sentinel.library.matrices import id_part
from sentinel.library.probes import OWN_LABELS
from sentinel.library.reading import Lookup
from sentinel.library.secrets import tells

_NOT_NAMES = re.compile("[^A-Z0-9]+")
_NOT_LABELS = re.compile("[^A-Za-z0-9_]+")
_WITH_PASSWORD = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://[^:@/?#]*):([^@/?#]+)(@.*)\Z", re.DOTALL)
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
MOST_ID = 80


class ImportRefused(Exception):
    """A file is not of the format at all; each problem has a place."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


@dataclass(slots=True)
class Draft:
    """What came of a file. `remarks` are what was not carried over, by ``probes/ID`` and
    ``templates/ID``, those on the whole file by the empty name."""

    templates: dict[str, dict[str, Any]] = field(default_factory=dict)
    probes: dict[str, dict[str, Any]] = field(default_factory=dict)
    remarks: dict[str, list[str]] = field(default_factory=dict)

    def remark(self, about: str, text: str) -> None:
        """Say something about a document, once."""
        said = self.remarks.setdefault(about, [])
        if text not in said:
            said.append(text)

    def new_id(self, *parts: str) -> str:
        """An id that no probe has yet, from texts that people wrote."""
        base = "-".join(filter(None, map(id_part, parts)))[:MOST_ID].strip("-") or "probe"
        id, count = base, 1
        while id in self.probes:  # ends: there are finitely many probes
            count += 1
            id = f"{base}-{count}"
        return id


class Keys:
    """The keys of one kind that a document gets, as far as the kind is installed and has them. `id`
    is the document's; variables for secrets are named after it."""

    def __init__(self, kind: str, lookup: Lookup, remark: Callable[[str], None], id: str) -> None:
        self.kind = kind
        self._id = id
        self.values: dict[str, Any] = {}
        self._remark = remark
        self.known = fields_of(kind, lookup)

    def put(self, key: str, value: Any) -> None:
        """Set a key; said instead, when the kind has none of this name or it would be ``${…}``. A
        password in a URL becomes a reference."""
        if isinstance(value, str):
            value = without_password(value, f"{self._id}-{key}", self._remark)
        if key not in self.known:
            self._remark(f"`{key}` is not carried over: kind `{self.kind}` has none")
        elif _refers(value):
            self._remark(f"`{key}` is not carried over: `${{…}}` means something else here")
        else:
            self.values[key] = value

    def put_headers(self, headers: Mapping[str, str], id: str) -> None:
        """Headers, those apart whose names say that they are secret."""
        plain = {name: text for name, text in headers.items() if not tells(name)}
        secret = {
            name: secret_of(text, f"{id}-{name}", self._remark)
            for name, text in headers.items()
            if tells(name)
        }
        if plain:
            self.put("headers", plain)
        if secret:
            self.put("secret_headers", secret)


def fields_of(kind: str, lookup: Lookup) -> Mapping[str, Any]:
    """The YAML keys of a prober kind and their types as text; none when it is not installed."""
    if kind not in lookup.names("probers"):
        return {}
    try:
        found: Any = lookup.find("probers", kind)
    except ExtraMissing:
        return {}
    return {each.name.rstrip("_"): str(each.type) for each in dataclasses.fields(found)}


def _refers(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_refers, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_refers, value))
    return isinstance(value, str) and "${" in value


def secret_of(text: str, name: str, remark: Callable[[str], None]) -> str:
    """A reference to put in the place of a secret; the remark says what has to be set. One that
    names variables of the environment, ``Bearer ${TOKEN}``, goes on naming them."""
    if _VARIABLE.search(text):
        named = _VARIABLE.sub(lambda found: f"{{env:{found[1]}}}", text)
        return named[1:-1] if _VARIABLE.fullmatch(text) else named
    variable = _NOT_NAMES.sub("_", name.upper()).strip("_")
    remark(f"set {variable} in the environment to the secret that stood in the file")
    return f"env:{variable}"


def without_password(url: str, name: str, remark: Callable[[str], None]) -> str:
    """A URL with a reference in the place of its password; any other text as it is."""
    found = _WITH_PASSWORD.match(url)
    if found is None:
        return url
    reference = secret_of(found[2], f"{name}-password", remark)
    inside = reference if reference.startswith("{") else f"{{{reference}}}"
    return f"{found[1]}:{inside}{found[3]}"


def labels_of(labels: Mapping[str, Any], remark: Callable[[str], None]) -> dict[str, str]:
    """Further labels; those that Sentinel gives itself are left out, and said."""
    kept: dict[str, str] = {}
    for name, value in labels.items():
        own = _NOT_LABELS.sub("_", str(name)).strip("_").lower()
        if not own or str(name).startswith("__"):
            continue
        if own in OWN_LABELS:
            remark(f"the label `{name}` is not carried over: Sentinel gives `{own}` itself")
        elif "${" in str(value):
            remark(f"the label `{name}` is not carried over: `${{…}}` means something else here")
        elif value not in (None, ""):
            kept[own] = str(value)
    return kept
