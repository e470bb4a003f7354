"""The demo's world: a shop, its payment vendor, a mailbox and a node, each a process of its own.

Everything lives in a temporary folder and on loopback, on free ports. Every process is ended by
its id when the world closes; and because each of them watches its stdin, it also ends when the
demo itself was killed and could end nothing.
"""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sentinel
from sentinel.cli.demo_client import Away, Site

REPOSITORY = Path(sentinel.__file__).parent.parent
WORKSPACE = ("probes", "playbooks", "rotations", "sentinel.yaml")
USUAL_PORT = 8800
START_WITHIN_S = 60.0
END_WITHIN_S = 8.0
MOST_LINES = 10_000
_METHOD = re.compile(r"env:([A-Z][A-Z0-9_]*_MAIL)\b")


class NotStarted(Exception):
    """A part of the demo did not come up; the text says which and what it said last."""


@dataclass(frozen=True, slots=True)
class Mail:
    """A page as the mailbox took it."""

    to: tuple[str, ...]
    subject: str
    text: str


class Child:
    """A process that prints JSON lines; its talk goes to a file."""

    def __init__(
        self, name: str, argv: Sequence[str], *, env: Mapping[str, str], log: Path
    ) -> None:
        self.name = name
        self.lines: list[dict[str, Any]] = []
        self._log = log
        with log.open("wb") as talk:
            self.process = subprocess.Popen(  # noqa: S603 - our own programs, no shell
                list(argv),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=talk,
                env=dict(env),
                cwd=REPOSITORY,
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            if len(self.lines) < MOST_LINES:
                self.lines.append(json.loads(line))

    def address(self) -> str:
        """The address of its first line. Raises NotStarted."""
        return str(self.until(lambda: self.lines and self.lines[0])["address"])

    def until(self, ready: Callable[[], Any]) -> Any:
        """Wait until `ready` gives something true. Raises NotStarted when it ends, or in the end."""
        deadline = time.monotonic() + START_WITHIN_S
        while time.monotonic() < deadline:
            ended = self.process.poll() is not None  # before it is asked: another may answer there
            if not ended and (found := ready()):
                return found
            if ended:
                break
            time.sleep(0.05)
        raise NotStarted(f"{self.name} did not start: {self.talk()}")

    def talk(self) -> str:
        """The end of what it said on stderr."""
        return self._log.read_text(errors="replace")[-2000:].strip() or "it said nothing"

    def end(self) -> None:
        """SIGTERM; SIGKILL when that is not heard in time."""
        self.process.terminate()
        try:
            self.process.wait(END_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._reader.join(END_WITHIN_S)
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


@dataclass(frozen=True, slots=True)
class World:
    """Where everything is. `workspace` is the copy that the node watches."""

    console: Site
    shop: Site
    vendor: Site
    workspace: Path
    _mailbox: Child

    def mails(self) -> list[Mail]:
        """What was delivered so far, oldest first."""
        return [
            Mail(tuple(line["to"]), line["subject"], line["text"])
            for line in self._mailbox.lines[1:]
        ]

    def break_shop(self, **faults: Any) -> None:
        """Replace the shop's faults; with none given it is mended."""
        self.shop.post_json("/faults", faults)


@contextlib.contextmanager
def world(workspace: Path, *, port: int = USUAL_PORT) -> Iterator[World]:
    """Start everything, and end it in any case; the console at `port` if nobody listens there,
    else at any free one. Raises NotStarted."""
    with contextlib.ExitStack() as ends:
        scratch = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="sentinel-demo-")))
        copy = _copied(workspace, scratch / "workspace")
        starting = _Starting(ends, scratch)
        port = free_port(port)
        console = f"http://127.0.0.1:{port}"
        vendor = starting.example("vendor", "examples.shop.vendor")
        shop = starting.example(
            "shop", "examples.shop", "--vendor", vendor, "--feed-every", "5",
            "--heartbeat", f"{console}/ping/nightly-job", "--job-every", "20",
        )  # fmt: skip
        box = starting.child(
            "mailbox", _module("examples.shop.mailbox", "--port", "0", "--dir", scratch / "mail")
        )
        smtp_port = box.address().rpartition(":")[2]
        node = starting.child(
            "node",
            _module(
                "sentinel", "run", copy, "--data", scratch / "data", "--url", console,
                "--listen", f"127.0.0.1:{port}", *_addresses(shop, vendor),
            ),
            _mail_addresses(copy, smtp_port),
        )  # fmt: skip
        site = Site(console)
        node.until(lambda: _is_ready(site))
        yield World(site, Site(shop), Site(vendor), copy, box)


class _Starting:
    """Starts children and makes sure of their end, the last one first."""

    def __init__(self, ends: contextlib.ExitStack, scratch: Path) -> None:
        self._ends = ends
        self._scratch = scratch

    def child(self, name: str, argv: Sequence[str], env: Mapping[str, str] | None = None) -> Child:
        child = Child(
            name,
            [*argv, "--until-stdin-closes"],
            env={**os.environ, **(env or {})},
            log=self._scratch / f"{name}.log",
        )
        self._ends.callback(child.end)
        return child

    def example(self, name: str, module: str, *more: str) -> str:
        return self.child(name, _module(module, "--port", "0", *more)).address()


def _module(name: str, *arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", name, *map(str, arguments)]


def _is_ready(site: Site) -> bool:
    try:
        return bool(site.text("/-/ready"))
    except Away:
        return False


def _addresses(shop: str, vendor: str) -> list[str]:
    named = {
        "shop": shop,
        "feeds": f"{shop}/feed",
        "payments": f"{vendor}/payments",
        "status": f"{vendor}/status",
    }
    return [word for name, url in named.items() for word in ("--address", f"{name}={url}")]


def _copied(workspace: Path, to: Path) -> Path:
    """The workspace without what else lies beside it in the repository."""
    to.mkdir()
    for name in WORKSPACE:
        if (workspace / name).is_dir():
            shutil.copytree(workspace / name, to / name)
        elif (workspace / name).exists():
            shutil.copy2(workspace / name, to / name)
    return to


def _mail_addresses(workspace: Path, smtp_port: str) -> dict[str, str]:
    """Every ``env:NAME_MAIL`` of the workspace, pointed at the local mailbox."""
    text = "\n".join(file.read_text() for file in sorted(workspace.rglob("*.yaml")))
    return {name: mail_address(name, smtp_port) for name in _METHOD.findall(text)}


def mail_address(name: str, smtp_port: str) -> str:
    """Where ``ANA_MAIL`` leads in the demo: ana@acme.example, through the local mailbox."""
    person = name.removesuffix("_MAIL").lower().replace("_", "-")
    query = f"to={person}@acme.example&from=sentinel@acme.example&mode=insecure"
    return f"mailto://127.0.0.1:{smtp_port}?{query}"


def free_port(wanted: int) -> int:
    """`wanted` when nobody listens there, else any free port of loopback."""
    for port in (wanted, 0):
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", port))
            return int(listener.getsockname()[1])
    raise NotStarted("no free port on loopback")
