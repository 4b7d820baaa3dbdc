"""Scene: the running stack as a scenario sees it, and the orders that the scenario has placed."""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from uuid import UUID, uuid4

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
from devstack.status import all_statuses
from devstack.waiting import until
from ordersaga.cli.errors import CannotRunHere, Failed, full_command

CUSTOMER = "alice"
CARD = "pm_card_visa"
UNIT_PRICE = 990
ENDED = ("confirmed", "cancelled")
THREADS = 16
WAIT_SECONDS = 60

ShopOf = Callable[[Addresses, Callable[[str, str], str], str], Shop]
"""As `Shop` is made: from the addresses, what makes tokens, and the key of the simulator."""


class Scene:
    """The running stack of a state directory. Raises Failed when none runs; its servers may be the user's own."""

    def __init__(self, state: State, shop_of: ShopOf = Shop) -> None:
        """`shop_of` makes the clients that place the orders."""
        self.state = state
        self._shop_of = shop_of
        self.records = Records(state)
        if self.records.supervisor() is None:
            raise Failed(f"No stack is running in {state.directory}. Start one with {full_command('up')}.")
        self.external: ExternalServers = self.records.external_servers()
        self.environments = Environments(state, self.external, os.environ)
        self.application = StackApplication(state)
        self.shop = self.make_shop()
        self.orders: dict[UUID, str] = {}
        """Order -> its state when it was last asked for."""
        self.customers: dict[UUID, str] = {}
        self.titles: dict[UUID, str] = {}
        """Order -> the title of its narrative, of those that have one."""
        self.reasons: Counter[str] = Counter()

    def make_shop(self) -> Shop:
        """For one thread."""
        addresses = Addresses(*map(self.url, ("orders-api", "payments-api", "inventory-api", "simulator")))
        return self._shop_of(addresses, partial(token, self.state), simulator_key(self.state))

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

    def started_after(self, name: str, lost: Identity) -> Identity:
        """The process that the supervisor starts in place of one that was lost. Raises Failed when it does not."""
        self.until(
            lambda: self.runs_instead(name, lost), f"{name} to be started again; see ./ordersaga logs supervisor"
        )
        return self.process(name).identity

    def runs_instead(self, name: str, lost: Identity) -> bool:
        record = self.records.find(name)
        return record is not None and record.identity != lost and record.identity.is_running()

    def not_ready(self) -> list[str]:
        """The processes and servers of this stack that are not ready."""
        return [line.name for line in all_statuses(self.state, self.records) if not line.ready]

    def runs(self, name: str) -> bool:
        """Whether a process that this stack has started runs, and has nothing to say against it."""
        record = self.records.find(name)
        return record is not None and record.identity.is_running() and not self.said_by(name)

    def kill(self, name: str) -> int:
        """SIGKILL; returns the pid. Raises CannotRunHere."""
        identity = self.identity(name)
        identity.signal(signal.SIGKILL)
        return identity.pid

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Raises Failed when it is not so within WAIT_SECONDS."""
        until(condition, what, WAIT_SECONDS, 0.02)

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

    def payment(self, order: UUID) -> str:
        """The state of the payment of an order, as payments has it."""
        try:
            return str(self.shop.payment_of(order)["state"])
        except ServiceRefused as refused:
            if refused.status == 404:
                return "unknown"
            raise

    def charges(self, order: UUID) -> list[dict[str, Any]]:
        """The charges of an order that the card processor's ledger has."""
        return [charge for charge in self.shop.ledger()["charges"] if charge["order_id"] == str(order)]

    def place(
        self, sku: str, quantity: int = 1, *, customer: str = CUSTOMER, card: str = CARD, title: str = ""
    ) -> UUID:
        """Place an order; returns its id. `title` is that of its narrative, if it has one."""
        order = self.shop.order(customer, [(sku, quantity)], card)
        self.orders[order], self.customers[order] = "placed", customer
        if title:
            self.titles[order] = title
        return order

    def place_until_accepted(self, sku: str, customer: str) -> UUID:
        """Repeat an order under its key until it is accepted. Raises Failed after WAIT_SECONDS."""
        shop, key, end = self.make_shop(), str(uuid4()), time.monotonic() + WAIT_SECONDS
        while time.monotonic() < end:
            try:
                order = shop.order(customer, [(sku, 1)], CARD, key=key)
                self.orders[order], self.customers[order] = "placed", customer
                return order
            except (ServiceRefused, OSError):
                time.sleep(0.5)
        raise Failed(f"An order of {sku} was not accepted within {WAIT_SECONDS} s.")

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
        for order, state in list(self.orders.items()):
            if state not in ENDED:
                found = self.shop.order_of(self.customers.get(order, CUSTOMER), order)
                self.orders[order] = found["state"]
                if found["state"] == "cancelled":
                    self.reasons[found["reason"]] += 1
        return Counter(self.orders.values())

    def have_ended(self) -> bool:
        return all(state in ENDED for state in self.orders.values())
