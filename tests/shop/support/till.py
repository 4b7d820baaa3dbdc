"""A card processor whose books can be read."""

from uuid import UUID

from payment_service.gateway import Captured, Declined, Refunded
from payment_service.in_process_gateway import InProcessGateway


class Till(InProcessGateway):
    """Amounts in minor units, by order and by the id of the charge or refund."""

    def __init__(self) -> None:
        super().__init__()
        self.charges: dict[UUID, dict[str, int]] = {}
        self.refunds: dict[UUID, dict[str, int]] = {}

    def charge(self, order_id: UUID, amount: int, currency: str, card: str) -> Captured | Declined:
        answer = super().charge(order_id, amount, currency, card)
        if isinstance(answer, Captured):
            self.charges.setdefault(order_id, {})[answer.charge_id] = answer.amount
        return answer

    def refund(self, order_id: UUID, charge_id: str, amount: int) -> Refunded:
        answer = super().refund(order_id, charge_id, amount)
        self.refunds.setdefault(order_id, {})[answer.refund_id] = answer.amount
        return answer

    def kept(self, order_id: UUID) -> int:
        return sum(self.charges.get(order_id, {}).values()) - sum(self.refunds.get(order_id, {}).values())
