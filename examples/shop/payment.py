"""Taking money: one call to the payment vendor, repeated safely under the same key."""

import json
import urllib.error
import urllib.request
from decimal import Decimal

from examples.shop.catalogue import CURRENCY

TIMEOUT_S = 5.0
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class PaymentFailed(Exception):
    """No money was taken, as far as the shop can know; the customer is asked to try again."""


def charge(vendor: str, amount: Decimal, *, key: str, test: bool) -> str:
    """Take `amount` and give the charge's id. Raises PaymentFailed. `key` makes it once."""
    body = {"amount": f"{amount:.2f}", "currency": CURRENCY, "reference": key, "test": test}
    request = urllib.request.Request(
        f"{vendor}/payments/v1/charge",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json", "Idempotency-Key": key},
        method="POST",
    )
    try:
        with _DIRECT.open(request, timeout=TIMEOUT_S) as answer:
            return str(json.load(answer)["id"])
    except urllib.error.HTTPError as refused:
        refused.close()
        raise PaymentFailed(f"the vendor answered {refused.code}") from refused
    except (OSError, ValueError, KeyError) as lost:
        raise PaymentFailed(f"no answer from the vendor: {lost}") from lost
