"""A card processor whose books can be read."""

from uuid import UUID

from payment_service.gateway import Captured, CardProcessorUnavailable, ChargeAnswer, ChargeRequest
from payment_service.in_process_gateway import InProcessGateway


class Till(InProcessGateway):
    """Amounts in minor units; while it is `away` it answers nobody."""

    away = False

    def charge(self, request: ChargeRequest) -> ChargeAnswer:
        if self.away:
            raise CardProcessorUnavailable("away")
        return super().charge(request)

    def charges(self, order_id: UUID) -> dict[str, int]:
        """Id of the charge -> amount; also of a charge that nobody was told of."""
        order = self._orders.get(order_id)
        charge = order.answer if order else None
        return {charge.charge_id: charge.amount} if isinstance(charge, Captured) else {}

    def has_news(self, refund_id: str) -> bool:
        """Whether the next look at a refund shows another status."""
        return len(self._refunds[refund_id].statuses) > 1

    def state(self, order_id: UUID) -> tuple[object, ...]:
        """Equal for orders that the processor treats alike from here on."""
        order = self._orders.get(order_id)
        refunds = [self._refunds[id_].statuses for id_ in order.refunds.values()] if order else []
        return (order and (order.failures_left, order.answer, order.disputed_by), *refunds)

    def kept(self, order_id: UUID) -> int:
        """What was charged and has not reached the customer again."""
        order = self._orders.get(order_id)
        refunds = [self._refunds[id_] for id_ in order.refunds.values()] if order else []
        back = sum(refund.amount for refund in refunds if refund.statuses[0] in ("succeeded", "error"))
        return sum(self.charges(order_id).values()) - back
