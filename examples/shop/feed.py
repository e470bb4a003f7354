"""The product feed: Google Merchant RSS 2.0, written to a file, whole, again and again.

The writer replaces the file in one move, so a reader sees the old feed or the new one. Each
writing follows a delivery to the warehouse, so the content is fresh and not only the timestamp.
"""

import os
from collections.abc import Sequence
from datetime import datetime
from email.utils import format_datetime
from pathlib import Path
from xml.sax.saxutils import escape

from examples.shop.catalogue import BRAND, CURRENCY, Product

SHRUNKEN_TO = 10
"""A shrunken feed keeps one product of so many."""


def feed_xml(products: Sequence[Product], *, address: str, now: datetime) -> str:
    """The feed's text. `address` is the shop's, without a slash at its end; `now` is aware."""
    items = "".join(_item(product, address) for product in products)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<rss version="2.0" xmlns:g="http://base.google.com/ns/1.0">\n<channel>\n'
        f"<title>{escape(BRAND)}</title>\n<link>{escape(address)}/</link>\n"
        f"<description>Everything on the shelf</description>\n"
        f"<lastBuildDate>{format_datetime(now)}</lastBuildDate>\n{items}</channel>\n</rss>\n"
    )


def _item(product: Product, address: str) -> str:
    facts = {
        "g:id": product.sku,
        "g:title": product.title,
        "g:description": product.description,
        "g:link": f"{address}/catalogue/{product.page}/",
        "g:image_link": f"{address}/pictures/{product.sku}.png",
        "g:price": f"{product.price:.2f} {CURRENCY}",
        "g:availability": "in_stock" if product.stock > 0 else "out_of_stock",
        "g:condition": "new",
        "g:brand": BRAND,
        "g:identifier_exists": "no",
        "g:product_type": product.category,
        "g:custom_label_0": f"stock-{product.stock}",
    }
    lines = "".join(f"  <{name}>{escape(value)}</{name}>\n" for name, value in facts.items())
    return f"<item>\n{lines}</item>\n"


def write_feed(
    path: Path, products: Sequence[Product], *, address: str, now: datetime, shrunken: bool
) -> None:
    """Replace the file at `path`."""
    kept = products[::SHRUNKEN_TO] if shrunken else products
    fresh = path.with_suffix(".new")
    fresh.write_text(feed_xml(kept, address=address, now=now), encoding="utf-8")
    os.replace(fresh, path)
