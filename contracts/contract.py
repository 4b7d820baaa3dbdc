"""The base of the shop's contracts."""

from typing import ClassVar

from ordersaga.envelope import contract


class Contract(contract.Contract):
    """One kind of message of the shop; its key is the order's id, unless a contract names another field."""

    KEY: ClassVar[str] = "order_id"
