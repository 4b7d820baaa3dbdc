"""Scene: the running stack as a scenario sees it, and the orders that the scenario has placed."""

import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from uuid import UUID

import requests

from devstack.application import StackApplication
from devstack.children import Identity
from devstack.demo.customers import token
from devstack.demo.shop import Addresses, ServiceRefused, Shop
from devstack.environment import Environments, simulator_key
from devstack.external_servers import ExternalServers
from devstack.processes import PROCESSES
from devstack.records import Record, Records
from devstack.state import State
from ordersaga.cli.errors import CannotRunHere, Failed, full_command

CUSTOMER = "alice"
CARD = "pm_card_visa"
UNIT_PRICE = 990
ENDED = ("confirmed", "cancelled")
THREADS = 16


class Scene:
    """The running stack of a state directory. Raises Failed when none runs; its servers may be the user's own."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.records = Records(state)
        if self.records.supervisor() is None:
            raise Failed(f"No stack is running in {state.directory}. Start one with {full_command('up')}.")
        self.external: ExternalServers = self.records.external_servers()
        self.environments = Environments(state, self.external, os.environ)
        self.application = StackApplication(state)
        self.shop = self.make_shop()
        self.orders: dict[UUID, str] = {}
        """Order -> its state when it was last asked for."""
        self.reasons: Counter[str] = Counter()

    def make_shop(self) -> Shop:
        """For one thread."""
        addresses = Addresses(*map(self.url, ("orders-api", "payments-api", "inventory-api", "simulator")))
        return Shop(addresses, partial(token, self.state), simulator_key(self.state))

    def url(self, process: str) -> str:
        return self.environments.url(next(each for each in PROCESSES if each.name == process))

    def page(self, path: str) -> str:
        """The address of a page of the dashboard."""
        return f"{self.url('projections-api')}/dashboard/{path}"

    def process(self, name: str) -> Record:
        """A process that this stack has started. Raises CannotRunHere."""
        record = self.records.find(name)
        if record is None or not record.identity.is_running():
            raise CannotRunHere(f"{name} is no process that this stack has started, or it does not run.")
        return record

    def identity(self, name: str) -> Identity:
        return self.process(name).identity

    def said_by(self, process: str) -> str:
        """What is not ready in a process, from its /readyz, or that it does not answer; empty when it is ready."""
        try:
            answer = requests.get(f"{self.url(process)}/readyz", timeout=0.5, proxies={"http": ""})
            found = answer.json()
        except (OSError, ValueError):
            return f"{process} does not answer."
        lacks = [text.partition(": ")[0] for text in (*found["problems"], *found.get("warnings", []))]
        return f"{process}: {'; '.join(lacks)}." if lacks else ""

    def stock(self, sku: str, available: int) -> None:
        """A product with at least so many pieces available."""
        self.shop.price(sku, sku, UNIT_PRICE)
        if (missing := available - self.available(sku)) > 0:
            self.shop.receive(sku, missing)

    def available(self, sku: str) -> int:
        """Pieces of a product that may be sold; 0 of one that nobody knows."""
        return self.shop.available(sku)

    def place(self, sku: str) -> UUID:
        order = self.shop.order(CUSTOMER, [(sku, 1)], CARD)
        self.orders[order] = "placed"
        return order

    def place_many(self, sku: str, number: int) -> int:
        """So many orders of one piece each, some at a time. Returns how many were refused."""

        def buy(_: int) -> UUID | None:
            try:
                return self.make_shop().order(CUSTOMER, [(sku, 1)], CARD)
            except ServiceRefused:
                return None

        with ThreadPoolExecutor(THREADS) as buyers:
            placed = [order for order in buyers.map(buy, range(number)) if order]
        self.orders |= dict.fromkeys(placed, "placed")
        return number - len(placed)

    def ask(self) -> Counter[str]:
        """How many orders are in each state now."""
        for order, state in self.orders.items():
            if state not in ENDED:
                found = self.shop.order_of(CUSTOMER, order)
                self.orders[order] = found["state"]
                if found["state"] == "cancelled":
                    self.reasons[found["reason"]] += 1
        return Counter(self.orders.values())

    def have_ended(self) -> bool:
        return all(state in ENDED for state in self.orders.values())
