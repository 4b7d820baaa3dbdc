"""What the shop's contracts have in common."""

from typing import ClassVar

from ordersaga.envelope import contract


class Contract(contract.Contract):
    """One kind of message of the shop; its key is the order, unless it names another field."""

    KEY: ClassVar[str] = "order_id"
