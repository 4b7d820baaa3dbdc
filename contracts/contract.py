"""The base of the shop's contracts."""

from typing import ClassVar

from pydantic import ConfigDict

from ordersaga.envelope import contract


class Contract(contract.Contract):
    """One kind of message of the shop; its key is the order's id, unless a contract names another field.

    Strict: a number is a number and no text, and true is no 1. The read side computes with the body as it stands.
    """

    model_config = ConfigDict(strict=True)

    KEY: ClassVar[str] = "order_id"
