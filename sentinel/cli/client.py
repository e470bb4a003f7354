"""The running node as commands see it: its API over the unix socket, or over ``--url``."""

import json
import sys
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, NoReturn

import click
import pycurl

from sentinel.cli.output import Exit

TIMEOUT_S = 30
UNREACHABLE = (pycurl.E_COULDNT_CONNECT, pycurl.E_OPERATION_TIMEDOUT, pycurl.E_COULDNT_RESOLVE_HOST)


@dataclass(frozen=True, slots=True)
class Client:
    """Asks the node; ends the command when it cannot be reached (4) or refuses (1)."""

    url: str
    token: str
    socket: Path

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
        received = BytesIO()
        handle = pycurl.Curl()
        handle.setopt(pycurl.URL, f"{self.url.rstrip('/') or 'http://sentinel'}{path}")
        if not self.url:
            handle.setopt(pycurl.UNIX_SOCKET_PATH, str(self.socket))
        handle.setopt(pycurl.PROXY, "")
        handle.setopt(pycurl.CUSTOMREQUEST, method)
        handle.setopt(pycurl.WRITEDATA, received)
        handle.setopt(pycurl.TIMEOUT, TIMEOUT_S)
        headers = ["accept: application/json"]
        if self.token:
            headers.append(f"authorization: Bearer {self.token}")
        if body is not None:
            handle.setopt(pycurl.POSTFIELDS, json.dumps(body))
            headers.append("content-type: application/json")
        handle.setopt(pycurl.HTTPHEADER, headers)
        try:
            handle.perform()
            return received.getvalue().decode(), handle.getinfo(pycurl.RESPONSE_CODE)
        except pycurl.error as failed:
            _unreachable(self.url or str(self.socket), failed)
        finally:
            handle.close()


def _unreachable(where: str, failed: Exception) -> NoReturn:
    click.echo(
        f"no node answers at {where}: {failed.args[1]}; is `sentinel run` running?", err=True
    )
    sys.exit(Exit.unreachable)


def _refused(answer: str, status: int) -> NoReturn:
    try:
        text = json.loads(answer).get("text") or json.loads(answer).get("error")
    except ValueError:
        text = answer.strip()
    click.echo(f"refused ({status}): {text}", err=True)
    sys.exit(Exit.refused)
