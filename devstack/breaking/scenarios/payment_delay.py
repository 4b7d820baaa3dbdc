"""`payment-delay`: a card is charged after its order has been given up."""

from contextlib import AbstractContextManager, nullcontext
from uuid import UUID

import psutil

from devstack.breaking.run import command_of
from devstack.breaking.scenario import FailureScenario
from devstack.chaos.narrative.command import chaos_command_of

API, WORKER = "orders-api", "payments-worker"
SKU = "break-pot"
LONGEST = 30
"""Seconds of a deadline that somebody waits for; where it is longer, the customer gives up instead."""
SLOW, MS = "pm_sim_delay_", 4000


class PaymentDelay(FailureScenario):
    name = "payment-delay"
    about = (
        "Nobody waits for ever: an order that has not ended by its deadline is cancelled, and its pieces are for "
        "sale again. But a charge may be under way meanwhile, and it cannot be called back: the card processor has "
        "taken the money, and only its answer is late. When it comes, the order is gone. Payments records the "
        "charge, finds the cancellation waiting behind it, and gives the money back."
    )
    does = f"A card processor charges a card at once, and answers {MS // 1000} s later."
    expect = "The order is cancelled first. Then the answer comes: the charge is recorded, and refunded whole."
    heals = "It is over when the money is back."
    pages = ("orders", "payments")
    commands = ("audit trail --since 2m --actor ann", "logs -f payments-worker")
    skus = (SKU,)
    settings = {"ORDER_DEADLINE_SECONDS": "2", "STRIPE_TIMEOUT_SECONDS": "20"}

    order: UUID | None = None

    def prepare(self) -> None:
        self.scene.stock(SKU, 5)

    def broken(self) -> AbstractContextManager[None]:
        return nullcontext()

    def begin(self) -> str:
        title = "ann, who was charged after her order had been given up"
        self.order = self.scene.place(SKU, 1, customer="ann", card=f"{SLOW}{MS}", title=title)
        deadline = float(psutil.Process(self.scene.process(API).pid).environ().get("ORDER_DEADLINE_SECONDS", 900))
        self.say(f"ann orders a pot. Her order must have ended within {deadline:g} s.")
        self.scene.until(lambda: self.scene.charges(self.the_order), "the charge")
        self.say(f"The card processor's ledger has her charge; payments says that the payment is {self.payment()}.")
        if deadline <= LONGEST:
            return "Nobody does anything: the deadline passes, and the answer is still not there."
        self.scene.shop.cancel("ann", self.the_order)
        return f"This stack does not wait {deadline:g} s: ann cancels, which has the same effect on the payment."

    @property
    def the_order(self) -> UUID:
        assert self.order
        return self.order

    def payment(self) -> str:
        return self.scene.payment(self.the_order)

    def seen(self) -> str:
        return f"{super().seen()} The payment is {self.payment()}."

    def is_healed(self) -> bool:
        return super().is_healed() and self.payment() == "refunded"

    def verdict(self) -> str:
        charges = [(charge["amount"], charge["amount_refunded"]) for charge in self.scene.charges(self.the_order)]
        whole = len(charges) == 1 and charges[0][0] == charges[0][1]
        cancelled = self.scene.orders[self.the_order] == "cancelled"
        return "" if whole and cancelled else f"Charged and refunded, in minor units: {charges}."


on_running_stack = command_of(PaymentDelay)
on_own_stack = chaos_command_of(PaymentDelay)
