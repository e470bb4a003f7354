"""The running node as commands see it: its API over the unix socket, or over ``--url``."""

import json
import socket
import sys
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

import click

from sentinel.cli.output import Exit
from sentinel.cli.socketpath import fitting

TIMEOUT_S = 30


@dataclass(frozen=True, slots=True)
class Client:
    """Asks the node; ends the command when it cannot be reached (4) or refuses (1)."""

    url: str
    token: str
    socket: Path

    def answers(self) -> bool:
        """Whether a node listens there."""
        connection = self._connection()
        try:
            connection.connect()
        except OSError:
            return False
        finally:
            connection.close()
        return True

    def get(self, path: str) -> Any:
        """The JSON answer to a GET."""
        return json.loads(self.text("GET", path, None))

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """The JSON answer to a POST."""
        return json.loads(self.text("POST", path, body or {}))

    def text(self, method: str, path: str, body: dict[str, Any] | None) -> str:
        """The answer's text."""
        answer, status = self._ask(method, path, body)
        if status >= 400:
            _refused(answer, status)
        return answer

    def _ask(self, method: str, path: str, body: dict[str, Any] | None) -> tuple[str, int]:
        headers = {"accept": "application/json"}
        if self.token:
            headers["authorization"] = f"Bearer {self.token}"
        content = json.dumps(body).encode() if body is not None else None
        if content is not None:
            headers["content-type"] = "application/json"
        connection = self._connection()
        try:
            connection.request(method, path, body=content, headers=headers)
            answer = connection.getresponse()
            return answer.read().decode(), answer.status
        except (OSError, HTTPException) as failed:
            _unreachable(self.url or str(self.socket), failed)
        finally:
            connection.close()

    def _connection(self) -> HTTPConnection:
        if not self.url:
            return LocalConnection(self.socket)
        there = urlsplit(self.url)
        kind = HTTPSConnection if there.scheme == "https" else HTTPConnection
        return kind(there.hostname or "", there.port, timeout=TIMEOUT_S)


class LocalConnection(HTTPConnection):
    """HTTP over the node's unix socket."""

    def __init__(self, path: Path, *, timeout_s: float = TIMEOUT_S) -> None:
        super().__init__("sentinel", timeout=timeout_s)
        self._path = path
        self._timeout_s = timeout_s

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self._timeout_s)
        with fitting(self._path) as place:
            self.sock.connect(place)


def _unreachable(where: str, failed: Exception) -> NoReturn:
    click.echo(f"no node answers at {where}: {failed}; is `sentinel run` running?", err=True)
    sys.exit(Exit.unreachable)


def _refused(answer: str, status: int) -> NoReturn:
    try:
        text = json.loads(answer).get("text") or json.loads(answer).get("error")
    except ValueError:
        text = answer.strip()
    click.echo(f"refused ({status}): {text}", err=True)
    sys.exit(Exit.refused)
