"""A running stack under forgeries, with customers meanwhile: what must be true afterwards, each as a list of faults."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import requests

from devstack.demo.shop import Shop
from ordersaga.envelope.message import message_id
from tests.shop.support.forger import APIS, CLAIMED, Forger, Outcome, marks_of, unnamed
from tests.shop.support.forgeries import SERVICES, Announced, ForgedRow, Forgery, sound_messages
from tests.shop.support.whole_stack import WholeStack
from tests.support.wait import until

SKU = "tea"
CANCELLED = "orders.order_cancelled.v1"
ORDERS = 8


class Attack:
    """The stack after the attack, while it still runs."""

    def __init__(self, stack: WholeStack, shop: Shop) -> None:
        self.stack = stack
        self.shop = shop
        self.forger = Forger(stack)
        self.pids = self.processes()
        self.orders: list[UUID] = []
        self.cancelled: list[UUID] = []
        self.outcomes: list[Outcome] = []

    def processes(self) -> dict[str, int]:
        return {line["name"]: line["pid"] for line in self.stack.status()["processes"]}

    def run(self, forgeries: Sequence[Forgery]) -> None:
        """Customers order before, between and after the forgeries."""
        share = -(-len(forgeries) // ORDERS)
        self.cancelled.append(self.claim_a_cancellation())
        for number in range(ORDERS):
            self.orders.append(self.shop.order("alice", [(SKU, 1)], "pm_card_visa"))
            self.forger.send(forgeries[number * share : (number + 1) * share])
        self.orders.append(self.shop.order("alice", [(SKU, 1)], "pm_card_visa"))
        self.outcomes = self.forger.outcomes()

    def claim_a_cancellation(self) -> UUID:
        """Forge a message under the id that the cancellation of a confirmed order will have; then cancel the order."""
        order = self.shop.order("alice", [(SKU, 1)], "pm_card_visa")
        until(lambda: self.state(order) == "confirmed", seconds=30)
        claimed = message_id(SERVICES[0], order, 3, CANCELLED)
        sound = Announced(SERVICES[0], CANCELLED, str(order), {"order_id": str(order), "reason": "forged"})
        self.forger.send([sound.row("a claimed id without content", message_id=claimed, body="{}")])
        self.forger.send([sound.row("a claimed id without a hash", message_id=claimed, event_hash=b"", body="{}")])
        late = sound.delivery("a claimed id past the relay", ce_id=str(claimed), ce_eventhash="")
        self.forger.send([late])
        self.forger.outcomes(seconds=10)
        self.shop.cancel("alice", order)
        return order

    def state(self, order: UUID) -> str:
        return str(self.shop.order_of("alice", order)["state"])

    def faults(self) -> dict[str, Any]:
        """What is not as it must be, by name of the check."""
        checks = (
            self.unnamed,
            self.believed,
            self.ended_or_not_ready,
            self.orders_not_confirmed,
            self.impossible_stock,
            self.not_listed,
            self.wrong_findings,
            self.audit_findings,
        )
        found = {check.__name__: check() for check in checks}
        return {name: faults for name, faults in found.items() if faults}

    def unnamed(self) -> list[str]:
        return unnamed(self.outcomes)

    def believed(self) -> list[str]:
        """Forgeries in another's name, or with another's contract, that took effect anywhere."""
        return [str(outcome) for outcome in self.outcomes if outcome.received and not is_own(outcome.forgery)]

    def ended_or_not_ready(self) -> list[str]:
        """Processes that ended since the beginning, and what is not ready now."""
        now = self.processes()
        ended = [f"{name} ended" for name, pid in self.pids.items() if now[name] != pid]
        return ended + [line["name"] for line in self.stack.status()["processes"] if not line["ready"]]

    def orders_not_confirmed(self, seconds: float = 30) -> list[UUID]:
        def left() -> list[UUID]:
            return [order for order in self.orders if self.state(order) != "confirmed"]

        try:
            until(lambda: not left(), seconds, every=0.3)
        except AssertionError:
            """The list says which."""
        return left()

    def lost_refunds(self, seconds: float = 30) -> list[UUID]:
        """Cancelled orders whose charge is not refunded."""

        def left() -> list[UUID]:
            charges = self.shop.ledger()["charges"]
            given_back = {charge["order_id"] for charge in charges if charge["amount"] == charge["amount_refunded"]}
            return [order for order in self.cancelled if str(order) not in given_back]

        try:
            until(lambda: not left(), seconds, every=0.3)
        except AssertionError:
            """The list says which."""
        return left()

    def impossible_stock(self) -> list[Any]:
        """Items with less than nothing on hand, or with more available than on hand."""
        token = self.stack.token("operator", "op")
        answer = requests.get(
            f"{self.stack.url('inventory-api')}/stock", headers={"Authorization": f"Bearer {token}"}, timeout=20
        )
        assert answer.ok, answer.text
        return [item for item in answer.json()["stock"] if not 0 <= item["available"] <= item["on_hand"]]

    def not_listed(self) -> dict[str, set[UUID]]:
        """By group, messages that wait for a person and that its API does not list."""
        found = {group: self.forger.waiting(group) - self.forger.listed(group) for group in APIS}
        return {group: ids for group, ids in found.items() if ids}

    def wrong_findings(self) -> list[Any]:
        """What reconcile says of messages that nobody forged, and the waiting ones that it does not name."""
        findings = self.stack.command("reconcile", "--patience", "2")["findings"]
        named = {finding["message_id"] for finding in findings}
        forged = self.forged_ids()
        untrue = [finding for finding in findings if finding["message_id"] not in forged]
        waiting = [row for group in APIS for row in self.forger.read(group, CLAIMED)]
        return untrue + [
            f"{row} is not named" for row in waiting if not named & {str(row["message_id"]), row["claimed"]}
        ]

    def forged_ids(self) -> set[str]:
        """Ids of what waits for a person, of the forgeries, and of what followed from those that took effect."""
        rows = [row for group in APIS for row in self.forger.read(group, CLAIMED)]
        found = {str(id_) for row in rows for id_ in (row["message_id"], row["claimed"])}
        marks = [mark for each in self.forger.forgeries for mark in marks_of(each)]
        query = "select message_id::text from outbox where correlation_id::text = any(%s)"
        found |= {id_ for service in SERVICES for (id_,) in self.stack.rows(service, query, marks)}
        query = "select message_id::text from event_log where correlation_id::text = any(%s)"
        return found | {id_ for (id_,) in self.stack.rows("projections", query, marks)}

    def audit_findings(self) -> list[Any]:
        found: list[Any] = self.stack.command("audit", "verify")["findings"]
        return found

    def answer(self, page: str) -> int:
        """The status of a page of the read side."""
        token = self.stack.token("auditor", "aud")
        url = f"{self.stack.url('projections-api')}/api/{page}"
        return requests.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=30).status_code

    def left_after_decisions(self, seconds: float = 30) -> dict[str, set[UUID]]:
        """What still waits after an operator has skipped the forgeries and retried what was parked beside them."""

        def left() -> dict[str, set[UUID]]:
            waiting = {group: self.forger.waiting(group) for group in APIS}
            return {group: ids for group, ids in waiting.items() if ids}

        def is_clear() -> bool:
            self.forger.decide()
            return not left()

        try:
            until(is_clear, seconds, every=1)
        except AssertionError:
            """The answer says which."""
        return left()


def is_own(forgery: Forgery) -> bool:
    """Whether the forger says it in the name of the service that he has taken over, about its own contract."""
    own = sound_messages(uuid4())[forgery.service].contract.partition(".")[0]
    contract = forgery.columns["contract"] if isinstance(forgery, ForgedRow) else (forgery.headers or {}).get("ce-type")
    return forgery.claimed_source == forgery.service and str(contract).startswith(f"{own}.")


@contextmanager
def attack(stack: WholeStack, forgeries: Sequence[Forgery]) -> Iterator[Attack]:
    """Attack the running stack."""
    shop = stack.shop()
    shop.stock(SKU, "Tea", 350, 1000)
    attack = Attack(stack, shop)
    attack.run(forgeries)
    yield attack
