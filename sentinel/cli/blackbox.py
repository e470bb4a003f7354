"""``sentinel blackbox``: blackbox_exporter's place, taken with its own flags and nothing but that.

No workspace, no store, no engine: a `blackbox.yml`, its probes, and the port. SIGHUP reads the file again,
SIGTERM and SIGINT end it once the probes under way are answered.
"""

import asyncio
import logging
import signal
import socket
import ssl
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import click
import uvicorn

from sentinel import __version__
from sentinel.cli.blackbox_log import log_as
from sentinel.cli.gathering import GatheringProtocol
from sentinel.cli.output import Exit
from sentinel.cli.server import Server
from sentinel.engine.collector import settle_collector
from sentinel.errors import ExtraMissing
from sentinel.transport.curl import Transport
from sentinel.web.blackbox import Exporter, Unread, read_file
from sentinel.web.blackbox_allow import anywhere
from sentinel.web.blackbox_guard import Guarded, Unguarded, WebFile, server_context
from sentinel.web.blackbox_history import History
from sentinel.web.blackbox_probing import Prober

log = logging.getLogger("sentinel.blackbox")

LEVELS = ("debug", "info", "warn", "error")
_BACKLOG = 2048
_LAST_ANSWERS_S = 10
_IDLE_S = 330
"""Prometheus keeps a connection five minutes for the next scrape; closing it earlier would cost both
sides a new one each time."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The command line. `reload_every_s` 0 reloads only when asked."""

    file: Path
    offset_s: float
    history: int
    addresses: Sequence[str]
    prefix: str
    url: str
    web_file: Path | None
    reload_every_s: int


def prefix_of(route_prefix: str, external_url: str) -> str:
    """The path that all endpoints are below, ``/`` or ``/like/this/``: the one given, else the
    external URL's."""
    inner = (route_prefix or urlsplit(external_url).path).strip("/")
    return f"/{inner}/" if inner else "/"


def bind(address: str) -> socket.socket:
    """A listening socket for ``HOST:PORT``, ``[::1]:PORT`` or ``:PORT``, which is every address of this
    machine. Raises OSError, ValueError."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit():
        raise ValueError(f"`{address}` is not HOST:PORT")
    host = host.removeprefix("[").removesuffix("]")
    if host:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, int(port)), family=family, backlog=_BACKLOG)
    if socket.has_dualstack_ipv6():
        return socket.create_server(
            ("", int(port)), family=socket.AF_INET6, dualstack_ipv6=True, backlog=_BACKLOG
        )
    return socket.create_server(("", int(port)), backlog=_BACKLOG)


async def serve(settings: Settings, sockets: list[socket.socket], stop: asyncio.Event) -> None:
    """Answer on these sockets until `stop`. Raises Unread, Unguarded, ExtraMissing when it cannot begin."""
    async with Transport() as transport:
        prober = Prober(
            transport,
            anywhere,
            read_file,
            offset_s=settings.offset_s,
            history=History(settings.history),
        )
        exporter = Exporter(settings.file, prober, prefix=settings.prefix, url=settings.url)
        exporter.load_first()
        guard = WebFile(settings.web_file) if settings.web_file else None
        tls = server_context(guard) if guard else None
        app = Guarded(exporter, guard) if guard else exporter
        settle_collector()
        reloading = asyncio.create_task(_reload_on_signal(exporter))
        polling = asyncio.create_task(_reload_on_change(exporter, settings.reload_every_s))
        try:
            await _listen(app, sockets, tls, stop)
        finally:
            for running in (reloading, polling):
                running.cancel()
            await asyncio.gather(reloading, polling, return_exceptions=True)


async def _listen(
    app: Exporter | Guarded,
    sockets: list[socket.socket],
    tls: ssl.SSLContext | None,
    stop: asyncio.Event,
) -> None:
    config = uvicorn.Config(
        app,
        http=GatheringProtocol,
        lifespan="off",
        proxy_headers=False,
        timeout_keep_alive=_IDLE_S,
        log_config=None,
        access_log=False,
        server_header=False,
        ws="none",
        backlog=_BACKLOG,
        timeout_graceful_shutdown=_LAST_ANSWERS_S,
    )
    config.load()
    config.ssl = tls
    server = Server(config)
    serving = asyncio.create_task(server.serve(sockets=sockets))
    stopping = asyncio.create_task(stop.wait())
    for each in sockets:
        host, port = each.getsockname()[:2]
        log.info("Listening on", extra={"address": f"{host}:{port}", "tls": tls is not None})
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    server.should_exit = True
    await serving


async def _reload_on_signal(exporter: Exporter) -> None:
    """Read the file again at each SIGHUP; those that come meanwhile are one."""
    asked = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, asked.set)
    while True:
        await asked.wait()
        asked.clear()
        await _reload(exporter, only_if_changed=False)


async def _reload_on_change(exporter: Exporter, every_s: int) -> None:
    while every_s:
        await asyncio.sleep(every_s)
        await _reload(exporter, only_if_changed=True)


async def _reload(exporter: Exporter, *, only_if_changed: bool) -> None:
    try:
        await exporter.reload(only_if_changed=only_if_changed)
    except Unread as unread:
        log.debug("the old modules stay", extra={"error": str(unread)})


async def _run(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    sockets = [bind(address) for address in settings.addresses]
    try:
        await serve(settings, sockets, stop)
    finally:
        for each in sockets:
            each.close()
    log.info("Received SIGTERM, exiting gracefully...")


def _check(file: Path) -> None:
    """Validate the file, and end."""
    try:
        Exporter(file, Prober(Transport(), anywhere, read_file)).load_first()
    except Unread as unread:
        log.error("Error loading config", extra={"err": str(unread)})
        sys.exit(Exit.refused)
    log.info("Config file is ok exiting...")


_HELP = {"help_option_names": ["-h", "--help"]}


@click.command(context_settings=_HELP)
@click.option(
    "--config.file", "file", default="blackbox.yml", show_default=True, help="the modules",
    type=click.Path(path_type=Path),
)  # fmt: skip
@click.option("--config.check", "check", is_flag=True, help="validate the file and end")
@click.option(
    "--timeout-offset", "offset_s", type=float, default=0.5, show_default=True,
    help="seconds taken off Prometheus' timeout",
)  # fmt: skip
@click.option(
    "--history.limit", "history", type=click.IntRange(0, 100_000), default=100, show_default=True,
    help="how many probes the page and /logs remember",
)  # fmt: skip
@click.option(
    "--config.enable-auto-reload", "auto_reload", is_flag=True, help="reload a file that changed"
)
@click.option(
    "--config.auto-reload-interval", "reload_every_s", type=click.IntRange(1), default=30,
    show_default=True, help="how often to look, in seconds",
)  # fmt: skip
@click.option(
    "--log.prober", "probe_level", type=click.Choice(LEVELS), default="info", show_default=True,
    help="probes in the log: info tells failed ones, debug all",
)  # fmt: skip
@click.option(
    "--log.level", "level", type=click.Choice(LEVELS), default="info", show_default=True,
    help="from which severity on to log",
)  # fmt: skip
@click.option(
    "--log.format", "form", type=click.Choice(["logfmt", "json"]), default="logfmt",
    show_default=True,
)  # fmt: skip
@click.option(
    "--web.listen-address", "addresses", multiple=True, default=(":9115",), show_default=True,
    help="HOST:PORT; may be given several times",
)  # fmt: skip
@click.option("--web.external-url", "url", default="", metavar="URL", help="how others reach this")
@click.option(
    "--web.route-prefix",
    "prefix",
    default="",
    metavar="PATH",
    help="default: the external URL's path",
)
@click.option(
    "--web.config.file", "web_file", type=click.Path(path_type=Path), metavar="FILE",
    help="TLS and passwords of this port",
)  # fmt: skip
@click.version_option(__version__, prog_name="sentinel blackbox")
def blackbox(
    file: Path,
    check: bool,
    offset_s: float,
    history: int,
    auto_reload: bool,
    reload_every_s: int,
    probe_level: str,
    level: str,
    form: str,
    addresses: tuple[str, ...],
    url: str,
    prefix: str,
    web_file: Path | None,
) -> None:
    """Probe for Prometheus, in blackbox_exporter's place: its file, its flags, its interface."""
    log_as(form, level, probe_level)
    if check:
        _check(file)
        return
    settings = Settings(
        file=file,
        offset_s=offset_s,
        history=history,
        addresses=addresses,
        prefix=prefix_of(prefix, url),
        url=url,
        web_file=web_file,
        reload_every_s=reload_every_s if auto_reload else 0,
    )
    try:
        asyncio.run(_run(settings))
    except Unread as unread:
        log.error("Error loading config", extra={"err": str(unread)})
        sys.exit(Exit.refused)
    except (Unguarded, ExtraMissing, OSError, ValueError) as failure:
        log.error("Error starting HTTP server", extra={"err": str(failure)})
        sys.exit(Exit.refused)
