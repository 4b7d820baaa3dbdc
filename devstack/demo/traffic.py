"""A steady load of ordinary orders, some of which are declined or cancelled, for watching the stack at work."""

import random
import threading
import time
from collections.abc import Callable

from devstack.demo.scenarios import BASKETS, CONTACTS, CUSTOMERS, PLENTY, PRODUCTS
from devstack.demo.shop import ServiceRefused, Shop

CARDS = ["pm_card_visa"] * 16 + ["pm_card_chargeDeclined"] * 2 + ["pm_sim_delay_200", "pm_sim_timeout_after_charge"]
CANCELLED = 0.05
"""Share of the orders that their customer cancels at once."""
RESTOCK_EVERY = 100


class Traffic:
    """`rate` orders a second from a few threads, until stopped; refused orders are counted."""

    def __init__(self, make_shop: Callable[[], Shop], rate: float, threads: int = 4) -> None:
        self.placed = 0
        self.failed = 0
        self._make_shop = make_shop
        self._interval = threads / rate
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(n,), daemon=True) for n in range(threads)]

    def start(self) -> None:
        shop = self._make_shop()
        for sku, (name, unit_price) in PRODUCTS.items():
            shop.price(sku, name, unit_price)
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, number: int) -> None:
        shop, chance = self._make_shop(), random.Random(number)
        due = time.monotonic() + self._interval * number / len(self._threads)
        rounds = 0
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            due = max(due + self._interval, time.monotonic() - 1)
            try:
                if number == 0 and rounds % RESTOCK_EVERY == 0:
                    self._restock(shop)
                self._order(shop, chance)
                self.placed += 1
            except (ServiceRefused, OSError):
                self.failed += 1
            rounds += 1

    def _restock(self, shop: Shop) -> None:
        for sku in PRODUCTS:
            shop.receive(sku, PLENTY)

    def _order(self, shop: Shop, chance: random.Random) -> None:
        customer = chance.choice(CUSTOMERS)
        order_id = shop.order(customer, chance.choice(BASKETS), chance.choice(CARDS), CONTACTS.get(customer))
        if chance.random() < CANCELLED:
            shop.cancel(customer, order_id)
