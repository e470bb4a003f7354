"""Between oscar's rows and `examples.shop.catalogue.Product`, which feed and JSON-LD are made from."""

from collections.abc import Iterator
from typing import Any

from django.db.models import F
from oscar.core.loading import get_model

from examples.shop.catalogue import PRODUCTS, Product


def records() -> Any:
    """The stock records, each with its product, in the order of the shelf."""
    return (
        get_model("partner", "StockRecord").objects.select_related("product").order_by("product_id")
    )


def as_sold(record: Any) -> Product:
    """A stock record as it is on the shelf now; its category is the one it was seeded with."""
    product = record.product
    return Product(
        number=product.pk,
        sku=record.partner_sku,
        title=product.title,
        category=PRODUCTS[product.pk - 1].category,
        price=record.price,
        stock=record.net_stock_level,
        description=product.description,
    )


def shelf() -> Iterator[Product]:
    return map(as_sold, records().iterator())


def deliver(number: int, pieces: int) -> None:
    """Goods arrive in the warehouse."""
    records().filter(product_id=number).update(num_in_stock=F("num_in_stock") + pieces)


def reprice(price: str) -> None:
    """Give the first product this price. The search index and the feed learn of it later."""
    records().filter(product_id=PRODUCTS[0].number).update(price=price)
