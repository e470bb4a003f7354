"""What ``sentinel doctor`` looks at on the machine: the data folder, the store, room on the disk, the
clock, whom TLS trusts, the node and its port.

It writes one empty file into the data folder and removes it, and takes the store's write lock for a
moment. Nothing else is changed; where there is no data folder yet, none is made.
"""

import os
import shutil
import socket
import ssl
import tempfile
import time
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path

from sentinel.cli.client import LocalConnection
from sentinel.cli.doctor_check import Check, finding, ok, wrong
from sentinel.errors import ExtraMissing, Failure
from sentinel.store.migrate import check_notes, migrations, read_notes
from sentinel.store.open import is_postgres, open_link
from sentinel.store.sql import Conflict, Link, Unreachable
from sentinel.transport.preset import trusted

MIB = 1 << 20
TOO_FULL = 100 * MIB
NEARLY_FULL = 1024 * MIB
CLOCKS_APART_S = 2.0
ASK_WITHIN_S = 5


def look(data: Path, store: str, listen: str) -> Iterator[Check]:
    """Everything but the documents. `store` is a path or a PostgreSQL URL."""
    there = data.is_dir()
    yield _data(data) if there else _data_to_be(data)
    yield _room(data if there else _nearest(data))
    if there:
        yield _clock(data)
    yield _store(store)
    yield _trust()
    answers, node = _node(data / "node.sock")
    yield node
    if not answers:
        yield _port(listen)


def _nearest(path: Path) -> Path:
    """The folder itself, or the nearest one above it that is there."""
    return next(each for each in (path.absolute(), *path.absolute().parents) if each.is_dir())


def _data_to_be(data: Path) -> Check:
    parent = _nearest(data)
    if os.access(parent, os.W_OK | os.X_OK):
        return ok("data", f"{data} is made at the first start")
    return wrong("data", f"{parent} may not be written", f"let this user write {data}")


def _data(data: Path) -> Check:
    if not os.access(data, os.W_OK | os.X_OK):
        return wrong("data", f"{data} may not be written", f"let this user write {data}")
    if data.stat().st_mode & 0o077:
        text = f"{data} is open to others; it holds the key of the links in pages"
        return finding("data", text, f"chmod 700 {data}")
    return ok("data", f"{data} may be written")


def _room(folder: Path) -> Check:
    free = shutil.disk_usage(folder).free
    text = f"{free // MIB} MiB free under {folder}"
    mend = "make room; when the disk is full nothing can be recorded and no step starts"
    if free < TOO_FULL:
        return wrong("disk", text, mend)
    return finding("disk", text, mend) if free < NEARLY_FULL else ok("disk", text)


def _clock(data: Path) -> Check:
    """This process's clock against that of whoever keeps the files: a disk over the network has
    another, and a clock that was set back leaves files of the future."""
    mend = "synchronise the clock (chrony, systemd-timesyncd), then look again"
    try:
        with tempfile.NamedTemporaryFile(dir=data, prefix=".doctor-") as written:
            apart = time.time() - os.fstat(written.fileno()).st_mtime
        latest = max((each.stat().st_mtime for each in data.iterdir() if each.is_file()), default=0)
    except OSError as error:
        return wrong("clock", f"{data}: {error.strerror}", f"let this user write {data}")
    if abs(apart) > CLOCKS_APART_S:
        return finding("clock", f"the files' clock is {apart:.1f} s from this one", mend)
    if latest - time.time() > CLOCKS_APART_S:
        text = f"a file of the data folder is {latest - time.time():.0f} s in the future"
        return finding("clock", text, mend)
    return ok("clock", "agrees with the files'")


def _store(where: str) -> Check:
    if not is_postgres(where) and not Path(where).exists():
        return ok("store", "is made at the first start")
    shown = "PostgreSQL" if is_postgres(where) else where
    try:
        link = open_link(where, writes=True)
    except (Unreachable, Failure, ExtraMissing) as refused:
        return wrong("store", f"{shown} cannot be opened: {refused}", _STORE_MEND)
    try:
        return _writable(link, shown)
    except (Unreachable, Conflict) as refused:
        return wrong("store", f"{shown} cannot be written: {refused}", _STORE_MEND)
    except Failure as refused:
        return wrong("store", str(refused), "docs/how-to/backup.md says how to go back")
    finally:
        link.roll_back()
        link.close()


_STORE_MEND = "see that it is there, that this user may write it, and that the disk has room"


def _writable(link: Link, shown: str) -> Check:
    """The write lock, for a moment; and which migrations it has had."""
    known = migrations(link.dialect)
    link.begin_writing(())
    notes = read_notes(link)
    link.roll_back()
    check_notes(notes, known)
    waiting = [one.name for one in known if one.number not in notes]
    if waiting:
        return ok("store", f"{shown}; {len(waiting)} migrations are applied at the next start")
    return ok("store", f"{shown} may be written and is up to date")


def _trust() -> Check:
    """Whom TLS trusts; without it every HTTPS probe fails with ``certificate_untrusted``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    folder = ssl.get_default_verify_paths().capath
    hashed = len(list(Path(folder).glob("*.0"))) if folder and Path(folder).is_dir() else 0
    count = len(context.get_ca_certs()) or hashed
    if not count or not trusted():
        return wrong(
            "trust store",
            "no certificate authority is trusted",
            "install ca-certificates, or set SSL_CERT_FILE",
        )
    return ok("trust store", f"{count} authorities")


def _node(path: Path) -> tuple[bool, Check]:
    """Whether a node answers at its socket, and how ready it is."""
    if not path.exists():
        return False, ok("node", f"none runs here (no {path})")
    connection = LocalConnection(path, timeout_s=ASK_WITHIN_S)
    try:
        connection.request("GET", "/-/ready")
        answer = connection.getresponse()
        text = answer.read(4096).decode(errors="replace").strip()
    except (OSError, HTTPException) as error:
        text = f"nobody answers at {path}: {error}"
        mend = "start it; if it runs, look at its log, and end it only if it hangs"
        return False, finding("node", text, mend)
    finally:
        connection.close()
    if answer.status == 200:
        return True, ok("node", "runs and is ready")
    return True, wrong("node", f"runs and is not ready: {text}", "its log says why")


def _port(listen: str) -> Check:
    """Whether a node could listen there: bound and let go again."""
    host, _, port = listen.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind((host.strip("[]") or "127.0.0.1", int(port)))
    except (OSError, ValueError, OverflowError) as error:
        mend = "end what listens there, or choose another with `sentinel run --listen HOST:PORT`"
        return wrong("port", f"{listen}: {error}", mend)
    return ok("port", f"{listen} is free")
