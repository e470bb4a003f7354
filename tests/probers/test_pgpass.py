"""The password file is read as libpq reads it."""

from pathlib import Path

import pytest

from sentinel.probers.pgpass import kept_password

FILE = r"""# a comment:5432:*:*:none
db.example:5433:*:*:other port
db.example:5432:orders:monitor:p\:w\\d:rest
*:*:*:bo:of bo
db.example:5432
"""


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "pgpass"
    path.write_text(FILE)
    path.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(path))
    return path


def kept(user: str, *, host: str = "db.example", port: int = 5432) -> str:
    return kept_password(host=host, port=port, database="orders", user=user)


def test_the_first_line_that_fits_counts() -> None:
    assert r"p:w\d" == kept("monitor")
    assert "other port" == kept("monitor", port=5433)
    assert "of bo" == kept("bo", host="elsewhere")
    assert "" == kept("monitor", host="elsewhere")


def test_a_file_that_others_may_read_or_that_is_not_there_does_not_count(file: Path) -> None:
    file.chmod(0o640)
    assert "" == kept("monitor")
    file.unlink()
    assert "" == kept("monitor")
