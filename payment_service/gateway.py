"""The requests of the payment service to a card processor, and its answers."""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from ordersaga.runtime.errors import ResourceUnavailable


@dataclass(frozen=True)
class Captured:
    """The card was charged; `amount` in minor units, `currency` in ISO 4217, upper case."""

    charge_id: str
    amount: int
    currency: str


@dataclass(frozen=True)
class Declined:
    """The charge was declined; `reason` is Stripe's code, such as `card_declined` or `insufficient_funds`."""

    reason: str


@dataclass(frozen=True)
class Refunded:
    """The charge was refunded; `amount` in minor units."""

    refund_id: str
    amount: int


class CardProcessorUnavailable(ResourceUnavailable):
    """The processor gave no usable answer; asking again later is safe."""


class CardProcessorRefused(Exception):
    """The processor refused permanently; asking again does not help, a person must look."""


class Gateway(Protocol):
    """Every call may be repeated: the order's id is the idempotency key."""

    def charge(self, order_id: UUID, amount: int, currency: str, card: str) -> Captured | Declined: ...

    def refund(self, order_id: UUID, charge_id: str, amount: int) -> Refunded: ...
