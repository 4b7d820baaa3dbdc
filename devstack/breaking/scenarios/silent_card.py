"""`silent-card`: the card processor does not answer."""

from contextlib import AbstractContextManager

import psutil

from devstack.breaking.frozen import frozen
from devstack.breaking.run import command_of
from devstack.breaking.scenario import FailureScenario
from devstack.chaos.narrative.command import chaos_command_of
from ordersaga.cli.errors import CannotRunHere

SIMULATOR, WORKER = "simulator", "payments-worker"
SKU = "break-fine"
ORDERS = 8
"""More than the failed calls in a row that open the circuit breaker."""


class SilentCard(FailureScenario):
    name = "silent-card"
    about = (
        "A caller of a service that does not answer waits; if it calls again and again, soon it does nothing else. "
        "So after five failed calls in a row a circuit breaker opens: calls are no longer made, but "
        "for one every five seconds that finds out whether the card processor answers again. Messages that need it "
        "are parked and retried; what needs no card goes on."
    )
    does = "The card processor's simulator is stopped (SIGSTOP): it accepts connections and answers no call."
    expect = (
        "The orders stay placed with their stock reserved. After about three times STRIPE_TIMEOUT_SECONDS (5; 1 on a "
        "stack of `chaos`) the circuit breaker of `charge` opens, and the messages are parked without calls; an alarm "
        "is raised."
    )
    heals = "The simulator answers again; the call that is tried every five seconds closes the circuit breaker."
    pages = ("alarms", "parked")
    commands = ("parked list", "logs -f payments-worker --level warning")
    watched = WORKER
    skus = (SKU,)
    seconds = 30
    brief = 12
    settings = {"STRIPE_TIMEOUT_SECONDS": "1"}

    def check(self) -> None:
        self.scene.process(SIMULATOR)
        calls = psutil.Process(self.scene.process(WORKER).pid).environ().get("STRIPE_API_BASE", "")
        if calls != self.scene.url(SIMULATOR):
            raise CannotRunHere(f"Cards are charged at {calls}, not at the simulator, which alone can be stopped.")

    def prepare(self) -> None:
        self.scene.stock(SKU, ORDERS)

    def broken(self) -> AbstractContextManager[None]:
        return frozen(self.scene.identity(SIMULATOR), self.lasts)

    def begin(self) -> str:
        for number in range(ORDERS):
            self.scene.place(SKU, title="alice, who ordered first" if number == 0 else "")
        return f"Placed {ORDERS} orders while the simulator is stopped."


on_running_stack = command_of(SilentCard)
on_own_stack = chaos_command_of(SilentCard)
