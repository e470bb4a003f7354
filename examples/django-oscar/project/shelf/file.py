"""The feed's file: when it was written, what is in it, and how it is written anew."""

import hashlib
from datetime import UTC, datetime

from django.conf import settings
from django.http import HttpRequest

from examples.shop.catalogue import PRODUCTS
from examples.shop.faults import FaultFile
from examples.shop.feed import write_feed
from shelf.stock import deliver, shelf


def tag(request: HttpRequest) -> str:
    """The ETag: the same content gives the same one."""
    return f'"{hashlib.sha256(settings.SHOP_FEED.read_bytes()).hexdigest()[:16]}"'


def written_at(request: HttpRequest) -> datetime:
    return datetime.fromtimestamp(settings.SHOP_FEED.stat().st_mtime, UTC)


def renew(turn: int) -> None:
    """Book a delivery and write the feed, unless the writer is broken and there is a feed."""
    faults = FaultFile(settings.SHOP_FAULTS).load()
    if faults.late_feed and settings.SHOP_FEED.exists():
        return
    deliver(PRODUCTS[turn % len(PRODUCTS)].number, 2)
    write_feed(
        settings.SHOP_FEED,
        list(shelf()),
        address=settings.SHOP_ADDRESS,
        now=datetime.now(UTC),
        shrunken=faults.shrunken_feed,
    )
