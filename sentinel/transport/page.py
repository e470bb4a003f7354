"""What a page says: its text, JSON, headers and HTML, for expressions and actions.

Everything here takes whatever a server sent. Nothing raises for it: what cannot be read is
None, or text with replacement characters.
"""

import re
from functools import lru_cache
from typing import Any

import msgspec
from selectolax.lexbor import LexborHTMLParser, SelectolaxError

from sentinel.transport.wire import Exchange

MOST_NODES = 5_000
"""Values in a JSON body that expressions may see; a larger one is null to them."""

_CHARSET = re.compile(r"charset\s*=\s*\"?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)


def header_map(exchange: Exchange) -> dict[str, str]:
    """Headers by lower-case name; one that came twice is joined with a comma (RFC 9110, 5.3)."""
    joined: dict[str, str] = {}
    for name, value in exchange.headers:
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined


def text_of(exchange: Exchange) -> str:
    """The body as text. What the charset cannot say becomes U+FFFD: a sick page is still a page."""
    named = _CHARSET.search(exchange.header("content-type"))
    try:
        return exchange.body.decode(named.group(1) if named else "utf-8", "replace")
    except (LookupError, UnicodeError):  # no such charset, or one that is no text encoding
        return exchange.body.decode("utf-8", "replace")


def json_value(body: bytes) -> Any:
    """The body's JSON value; None when it is none, or too much of one."""
    try:
        value = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return None
    return value if _node_count(value) <= MOST_NODES else None


def _node_count(value: Any) -> int:
    """Values in `value`, counted no further than just beyond the limit."""
    count, waiting = 0, [value]
    while waiting and count <= MOST_NODES:
        one = waiting.pop()
        count += 1
        if isinstance(one, dict):
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
    return count


@lru_cache(maxsize=1)  # expressions over one page follow each other
def _page(html: str) -> LexborHTMLParser:
    return LexborHTMLParser(html)


def _find(html: str, selector: str) -> Any:
    try:
        return _page(html).css_first(selector)
    except SelectolaxError as error:
        raise ValueError(f"`{selector}` is not a CSS selector") from error


def accept_selector(selector: str) -> None:
    """Raises ValueError for a text that is no CSS selector."""
    _find("", selector)


def html_attr(html: str, selector: str, name: str) -> str | None:
    """The attribute of the first element that fits; None when there is no element or attribute."""
    found = _find(html, selector)
    return None if found is None else found.attributes.get(name)


def html_text(html: str, selector: str) -> str | None:
    """The text of the first element that fits, white space collapsed; None when none fits."""
    found = _find(html, selector)
    return None if found is None else " ".join(found.text().split())


def html_count(html: str, selector: str) -> int:
    """How many elements fit."""
    try:
        return len(_page(html).css(selector))
    except SelectolaxError as error:
        raise ValueError(f"`{selector}` is not a CSS selector") from error
