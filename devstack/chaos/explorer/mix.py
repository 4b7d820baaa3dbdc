"""Mix: the orders of one entry, one for each way in which a saga goes, all at the same time."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from uuid import UUID

from devstack.chaos.client import RecordedClient
from devstack.chaos.explorer.stage import CUP, REFUSED, TEA, ExplorerStage
from devstack.chaos.history import Operation, placed
from devstack.demo.shop import ServiceRefused

CUSTOMER = "explorer-ann"
SLOW = "pm_sim_delay_800"
"""Charged at once and answered late: the order can be cancelled, or its deadline pass, meanwhile."""
CONFIRMED_SECONDS = 30
LONGEST_REFUSAL = 40
PARKED_SECONDS = 20
POLL_SECONDS = 0.1
PARKED = "select message_id from parked_messages where key = %s order by position"
PASS = "update deadlines set due_at = now() where aggregate_id = %s"


class Mix:
    """`begin` it, `wait` for its end; then `orders` has the ids of those that were placed."""

    def __init__(self, explorer: ExplorerStage, number: int = 0) -> None:
        """`number` is of the mix among those that are under way together."""
        self._explorer = explorer
        self._refused = REFUSED[number]
        self.refused_order = ""
        """The id of the order whose reservation is refused, once it is placed."""
        self.may_accept = threading.Event()
        """Set when the reservation need be refused no longer, once its message is parked."""
        self.operations: list[Operation] = []
        scenarios: tuple[Callable[[RecordedClient], None], ...] = (
            self.paid,
            self.declined,
            self.out_of_stock,
            self.cancelled_at_once,
            self.timed_out,
            self.refunded_in_part,
            self.cancelled_later,
            self.parked,
            self.restocked,
        )
        self._scenarios = scenarios
        self._threads = ThreadPoolExecutor(len(scenarios), "mix")
        self._running: list[Future[None]] = []

    def begin(self) -> None:
        self._running = [self._threads.submit(each, self._client()) for each in self._scenarios]

    def wait(self) -> None:
        """Raises what a scenario raised."""
        self._threads.shutdown()
        for each in self._running:
            each.result()

    @property
    def orders(self) -> list[str]:
        return placed(self.operations)

    def order_until(self, enough: Callable[[], bool], seconds: float) -> None:
        """Place ordinary orders, one after the other, beside all else. Raises TimeoutError."""
        client, end = self._client(), time.monotonic() + seconds
        while not enough():
            if time.monotonic() > end:
                raise TimeoutError(f"orders had no effect within {seconds:.0f} s")
            self.paid(client)
            time.sleep(POLL_SECONDS)

    def resolve(self) -> None:
        """Ask again for what had no answer: is it done after all?"""
        client = self._client()
        for operation in self.operations:
            if operation.outcome == "indeterminate":
                client.ask_again(operation)

    def _client(self) -> RecordedClient:
        return RecordedClient.of(self._explorer.stage, self._explorer.history)

    def _place(self, client: RecordedClient, *lines: tuple[str, int], card: str = "pm_card_visa") -> str:
        """The id of the order; empty without an answer."""
        operation = client.place(CUSTOMER, lines, card)
        self.operations.append(operation)
        return str(operation.answer.get("order_id", ""))

    def paid(self, client: RecordedClient) -> None:
        self._place(client, (TEA, 1), (CUP, 2))

    def declined(self, client: RecordedClient) -> None:
        self._place(client, (CUP, 1), card="pm_card_chargeDeclined")

    def out_of_stock(self, client: RecordedClient) -> None:
        self._place(client, (TEA, 1), (CUP, 9_999))

    def cancelled_at_once(self, client: RecordedClient) -> None:
        if order := self._place(client, (TEA, 2), card=SLOW):
            self.operations.append(client.cancel(CUSTOMER, order))

    def timed_out(self, client: RecordedClient) -> None:
        if order := self._place(client, (TEA, 1), card=SLOW):
            self._explorer.execute("order_service", PASS, order)

    def refunded_in_part(self, client: RecordedClient) -> None:
        if (order := self._place(client, (CUP, 3))) and self._await_confirmed(order):
            self.operations.append(client.refund_part(order, 100))

    def cancelled_later(self, client: RecordedClient) -> None:
        if (order := self._place(client, (TEA, 1))) and self._await_confirmed(order):
            self.operations.append(client.cancel(CUSTOMER, order))

    def parked(self, client: RecordedClient) -> None:
        """Refused for as long as it takes to be parked, however slow the machine is."""
        self._explorer.refuse(self._refused, LONGEST_REFUSAL)
        try:
            self.refused_order = self._place(client, (self._refused, 1))
            self._await_parked()
            self.may_accept.wait(LONGEST_REFUSAL)
        finally:
            self._explorer.refuse(self._refused, 0)

    def _await_parked(self) -> None:
        end = time.monotonic() + PARKED_SECONDS
        while self.refused_order and not self.parked_messages() and time.monotonic() < end:
            time.sleep(POLL_SECONDS)

    def parked_messages(self) -> list[str]:
        """The ids of the messages of the refused order that are parked in inventory now."""
        rows = self._explorer.execute("inventory_service", PARKED, self.refused_order)
        return [str(id_) for (id_,) in rows]

    def restocked(self, client: RecordedClient) -> None:
        self.operations.append(client.receive(TEA, 3))

    def _await_confirmed(self, order: str) -> bool:
        """False when it does not end in time, or otherwise: the stack may be the worse for its failpoint."""
        shop, end = self._explorer.stage.scene.make_shop(), time.monotonic() + CONFIRMED_SECONDS
        while time.monotonic() < end:
            try:
                state = shop.order_of(CUSTOMER, UUID(order))["state"]
            except (ServiceRefused, OSError):
                state = "placed"
            if state != "placed":
                return bool(state == "confirmed")
            time.sleep(POLL_SECONDS)
        return False
