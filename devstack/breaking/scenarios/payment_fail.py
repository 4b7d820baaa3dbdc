"""`payment-fail`: cards are declined."""

from contextlib import AbstractContextManager, nullcontext

from devstack.breaking.run import command_of
from devstack.breaking.scenario import FailureScenario
from devstack.chaos.narrative.command import chaos_command_of

SKU = "break-lamp"
PIECES = 10


class PaymentFail(FailureScenario):
    name = "payment-fail"
    about = (
        "An order needs three services: `orders` keeps it, `inventory` reserves its pieces, `payments` charges the "
        "card. Each has a database of its own, and no transaction spans two of them. So an order is a saga: each "
        "service takes its step in its own transaction, and announces it as a message to which the next one reacts. "
        "Nobody coordinates them. When a step fails, there is nothing to roll back any more: what the others have "
        "committed, each undoes by a further step. That is called compensation. Here a bank declines two of three "
        "cards, after the pieces were reserved."
    )
    does = "Three customers order a lamp; the bank declines the cards of two of them."
    expect = (
        "One order is confirmed. The two others are cancelled with `payment_declined`, their pieces are for sale "
        "again, and nothing is charged."
    )
    heals = "There is no cause to remove: it is over when every order has ended."
    pages = ("orders", f"stock/{SKU}")
    commands = ("audit trail --since 2m --actor ben",)
    skus = (SKU,)

    def prepare(self) -> None:
        self.scene.stock(SKU, PIECES)

    def broken(self) -> AbstractContextManager[None]:
        return nullcontext()

    def begin(self) -> str:
        place = self.scene.place
        place(SKU, 1, customer="ann", card="pm_card_visa", title="ann, whose card is good")
        place(SKU, 2, customer="ben", card="pm_card_chargeDeclined", title="ben, whose card the bank declines")
        place(SKU, 3, customer="cleo", card="pm_card_chargeDeclinedInsufficientFunds")
        return "ann orders 1 lamp with a good card; ben orders 2 and cleo 3, with cards that their banks decline."

    def verdict(self) -> str:
        states = sorted(self.scene.orders.values())
        return "" if states == ["cancelled", "cancelled", "confirmed"] else f"The orders are {', '.join(states)}."


on_running_stack = command_of(PaymentFail)
on_own_stack = chaos_command_of(PaymentFail)
