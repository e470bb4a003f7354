"""What the templates say beside oscar's own words."""

from django import template
from django.conf import settings
from django.utils.safestring import SafeString, mark_safe

from examples.shop.structured import structured_data
from shelf.stock import as_sold, records

register = template.Library()


@register.simple_tag
def structured(product: object) -> SafeString:
    """The product as JSON-LD; `structured_data` makes it safe for a script element."""
    sold = as_sold(records().get(product=product))
    return mark_safe(structured_data(sold, settings.SHOP_ADDRESS))
