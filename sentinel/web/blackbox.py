"""blackbox_exporter's web interface, endpoint by endpoint, as an ASGI application of its own.

``/probe``, ``/metrics``, ``/config``, ``/logs``, ``/-/reload``, ``/-/healthy``, and for every other path
the page with the recent probes, all below `prefix`. Texts and codes are the original's. It keeps no
state but the modules, the last probes and its counters. Without Starlette, since a scrape of ten
thousand targets asks for nothing that it has.
"""

import asyncio
import html
import logging
import os
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sentinel.blackbox.module import Module
from sentinel.library.modules import Modules, ModulesRefused, read_modules
from sentinel.library.modules_dump import dump_modules
from sentinel.metrics.exporter import ExporterMetrics
from sentinel.metrics.packing import gzipped, takes_gzip
from sentinel.metrics.scrape import CONTENT_TYPE
from sentinel.web.blackbox_probing import TIMEOUT_HEADER, Answer, Prober, parameters, refused

log = logging.getLogger("sentinel.blackbox")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MOST_FILE_BYTES = 2 * 1024 * 1024
_PIECE = 64 * 1024
"""Bytes that are read at once of what has no size, or grows."""
_PAGE = """<html>
    <head><title>Blackbox Exporter</title></head>
    <body>
    <h1>Blackbox Exporter</h1>
    <p><a href="probe?target=prometheus.io&module=http_2xx">Probe prometheus.io for http_2xx</a></p>
    <p><a href="probe?target=prometheus.io&module=http_2xx&debug=true">Debug probe prometheus.io for \
http_2xx</a></p>
    <p><a href="metrics">Metrics</a></p>
    <p><a href="config">Configuration</a></p>
    <h2>Recent Probes</h2>
    <table border='1'><tr><th>Module</th><th>Target</th><th>Result</th><th>Debug</th></tr>{rows}\
</table></body>
    </html>"""


class Unread(Exception):
    """A modules file that cannot be used; the text says why, in the original's words."""


def read_file(path: str) -> bytes:
    """The content of a file that a module names. Raises OSError, also for more than 2 MiB."""
    with open(path, "rb", buffering=0) as file:  # read at every probe: no larger buffer than it is
        content = b""
        wanted = min(os.fstat(file.fileno()).st_size, MOST_FILE_BYTES) + 1
        while part := file.read(wanted):  # bounded by the limit
            content = content + part if content else part
            if len(content) > MOST_FILE_BYTES:
                raise OSError(f"{path} is larger than 2 MiB")
            wanted = _PIECE
    return content


def load(path: Path) -> Modules:
    """The modules of a file. Raises Unread."""
    try:
        return read_modules(str(path), read_file(str(path)))
    except OSError as error:
        said = (error.strerror or str(error)).lower()
        raise Unread(f"error reading config file: open {path}: {said}") from error
    except ModulesRefused as wrong:
        raise Unread(f"error parsing config file: {wrong}") from wrong


class Exporter:
    """The application. `load_first` before it is served."""

    def __init__(self, path: Path, prober: Prober, *, prefix: str = "/", url: str = "") -> None:
        self.path = path
        self.prober = prober
        self.metrics = ExporterMetrics()
        self._prefix = prefix if prefix.endswith("/") else f"{prefix}/"
        self._url = url
        self._digest = ""
        self._loading = asyncio.Lock()
        prober.unknown_module = self.metrics.unknown_modules.inc
        self.metrics.under_way.set_function(lambda: self.prober.under_way)

    def load_first(self) -> None:
        """Read the file before anything is served. Raises Unread."""
        self._take(load(self.path))

    async def reload(self, *, only_if_changed: bool = False) -> None:
        """Read the file again; what cannot be used leaves the modules as they are. Raises Unread."""
        async with self._loading:
            try:
                read = await asyncio.to_thread(load, self.path)
            except Unread as unread:
                self.metrics.not_loaded()
                log.error("Error reloading config", extra={"err": str(unread)})
                raise
            if read.digest != self._digest or not only_if_changed:
                self._take(read)

    def _take(self, read: Modules) -> None:
        for name, warning in read.warnings:
            log.warning(warning, extra={"of_module": name})
        message = "Reloaded config file" if self._digest else "Loaded config file"
        changed = read.digest != self._digest
        self.prober.modules, self._digest = read.modules, read.digest
        self.metrics.loaded(datetime.now(UTC).timestamp())
        about = {"file": str(self.path), "modules": len(read.modules), "changed": changed}
        log.info(message, extra=about)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers: Mapping[bytes, bytes] = dict(scope["headers"])
        answer = await self._answer(scope, headers)
        await sent(answer, headers.get(b"accept-encoding", b""), send)

    async def _answer(self, scope: Scope, headers: Mapping[bytes, bytes]) -> Answer:
        path: str = scope["path"]
        if not path.startswith(self._prefix):
            return self._outside(path)
        query: bytes = scope["query_string"]
        match path[len(self._prefix) :]:
            case "probe":
                header = headers.get(TIMEOUT_HEADER, b"").decode("latin-1")
                return await self.prober.answer(query, header)
            case "metrics":
                return Answer(200, self.metrics.page().decode(), CONTENT_TYPE)
            case "-/healthy":
                return Answer(200, "Healthy")
            case "-/reload":
                return await self._reloaded(scope["method"])
            case "config":
                return Answer(200, _config(self.prober.modules), "text/plain")
            case "logs":
                return self._logs(query)
            case _:
                return Answer(200, self._page(), "text/html")

    def _outside(self, path: str) -> Answer:
        """Only where there is a prefix: the root leads to the external URL."""
        if path == "/" or f"{path}/" == self._prefix:
            to = self._url if path == "/" and self._url else self._prefix
            return Answer(302, "", headers=(("location", to),))
        return refused(404, "404 page not found")

    async def _reloaded(self, method: str) -> Answer:
        if method != "POST":
            return Answer(405, "This endpoint requires a POST request.\n")
        try:
            await self.reload()
        except Unread as unread:
            return refused(500, f"failed to reload config: {unread}")
        return Answer(200, "")

    def _logs(self, query: bytes) -> Answer:
        try:
            asked = parameters(query)
        except ValueError as wrong:
            return refused(400, str(wrong))
        target, number = asked.get("target", ""), asked.get("id", "")
        given = number.isascii() and number.isdecimal() and len(number) < 19
        if given and target:
            return refused(400, "Probe id and target can't be defined at the same time")
        if not given and not target:
            return refused(400, "Probe id or target must be defined as http query parameters")
        history, module = self.prober.history, asked.get("module", "")
        kept = history.by_target(target, module) if target else history.by_id(int(number))
        if kept is None:
            return refused(404, f"Probe {'target' if target else 'id'} not found")
        return Answer(200, kept.text(), "text/plain")

    def _page(self) -> str:
        rows = (
            f"<tr><td>{html.escape(kept.module.name)}</td><td>{html.escape(kept.target)}</td>"
            f"<td>{'Success' if kept.probed.success else '<strong>Failure</strong>'}</td>"
            f"<td><a href='logs?id={kept.id}'>Logs</a></td></tr>"
            for kept in self.prober.history
        )
        return _PAGE.replace("{rows}", "".join(rows))


def _config(modules: Mapping[str, Module]) -> str:
    return dump_modules({name: module.raw for name, module in modules.items()})


async def sent(answer: Answer, encodings: bytes, send: Send) -> None:
    """Send an answer; a scrape's page is packed where the asker understands it."""
    body = answer.text.encode()
    headers = [("content-type", answer.content_type), *answer.headers]
    if answer.content_type == CONTENT_TYPE and takes_gzip(encodings.decode("latin-1")):
        body = gzipped(body)
        headers.append(("content-encoding", "gzip"))
    headers.append(("content-length", str(len(body))))
    raw = [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
