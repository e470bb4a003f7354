"""Reading the shops' feed."""

import time
import xml.etree.ElementTree as ET
from collections.abc import Callable

from tests.examples.customer import Customer

GOOGLE = "{http://base.google.com/ns/1.0}"


def items(shop: Customer) -> dict[str, dict[str, str]]:
    """The feed as mappings by product id."""
    root = ET.fromstring(shop.get("/feed/google.xml").body)
    rows = [
        {part.tag.removeprefix(GOOGLE): part.text or "" for part in item}
        for item in root.iter("item")
    ]
    return {row["id"]: row for row in rows}


def standing_still(shop: Customer, so_long_s: float) -> Callable[[], bool]:
    """A condition that is true once the feed was the same for so long."""
    since = time.monotonic()
    last = ""

    def still() -> bool:
        nonlocal since, last
        body = shop.get("/feed/google.xml").text
        if body != last:
            since, last = time.monotonic(), body
        return time.monotonic() - since > so_long_s

    return still
