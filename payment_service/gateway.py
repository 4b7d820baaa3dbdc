"""What the payment service asks of a card processor, what it may hear, and which one the settings choose."""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from messaging.settings import MissingSetting, Settings


@dataclass(frozen=True)
class Captured:
    """`amount` in minor units, `currency` in ISO upper case."""

    charge_id: str
    amount: int
    currency: str


@dataclass(frozen=True)
class Declined:
    """`reason` is Stripe's code, such as `card_declined` or `insufficient_funds`."""

    reason: str


@dataclass(frozen=True)
class Refunded:
    """`amount` in minor units."""

    refund_id: str
    amount: int


class CardProcessorUnavailable(Exception):
    """No answer, or none that can last: ask again later, it is safe."""


class CardProcessorRefused(Exception):
    """The processor understood and said no for good: asking again does not help, a person must look."""


class Gateway(Protocol):
    """Every call may be repeated: the order id is the idempotency key."""

    def charge(self, order_id: UUID, amount: int, currency: str, card: str) -> Captured | Declined: ...

    def refund(self, order_id: UUID, charge_id: str, amount: int) -> Refunded: ...


def gateway_from(settings: Settings) -> Gateway:
    """Imports only the one chosen (stripe alone takes 0.23 s). Raises MissingSetting."""
    if settings.payment_gateway == "in_process":
        from payment_service.in_process_gateway import InProcessGateway

        return InProcessGateway()
    if not settings.stripe_api_key:
        raise MissingSetting("STRIPE_API_KEY is not set: the simulator takes any sk_test_ key, Stripe wants yours.")
    from payment_service.stripe_gateway import StripeGateway

    return StripeGateway(settings.stripe_api_key, settings.stripe_api_base, settings.stripe_timeout_seconds)
