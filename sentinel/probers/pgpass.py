"""Passwords that a machine keeps for its PostgreSQL clients (documentation of libpq, "The Password
File"), looked up here since libpq, behind a relay, would look for the relay's port."""

import os
import re
import stat
from pathlib import Path

MOST_BYTES = 64 * 1024
_FIELD = re.compile(r"((?:\\.|[^:\\])*)(?::|$)")


def kept_password(*, host: str, port: int, database: str, user: str) -> str:
    """The password of the first line that fits, from ``PGPASSFILE`` or ``~/.pgpass``; "" when there
    is none. As with libpq a file that others may read does not count."""
    path = Path(os.environ.get("PGPASSFILE") or Path.home() / ".pgpass")
    wanted = (host, str(port), database, user)
    for line in _lines(path):
        *names, password = [*_FIELD.findall(line), *[""] * 5][:5]
        if not line.startswith("#") and all(map(_fits, names, wanted)):
            return _plain(password)
    return ""


def _lines(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode) or found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                return []
            return file.read(MOST_BYTES).decode(errors="replace").splitlines()
    except OSError:
        return []


def _fits(kept: str, wanted: str) -> bool:
    return kept == "*" or _plain(kept) == wanted


def _plain(kept: str) -> str:
    return re.sub(r"\\(.)", r"\1", kept)
