"""The pages a customer walks through, from the shelf to the order."""

import hashlib
import json
import re
import time

from starlette.responses import Response

from examples.shop.database import MOST_OF_ONE
from examples.shop.payment import PaymentFailed, charge
from examples.shop.structured import structured_data
from examples.shop.visit import Visit, go

PAGE_SIZE = 20
TEST_NAME = "@monitor.example"
_E_MAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,255}")
ADDRESS_FIELDS = ("first_name", "last_name", "line1", "line4", "postcode", "country")


def home(visit: Visit) -> Response:
    return go("/catalogue/")


def catalogue(visit: Visit) -> Response:
    products = visit.database.products()
    pages = -(-len(products) // PAGE_SIZE)
    number = min(max(_whole(visit.query.get("page", "")), 1), pages)
    shown = products[(number - 1) * PAGE_SIZE : number * PAGE_SIZE]
    return visit.show(
        "products.html",
        title="All products",
        products=shown,
        count=len(products),
        number=number,
        pages=pages,
    )


def search(visit: Visit) -> Response:
    words = visit.query.get("q", "")[:100]
    found = visit.database.products(words) if words.strip() else []
    return visit.show(
        "products.html",
        title=f'Products matching "{words}"',
        products=found[:PAGE_SIZE],
        count=len(found),
        words=words,
        number=1,
        pages=1,
    )


def product(visit: Visit) -> Response:
    found = visit.database.product(_whole(visit.piece["page"].rpartition("_")[2]))
    if found is None:
        return missing(visit)
    if visit.piece["page"] != found.page:
        return go(f"/catalogue/{found.page}/")
    facts = structured_data(found, visit.shop.address)
    return visit.show("product.html", product=found, structured=facts)


def missing(visit: Visit) -> Response:
    return visit.show("missing.html", status=404)


def add_to_basket(visit: Visit) -> Response:
    found = visit.database.product(_whole(visit.piece["product"]))
    quantity = _whole(visit.form.get("quantity", "1"))
    if found is None:
        return missing(visit)
    if found.stock > 0 and 1 <= quantity <= MOST_OF_ONE:
        visit.database.put_in_basket(visit.session, found.number, quantity)
    return go("/basket/")


def basket(visit: Visit) -> Response:
    lines = visit.database.basket(visit.session)
    return visit.show("basket.html", lines=lines, total=sum(line.total for line in lines))


def clear_basket(visit: Visit) -> Response:
    visit.database.clear_basket(visit.session)
    return go("/basket/")


def checkout(visit: Visit) -> Response:
    """Who is ordering: a guest gives an e-mail address."""
    if not visit.database.basket(visit.session):
        return go("/basket/")
    email = visit.form.get("username", "")
    if _E_MAIL.fullmatch(email):
        visit.database.name_customer(visit.session, email)
        return go("/checkout/shipping-address/")
    return visit.show("checkout.html", wrong=bool(visit.form))


def shipping_address(visit: Visit) -> Response:
    if (back := _not_yet(visit, "email")) is not None:
        return back
    given = {name: visit.form.get(name, "").strip()[:100] for name in ADDRESS_FIELDS}
    if all(given.values()):
        visit.database.name_address(visit.session, json.dumps(given))
        return go("/checkout/shipping-method/")
    return visit.show("address.html", wrong=bool(visit.form))


def shipping_method(visit: Visit) -> Response:
    """There is one way of shipping, so it is chosen for the customer."""
    if (back := _not_yet(visit, "email", "address")) is not None:
        return back
    visit.database.choose_shipping(visit.session, "free")
    return go("/checkout/payment-method/")


def payment_method(visit: Visit) -> Response:
    return go("/checkout/payment-details/")


def payment_details(visit: Visit) -> Response:
    back = _not_yet(visit, "email", "address", "shipping")
    return back or visit.show("payment.html")


def preview(visit: Visit) -> Response:
    if (back := _not_yet(visit, "email", "address", "shipping")) is not None:
        return back
    if visit.form.get("action") == "place_order":
        return _order(visit)
    return _preview(visit)


def _preview(visit: Visit, trouble: str = "") -> Response:
    lines = visit.database.basket(visit.session)
    total = sum(line.total for line in lines)
    return visit.show("preview.html", lines=lines, total=total, trouble=trouble)


def _order(visit: Visit) -> Response:
    if visit.faults.failing_checkout:
        return _preview(visit, "We cannot take your order at this moment. Please try again later.")
    email = visit.database.checkout(visit.session).email or ""
    test = email.endswith(TEST_NAME)
    total = sum(line.total for line in visit.database.basket(visit.session))
    paid = "unpaid"
    if visit.shop.vendor and total:
        try:
            paid = charge(visit.shop.vendor, total, key=_payment_key(visit), test=test)
        except PaymentFailed:
            return _preview(visit, "Your payment failed. Nothing was charged; please try again.")
    visit.database.place_order(visit.session, charge=paid, test=test, now=time.time())
    return go("/checkout/thank-you/")


def _payment_key(visit: Visit) -> str:
    """The same for each try to pay this basket, so that a lost answer never charges twice."""
    lines = [
        (line.product.number, line.quantity, str(line.product.price))
        for line in visit.database.basket(visit.session)
    ]
    before = visit.database.checkout(visit.session).last_order
    what = json.dumps([visit.session, before, lines])
    return hashlib.sha256(what.encode()).hexdigest()[:32]


def thank_you(visit: Visit) -> Response:
    number = visit.database.checkout(visit.session).last_order
    return go("/catalogue/") if number is None else visit.show("thank_you.html", number=number)


def _not_yet(visit: Visit, *needed: str) -> Response | None:
    """Where the customer must go back to, if a step before this one is missing."""
    reached = visit.database.checkout(visit.session)
    if not visit.database.basket(visit.session):
        return go("/basket/")
    where = {"email": "/checkout/", "address": "/checkout/shipping-address/"}
    for name in needed:
        if getattr(reached, name) is None:
            return go(where.get(name, "/checkout/shipping-method/"))
    return None


def _whole(text: str) -> int:
    """The number that a piece of an address or a form spells, or 0."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 0
