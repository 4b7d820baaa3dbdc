"""What the payment service asks of a card processor, and what it may hear."""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID


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
