"""Load: customers and operators who send a seeded mix of commands at a rate, recorded in a history."""

import threading
import time
from collections import deque
from dataclasses import dataclass
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
OWN_PRICE = 300
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
            ...                 # faults
            verdicts = conclude(stage, history, load)

    A thread has one command under way at a time: while nobody answers, fewer commands are sent.
    """

    def __init__(self, stage: Stage, history: History, *, rate: float, seed: int, threads: int = 4) -> None:
        self.operations: list[Operation] = []
        self.failures: list[str] = []
        """What a thread met that no client expects, with the number of the thread."""
        self._stage = stage
        self._history = history
        self._interval = threads / rate
        self._name = f"load-{seed}-{token_hex(3)}"
        self._stop = threading.Event()
        self._shoppers = [Shopper(seed, number, self._name, self.operations) for number in range(threads)]
        self._threads = [
            threading.Thread(target=self._run, args=(shopper,), name=f"load-{shopper.number}", daemon=True)
            for shopper in self._shoppers
        ]

    def open(self) -> None:
        """List and stock the products. Raises RuntimeError when the stack refuses."""
        client = RecordedClient.of(self._stage, self._history)
        stocked = {sku: FEW if sku == SCARCE else PLENTY for sku in PRICES} | dict.fromkeys(self._own, PLENTY)
        done = [client.price(sku, price) for sku, price in (PRICES | dict.fromkeys(self._own, OWN_PRICE)).items()]
        done += [client.receive(sku, number, f"{self._name}-{sku}") for sku, number in stocked.items()]
        self.operations += done
        for operation in done:
            if operation.outcome != "ok":
                raise RuntimeError(f"The load cannot begin: {operation.kind}: {operation.error}")

    @property
    def _own(self) -> list[str]:
        return [shopper.own for shopper in self._shoppers]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """No new commands; those under way end, without further attempts."""
        self._stop.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def _run(self, shopper: "Shopper") -> None:
        client = RecordedClient.of(self._stage, self._history, self._stop)
        due = time.monotonic() + self._interval * shopper.number / len(self._shoppers)
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            due = max(due + self._interval, time.monotonic() - 1)
            try:
                shopper.step(client)
            except Exception as error:  # noqa: BLE001 - an answer of no known form; the verdict on the load names it
                self.failures.append(f"{shopper.number}: {error!r}")

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
    """What one thread of a load does, step by step; `operations` gets what it has done."""

    def __init__(self, seed: int, number: int, name: str, operations: list[Operation]) -> None:
        """`name` is the prefix of its idempotency keys."""
        self.number = number
        self.own = f"chaos-own-{number}"
        """The SKU of a product that this thread alone lists and retires."""
        self._name = name
        self._operations = operations
        self._chance = Random(f"{seed}-{number}")
        self._orders: deque[Operation] = deque(maxlen=REMEMBERED)
        self._sent = 0
        self._retired = False

    def step(self, client: RecordedClient) -> None:
        """One order and what follows. All choices are made first: they do not depend on what is answered."""
        wish = Wish.of(self._chance)
        basket = [(self.own, 1)] if "own" in wish.follow else wish.basket
        contact = CONTACT if "contact" in wish.follow else None
        order = self._note(client.place(wish.customer, basket, wish.card, contact, self._key()))
        if order.outcome == "ok":
            self._follow_up(client, order, wish)
        earlier = self._orders[int(wish.pick * len(self._orders))] if self._orders else None
        if earlier and "cancel_later" in wish.follow:
            self._note(client.cancel(earlier.request["caller"], earlier.answer["order_id"], self._key()))
        if earlier and "refund_part" in wish.follow:
            self._note(client.refund_part(earlier.answer["order_id"], 50 + int(wish.pick * 200), self._key()))
        if order.outcome == "ok":
            self._orders.append(order)
        self._keep_shop(client, wish)

    def _follow_up(self, client: RecordedClient, order: Operation, wish: "Wish") -> None:
        """The request once more, as after a double click; another one under its key; a cancellation."""
        asked = order.request
        lines = [(line["sku"], line["quantity"]) for line in asked["body"]["lines"]]
        rest = asked["body"]["card"], asked["body"]["contact"], order.subject
        if "repeat" in wish.follow:
            self._note(client.place(asked["caller"], lines, *rest))
        if "other_body" in wish.follow:
            self._note(client.place(asked["caller"], [(sku, quantity + 1) for sku, quantity in lines], *rest))
        if "cancel_at_once" in wish.follow:
            self._note(client.cancel(asked["caller"], order.answer["order_id"], self._key()))

    def _keep_shop(self, client: RecordedClient, wish: "Wish") -> None:
        """What operators do: receive and correct stock, retire a product and list it again."""
        if "receive" in wish.follow:
            self._note(client.receive(wish.sku, FEW if wish.sku == SCARCE else 20, self._key()))
        if "correct" in wish.follow:
            self._note(client.correct(wish.sku, wish.correction, self._key()))
        if "retire" in wish.follow:
            self._retired = not self._retired
            self._note(client.retire(self.own) if self._retired else client.price(self.own, OWN_PRICE))

    def _key(self) -> str:
        self._sent += 1
        return f"{self._name}-{self.number}-{self._sent}"

    def _note(self, operation: Operation) -> Operation:
        self._operations.append(operation)
        return operation


@dataclass(frozen=True)
class Wish:
    """The choices of one step; `follow` has keys of SHARES, and `pick`, from 0 to 1, chooses an earlier order."""

    customer: str
    card: str
    basket: list[tuple[str, int]]
    follow: frozenset[str]
    pick: float
    sku: str
    correction: int

    @classmethod
    def of(cls, chance: Random) -> "Wish":
        follow = frozenset(name for name, share in SHARES.items() if chance.random() < share)
        basket = chance.choice(BASKETS)
        return cls(
            chance.choice(CUSTOMERS),
            chance.choice(CARDS),
            [(SCARCE, 1), *basket] if "scarce" in follow else list(basket),
            follow,
            chance.random(),
            chance.choice(list(PRICES)),
            chance.choice((-3, -2, -1, 1, 2, 3)),
        )
