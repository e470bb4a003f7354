"""What the shop sells. django-oscar is seeded from the same list, so ids and pages agree."""

from dataclasses import dataclass
from decimal import Decimal

CURRENCY = "EUR"
BRAND = "Kettle & Thread"


@dataclass(frozen=True, slots=True)
class Product:
    """One thing for sale. `number` is its id in the database, counted from 1."""

    number: int
    sku: str
    title: str
    category: str
    price: Decimal
    stock: int
    description: str

    @property
    def slug(self) -> str:
        return self.title.lower().replace(" ", "-")

    @property
    def page(self) -> str:
        """The last piece of its address, ``blue-mug_1``."""
        return f"{self.slug}_{self.number}"


_SHELVES = {
    ("Kitchen", "MUG"): (
        ("Blue mug", "12.50", "Stoneware, 350 ml, glazed inside and out."),
        ("White mug", "11.00", "Porcelain, 300 ml, thin at the lip."),
        ("Camping mug", "14.90", "Enamelled steel, 400 ml, survives a fall."),
        ("Travel mug", "24.00", "Double-walled, 450 ml, closes tight."),
    ),
    ("Kitchen", "POT"): (
        ("Cast iron pot", "89.00", "Four litres, goes from the hob into the oven."),
        ("Tea pot", "38.50", "Glass with a steel strainer, one litre."),
        ("Milk pan", "29.90", "Steel, 14 cm, pours from both sides."),
        ("Coffee kettle", "54.00", "Gooseneck, one litre, for filter coffee."),
    ),
    ("Home", "LMP"): (
        ("Desk lamp", "64.00", "Warm light, dims without steps."),
        ("Floor lamp", "129.00", "Ash and linen, 1.5 m high."),
        ("Bicycle lamp", "32.00", "Charges over USB, 60 lux."),
        ("Garden lantern", "27.50", "Galvanised, for a thick candle."),
    ),
    ("Clothes", "SHT"): (
        ("Linen shirt", "69.00", "Pre-washed, with a button-down collar."),
        ("Flannel shirt", "59.00", "Brushed cotton, checked."),
        ("Work shirt", "74.50", "Canvas, two pockets that close."),
        ("Night shirt", "44.00", "Jersey, down to the knee."),
    ),
    ("Clothes", "SCK"): (
        ("Wool sock", "16.00", "Merino, reinforced at heel and toe."),
        ("Hiking sock", "19.50", "Padded sole, dries over night."),
        ("Bed sock", "13.00", "Thick, soft, not for shoes."),
        ("Running sock", "12.00", "Thin, seamless at the toe."),
    ),
    ("Paper", "BOK"): (
        ("Dotted notebook", "9.90", "160 pages, opens flat."),
        ("Squared notebook", "9.90", "160 pages, 5 mm squares."),
        ("Year planner", "21.00", "One week on two pages."),
        ("Sketch book", "17.80", "Heavy paper, 80 sheets."),
    ),
}


def _stocked() -> tuple[Product, ...]:
    products: list[Product] = []
    for (category, prefix), shelf in _SHELVES.items():
        for place, (title, price, description) in enumerate(shelf, 1):
            number = len(products) + 1
            sku = f"{prefix}-{place}"
            stock = 40 + number
            products.append(
                Product(number, sku, title, category, Decimal(price), stock, description)
            )
    return tuple(products)


PRODUCTS = _stocked()
