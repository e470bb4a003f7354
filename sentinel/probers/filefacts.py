"""What the kinds `sftp` and `ftp` say of files: of one file, or of those in a folder that fit a pattern."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

from sentinel.expression import Declaration
from sentinel.monitor.probe import MetricFamily, Sample

MOST_NAMES = 10_000
"""Of a folder that are looked at."""
_SHOWN = 100

FILE_NAMES: Declaration = {
    "exists": "bool",
    "size_bytes": "int",
    "age_s": "double",
    "count": "int",
    "total_bytes": "int",
    "newest": {"name": "string", "size_bytes": "int", "age_s": "double"},
    "oldest": {"name": "string", "size_bytes": "int", "age_s": "double"},
    "names": "list",
    "truncated": "bool",
}
FILE_METRICS = (
    MetricFamily("probe_files", "Files that are there: one at a path, or those that fit a pattern"),
    MetricFamily("probe_file_size_bytes", "Size of the file, or of the newest one"),
    MetricFamily("probe_file_age_seconds", "Age of the file, or of the newest one"),
)


@dataclass(frozen=True, slots=True)
class File:
    """A file as a server tells of it. `changed_at` is None when it does not say."""

    name: str
    size_bytes: int
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Files:
    """What was found: at most one file without a `pattern`, else those of a folder that fit it."""

    found: Sequence[File]
    pattern: str = ""
    truncated: bool = False

    def verdict(self, needed: frozenset[str]) -> str:
        """The reason when there is nothing, unless whether there is is itself looked at."""
        if self.found or needed & {"exists", "count"}:
            return ""
        return "no_files" if self.pattern else "no_such_file"

    def values(self, now: datetime) -> dict[str, Any]:
        """As `FILE_NAMES` declares. What cannot be said is left out."""
        values: dict[str, Any] = {
            "exists": bool(self.found),
            "count": len(self.found),
            "total_bytes": sum(file.size_bytes for file in self.found),
            "names": [file.name for file in self.found[:_SHOWN]],
            "truncated": self.truncated,
        }
        newest, oldest = self._newest(), self._oldest()
        if newest is not None:
            values["newest"] = _shown(newest, now)
            values |= {k: v for k, v in values["newest"].items() if k != "name"}
        if oldest is not None:
            values["oldest"] = _shown(oldest, now)
        return values

    def text(self, now: datetime) -> str:
        """``feed.csv: 20480 bytes, 26.1 h old``; ``3 files, newest feed.csv: …``."""
        newest = self._newest()
        if newest is None:
            return f"no file fits `{self.pattern}`" if self.pattern else "there is no such file"
        facts = _shown(newest, now)
        age = f", {_span(facts['age_s'])} old" if "age_s" in facts else ""
        said = f"{newest.name}: {newest.size_bytes} bytes{age}"
        return f"{len(self.found)} files, newest {said}" if self.pattern else said

    def samples(self, now: datetime) -> list[Sample]:
        """`count`, and of the (newest) file `size_bytes` and `age_s`."""
        values = self.values(now)
        units = {"count": "", "size_bytes": "B", "age_s": "s"}
        return [
            Sample(name, float(values[name]), unit)
            for name, unit in units.items()
            if name in values
        ]

    def metrics(self, now: datetime) -> dict[str, Any]:
        """As `FILE_METRICS` declares."""
        values = self.values(now)
        names = {
            "count": "probe_files",
            "size_bytes": "probe_file_size_bytes",
            "age_s": "probe_file_age_seconds",
        }
        return {shown: values[name] for name, shown in names.items() if name in values}

    def _newest(self) -> File | None:
        return max(self.found, key=_order, default=None)

    def _oldest(self) -> File | None:
        return min(self.found, key=_order, default=None)


def fits(name: str, pattern: str) -> bool:
    """Whether a name fits a pattern of ``*``, ``?`` and ``[…]``; case counts, and a name that
    begins with a dot fits only a pattern that does."""
    hidden = name.startswith(".") and not pattern.startswith(".")
    return not hidden and fnmatchcase(name, pattern)


def refused_path(path: str, pattern: str) -> str:
    """What is wrong with a path and a pattern as they are declared; ``""`` when nothing is."""
    if not path or any(ord(letter) < 32 or letter == "\x7f" for letter in path + pattern):
        return "the path is empty, or holds what is no letter"
    if "/" in pattern:
        return "`pattern` is of names: what comes before the last `/` belongs to `path`"
    if path.endswith("/") and not pattern:
        return "`path` is a folder: give a `pattern` of the names to look at, such as `*`"
    return ""


def _order(file: File) -> tuple[float, str]:
    return (file.changed_at.timestamp() if file.changed_at else 0.0, file.name)


def _shown(file: File, now: datetime) -> Mapping[str, Any]:
    shown: dict[str, Any] = {"name": file.name, "size_bytes": file.size_bytes}
    if file.changed_at is not None:
        shown["age_s"] = max((now - file.changed_at).total_seconds(), 0.0)
    return shown


def _span(seconds: float) -> str:
    for unit, length in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s"
