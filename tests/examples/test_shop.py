"""The small shop: walked as a customer, read as a feed, and broken in every way it can be."""

import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from decimal import Decimal
from typing import Any

import pytest

from examples.shop.catalogue import PRODUCTS
from examples.shop.faults import FaultRefused, Faults, read_faults
from tests.children import wait_for
from tests.conftest import ROOT, Start
from tests.examples import walk
from tests.examples.customer import Customer
from tests.examples.feeds import items, standing_still

FEED_EVERY_S = 0.1


@pytest.fixture(scope="module")
def vendor_address(start_once: Start) -> str:
    return start_once(
        [sys.executable, "-m", "examples.shop.vendor", "--port", "0"], cwd=ROOT
    ).address


@pytest.fixture(scope="module")
def shop_address(start_once: Start, vendor_address: str) -> str:
    argv = [sys.executable, "-m", "examples.shop", "--port", "0", "--vendor", vendor_address]
    return start_once([*argv, "--feed-every", str(FEED_EVERY_S)], cwd=ROOT).address


@pytest.fixture
def vendor(vendor_address: str) -> Iterator[Customer]:
    customer = Customer(vendor_address)
    yield customer
    assert customer.post_json("/faults", {}).status == 200


@pytest.fixture
def shop(shop_address: str, vendor: Customer) -> Iterator[Customer]:
    customer = Customer(shop_address)
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
    first = int(walk.walk_a_purchase(shop))

    charge = vendor.get("/payments/v1/charges").json()["charges"][-1]
    assert (True, "captured") == (charge["test"], charge["status"])
    assert first + 1 == int(walk.walk_a_purchase(Customer(shop.address)))


def test_a_basket_can_be_emptied(shop: Customer) -> None:
    walk.fill_and_clear_the_basket(shop)


def test_a_form_without_its_token_is_refused(shop: Customer) -> None:
    walk.refuse_without_token(shop)


def test_a_form_beyond_all_measure_is_refused(shop: Customer) -> None:
    shop.get("/catalogue/blue-mug_1/")

    assert shop.submit("/basket/add/1/", quantity="1" * 70_000).status == 413


def test_baskets_are_of_one_customer_each(shop: Customer) -> None:
    Customer(shop.address).put_in_basket()

    assert "Your basket is empty" in shop.get("/basket/").text


def test_nobody_skips_a_step_of_the_checkout(shop: Customer) -> None:
    assert shop.get("/checkout/preview/").path == "/basket/"
    shop.put_in_basket()
    assert shop.get("/checkout/preview/").path == "/checkout/"


def test_a_search_never_becomes_markup(shop: Customer) -> None:
    page = shop.get("/search/?q=%3Cscript%3Ealert(1)%3C/script%3E")

    assert page.status == 200
    assert "<script>alert" not in page.text


def test_an_old_address_of_a_product_leads_to_the_new_one(shop: Customer) -> None:
    assert shop.get("/catalogue/its-old-name_1/").path == "/catalogue/blue-mug_1/"


@pytest.mark.parametrize(
    ("email", "taken"), [("ada@monitor.example", 0), ("ada@customer.example", 1)]
)
def test_a_sale_takes_stock_and_a_test_order_does_not(
    broken: Callable[..., Customer], email: str, taken: int
) -> None:
    shop = broken(late_feed=True)
    wait_for(standing_still(shop, 4 * FEED_EVERY_S), what="the writer stands still")
    before = int(items(shop)["MUG-1"]["custom_label_0"].removeprefix("stock-"))

    shop.put_in_basket()
    shop.go_to_preview(email)
    shop.submit("/checkout/preview/", action="place_order")

    left = shop.get("/catalogue/blue-mug_1/").all("p.availability")[0]
    assert left == f"In stock ({before - taken} available)"


def test_the_feed_says_what_the_pages_say(shop: Customer) -> None:
    feed = items(shop)

    assert {product.sku for product in PRODUCTS} == set(feed)
    mug = feed["MUG-1"]
    assert mug["price"] == "12.50 EUR"
    assert mug["availability"] == "in_stock"
    assert Customer("").get(mug["link"]).status == 200
    picture = Customer("").get(mug["image_link"])
    assert picture.body.startswith(b"\x89PNG")


def test_the_feed_is_written_anew_with_fresh_content(shop: Customer) -> None:
    first = items(shop)

    wait_for(lambda: items(shop) != first, what="a feed with other stock")


def test_a_reader_may_ask_whether_the_feed_changed(broken: Callable[..., Customer]) -> None:
    shop = broken(late_feed=True)
    wait_for(standing_still(shop, 4 * FEED_EVERY_S), what="the writer stands still")
    tag = shop.get("/feed/google.xml").headers["etag"]

    again = shop.get("/feed/google.xml", {"If-None-Match": tag})

    assert (again.status, again.body) == (304, b"")


def test_the_nightly_job_tells_who_watches_it(start: Start) -> None:
    watcher = start([sys.executable, "-c", PING_LISTENER], cwd=ROOT)
    argv = [sys.executable, "-m", "examples.shop", "--port", "0", "--job-every", "0.05"]
    start([*argv, "--heartbeat", f"{watcher.address}/ping/secret"], cwd=ROOT)

    wait_for(lambda: len(watcher.lines) > 2, what="two pings")

    assert [line["path"] for line in watcher.lines[1:3]] == ["/ping/secret/start", "/ping/secret"]


PING_LISTENER = """
import http.server, json

class Pings(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print(json.dumps({"path": self.path}), flush=True)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *words):
        pass

server = http.server.HTTPServer(("127.0.0.1", 0), Pings)
print(json.dumps({"address": "http://127.0.0.1:%d" % server.server_port}), flush=True)
server.serve_forever()
"""


def test_errors_break_the_pages_and_not_the_feed(broken: Callable[..., Customer]) -> None:
    shop = broken(errors=1.0)

    assert [
        shop.get(path).status for path in ("/catalogue/", "/checkout/", "/feed/google.xml")
    ] == [500, 500, 200]


def test_a_slow_database_slows_pages_down(broken: Callable[..., Customer]) -> None:
    shop = broken(slow_database_s=0.3)
    began = time.monotonic()

    assert shop.get("/catalogue/blue-mug_1/").status == 200
    assert time.monotonic() - began >= 0.3


def test_the_button_can_go_missing(broken: Callable[..., Customer]) -> None:
    page = broken(missing_button=True).get("/catalogue/blue-mug_1/")

    assert page.status == 200
    assert "Add to basket" not in page.text


def test_a_failing_checkout_takes_no_order(broken: Callable[..., Customer]) -> None:
    shop = broken(failing_checkout=True)

    page = shop.buy()

    assert (page.status, page.path) == (200, "/checkout/preview/")
    assert len(page.all(".alert-danger")) == 1
    shop.post_json("/faults", {})
    assert shop.submit("/checkout/preview/", action="place_order").path == "/checkout/thank-you/"


def test_a_wrong_price_shows_on_the_page_and_later_in_the_feed(
    broken: Callable[..., Customer],
) -> None:
    shop = broken(wrong_price=True)

    assert shop.get("/catalogue/blue-mug_1/").all("p.price_color")[0] == "€0.01"
    wait_for(lambda: items(shop)["MUG-1"]["price"] == "0.01 EUR", what="the feed follows")
    broken()
    assert shop.get("/catalogue/blue-mug_1/").all("p.price_color")[0] == "€12.50"


def test_a_late_feed_stands_still_and_runs_again_when_mended(
    broken: Callable[..., Customer],
) -> None:
    shop = broken(late_feed=True)

    wait_for(standing_still(shop, 4 * FEED_EVERY_S), what="the writer stands still")
    stopped = items(shop)
    broken()
    wait_for(lambda: items(shop) != stopped, what="the writer runs again")


def test_a_shrunken_feed_keeps_a_tenth(broken: Callable[..., Customer]) -> None:
    shop = broken(shrunken_feed=True)

    wait_for(lambda: len(items(shop)) == 3, what="a short feed")


def test_faults_are_shown_as_they_are(broken: Callable[..., Customer]) -> None:
    shop = broken(errors=0.5, missing_button=True)

    assert asdict(Faults(errors=0.5, missing_button=True)) == shop.get("/faults").json()


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ({"eror": 1}, "unknown: eror"),
        ({"errors": 2}, "errors: a number from 0 to 1"),
        ({"errors": True}, "errors: a number from 0 to 1"),
        ({"slow_database_s": -1}, "slow_database_s: a number from 0 to 60"),
        ({"late_feed": "yes"}, "late_feed: true or false"),
        ([], "an object of faults"),
    ],
)
def test_a_wrong_fault_is_refused_with_what_would_be_right(wanted: Any, why: str) -> None:
    with pytest.raises(FaultRefused, match=why):
        read_faults(wanted)


def test_a_refused_fault_breaks_nothing(shop: Customer) -> None:
    refused = shop.post_json("/faults", {"eror": 1})

    assert (refused.status, list(refused.json())) == (400, ["refused"])
    assert asdict(Faults()) == shop.get("/faults").json()


def test_a_page_of_another_site_cannot_break_the_shop(shop: Customer) -> None:
    assert shop.submit("/faults", errors="1").status == 415


def test_an_order_is_charged_once_at_the_vendor(shop: Customer, vendor: Customer) -> None:
    total = PRODUCTS[0].price
    body: dict[str, object] = {
        "amount": str(total),
        "currency": "EUR",
        "reference": "r",
        "test": True,
    }
    first = vendor.post_json("/payments/v1/charge", body, {"Idempotency-Key": "k"})
    again = vendor.post_json("/payments/v1/charge", body, {"Idempotency-Key": "k"})
    other = vendor.post_json(
        "/payments/v1/charge", {**body, "amount": "1"}, {"Idempotency-Key": "k"}
    )

    assert [answer.status for answer in (first, again, other)] == [201, 200, 422]
    assert first.json() == again.json()
    assert Decimal(first.json()["amount"]) == total
    charge = first.json()["id"]
    assert vendor.get(f"/payments/v1/charges/{charge}").json() == first.json()


def test_a_charge_without_key_is_refused(vendor: Customer) -> None:
    assert vendor.post_json("/payments/v1/charge", {}).status == 400


def test_a_vendor_that_is_down_costs_the_shop_its_orders(shop: Customer, vendor: Customer) -> None:
    vendor.post_json("/faults", {"state": "down"})

    page = shop.buy()

    assert page.path == "/checkout/preview/"
    assert "Nothing was charged" in page.all(".alert-danger")[0]
    assert vendor.get("/payments/v1/ping").status == 503


def test_a_degraded_vendor_fails_every_third_charge(vendor: Customer) -> None:
    vendor.post_json("/faults", {"state": "degraded"})
    body = {"amount": "1", "currency": "EUR", "reference": "r"}

    def charge(key: int) -> int:
        answer = vendor.post_json("/payments/v1/charge", body, {"Idempotency-Key": f"third-{key}"})
        return answer.status

    with ThreadPoolExecutor(3) as customers:
        answers = list(customers.map(charge, range(3)))

    assert sorted(answers) == [201, 201, 503]


@pytest.mark.parametrize(
    ("state", "indicator", "component", "incidents"),
    [
        ("operational", "none", "operational", 0),
        ("degraded", "minor", "degraded_performance", 1),
        ("down", "critical", "major_outage", 1),
    ],
)
def test_the_status_page_tells_the_vendors_state(
    vendor: Customer, state: str, indicator: str, component: str, incidents: int
) -> None:
    vendor.post_json("/faults", {"state": state})

    summary = vendor.get("/status/api/v2/summary.json").json()

    assert indicator == summary["status"]["indicator"]
    assert [part["name"] for part in summary["components"]] == ["API", "Dashboard"]
    assert component == summary["components"][0]["status"]
    assert incidents == len(summary["incidents"])
    assert summary["scheduled_maintenances"] == []
    unresolved = vendor.get("/status/api/v2/incidents/unresolved.json").json()
    assert unresolved["incidents"] == summary["incidents"]


def test_a_silent_vendor_admits_nothing(vendor: Customer) -> None:
    vendor.post_json("/faults", {"state": "down", "silent": True})

    status = vendor.get("/status/api/v2/status.json").json()["status"]

    assert status == {"indicator": "none", "description": "All Systems Operational"}


def test_the_shop_ends_well_and_with_its_parent(start: Start) -> None:
    argv = [sys.executable, "-m", "examples.shop", "--port", "0"]
    asked = start(argv, cwd=ROOT)
    orphaned = start([*argv, "--until-stdin-closes"], cwd=ROOT)
    assert orphaned.process.stdin is not None

    orphaned.process.stdin.close()

    assert asked.stop() == 0
    wait_for(lambda: orphaned.process.poll() is not None, what="the shop ends with its parent")
    assert orphaned.process.returncode == 0
