"""`oversell`: 200 buyers order the last 10 pieces at once."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from uuid import UUID

from devstack.breaking.run import command_of
from devstack.breaking.scenario import FailureScenario
from devstack.chaos.narrative.command import chaos_command_of

SKU = "break-last-ten"
PIECES, BUYERS = 10, 200


class Oversell(FailureScenario):
    name = "oversell"
    about = (
        "Two hundred people press `buy` for ten pieces. A shop that asks whether a piece is there and takes it "
        "afterwards sells some of them twice. Here all orders are accepted, because a choreographed saga asks nobody "
        "first; `inventory` then reserves for one order at a time, under the lock of the product, or says that there "
        "is nothing left, and `orders` cancels. No card is charged before its piece is reserved."
    )
    does = f"{BUYERS} buyers order the last {PIECES} pieces of a product at the same time."
    expect = (
        f"{PIECES} orders are confirmed, all others cancelled with `out_of_stock`, and no piece is left. No "
        "cancelled order is charged."
    )
    heals = "There is no cause to remove: it is over when every order has ended."
    pages = (f"stock/{SKU}", "orders")
    commands = ("audit trail --since 2m --actor alice",)
    skus = (SKU,)

    stock = PIECES
    refused = 0

    def prepare(self) -> None:
        self.scene.stock(SKU, PIECES)
        self.stock = self.scene.available(SKU)

    def broken(self) -> AbstractContextManager[None]:
        return nullcontext()

    def begin(self) -> str:
        self.refused = self.scene.place_many(SKU, BUYERS)
        shed = f"; {self.refused} were shed, because of overload" if self.refused else ""
        return f"{BUYERS - self.refused} orders for {self.stock} pieces are placed{shed}."

    def titles(self) -> Mapping[UUID, str]:
        """One that got a piece, and one that did not."""
        titles = {"confirmed": "somebody who got a piece", "cancelled": "somebody who came too late"}
        first = {state: order for order, state in reversed(self.scene.orders.items())}
        return {first[state]: title for state, title in titles.items() if state in first}

    def verdict(self) -> str:
        sold = sum(state == "confirmed" for state in self.scene.orders.values())
        left = self.scene.available(SKU)
        wrong = sold != self.stock or left
        return f"{sold} orders of {self.stock} pieces are confirmed, and {left} are left." if wrong else ""


on_running_stack = command_of(Oversell)
on_own_stack = chaos_command_of(Oversell)
