"""`break slow-card`: the card processor does not answer."""

from contextlib import AbstractContextManager

import psutil

from devstack.breaking.frozen import frozen
from devstack.breaking.run import command_of
from devstack.breaking.scenario import BreakScenario
from ordersaga.cli.errors import CannotRunHere

SIMULATOR, WORKER = "simulator", "payments-worker"
SKU = "break-fine"
ORDERS = 8
"""More than the failed calls in a row that open the circuit breaker."""


class SlowCard(BreakScenario):
    does = "The card processor's simulator is stopped (SIGSTOP): it accepts connections and answers no call."
    expect = (
        "The orders stay placed with their stock reserved. After about three times STRIPE_TIMEOUT_SECONDS (5) the "
        "circuit breaker of `charge` opens, and the messages are parked without calls; an alarm is raised."
    )
    heals = "The simulator answers again; the call that is tried every five seconds closes the circuit breaker."
    pages = ("alarms", "parked")
    commands = ("parked list", "logs -f payments-worker --level warning")
    watched = WORKER
    seconds = 30

    def check(self) -> None:
        self.scene.process(SIMULATOR)
        calls = psutil.Process(self.scene.process(WORKER).pid).environ().get("STRIPE_API_BASE", "")
        if calls != self.scene.url(SIMULATOR):
            raise CannotRunHere(f"Cards are charged at {calls}, not at the simulator, which alone can be stopped.")

    def broken(self) -> AbstractContextManager[None]:
        self.scene.stock(SKU, ORDERS)
        return frozen(self.scene.identity(SIMULATOR), self.lasts)

    def begin(self) -> str:
        for _ in range(ORDERS):
            self.scene.place(SKU)
        return f"Placed {ORDERS} orders while the simulator is stopped."


command = command_of(SlowCard)
