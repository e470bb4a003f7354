"""``discover:`` a list of addresses from outside, each of which becomes a probe while a node runs.

The list has the form of Prometheus' ``file_sd`` and ``http_sd``: ``[{"targets": ["shop.example:443"],
"labels": {"country": "fi"}}]``, JSON or, in a file, YAML. Whoever writes that list decides what is
asked, and nothing else: an address is a host, a host and port, or an http(s) URL without
credentials; a value is only ever a value (``filling``), and what would name a secret of ours
(``env:``, ``{file:…}``) or one of our values (``${…}``) is refused.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from sentinel.library import pieces, spans
from sentinel.library.document import read_value
from sentinel.library.matrices import MOST
from sentinel.library.reading import At
from sentinel.library.shape import Schema
from sentinel.words import Seconds, Secret

MOST_BYTES = 2 * 1024 * 1024
EVERY_S = Seconds(60.0)
LEAST_EVERY_S = Seconds(1.0)
MOST_UNLESS_SAID = 1_000
MOST_LABELS = 64
MOST_CHARACTERS = 2_048

DISCOVER: Schema = pieces.entry(
    {
        "file": pieces.text(
            "A file, relative to the workspace: JSON, or YAML when it is called .yaml or .yml",
            "discovered/shops.json",
            minLength=1,
        ),
        "url": pieces.url("Or an address that answers with JSON", "https://cmdb.acme.example/sd"),
        "at": pieces.identifier("Instead of `url`: one of the site's addresses", "inventory"),
        "bearer": pieces.secret("A token for that address", "env:INVENTORY_TOKEN"),
        "every": pieces.span("How often the list is read again", "1m"),
        "most": pieces.whole(
            "A longer list is refused, and the last one kept (default 1000)",
            1000,
            minimum=1,
            maximum=MOST,
        ),
        "name": pieces.text(
            "What stands behind this id in the ids of the probes; without it the address",
            "${discovered.labels.shop}",
        ),
    },
    "Addresses from a file or an HTTP endpoint in Prometheus' http_sd form, each a probe: "
    "`${discovered.url}`, `.address`, `.host`, `.port` and `.labels.NAME` are its values",
)

_HOST = re.compile(r"(?:[^\W_](?:[\w.-]{0,252})|\[[0-9a-fA-F:.]{2,45}\])(?::([0-9]{1,5}))?\Z")
_UNFIT = re.compile(r"[\x00-\x20\x7f{}<>\"\\^`|]")
_SECRET = re.compile(r"[{}]|^\s*(?:env|file):")
"""What names a secret or a value of ours; any brace, since two labels side by side could close one."""
_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a list comes from: a file's path, relative to the workspace, or a URL with perhaps a
    token for it."""

    file: str = ""
    url: str = ""
    bearer: Secret | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """One address of a list, with its group's labels."""

    address: str
    labels: Mapping[str, str] = field(default_factory=dict)

    def values(self) -> Mapping[str, Any]:
        """What ``discovered`` names. `port` is 0 where neither the address nor its scheme says it;
        `url` of an address without a scheme begins with ``http://``, as blackbox_exporter's."""
        has_scheme = "://" in self.address
        url = self.address if has_scheme else f"http://{self.address}"
        parts = urlsplit(url)
        known = {"http": 80, "https": 443}[parts.scheme] if has_scheme else 0
        return {
            "address": self.address,
            "host": parts.hostname or "",
            "port": parts.port or known,
            "url": url,
            "labels": self.labels,
        }


class ListRefused(Exception):
    """A list that is not of the form, too large or too long; the text says why."""


def read_source(body: Mapping[str, Any], at: At) -> Source | None:
    """The source of a ``discover:`` of the right shape; None, and said, when it names none."""
    given = [key for key in ("file", "url", "at") if body.get(key)]
    if len(given) != 1:
        what = " and ".join(f"`{each}:`" for each in given)
        message = f"{what} are both given" if given else "neither `file:` nor `url:` is given here"
        at.wrong(message, "write one of `file:`, `url:` and `at:`", at_key=True)
        return None
    if "bearer" in body and "file" in body:
        (at / "bearer").wrong("a file needs no token", "remove it", at_key=True)
        return None
    every_s = spans.seconds(body.get("every", "1m"))
    if every_s < LEAST_EVERY_S:
        (at / "every").wrong("a list is read once a second at most", "write 1s or more")
        return None
    url = (at / "at").address(body["at"]) if "at" in body else body.get("url", "")
    bearer = Secret(body["bearer"]) if "bearer" in body else None
    return Source(body.get("file", ""), url, bearer)


def read_found(content: bytes, *, most: int, yaml: bool = False) -> list[Found]:
    """The addresses of a list, each with its labels, in its order, none twice. Raises ListRefused
    when it is not of the form or longer than `most`; what is wrong with an address alone is said
    by `unfit`."""
    if len(content) > MOST_BYTES:
        raise ListRefused(f"the list is larger than {MOST_BYTES // 1024 // 1024} MiB")
    groups = _yaml(content) if yaml else _json(content)
    if not isinstance(groups, list):
        raise ListRefused("the list is not a list of groups with `targets` and `labels`")
    found: dict[str, Found] = {}
    for each in _founds(groups):
        found.setdefault(json.dumps([each.address, *sorted(each.labels.items())]), each)
        if len(found) > most:
            raise ListRefused(f"the list has more than {most} addresses")
    return list(found.values())


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as wrong:
        raise ListRefused(f"the list is not JSON: {str(wrong)[:200]}") from wrong


def _yaml(content: bytes) -> Any:
    value, problems = read_value("list", content)
    if problems:
        raise ListRefused(f"the list cannot be read: {problems[0]}")
    return value


def _founds(groups: list[Any]) -> Iterator[Found]:
    for group in groups:
        addresses = group.get("targets") if isinstance(group, dict) else None
        if not isinstance(addresses, list):
            raise ListRefused("a group of the list has no `targets`")
        labels = group.get("labels") or {}
        if not isinstance(labels, dict) or len(labels) > MOST_LABELS:
            raise ListRefused(f"the labels of a group are no mapping of at most {MOST_LABELS}")
        for address in addresses:
            if not isinstance(address, str):
                raise ListRefused("an address of the list is no text")
            yield Found(address, labels)


def unfit(found: Found) -> str:
    """Why an address cannot become a probe; empty when it can."""
    address = found.address
    if not 0 < len(address) <= MOST_CHARACTERS or _UNFIT.search(address):
        return "it holds what no address may hold"
    if _SECRET.search(address):
        return "it names a secret"
    why = _unfit_url(address) if "://" in address else _unfit_host(address)
    reasons = (why, *(_unfit_label(name, value) for name, value in found.labels.items()))
    return next(filter(None, reasons), "")


def _unfit_url(address: str) -> str:
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return "it is no URL"
    if parts.scheme not in ("http", "https"):
        return "its scheme is neither http nor https"
    if "@" in parts.netloc:
        return "it holds credentials"
    return _unfit_host(parts.netloc) if port != 0 else "its port is 0"


def _unfit_host(text: str) -> str:
    match = _HOST.match(text)
    if match is None:
        return "it is neither a host, a host and port, nor a URL"
    return "" if match[1] is None or 0 < int(match[1]) < 65536 else "its port is out of range"


def _unfit_label(name: str, value: Any) -> str:
    if not isinstance(value, str) or len(value) > MOST_CHARACTERS:
        return f"its label `{name[:64]}` is no text of at most {MOST_CHARACTERS} characters"
    if not _LABEL.match(name):
        return f"`{name[:64]}` is no name of a label"
    if _SECRET.search(value):
        return f"its label `{name}` names a secret or a value of ours"
    return "" if value.isprintable() else f"its label `{name}` holds control characters"
