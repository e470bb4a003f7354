"""A product as search engines and price checks read it from the page: schema.org as JSON-LD."""

import json

from examples.shop.catalogue import BRAND, CURRENCY, Product


def structured_data(product: Product, address: str) -> str:
    """JSON-LD that is safe inside a script element. `address` has no slash at its end."""
    stocked = "InStock" if product.stock > 0 else "OutOfStock"
    facts = {
        "@context": "https://schema.org",
        "@type": "Product",
        "sku": product.sku,
        "name": product.title,
        "description": product.description,
        "image": f"{address}/pictures/{product.sku}.png",
        "brand": {"@type": "Brand", "name": BRAND},
        "offers": {
            "@type": "Offer",
            "url": f"{address}/catalogue/{product.page}/",
            "price": f"{product.price:.2f}",
            "priceCurrency": CURRENCY,
            "availability": f"https://schema.org/{stocked}",
        },
    }
    return json.dumps(facts).replace("<", "\\u003c")
