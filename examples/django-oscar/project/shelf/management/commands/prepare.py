"""Makes the shop's database, shelf, search index and first feed; what exists already is kept."""

from typing import Any

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.management import call_command
from django.core.management.base import BaseCommand
from oscar.apps.catalogue.categories import create_from_breadcrumbs
from oscar.core.loading import get_model

from examples.shop.catalogue import CURRENCY, PRODUCTS, Product
from examples.shop.pictures import picture
from shelf.file import renew

COUNTRIES = {"DE": "Germany", "FI": "Finland", "PT": "Portugal"}


class Command(BaseCommand):
    help = "Prepare everything that the shop needs."

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", verbosity=0)
        _ship_to_countries()
        _stock_the_shelf()
        if not (settings.FOLDER / "index").exists():
            call_command("update_index", "catalogue", verbosity=0)
        renew(0)


def _ship_to_countries() -> None:
    for code, name in COUNTRIES.items():
        get_model("address", "Country").objects.update_or_create(
            iso_3166_1_a2=code,
            defaults={"name": name, "printable_name": name, "is_shipping_country": True},
        )


def _stock_the_shelf() -> None:
    """Every product with the number that it has in the small shop, so that addresses agree."""
    goods, _ = get_model("catalogue", "ProductClass").objects.get_or_create(name="Goods")
    warehouse, _ = get_model("partner", "Partner").objects.get_or_create(name="Warehouse")
    for product in PRODUCTS:
        row, new = get_model("catalogue", "Product").objects.get_or_create(
            id=product.number,
            defaults={
                "upc": product.sku,
                "title": product.title,
                "description": product.description,
                "product_class": goods,
            },
        )
        if new:
            row.categories.add(create_from_breadcrumbs(product.category))
            _price_and_picture(row, product, warehouse)


def _price_and_picture(row: Any, product: Product, warehouse: Any) -> None:
    get_model("partner", "StockRecord").objects.create(
        product=row,
        partner=warehouse,
        partner_sku=product.sku,
        price_currency=CURRENCY,
        price=product.price,
        num_in_stock=product.stock,
    )
    get_model("catalogue", "ProductImage").objects.create(
        product=row, original=ContentFile(picture(product.sku), f"{product.sku}.png")
    )
