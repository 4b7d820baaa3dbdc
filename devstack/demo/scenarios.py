"""The demo's products, scenarios, customers and orders."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, cycle, islice
from typing import Any

PRODUCTS = {
    "tea": ("Earl Grey, 250 g", 890),
    "coffee": ("Yirgacheffe beans, 500 g", 1450),
    "cup": ("Stoneware cup", 1200),
    "pot": ("Cast iron teapot", 6900),
    "kettle": ("Gooseneck kettle", 8900),
    "scale": ("Pocket scale", 2450),
    "filter": ("Paper filters, 100", 690),
    "lamp": ("Desk lamp, the last ones", 4990),
}
"""SKU -> name and unit price in euro cents."""

PLENTY = 500
SCARCE = {"lamp": 3}
"""Units received before the orders are placed: PLENTY of each product, and fewer of those in SCARCE."""

BASKETS = [
    [("tea", 1)],
    [("coffee", 2), ("filter", 1)],
    [("cup", 4), ("tea", 2), ("pot", 1)],
    [("scale", 1), ("kettle", 1)],
    [("filter", 3)],
]


@dataclass(frozen=True)
class Scenario:
    """One kind of order and what is expected of it."""

    name: str
    orders: int
    card: str = "pm_card_visa"
    basket: tuple[tuple[str, int], ...] = ()
    """Empty: one of the ordinary baskets in turn."""
    cancel: str = ""
    """`at once`, `when confirmed`, or never."""
    refund: int = 0
    """Minor units that an operator refunds once it is confirmed, before it is cancelled."""


SCENARIOS = [
    Scenario("paid", 24),
    Scenario("paid, a part refunded", 2, refund=150),
    Scenario("paid, slow card", 4, card="pm_sim_delay_300"),
    Scenario("declined", 6, card="pm_card_chargeDeclined"),
    Scenario("insufficient funds", 4, card="pm_card_chargeDeclinedInsufficientFunds"),
    Scenario("processor times out after charging", 4, card="pm_sim_timeout_after_charge"),
    Scenario("race for the last lamps", 6, basket=(("lamp", 1), ("tea", 1))),
    Scenario("out of stock", 2, basket=(("cup", 1), ("kettle", 9_999))),
    Scenario("cancelled in flight", 6, card="pm_sim_delay_300", cancel="at once"),
    Scenario("cancelled after confirmation", 2, cancel="when confirmed"),
    Scenario("refunded in part, then cancelled", 2, cancel="when confirmed", refund=150),
    Scenario("deadline passed", 3, card="pm_sim_error_500_9"),
]
"""65 orders. The last card fails nine times before it works, which takes longer than the demo's deadline."""

DEADLINE_SECONDS = 4.0
LONGEST = SCENARIOS[-1]
"""Its orders end at their deadline."""
CUSTOMERS = ("alice", "bob", "carol", "dave", "erin")


def contact(name: str, line: str, postal_code: str, city: str, country: str) -> dict[str, Any]:
    """A contact as the body of POST /orders has it."""
    address = {"lines": [line], "postal_code": postal_code, "city": city, "country": country}
    return {"name": name, "email": f"{name.split()[0].lower()}@example.com", "address": address}


CONTACTS = {
    "alice": contact("Alice Liddell", "3 Looking Glass Lane", "OX1 4EW", "Oxford", "GB"),
    "bob": contact("Bob Baumeister", "Kirchweg 14", "50667", "Köln", "DE"),
    "carol": contact("Carol Danvers", "1 Rue de la Paix", "75002", "Paris", "FR"),
}
"""Invented contacts, of the customers whose orders have one."""


@dataclass(frozen=True)
class DemoOrder:
    """One order to place."""

    number: int
    scenario: Scenario
    customer: str
    lines: tuple[tuple[str, int], ...]


def demo_orders() -> Iterator[DemoOrder]:
    """Every order of every scenario, the longest-running first and the rest mixed."""
    baskets, customers, numbers = cycle(BASKETS), cycle(CUSTOMERS), count(1)
    waiting = [[scenario] * scenario.orders for scenario in reversed(SCENARIOS)]
    while waiting:
        for scenarios in waiting:
            scenario = scenarios.pop()
            lines = scenario.basket or tuple(next(islice(baskets, 1)))
            yield DemoOrder(next(numbers), scenario, next(customers), lines)
        waiting = [scenarios for scenarios in waiting if scenarios]
