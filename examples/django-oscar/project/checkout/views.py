"""The last step of the checkout takes the money at the vendor."""

from typing import Any

from django.conf import settings
from oscar.apps.checkout import views
from oscar.apps.payment.exceptions import PaymentError
from oscar.core.loading import get_model

from examples.shop.faults import FaultFile
from examples.shop.payment import PaymentFailed, charge

TEST_NAME = "@monitor.example"


class PaymentDetailsView(views.PaymentDetailsView):
    """Oscar's own, and one call to the vendor before the order is placed."""

    def handle_payment(self, order_number: str, total: Any, **kwargs: Any) -> None:
        """Raises PaymentError, which oscar shows as its friendly text; nothing was charged then."""
        if FaultFile(settings.SHOP_FAULTS).load().failing_checkout:
            raise PaymentError("the checkout is broken on purpose")
        if not settings.SHOP_VENDOR:
            return
        amount = total.incl_tax
        email = self.checkout_session.get_guest_email() or self.request.user.email
        try:
            paid = charge(
                settings.SHOP_VENDOR,
                amount,
                # Oscar gives a basket its order number, so this is the same for each try.
                key=f"{self.request.session.session_key}-{order_number}-{amount}",
                test=email.endswith(TEST_NAME),
            )
        except PaymentFailed as failed:
            raise PaymentError(str(failed)) from failed
        self._record(paid, amount, total.currency)

    def _record(self, paid: str, amount: Any, currency: str) -> None:
        kind, _ = get_model("payment", "SourceType").objects.get_or_create(name="AcmePay")
        source = get_model("payment", "Source")(
            source_type=kind,
            currency=currency,
            amount_allocated=amount,
            amount_debited=amount,
            reference=paid,
        )
        self.add_payment_source(source)
        self.add_payment_event("captured", amount, reference=paid)
