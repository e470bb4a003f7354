"""Real receivers on loopback: a mail server, a web server that tells what it got, deaf sockets."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Mailbox


@dataclass
class Catcher:
    """What a web server was sent, and what it shall answer."""

    port: int = 0
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    got: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def catching() -> Iterator[Catcher]:
    catcher = Catcher()

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(size)
            catcher.got.append({"path": self.path, "body": json.loads(body) if body else None})
            self.send_response(catcher.status)
            for name, value in catcher.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    server.daemon_threads = True
    catcher.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield catcher
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def catcher() -> Iterator[Catcher]:
    with catching() as one:
        yield one


@pytest.fixture
def second_catcher() -> Iterator[Catcher]:
    with catching() as one:
        yield one


@pytest.fixture
def deaf_ports() -> Iterator[list[int]]:
    """Fifty sockets that take a connection and never answer."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(50)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
            one.listen(8)
        yield [one.getsockname()[1] for one in sockets]


@dataclass
class MailServer:
    port: int
    folder: Path

    def mails(self) -> list[str]:
        return [path.read_text() for path in sorted((self.folder / "new").iterdir())]


@pytest.fixture
def mail_server(tmp_path: Path) -> Iterator[MailServer]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(Mailbox(tmp_path / "box"), hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield MailServer(port, tmp_path / "box")
    finally:
        controller.stop()
