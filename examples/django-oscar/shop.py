"""Starts the django-oscar shop and everything it needs: environment, data, workers, feed writer.

``python examples/django-oscar/shop.py start DIR PORT``. Needs nothing but Python 3.11 or newer and
a package index. What it made in DIR is used again by the next start. Prints one JSON line when the
shop answers; ends on SIGTERM, and takes its children with it.
"""

import argparse
import hashlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from types import FrameType

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PROJECT = HERE / "project"
LOCK = ROOT / "requirements" / "oscar.txt"
READY_WITHIN_S = 60.0
ENDS_WITHIN_S = 10.0
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class NotStarted(Exception):
    """The shop did not come up; the text says where to look."""


def environment(folder: Path) -> Path:
    """The Python of a virtual environment that has exactly the lock's packages."""
    python = folder / "bin" / "python"
    stamp = folder / ".lock"
    wanted = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    _run([sys.executable, "-m", "venv", folder])
    pip = [python, "-m", "pip", "--disable-pip-version-check", "-q"]
    _run([*pip, "install", "--require-hashes", "-r", LOCK])
    stamp.write_text(wanted)
    return python


def _run(argv: list[str | Path], env: dict[str, str] | None = None) -> None:
    """Run to the end, with what it prints on our stderr. Raises NotStarted."""
    ended = subprocess.run(argv, stdout=sys.stderr, env=env, cwd=PROJECT, check=False)
    if ended.returncode:
        raise NotStarted(f"{' '.join(map(str, argv[:4]))} … ended with {ended.returncode}")


def _secret_key(folder: Path) -> str:
    file = folder / "secret_key"
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(48))
    return file.read_text()


def surroundings(folder: Path, address: str, vendor: str | None) -> dict[str, str]:
    """The environment variables that the project's settings read."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(PROJECT)]),
        "PYTHONWARNINGS": "ignore",
        "DJANGO_SETTINGS_MODULE": "settings",
        "SHOP_DIR": str(folder),
        "SHOP_ADDRESS": address,
        "SHOP_VENDOR": vendor or "",
        "SHOP_SECRET_KEY": _secret_key(folder),
    }


def workers(python: Path, listener: socket.socket, env: dict[str, str]) -> subprocess.Popen[bytes]:
    """gunicorn on the socket that we opened, so that port 0 works and nobody takes it meanwhile."""
    number = listener.fileno()
    argv = [python, "-m", "gunicorn", "--bind", f"fd://{number}", "--workers", "2"]
    argv += ["--threads", "4", "--no-control-socket", "--log-level", "warning", "wsgi"]
    return subprocess.Popen(argv, env=env, cwd=PROJECT, stdout=sys.stderr, pass_fds=[number])


def wait_until_it_answers(address: str, children: list[subprocess.Popen[bytes]]) -> None:
    """Raises NotStarted when a child ends or the time is over."""
    end = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < end:
        if any(child.poll() is not None for child in children):
            raise NotStarted("a part of the shop ended at once; its words are above")
        try:
            with _DIRECT.open(f"{address}/healthz", timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    raise NotStarted(f"no answer at {address} within {READY_WITHIN_S:g} s")


def stop(children: list[subprocess.Popen[bytes]]) -> None:
    """SIGTERM to each, SIGKILL to who does not listen."""
    for child in children:
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
    for child in children:
        try:
            child.wait(ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def start(asked: argparse.Namespace) -> None:
    """Everything from nothing to a running shop; returns when a part of it ends."""
    folder = asked.dir.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    python = environment((asked.venv or folder / "venv").resolve())
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", asked.port))
    listener.listen(128)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    env = surroundings(folder, address, asked.vendor)
    _run([python, "-m", "django", "prepare"], env)
    writer = [python, "-m", "django", "write_feed", str(asked.feed_every)]
    children: list[subprocess.Popen[bytes]] = []
    try:
        children.append(workers(python, listener, env))
        children.append(subprocess.Popen(writer, env=env, cwd=PROJECT, stdout=sys.stderr))
        wait_until_it_answers(address, children)
        print(json.dumps({"ready": "django-oscar", "address": address}), flush=True)
        while all(child.poll() is None for child in children):
            time.sleep(0.2)
        raise NotStarted("a part of the shop ended; its words are above")
    finally:
        stop(children)


def _leave(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(0)


def _leave_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    asked = argparse.ArgumentParser(prog="shop.py", description=__doc__)
    commands = asked.add_subparsers(required=True)
    begin = commands.add_parser("start", help="prepare what is missing, serve until SIGTERM")
    begin.add_argument("dir", type=Path, help="database, index, mail, feed, faults")
    begin.add_argument("port", type=int, help="0: any free port")
    begin.add_argument("--vendor", help="address of the payment vendor; default: no payment")
    begin.add_argument("--venv", type=Path, help="the virtual environment; default: DIR/venv")
    begin.add_argument("--feed-every", type=float, default=60.0, metavar="SECONDS")
    begin.add_argument("--until-stdin-closes", action="store_true", help="end with the parent")
    wanted = asked.parse_args()
    signal.signal(signal.SIGTERM, _leave)
    if wanted.until_stdin_closes:
        threading.Thread(target=_leave_with_parent, daemon=True).start()
    try:
        start(wanted)
    except NotStarted as trouble:
        sys.exit(f"shop: {trouble}")


if __name__ == "__main__":
    main()
