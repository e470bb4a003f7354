"""A customer with a browser's manners: cookies, links and forms, and no more than is on the page."""

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookiejar import CookieJar
from typing import Any

from selectolax.lexbor import LexborHTMLParser

ADDRESS = {
    "first_name": "Ada",
    "last_name": "Byron",
    "line1": "Long Street 1",
    "line4": "Berlin",
    "postcode": "10115",
    "country": "DE",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """An answer, after the redirects that a browser would follow."""

    status: int
    url: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def path(self) -> str:
        return urllib.parse.urlsplit(self.url).path

    def json(self) -> Any:
        return json.loads(self.body)

    def all(self, selector: str) -> list[str]:
        """The texts of the elements that a CSS selector finds, without outer blanks."""
        return [node.text().strip() for node in LexborHTMLParser(self.text).css(selector)]

    def attribute(self, selector: str, name: str) -> str | None:
        node = LexborHTMLParser(self.text).css_first(selector)
        return node.attributes.get(name) if node is not None else None


class Customer:
    """One session in the shop at `address`."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._token = ""
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(CookieJar())
        )

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Seen:
        return self._open(urllib.request.Request(self.address + path, headers=dict(headers or {})))

    def submit(self, path: str, **fields: str) -> Seen:
        """Send a form with the token of the last page that had one."""
        body = urllib.parse.urlencode({"csrfmiddlewaretoken": self._token, **fields})
        return self._open(urllib.request.Request(self.address + path, data=body.encode()))

    def post_json(self, path: str, body: Any, headers: Mapping[str, str] | None = None) -> Seen:
        request = urllib.request.Request(
            self.address + path,
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json", **(headers or {})},
        )
        return self._open(request)

    def _open(self, request: urllib.request.Request) -> Seen:
        try:
            answer: http.client.HTTPResponse = self._opener.open(request, timeout=30)
        except urllib.error.HTTPError as refused:
            answer = refused  # type: ignore[assignment]  # it is an answer all the same
        with answer:
            seen = Seen(answer.status, answer.url, dict(answer.headers), answer.read())
        if "html" in seen.headers.get("Content-Type", seen.headers.get("content-type", "")):
            self._token = seen.attribute("input[name=csrfmiddlewaretoken]", "value") or self._token
        return seen

    def put_in_basket(self, words: str = "mug") -> Seen:
        """Search, open the first product found, press its button; gives the basket's page."""
        page = self.get(f"/search/?q={words}").attribute("[data-page]", "data-page")
        product = self.get(f"/catalogue/{page}/")
        assert "Add to basket" in product.text
        return self.submit(
            f"/basket/add/{product.attribute('#buy', 'data-product')}/", quantity="1"
        )

    def go_to_preview(self, email: str = "ada@monitor.example") -> Seen:
        self.get("/checkout/")
        self.submit("/checkout/", options="anonymous", username=email, password="")
        self.submit("/checkout/shipping-address/", **ADDRESS)
        return self.get("/checkout/preview/")

    def buy(self) -> Seen:
        """Everything from the search to the order; gives the last page."""
        self.put_in_basket()
        self.go_to_preview()
        return self.submit("/checkout/preview/", action="place_order")
