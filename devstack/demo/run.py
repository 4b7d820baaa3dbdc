"""`ordersaga demo`: place a mixed set of orders, watch them end, and check the books."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import local
from typing import Any
from uuid import UUID

from rich.table import Table

from devstack.demo.books import Books, read_books
from devstack.demo.scenarios import CONTACTS, PLENTY, PRODUCTS, SCARCE, SCENARIOS, Errand, errands
from devstack.demo.shop import Shop
from devstack.demo.verdict import Violation, violations

ENDED = ("confirmed", "cancelled")
TIMEOUT_SECONDS = 90
"""After which an unfinished order is a finding."""
SHOPPERS = 8


@dataclass
class DemoProgress:
    """The state of every order so far; read by the live table, written by the shoppers."""

    states: dict[int, str] = field(default_factory=dict)
    """Errand number -> state of its order."""
    reasons: dict[int, str] = field(default_factory=dict)
    errands: list[Errand] = field(default_factory=lambda: list(errands()))

    def table(self, title: str) -> Table:
        """One line a scenario."""
        table = Table(title=title, title_justify="left")
        for column in ("scenario", "orders", "under way", "confirmed", "cancelled", "why"):
            table.add_column(column, justify="left" if column in ("scenario", "why") else "right")
        for scenario in SCENARIOS:
            numbers = [errand.number for errand in self.errands if errand.scenario is scenario]
            states = Counter(self.states.get(number, "") for number in numbers)
            why = Counter(self.reasons[number] for number in numbers if self.reasons.get(number))
            ended = sum(states[state] for state in ENDED)
            figures = (scenario.orders, scenario.orders - ended, states["confirmed"], states["cancelled"])
            table.add_row(scenario.name, *map(str, figures), ", ".join(f"{reason} {n}" for reason, n in why.items()))
        return table


class Demo:
    """Runs the errands against a running stack; `make_shop` gives each thread its own connection."""

    def __init__(self, make_shop: Callable[[], Shop], urls: Mapping[str, str]) -> None:
        self.progress = DemoProgress()
        self._make_shop = make_shop
        self._urls = urls
        self._threads = local()

    @property
    def shop(self) -> Shop:
        if not hasattr(self._threads, "shop"):
            self._threads.shop = self._make_shop()
        shop: Shop = self._threads.shop
        return shop

    def stock_products(self) -> None:
        for sku, (name, unit_price) in PRODUCTS.items():
            self.shop.stock(sku, name, unit_price, SCARCE.get(sku, PLENTY))

    def run(self, show: Callable[[], None]) -> None:
        """Place every order and wait for its end; `show` is called several times a second."""
        end = time.monotonic() + TIMEOUT_SECONDS
        with ThreadPoolExecutor(SHOPPERS) as shoppers:
            orders = {errand: shoppers.submit(self._place, errand) for errand in self.progress.errands}
            while not self._poll_orders(orders) and time.monotonic() < end:
                show()
                time.sleep(0.1)
            for order in orders.values():
                order.result()
        show()

    def _place(self, errand: Errand) -> UUID:
        contact = CONTACTS.get(errand.customer)
        order_id = self.shop.order(errand.customer, errand.lines, errand.scenario.card, contact)
        if errand.scenario.cancel == "at once":
            self.shop.cancel(errand.customer, order_id)
        return order_id

    def _poll_orders(self, orders: Mapping[Errand, "Future[UUID]"]) -> bool:
        """Ask for every order that has not ended; True when all have."""
        for errand, order in orders.items():
            if order.done() and self.progress.states.get(errand.number) not in ENDED:
                self._update(errand, order.result())
        return all(self.progress.states.get(errand.number) in ENDED for errand in orders)

    def _update(self, errand: Errand, order_id: UUID) -> None:
        order = self.shop.order_of(errand.customer, order_id)
        if order["state"] == "confirmed" and errand.scenario.cancel == "when confirmed":
            self.shop.cancel(errand.customer, order_id)
            return
        self.progress.states[errand.number] = order["state"]
        self.progress.reasons[errand.number] = order["reason"] or ""

    def settle(self, show: Callable[[int], None]) -> tuple[Books, list[Violation]]:
        """Wait for refunds and releases, then return the verdict; `show` gets the number of violations so far."""
        end = time.monotonic() + TIMEOUT_SECONDS
        while True:
            books = read_books(self._urls, self.shop.ledger())
            found = violations(books)
            if not found or time.monotonic() > end:
                return books, found
            show(len(found))
            time.sleep(0.3)


def summary(result: Mapping[str, Any]) -> str:
    """The verdict in words."""
    reasons = ", ".join(f"{reason} {count}" for reason, count in result["by_reason"].items())
    seconds = ", ".join(f"{step} {value:.1f} s" for step, value in result["seconds"].items())
    lines = [
        f"{result['orders']} orders: {result['confirmed']} confirmed, {result['cancelled']} cancelled ({reasons})",
        seconds,
    ]
    if result["violations"]:
        lines += [f"  {v['rule']}: {v['subject']}: {v['detail']}" for v in result["violations"]]
        lines.append(f"{len(result['violations'])} violations: the books do not balance.")
    else:
        lines.append("The books balance: every order ended, one charge per confirmed order,")
        lines.append("nothing kept of a cancelled one, no unit of stock lost or sold twice.")
    return "\n".join(lines)
