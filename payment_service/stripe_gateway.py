"""The card processor Stripe, or a server with the same HTTP interface."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit
from uuid import UUID

import stripe

from ordersaga.runtime.logs import quieten
from payment_service.cards import decline_reason
from payment_service.gateway import (
    Captured,
    CardProcessorRefused,
    CardProcessorUnavailable,
    Declined,
    Refunded,
)


class StripeGateway:
    """Charges and refunds through Stripe's HTTP interface; threads may share one.

    `timeout` is in seconds and per attempt; a call makes up to `retries` more attempts, at least half a second
    apart. Stripe keeps an idempotency key for 24 hours.
    """

    # The customer chooses these: when Stripe refuses one, the payment is declined and not parked.
    CUSTOMERS_PARAMETERS = frozenset({"payment_method", "amount", "currency"})

    def __init__(
        self, api_key: str, api_base: str = stripe.DEFAULT_API_BASE, timeout: float = 5, retries: int = 2
    ) -> None:
        quieten("stripe")
        stripe.enable_telemetry = False  # it writes an id into the user's home directory
        self._base = api_base.rstrip("/")
        self._client = stripe.StripeClient(
            api_key,
            base_addresses={"api": self._base},
            http_client=_http_client(self._base, timeout),
            max_network_retries=retries,
        )

    def charge(self, order_id: UUID, amount: int, currency: str, card: str) -> Captured | Declined:
        with self._translating(f"charge order {order_id}"):
            try:
                return _captured(self._create_payment_intent(order_id, amount, currency, card))
            except stripe.CardError as error:
                return Declined(decline_reason(error.code, getattr(error.error, "decline_code", None)))
            except stripe.InvalidRequestError as error:
                if error.param not in self.CUSTOMERS_PARAMETERS:
                    raise
                return Declined(error.code or f"invalid_{error.param}")

    def _create_payment_intent(self, order_id: UUID, amount: int, currency: str, card: str) -> stripe.PaymentIntent:
        return self._client.v1.payment_intents.create(
            {
                "amount": amount,
                "currency": currency.lower(),
                "payment_method": card,
                "allowed_payment_method_types": ["card"],
                "confirm": True,
                "error_on_requires_action": True,  # no customer is present to answer a 3-D Secure question
                "metadata": {"order_id": str(order_id)},
            },
            {"idempotency_key": f"charge:{order_id}"},
        )

    def refund(self, order_id: UUID, charge_id: str, amount: int) -> Refunded:
        with self._translating(f"refund charge {charge_id} of order {order_id}"):
            try:
                refund = self._client.v1.refunds.create(
                    {"charge": charge_id, "amount": amount, "metadata": {"order_id": str(order_id)}},
                    {"idempotency_key": f"refund:{order_id}"},
                )
            except stripe.InvalidRequestError as error:
                if error.code != "charge_already_refunded":
                    raise
                return self._refunded_before(charge_id)
            return Refunded(refund.id, refund.amount)

    def _refunded_before(self, charge_id: str) -> Refunded:
        """The id of the latest refund with the sum of all refunds, also of those made by hand."""
        refunds = self._client.v1.refunds.list({"charge": charge_id, "limit": 100}).data
        return Refunded(refunds[0].id, sum(refund.amount for refund in refunds))

    @contextmanager
    def _translating(self, doing: str) -> Iterator[None]:
        try:
            yield
        except (stripe.AuthenticationError, stripe.PermissionError) as error:
            raise CardProcessorUnavailable(
                f"Could not {doing}: {self._base} does not accept our key ({error}). Check STRIPE_API_KEY."
            ) from error
        except (stripe.APIConnectionError, stripe.RateLimitError, stripe.APIError) as error:
            raise CardProcessorUnavailable(
                f"Could not {doing}: {self._base} gave no usable answer ({error.__cause__ or error}). "
                "Ask again later: the idempotency key makes that safe. If it lasts, check that the card "
                "processor is up and that STRIPE_API_BASE and STRIPE_TIMEOUT_SECONDS fit it."
            ) from error
        except stripe.StripeError as error:
            raise CardProcessorRefused(
                f"Could not {doing}: {self._base} refuses ({error}). Look the order up in the processor's "
                "records before doing it again by hand."
            ) from error


def _http_client(base: str, timeout: float) -> stripe.HTTPClient:
    if urlsplit(base).hostname in {"localhost", "127.0.0.1", "::1"}:
        # requests sends loopback traffic to HTTP_PROXY too, unless NO_PROXY says otherwise.
        return stripe.RequestsClient(timeout=timeout, proxy={"http": "", "https": ""})
    return stripe.RequestsClient(timeout=timeout)


def _captured(intent: stripe.PaymentIntent) -> Captured:
    if intent.status != "succeeded" or intent.latest_charge is None:
        raise CardProcessorRefused(
            f"Payment {intent.id} is {intent.status!r}, but a card payment ends at once. Look at it in the "
            "processor's dashboard."
        )
    charge = intent.latest_charge
    charge_id = charge if isinstance(charge, str) else charge.id
    return Captured(charge_id, intent.amount_received, intent.currency.upper())
