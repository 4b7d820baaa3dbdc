"""Figures: stock, orders, money and messages, read from the event stores and the card processor's ledger."""

from collections import Counter
from collections.abc import Iterable, Mapping

from devstack.chaos.narrative.event_words import money
from devstack.demo.books import Books

Figures = Mapping[str, int | str]
"""What was counted -> the number, or the amount in words; in the order in which a reader wants it."""


def figures(books: Books, skus: Iterable[str]) -> Figures:
    """Of the whole stack, whose orders are all of one scenario."""
    items = {item.sku: item for item in books.stock}
    found: dict[str, int | str] = {}
    for sku in skus:
        item = items.get(sku)
        found[f"{sku}: on hand"] = item.on_hand if item else 0
        found[f"{sku}: of these reserved for orders"] = item.reserved if item else 0
    states = Counter(order.state for order in books.orders)
    found["orders under way"] = states["placed"]
    found["orders confirmed"] = states["confirmed"]
    found["orders cancelled"] = states["cancelled"]
    charges = [charge for of_order in books.charges.values() for charge in of_order]
    found["card processor: charges made"] = len(charges)
    found["card processor: charged"] = money(sum(charge["amount"] for charge in charges))
    found["card processor: of these given back"] = money(sum(charge["amount_refunded"] for charge in charges))
    found["messages not published, or parked"] = sum(books.stuck.values())
    return found
