"""The real django-oscar shop: the same walk and the same faults as the small one."""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.children import Child, wait_for
from tests.conftest import ROOT, Start
from tests.examples import walk
from tests.examples.customer import Customer
from tests.examples.feeds import items, standing_still

pytestmark = pytest.mark.slow
FEED_EVERY_S = 0.3
SHOP = ROOT / "examples" / "django-oscar" / "shop.py"


@pytest.fixture(scope="module")
def vendor_address(start_once: Start) -> str:
    return start_once(
        [sys.executable, "-m", "examples.shop.vendor", "--port", "0"], cwd=ROOT
    ).address


@pytest.fixture(scope="module")
def running(start_once: Start, vendor_address: str, tmp_path_factory: Any) -> Child:
    folder: Path = tmp_path_factory.mktemp("oscar")
    argv = [sys.executable, SHOP, "start", folder, "0", "--venv", ROOT / ".venv-oscar"]
    argv += ["--vendor", vendor_address, "--feed-every", str(FEED_EVERY_S)]
    return start_once(argv, ready_s=400)


@pytest.fixture
def vendor(vendor_address: str) -> Iterator[Customer]:
    customer = Customer(vendor_address)
    yield customer
    assert customer.post_json("/faults", {}).status == 200


@pytest.fixture
def shop(running: Child, vendor: Customer) -> Iterator[Customer]:
    customer = Customer(running.address)
    yield customer
    assert customer.post_json("/faults", {}).status == 200


@pytest.fixture
def broken(shop: Customer) -> Callable[..., Customer]:
    def break_it(**faults: Any) -> Customer:
        answer = shop.post_json("/faults", faults)
        assert answer.status == 200, answer.text
        return shop

    return break_it


def test_a_customer_finds_every_page(shop: Customer) -> None:
    walk.walk_the_pages(shop)


def test_a_customer_buys_a_mug_and_the_vendor_is_paid(shop: Customer, vendor: Customer) -> None:
    number = walk.walk_a_purchase(shop)

    charge = vendor.get("/payments/v1/charges").json()["charges"][-1]
    assert (True, "captured", "EUR") == (charge["test"], charge["status"], charge["currency"])
    assert f"-{number}-" in charge["reference"]


def test_a_basket_can_be_emptied(shop: Customer) -> None:
    walk.fill_and_clear_the_basket(shop)


def test_a_form_without_its_token_is_refused(shop: Customer) -> None:
    walk.refuse_without_token(shop)


def test_the_feed_says_what_the_pages_say(shop: Customer) -> None:
    mug = items(shop)["MUG-1"]

    assert (mug["price"], mug["availability"]) == ("12.50 EUR", "in_stock")
    assert Customer("").get(mug["link"]).status == 200
    assert Customer("").get(mug["image_link"]).body.startswith(b"\x89PNG")


def test_the_feed_is_written_anew_and_can_be_late(broken: Callable[..., Customer]) -> None:
    shop = broken()
    first = items(shop)
    wait_for(lambda: items(shop) != first, what="a feed with other stock")

    broken(late_feed=True)

    wait_for(standing_still(shop, 4 * FEED_EVERY_S), what="the writer stands still")


def test_a_reader_may_ask_whether_the_feed_changed(broken: Callable[..., Customer]) -> None:
    shop = broken(late_feed=True)
    wait_for(standing_still(shop, 4 * FEED_EVERY_S), what="the writer stands still")
    tag = shop.get("/feed/google.xml").headers["ETag"]

    assert shop.get("/feed/google.xml", {"If-None-Match": tag}).status == 304


def test_a_shrunken_feed_keeps_a_tenth(broken: Callable[..., Customer]) -> None:
    shop = broken(shrunken_feed=True)

    wait_for(lambda: len(items(shop)) == 3, what="a short feed")


def test_errors_break_the_pages_and_not_the_feed(broken: Callable[..., Customer]) -> None:
    shop = broken(errors=1.0)

    assert [
        shop.get(path).status for path in ("/catalogue/", "/checkout/", "/feed/google.xml")
    ] == [500, 500, 200]


def test_a_slow_database_slows_pages_down(broken: Callable[..., Customer]) -> None:
    shop = broken(slow_database_s=0.5)
    began = time.monotonic()

    assert shop.get("/catalogue/blue-mug_1/").status == 200
    assert time.monotonic() - began >= 0.5


def test_the_button_can_go_missing(broken: Callable[..., Customer]) -> None:
    page = broken(missing_button=True).get("/catalogue/blue-mug_1/")

    assert page.status == 200
    assert page.attribute("#buy", "data-product") is None
    assert "Add to basket" not in page.text


def test_a_wrong_price_shows_on_the_page_at_once(broken: Callable[..., Customer]) -> None:
    shop = broken(wrong_price=True)

    assert shop.get("/catalogue/blue-mug_1/").all("p.price_color")[0] == "€0.01"
    broken()
    assert shop.get("/catalogue/blue-mug_1/").all("p.price_color")[0] == "€12.50"


def test_a_failing_checkout_takes_no_order_until_mended(broken: Callable[..., Customer]) -> None:
    shop = broken(failing_checkout=True)

    page = shop.buy()

    assert (page.status, page.path) == (200, "/checkout/preview/")
    assert len(page.all(".alert-danger")) == 1
    broken()
    assert shop.submit("/checkout/preview/", action="place_order").path == "/checkout/thank-you/"


def test_a_vendor_that_is_down_costs_the_shop_its_orders(shop: Customer, vendor: Customer) -> None:
    vendor.post_json("/faults", {"state": "down"})

    assert shop.buy().path == "/checkout/preview/"


def test_a_wrong_fault_is_refused(shop: Customer) -> None:
    refused = shop.post_json("/faults", {"eror": 1})

    assert refused.status == 400
    assert "unknown: eror" in refused.json()["refused"]


def test_the_shop_ends_well_with_all_its_parts(running: Child) -> None:
    """Last in this file: that no worker is left is proved at the end of the test run."""
    assert running.stop() == 0
