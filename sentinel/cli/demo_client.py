"""The demo as its own user: asks a program over HTTP as a browser or ``curl`` would."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

ANSWER_WITHIN_S = 10.0
MOST_BYTES = 4 << 20


class Away(Exception):
    """No answer, or one that says no; the text says which."""


class _Stay(HTTPRedirectHandler):
    """Redirects are answers: whoever asks looks where they lead."""

    def redirect_request(self, *_about: Any) -> None:
        return None


_OPENER = build_opener(ProxyHandler({}), _Stay)


@dataclass(frozen=True, slots=True)
class Site:
    """A program on loopback; `url` is without a slash at its end."""

    url: str

    def text(self, path: str) -> str:
        """The body of a GET. Raises Away."""
        return self._ask("GET", path)[1]

    def json(self, path: str) -> Any:
        """The same, read as JSON. Raises Away."""
        return json.loads(self.text(path))

    def post_json(self, path: str, body: Mapping[str, Any]) -> Any:
        """Send an object and read one. Raises Away."""
        sent = json.dumps(body).encode()
        return json.loads(self._ask("POST", path, sent, "application/json")[1])

    def post_form(self, path: str, fields: Mapping[str, str]) -> int:
        """Send a form as a browser on this site's own page does; the status. Raises Away."""
        form = "application/x-www-form-urlencoded"
        return self._ask("POST", path, urlencode(fields).encode(), form)[0]

    def _ask(
        self, method: str, path: str, body: bytes | None = None, kind: str = ""
    ) -> tuple[int, str]:
        headers = {"content-type": kind, "origin": self.url} if body is not None else {}
        asked = Request(f"{self.url}{path}", data=body, headers=headers, method=method)  # noqa: S310
        try:
            with _OPENER.open(asked, timeout=ANSWER_WITHIN_S) as answer:
                return answer.status, answer.read(MOST_BYTES).decode()
        except HTTPError as said:
            with said:
                if said.code < 400:
                    return said.code, said.headers.get("location", "")
                raise Away(f"{method} {path}: {said.code} {said.read(500).decode()}") from said
        except (OSError, HTTPException) as gone:
            raise Away(f"{method} {path}: {gone}") from gone


def path_of(url: str) -> str:
    """The path of an address, without its host."""
    return urlsplit(url).path
