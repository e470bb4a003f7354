"""The URL of a database, taken apart before its secrets are revealed, so that any character may
stand in a password."""

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

ENGINES = {
    "postgresql": ("postgresql", 5432),
    "postgres": ("postgresql", 5432),
    "mysql": ("mysql", 3306),
    "mariadb": ("mysql", 3306),
    "sqlite": ("sqlite", 0),
}
"""Scheme to engine and port."""

_SECRET = re.compile(r"\{(?:env|file):[^{}]*\}")
_MARK = "sentinelsecret{}mark"


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """Where a database is. `user` and `password` may still be references; the rest is plain. A
    `host` with a slash is the folder of PostgreSQL's socket (``%2Frun%2Fpostgresql`` in the URL)."""

    engine: str
    host: str
    port: int
    database: str
    user: str = ""
    password: str = ""


def database_url(url: str) -> DatabaseUrl:
    """Take it apart. Raises ValueError, saying what would be right."""
    secrets = _SECRET.findall(url)
    marks = [_MARK.format(number) for number in range(len(secrets))]
    for mark, secret in zip(marks, secrets, strict=True):
        url = url.replace(secret, mark, 1)
    parts = urlsplit(url)
    if parts.scheme not in ENGINES:
        raise ValueError(f"`{parts.scheme}:` is no database: {', '.join(ENGINES)}")
    if parts.query or parts.fragment:
        raise ValueError(
            "a database's URL has no parameters here: `tls:` and its keys say the rest"
        )
    engine, port = ENGINES[parts.scheme]
    if any(mark in f"{parts.hostname}{parts.path}" for mark in marks):
        raise ValueError("secrets stand in the user and password places only")
    database = unquote(parts.path)
    if engine == "sqlite":
        if parts.netloc or not database.startswith("/"):
            raise ValueError("a SQLite file is given as sqlite:///absolute/path")
        return DatabaseUrl(engine, "", 0, database)
    host = parts.netloc.rpartition("@")[2]
    host = unquote(host) if host[:3].lower() == "%2f" else parts.hostname or ""
    if not host:
        raise ValueError("the URL names no host")

    def restored(text: str) -> str:
        text = unquote(text)
        for mark, secret in zip(marks, secrets, strict=True):
            text = text.replace(mark, secret)
        return text

    return DatabaseUrl(
        engine,
        host,
        parts.port or port,
        database.lstrip("/"),
        restored(parts.username or ""),
        restored(parts.password or ""),
    )
