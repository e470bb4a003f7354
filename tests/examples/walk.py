"""What both example shops must do, written once: `docs/explanation/example-shops.md` as code."""

import json

from tests.examples.customer import Customer


def walk_the_pages(customer: Customer) -> None:
    """Home, shelf, search and a product's page show what their table promises."""
    home = customer.get("/")
    assert (home.status, home.path) == (200, "/catalogue/")
    assert home.all("h1") == ["All products"]
    assert len(home.all("article.product_pod h3 a")) == 20

    found = customer.get("/search/?q=mug")
    assert "Found <strong>4</strong> results" in " ".join(found.text.split())
    assert found.attribute("[data-page]", "data-page") is not None

    product = customer.get("/catalogue/blue-mug_1/")
    assert product.all("h1")[-1] == "Blue mug"
    assert product.all("p.price_color")[0] == "€12.50"
    assert product.attribute("#buy", "data-product") == "1"
    assert product.attribute("#add_to_basket_form", "action") == "/basket/add/1/"
    facts = json.loads(product.all("script[type='application/ld+json']")[0])
    assert facts["sku"] == "MUG-1"
    assert facts["offers"]["price"] == "12.50"
    assert facts["offers"]["priceCurrency"] == "EUR"
    assert facts["offers"]["availability"] == "https://schema.org/InStock"

    assert customer.get("/catalogue/nothing_999/").status == 404
    assert customer.get("/healthz").json() == {"status": "ok"}


def walk_a_purchase(customer: Customer) -> str:
    """From the search to the order, each page as the table has it; gives the order's number."""
    basket = customer.put_in_basket()
    assert (basket.status, basket.path) == (200, "/basket/")
    assert len(basket.all(".basket-items h3 a")) == 1

    assert customer.get("/checkout/").attribute("input[name=username]", "name") == "username"
    address = customer.submit(
        "/checkout/", options="anonymous", username="ada@monitor.example", password=""
    )
    assert address.path == "/checkout/shipping-address/"
    preview = customer.go_to_preview()
    assert (preview.status, preview.path) == (200, "/checkout/preview/")
    assert "Place order" in preview.text

    thanks = customer.submit("/checkout/preview/", action="place_order")
    assert (thanks.status, thanks.path) == (200, "/checkout/thank-you/")
    assert "your order number is" in thanks.text
    assert "Your basket is empty" in customer.get("/basket/").text
    return thanks.all("p.lead strong")[0]


def fill_and_clear_the_basket(customer: Customer) -> None:
    customer.put_in_basket()
    assert "Your basket is empty" in customer.submit("/basket/clear/").text


def refuse_without_token(customer: Customer) -> None:
    customer.get("/catalogue/blue-mug_1/")
    refused = customer.submit("/basket/add/1/", quantity="1", csrfmiddlewaretoken="forged")
    assert refused.status == 403
    assert "Your basket is empty" in customer.get("/basket/").text
