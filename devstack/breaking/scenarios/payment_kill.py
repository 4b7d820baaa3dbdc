"""`payment-kill`: the worker of payments is killed at bad moments."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from uuid import UUID

from devstack.breaking.run import command_of
from devstack.breaking.scenario import FailureScenario
from devstack.chaos.narrative.command import chaos_command_of

WORKER, RELAY = "payments-worker", "payments-relay"
SKU = "break-cup"
ORDERS = 6
KILLS = 3
SLOW = "pm_sim_delay_4000"
"""The card processor charges this card at once, and answers four seconds later."""


class PaymentKill(FailureScenario):
    name = "payment-kill"
    about = (
        "Charging a card is the one step that no database can take back: the money moves at the card processor, and "
        "only afterwards can the service record that it did. A process that dies between the two has charged a "
        "customer and knows nothing of it. So each charge has an idempotency key that follows from the order: the "
        "retry, by the restarted process, asks with the same key and gets the first charge. Here the worker of "
        "payments is killed (SIGKILL) exactly there, and then again wherever it happens to be, with its relay."
    )
    does = f"{WORKER} is killed between a charge and its commit, then {KILLS} times more under orders, and {RELAY} too."
    expect = (
        "Every order is confirmed, and the card processor has one charge for each. ann's order may take a minute more: "
        "its message, which killed its worker again and again as far as the broker knows, is parked and retried alone, "
        "and an attempt that dies too is repeated when its claim ends, after 60 s."
    )
    heals = "The supervisor starts what was killed; the broker delivers again what was not acknowledged."
    pages = ("infrastructure", "payments")
    commands = ("status", "logs -f payments-worker payments-relay")
    skus = (SKU,)
    watched = WORKER

    charged_first: UUID | None = None

    def check(self) -> None:
        for name in (WORKER, RELAY):
            self.scene.process(name)

    def prepare(self) -> None:
        self.scene.stock(SKU, 1 + ORDERS)

    def broken(self) -> AbstractContextManager[None]:
        return nullcontext()

    def begin(self) -> str:
        title = "ann, whose card was charged by a worker that did not live to record it"
        self.charged_first = order = self.scene.place(SKU, customer="ann", card=SLOW, title=title)
        self.say("ann orders a cup. The card processor charges her card at once, and answers four seconds later.")
        self.scene.until(lambda: self.scene.charges(order), "the charge of the first order")
        self.kill(WORKER, f"Its ledger has the charge; payments says that the payment is {self.scene.payment(order)}")
        for _ in range(ORDERS):
            self.scene.place(SKU, customer="ben")
        self.say(f"ben orders {ORDERS} cups, one each.")
        for _ in range(KILLS):
            self.scene.until(lambda: self.scene.runs(WORKER), f"{WORKER} to be started again")
            self.kill(WORKER, "It was started again")
        self.kill(RELAY, "Payments' relay publishes what payments has recorded")
        return f"{WORKER} was killed {1 + KILLS} times, and {RELAY} once."

    def kill(self, name: str, when: str) -> None:
        self.say(f"{when}. {name} (pid {self.scene.kill(name)}) is killed with SIGKILL.")

    def verdict(self) -> str:
        wrong = [order for order, state in self.scene.orders.items() if state != "confirmed"]
        twice = [order for order in self.scene.orders if len(self.scene.charges(order)) != 1]
        return f"Not confirmed: {wrong}. Not charged exactly once: {twice}." if wrong or twice else ""

    def findings(self) -> Sequence[str]:
        if self.charged_first is None:
            return ()
        charges = ", ".join(f"{each['id']} ({each['status']})" for each in self.scene.charges(self.charged_first))
        return [f"Charges of ann's order in the card processor's ledger: {charges}."]


on_running_stack = command_of(PaymentKill)
on_own_stack = chaos_command_of(PaymentKill)
