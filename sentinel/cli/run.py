"""``sentinel run``: one node and its one port."""

import asyncio
import itertools
import json
import logging
import os
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import uvicorn

from sentinel.cli.arguments import addresses_of
from sentinel.cli.output import Exit
from sentinel.cli.server import Server
from sentinel.cli.socketpath import fitting
from sentinel.engine import failpoint
from sentinel.engine.node import Node, Settings, read_workspace
from sentinel.engine.redaction import Redactor
from sentinel.engine.secrets import LiveSecrets
from sentinel.engine.wallclock import WallClock
from sentinel.errors import DocumentsRefused, ExtraMissing, Failure
from sentinel.notifiers.apprise import Apprise
from sentinel.store.open import open_journal
from sentinel.web.app import build
from sentinel.words import CROCKFORD

log = logging.getLogger("sentinel.run")

SOCKET = "node.sock"


class Lines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and the fields given with it, all of
    them without what may not be stored: errors quote what they were given."""

    def __init__(self) -> None:
        super().__init__()
        self.redactor = Redactor()
        """Its node's, once there is one."""

    _own = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "color_message"}

    def format(self, record: logging.LogRecord) -> str:
        fields = {name: value for name, value in record.__dict__.items() if name not in self._own}
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **fields,
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        clean = {name: self._clean(value) for name, value in line.items()}
        return json.dumps(clean, default=str, ensure_ascii=False)

    def _clean(self, value: Any) -> Any:
        return self.redactor.text(value) if isinstance(value, str) else self.redactor.known(value)


def log_to_stderr(level: str) -> Lines:
    """Structured lines on standard error, ours and those of the libraries; gives how they look."""
    talk = logging.StreamHandler(sys.stderr)
    lines = Lines()
    talk.setFormatter(lines)
    logging.basicConfig(level=level.upper(), handlers=[talk], force=True)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    return lines


def incident_ids() -> Iterator[str]:
    """Fresh incident ids: 8 characters of Crockford base32."""
    for _ in itertools.count():
        yield "".join(secrets.choice(CROCKFORD) for _ in range(8))


def listen(address: str, unix: Path) -> list[socket.socket]:
    """The TCP socket, and the unix socket that only this user may open. Raises OSError."""
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    tcp = socket.socket(family, socket.SOCK_STREAM)
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    tcp.bind((host.strip("[]") or "127.0.0.1", int(port)))
    unix.unlink(missing_ok=True)
    local = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        with fitting(unix) as place:
            local.bind(place)
    finally:
        os.umask(before)
    return [tcp, local]


async def serve(node: Node, sockets: list[socket.socket], *, stop: asyncio.Event) -> None:
    """Run a node and its port until `stop`, or until the node fails; raises what it failed of."""
    config = uvicorn.Config(build(node), lifespan="off", log_config=None, access_log=False)
    server = Server(config)
    serving = asyncio.ensure_future(server.serve(sockets=sockets))
    try:
        await node.start()
        failed = node.failed
        stopping = asyncio.ensure_future(stop.wait())
        ends: set[asyncio.Future[Any]] = {stopping, serving}
        if failed is not None:
            ends.add(failed)
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if failed is not None and failed.done() and not failed.cancelled():
            failed.result()
    finally:
        server.should_exit = True
        await serving
        await node.close()


async def _run(
    settings: Settings, store: str, address: str, *, lines: Lines, with_parent: bool
) -> None:
    catalog = read_workspace(settings.root, settings.addresses)
    secrets_ = LiveSecrets(settings.root)
    notifier = Apprise(secrets_)
    sockets = listen(address, settings.data / SOCKET)
    journal = await asyncio.to_thread(open_journal, store)
    await notifier.start()
    node = Node(
        settings,
        catalog,
        journal=journal,
        clock=WallClock(),
        secrets=secrets_,
        notifier=notifier,
        new_id=incident_ids(),
    )
    lines.redactor = node.redactor
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if with_parent:
        threading.Thread(target=_await_parent, args=(loop, stop), daemon=True).start()
    reloads: set[asyncio.Task[Any]] = set()

    def reload() -> None:
        running = loop.create_task(_reload(node))
        reloads.add(running)
        running.add_done_callback(reloads.discard)

    loop.add_signal_handler(signal.SIGHUP, reload)
    log.info("listening", extra={"address": address, "store": store.partition("@")[2] or store})
    try:
        await serve(node, sockets, stop=stop)
    finally:
        await notifier.close()


async def _reload(node: Node) -> None:
    try:
        await node.reload()
    except Failure as failure:
        log.error("the reload failed", extra={"reason": failure.reason, "error": str(failure)})


def _await_parent(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """A parent that was killed cannot end us; its end of our stdin closes all the same."""
    while os.read(sys.stdin.fileno(), 4096):
        continue
    loop.call_soon_threadsafe(stop.set)


def node_name(location: str) -> str:
    """The machine's, with the location where it is named: two locations may run on one machine."""
    machine = socket.gethostname()
    return machine if location == "local" else f"{machine}-{location}"


def _check_failpoint() -> None:
    try:
        failpoint.stages_off()
    except ValueError as wrong:
        raise click.UsageError(str(wrong)) from wrong


@click.command()
@click.argument(
    "folder", default=".", type=click.Path(path_type=Path, exists=True, file_okay=False)
)
@click.option("--listen", "address", default="127.0.0.1:8800", show_default=True, help="HOST:PORT")
@click.option("--data", type=click.Path(path_type=Path), help="default: FOLDER/.sentinel")
@click.option("--store", default="", help="postgresql://… instead of the embedded file")
@click.option(
    "--address", "replaced", multiple=True, metavar="NAME=URL", help="replace a site address"
)
@click.option(
    "--url", default="", help="where links in messages lead; default: site.url, else here"
)
@click.option("--location", default="local", show_default=True, help="where this node checks from")
@click.option(
    "--node",
    "name",
    default="",
    help="this node's name, of no other on the same store; default: the machine's, and its location",
)
@click.option(
    "--log-level", default="info", type=click.Choice(["debug", "info", "warning", "error"])
)
@click.option(
    "--until-stdin-closes", is_flag=True, help="also end when whoever started this is gone"
)
def run(
    folder: Path,
    address: str,
    data: Path | None,
    store: str,
    replaced: tuple[str, ...],
    url: str,
    location: str,
    name: str,
    log_level: str,
    until_stdin_closes: bool,
) -> None:
    """Watch, decide, act and page, until SIGTERM. SIGHUP reads the workspace again."""
    lines = log_to_stderr(log_level)
    _check_failpoint()
    data = data or folder / ".sentinel"
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings = Settings(
        root=folder,
        data=data,
        name=name or node_name(location),
        location=location,
        addresses=addresses_of(replaced),
        url=url,
    )
    try:
        running = _run(
            settings,
            store or str(data / "sentinel.db"),
            address,
            lines=lines,
            with_parent=until_stdin_closes,
        )
        asyncio.run(running)
    except DocumentsRefused as refused:
        click.echo(str(refused), err=True)
        sys.exit(Exit.findings)
    except (Failure, ExtraMissing, OSError) as failure:
        click.echo(f"sentinel: {failure}", err=True)
        sys.exit(Exit.refused)
