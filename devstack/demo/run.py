"""The demo's run: place a mixed set of orders, watch them end, and check the books."""

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
from devstack.demo.scenarios import CONTACTS, PLENTY, PRODUCTS, SCARCE, SCENARIOS, DemoOrder, demo_orders
from devstack.demo.shop import Shop
from devstack.demo.verdict import Violation, violations

ENDED = ("confirmed", "cancelled")
TIMEOUT_SECONDS = 90
"""After which an unfinished order is a finding."""
THREADS = 8
"""That place orders at a time."""


@dataclass
class DemoProgress:
    """The state of every order so far; read by the live table, written by the threads that place orders."""

    states: dict[int, str] = field(default_factory=dict)
    """Number of the demo's order -> state of the order."""
    reasons: dict[int, str] = field(default_factory=dict)
    orders: list[DemoOrder] = field(default_factory=lambda: list(demo_orders()))

    def table(self, title: str) -> Table:
        """One line a scenario."""
        table = Table(title=title, title_justify="left")
        for column in ("scenario", "orders", "placed", "confirmed", "cancelled", "why"):
            table.add_column(column, justify="left" if column in ("scenario", "why") else "right")
        for scenario in SCENARIOS:
            numbers = [order.number for order in self.orders if order.scenario is scenario]
            states = Counter(self.states.get(number, "") for number in numbers)
            why = Counter(self.reasons[number] for number in numbers if self.reasons.get(number))
            ended = sum(states[state] for state in ENDED)
            figures = (scenario.orders, scenario.orders - ended, states["confirmed"], states["cancelled"])
            table.add_row(scenario.name, *map(str, figures), ", ".join(f"{reason} {n}" for reason, n in why.items()))
        return table


class Demo:
    """Places the demo's orders on a running stack; `make_shop` gives each thread its own connection."""

    def __init__(self, make_shop: Callable[[], Shop], urls: Mapping[str, str], name: str = "") -> None:
        """What two demos of the same `name` do, happens once; without one, each time."""
        self.progress = DemoProgress()
        self._make_shop = make_shop
        self._urls = urls
        self._name = name
        self._threads = local()

    @property
    def shop(self) -> Shop:
        if not hasattr(self._threads, "shop"):
            self._threads.shop = self._make_shop()
        shop: Shop = self._threads.shop
        return shop

    def stock_products(self) -> None:
        for sku, (name, unit_price) in PRODUCTS.items():
            self.shop.stock(sku, name, unit_price, SCARCE.get(sku, PLENTY), self._key(sku))

    def _key(self, subject: object) -> str:
        return f"{self._name}-{subject}" if self._name else ""

    def run(self, show: Callable[[], None]) -> None:
        """Place every order and wait for its end; `show` is called several times a second."""
        end = time.monotonic() + TIMEOUT_SECONDS
        with ThreadPoolExecutor(THREADS) as executor:
            placed = {order: executor.submit(self.place, order) for order in self.progress.orders}
            while not self._poll_orders(placed) and time.monotonic() < end:
                show()
                time.sleep(0.1)
            for future in placed.values():
                future.result()
        show()

    def place(self, order: DemoOrder) -> UUID:
        """Place an order, and cancel it at once if that is its scenario; returns its id."""
        contact, key = CONTACTS.get(order.customer), self._key(order.number)
        order_id = self.shop.order(order.customer, order.lines, order.scenario.card, contact, key)
        if order.scenario.cancel == "at once":
            self.shop.cancel(order.customer, order_id)
        return order_id

    def _poll_orders(self, placed: Mapping[DemoOrder, "Future[UUID]"]) -> bool:
        """Ask for every order that has not ended; True when all have."""
        for order, future in placed.items():
            if future.done() and self.progress.states.get(order.number) not in ENDED:
                self._update(order, future.result())
        return all(self.progress.states.get(order.number) in ENDED for order in placed)

    def _update(self, order: DemoOrder, order_id: UUID) -> None:
        found = self.shop.order_of(order.customer, order_id)
        if found["state"] == "confirmed" and order.scenario.refund:
            self.shop.refund_part(order_id, order.scenario.refund, "one piece was broken")
        if found["state"] == "confirmed" and order.scenario.cancel == "when confirmed":
            self.shop.cancel(order.customer, order_id)
            return
        self.progress.states[order.number] = found["state"]
        self.progress.reasons[order.number] = found["reason"] or ""

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
