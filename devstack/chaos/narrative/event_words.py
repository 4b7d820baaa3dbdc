"""Events and messages of the shop in words."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from inventory_service.stock import stock_item_id

COMPENSATIONS = {
    "stock.released",
    "stock.returned",
    "reservation.released",
    "reservation.voided",
    "payment.voided",
    "payment.refund_pending",
    "payment.refunded",
    "payment.refunded_in_parts",
}
"""Topics of events that undo an earlier step of the saga, or prevent one that must not come any more."""
UNTOLD = "opened"
"""The last part of the topics of events that only create an aggregate."""

Named = Callable[[object], str]
"""From the id of an aggregate to the SKU of its product; empty when it is none."""


def named(skus: Iterable[str]) -> Named:
    names = {stock_item_id(sku): sku for sku in skus}
    return lambda id_: names.get(id_, "")  # type: ignore[call-overload]


def in_words(topic: str, data: Mapping[str, Any], sku: str) -> str:
    """Such as `stock released (2 of lamp)`, from the topic and the fields of an event."""
    details = ", ".join(part for part in (pieces(data, sku), amount(data), reason(data)) if part)
    words = topic.replace(".", " ").replace("_", " ")
    return f"{words} ({details})" if details else words


def pieces(data: Mapping[str, Any], sku: str) -> str:
    if "quantity" in data:
        return f"{data['quantity']} of {data.get('sku') or sku}"
    return " and ".join(f"{line['quantity']} of {line['sku']}" for line in data.get("lines", ()))


def amount(data: Mapping[str, Any]) -> str:
    minor = data.get("amount", data.get("total"))
    return money(minor, data["currency"]) if minor is not None and "currency" in data else ""


def money(minor: int, currency: str = "EUR") -> str:
    """From minor units, as the scenarios' euros have them."""
    return f"{minor / 100:,.2f} {currency}"


def reason(data: Mapping[str, Any]) -> str:
    return str(data.get("reason") or "")


def short(contract: str) -> str:
    """`stock_reserved` for `inventory.stock_reserved.v1`."""
    return contract.split(".")[1] if contract.count(".") > 1 else contract
