"""The sealed event stores of the shop."""

from uuid import uuid4

from order_service.announcements import announcements
from order_service.commands import put_product
from ordersaga.envelope.message import Cause
from ordersaga.store.transaction import decide
from tests.support.audited import Audited


class AuditedShop(Audited):
    """The first store is that of the orders."""

    def price(self, sku: str, unit_price: int = 100) -> None:
        """One more event in the store of the orders."""
        with self.stores["order_service"].connect() as connection:
            decide(
                connection,
                announcements,
                Cause(uuid4(), actor="operator"),
                lambda transaction: put_product(transaction, sku, sku, unit_price, "EUR"),
            )
