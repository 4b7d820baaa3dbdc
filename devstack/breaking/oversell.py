"""`break oversell`: 200 buyers order the last 10 pieces at once."""

from contextlib import AbstractContextManager, nullcontext

from devstack.breaking.run import command_of
from devstack.breaking.scenario import BreakScenario

SKU = "break-last-ten"
PIECES, BUYERS = 10, 200


class Oversell(BreakScenario):
    does = f"{BUYERS} buyers order the last {PIECES} pieces of a product at the same time."
    expect = (
        f"{PIECES} orders are confirmed, all others cancelled with `out_of_stock`, and no piece is left. No "
        "cancelled order is charged."
    )
    heals = "There is no cause to remove: it is over when every order has ended."
    pages = (f"stock/{SKU}", "orders")
    commands = ("audit trail --since 2m --actor alice",)
    seconds = 0

    stock = PIECES
    refused = 0

    def broken(self) -> AbstractContextManager[None]:
        self.scene.stock(SKU, PIECES)
        self.stock = self.scene.available(SKU)
        return nullcontext()

    def begin(self) -> str:
        self.refused = self.scene.place_many(SKU, BUYERS)
        shed = f"; {self.refused} were shed, because of overload" if self.refused else ""
        return f"{BUYERS - self.refused} orders for {self.stock} pieces are placed{shed}."

    def verdict(self) -> str:
        sold = sum(state == "confirmed" for state in self.scene.orders.values())
        left = self.scene.available(SKU)
        wrong = sold != self.stock or left
        return f"{sold} orders of {self.stock} pieces are confirmed, and {left} are left." if wrong else ""


command = command_of(Oversell)
