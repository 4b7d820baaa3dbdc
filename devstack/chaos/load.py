"""Load: customers and operators who send a seeded mix of commands at a rate, recorded in a history."""

import threading
import time
from collections import deque
from random import Random
from secrets import token_hex

from devstack.chaos.client import RecordedClient
from devstack.chaos.history import History, Operation
from devstack.chaos.stage import Stage
from devstack.demo.scenarios import CONTACTS

CUSTOMERS = ("chaos-ann", "chaos-ben", "chaos-cleo", "chaos-dan")
CONTACT = CONTACTS["alice"]
PRICES = {"chaos-tea": 890, "chaos-cup": 1200, "chaos-pot": 6900, "chaos-lamp": 4990}
"""SKU -> unit price in euro cents."""
SCARCE = "chaos-lamp"
PLENTY, FEW = 1000, 3
BASKETS = (
    [("chaos-tea", 1)],
    [("chaos-tea", 2), ("chaos-cup", 1)],
    [("chaos-cup", 2), ("chaos-pot", 1)],
    [("chaos-pot", 1)],
)
CARDS = (
    *["pm_card_visa"] * 12,
    "pm_card_chargeDeclined",
    "pm_card_chargeDeclined",
    "pm_card_chargeDeclinedInsufficientFunds",
    "pm_sim_delay_300",
    "pm_sim_timeout_after_charge",
    "pm_sim_charged_500",
    "pm_sim_error_500_2",
)
SHARES = {
    "scarce": 0.10,
    "own": 0.06,
    "contact": 0.25,
    "cancel_at_once": 0.06,
    "cancel_later": 0.06,
    "refund_part": 0.08,
    "receive": 0.05,
    "correct": 0.05,
    "repeat": 0.05,
    "other_body": 0.03,
    "retire": 0.03,
}
"""Of the orders: how many are of this kind, or are followed by this."""
REMEMBERED = 50
"""Acknowledged orders of which a thread may cancel or refund one later."""


class Load:
    """`rate` orders a second from a few threads, until stopped; the same seed makes the same choices.

        with History(path) as history:
            load = Load(stage, history, rate=10, seed=1)
            load.open()
            load.start()
            ...                 # faults, healing
            load.stop()
            load.resolve()

    A thread has one command under way at a time: while nobody answers, fewer commands are sent.
    """

    def __init__(self, stage: Stage, history: History, *, rate: float, seed: int, threads: int = 4) -> None:
        self.operations: list[Operation] = []
        self._stage = stage
        self._history = history
        self._interval = threads / rate
        self._seed = seed
        self._name = f"load-{seed}-{token_hex(3)}"
        self._stop = threading.Event()
        self._shoppers = [Shopper(self, number) for number in range(threads)]
        self._threads = [
            threading.Thread(target=shopper.run, name=f"load-{shopper.number}", daemon=True)
            for shopper in self._shoppers
        ]

    def open(self) -> None:
        """List and stock the products. Raises RuntimeError when the stack refuses."""
        client = RecordedClient.of(self._stage, self._history)
        done = [client.price(sku, price) for sku, price in PRICES.items()]
        done += [client.receive(sku, FEW if sku == SCARCE else PLENTY, f"{self._name}-{sku}") for sku in PRICES]
        for shopper in self._shoppers:
            done += [client.price(shopper.own, 300), client.receive(shopper.own, PLENTY, f"{self._name}-{shopper.own}")]
        self.operations += done
        for operation in done:
            if operation.outcome != "ok":
                raise RuntimeError(f"The load cannot begin: {operation.kind}: {operation.error}")

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """No new commands; those under way end, without further attempts."""
        self._stop.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def resolve(self, limit: float = 60) -> list[Operation]:
        """Ask again for each indeterminate operation, for at most `limit` seconds. Returns those that remain so.

        Call it when everything has healed and what was under way has ended.
        """
        client = RecordedClient.of(self._stage, self._history)
        end = time.monotonic() + limit
        while (left := self.indeterminate()) and time.monotonic() < end:
            for operation in left:
                client.ask_again(operation)
        return left

    def indeterminate(self) -> list[Operation]:
        return [operation for operation in self.operations if operation.outcome == "indeterminate"]


class Shopper:
    """One thread of a load."""

    def __init__(self, load: Load, number: int) -> None:
        self.number = number
        self.own = f"chaos-own-{number}"
        """The SKU of a product that this thread alone lists and retires."""
        self._load = load
        self._chance = Random(f"{load._seed}-{number}")
        self._orders: deque[Operation] = deque(maxlen=REMEMBERED)
        self._sent = 0
        self._retired = False

    def run(self) -> None:
        load = self._load
        client = RecordedClient.of(load._stage, load._history, load._stop)
        due = time.monotonic() + load._interval * self.number / len(load._shoppers)
        while not load._stop.wait(max(0.0, due - time.monotonic())):
            due = max(due + load._interval, time.monotonic() - 1)
            self._step(client)

    def _step(self, client: RecordedClient) -> None:
        """One order and what follows. All choices are made first: they do not depend on what is answered."""
        chosen = {name: self._chance.random() < share for name, share in SHARES.items()}
        customer, card = self._chance.choice(CUSTOMERS), self._chance.choice(CARDS)
        basket, pick = self._chance.choice(BASKETS), self._chance.random()
        sku, quantity = self._chance.choice(list(PRICES)), self._chance.choice((-3, -2, -1, 1, 2, 3))
        if chosen["scarce"]:
            basket = [(SCARCE, 1), *basket]
        if chosen["own"]:
            basket = [(self.own, 1)]
        contact = CONTACT if chosen["contact"] else None
        order = self._note(client.place(customer, basket, card, contact, self._key()))
        self._repeat(client, order, chosen["repeat"], chosen["other_body"])
        if order.outcome == "ok" and chosen["cancel_at_once"]:
            self._note(client.cancel(customer, order.answer["order_id"], self._key()))
        earlier = self._orders[int(pick * len(self._orders))] if self._orders else None
        if earlier and chosen["cancel_later"]:
            self._note(client.cancel(earlier.request["caller"], earlier.answer["order_id"], self._key()))
        if earlier and chosen["refund_part"]:
            self._note(client.refund_part(earlier.answer["order_id"], 50 + int(pick * 200), self._key()))
        if order.outcome == "ok":
            self._orders.append(order)
        if chosen["receive"]:
            self._note(client.receive(sku, FEW if sku == SCARCE else 20, self._key()))
        if chosen["correct"]:
            self._note(client.correct(sku, quantity, self._key()))
        if chosen["retire"]:
            self._retired = not self._retired
            self._note(client.retire(self.own) if self._retired else client.price(self.own, 300))

    def _repeat(self, client: RecordedClient, order: Operation, same: bool, other: bool) -> None:
        """The request once more, as a customer sends it who presses twice; and another one under its key."""
        if order.outcome != "ok":
            return
        asked = order.request
        lines = [(line["sku"], line["quantity"]) for line in asked["body"]["lines"]]
        arguments = asked["caller"], lines, asked["body"]["card"], asked["body"]["contact"], order.subject
        if same:
            self._note(client.place(*arguments))
        if other:
            more = [(sku, quantity + 1) for sku, quantity in lines]
            self._note(client.place(arguments[0], more, *arguments[2:]))

    def _key(self) -> str:
        self._sent += 1
        return f"{self._load._name}-{self.number}-{self._sent}"

    def _note(self, operation: Operation) -> Operation:
        self._load.operations.append(operation)
        return operation
