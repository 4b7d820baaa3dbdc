"""A card processor inside the process, for benchmarks: it answers as Stripe does, without a network."""

from threading import Lock
from uuid import UUID

from payment_service.cards import card_named, decline_reason
from payment_service.gateway import Captured, CardProcessorRefused, Declined, Refunded


class InProcessGateway:
    """Keeps charges and refunds in memory, and never fails; threads may share one."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._charges: dict[UUID, tuple[tuple[int, str, str], Captured | Declined]] = {}
        self._refunds: dict[UUID, Refunded] = {}

    def charge(self, order_id: UUID, amount: int, currency: str, card: str) -> Captured | Declined:
        requested = (amount, currency.upper(), card)
        with self._lock:
            before, answer = self._charges.setdefault(order_id, (requested, _decide_charge(order_id, *requested)))
        if before != requested:
            raise CardProcessorRefused(f"Order {order_id} was charged before with {before}, not {requested}.")
        return answer

    def refund(self, order_id: UUID, charge_id: str, amount: int) -> Refunded:
        with self._lock:
            _, charge = self._charges.get(order_id, (None, None))
            if not isinstance(charge, Captured) or charge.charge_id != charge_id or amount > charge.amount:
                raise CardProcessorRefused(f"Order {order_id} has no charge {charge_id} of {amount} or more.")
            refunded = self._refunds.setdefault(order_id, Refunded(f"re_{order_id.hex}", amount))
        if refunded.amount != amount:
            raise CardProcessorRefused(f"Order {order_id} was refunded before with {refunded.amount}.")
        return refunded


def _decide_charge(order_id: UUID, amount: int, currency: str, name: str) -> Captured | Declined:
    card = card_named(name)
    if amount < 1:
        return Declined("parameter_invalid_integer")
    if card is None:
        return Declined("resource_missing")
    if card.decline_code:
        return Declined(decline_reason("card_declined", card.decline_code))
    return Captured(f"ch_{order_id.hex}", amount, currency)
