"""The requests of the payment service to a card processor, and its answers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from ordersaga.runtime.errors import RateLimited, ResourceUnavailable


@dataclass(frozen=True)
class ChargeRequest:
    """What an order asks for: `amount` in minor units, `currency` in ISO 4217, upper case."""

    order_id: UUID
    amount: int
    currency: str
    card: str
    """The processor's name of the payment method."""
    since: datetime
    """When the charge was first asked for; no earlier request of this order was made before."""


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
class NotCharged:
    """The charge was withdrawn before the card was charged: it never will be."""


@dataclass(frozen=True)
class Refunded:
    """The charge was refunded; `amount` in minor units."""

    refund_id: str
    amount: int


@dataclass(frozen=True)
class RefundPending:
    """The processor has accepted the refund and tells its end later."""

    refund_id: str


@dataclass(frozen=True)
class RefundFailed:
    """The refund did not reach the customer, or was refused.

    `reason` is Stripe's: `charge_disputed`, `expired_or_canceled_card`, `insufficient_funds` and others. `refund_id`
    is empty when the refund was refused.
    """

    refund_id: str
    reason: str


ChargeAnswer = Captured | Declined | NotCharged
RefundAnswer = Refunded | RefundPending | RefundFailed


class CardProcessorUnavailable(ResourceUnavailable):
    """The processor gave no usable answer; asking again later is safe."""


class CardProcessorBusy(RateLimited, CardProcessorUnavailable):
    """The processor is asked too often; it did nothing, and asking again after a pause is safe."""


class CardProcessorRefused(Exception):
    """The processor refused permanently; asking again does not help, a person must look."""


class Gateway(Protocol):
    """Every call may be repeated at any time and from several processes at once.

    Raises:
        CardProcessorUnavailable, CardProcessorRefused: nothing is known of the outcome.
        CardProcessorBusy: it is asked too often.
    """

    def charge(self, request: ChargeRequest) -> ChargeAnswer:
        """Charge the card of an order, once, however often it is asked."""

    def withdraw(self, request: ChargeRequest) -> ChargeAnswer:
        """Find out how the charge of an order ended; if the card was not charged, make sure that it never is."""

    def refund(
        self,
        order_id: UUID,
        charge_id: str,
        amount: int,
        failed_before: int = 0,
        part: int | None = None,
        since: datetime | None = None,
    ) -> RefundAnswer:
        """Refund a charge, or a part of it, once. After a failure, the number of failures makes it another refund.

        Args:
            amount: in minor units; without a part, all that the parts leave of the charge.
            part: the number of the part.
            since: when this refund was first asked for; None if that is now.
        """

    def find_refund(self, refund_id: str) -> RefundAnswer:
        """The state of a refund now."""
