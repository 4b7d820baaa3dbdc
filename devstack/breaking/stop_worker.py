"""`break stop-worker`: a worker runs and handles nothing."""

from contextlib import AbstractContextManager

from devstack.breaking.frozen import frozen
from devstack.breaking.run import command_of
from devstack.breaking.scenario import BreakScenario

WORKER = "inventory-worker"
SKU = "break-fine"
ORDERS = 3


class StopWorker(BreakScenario):
    does = "The worker of inventory is stopped (SIGSTOP), as on a machine that hangs."
    expect = (
        "The orders are accepted and stay placed; their messages wait in the queue of inventory_service. Of several "
        "workers (up --workers 2) the others continue with their queues. Soon an alarm names inventory-worker."
    )
    heals = "The worker continues (SIGCONT) and handles the waiting messages in order."
    pages = ("alarms", "infrastructure")
    commands = ("status", "queues show --group inventory_service")
    watched = WORKER
    seconds = 15

    def check(self) -> None:
        self.scene.process(WORKER)

    def broken(self) -> AbstractContextManager[None]:
        self.scene.stock(SKU, ORDERS)
        return frozen(self.scene.identity(WORKER), self.lasts)

    def begin(self) -> str:
        for _ in range(ORDERS):
            self.scene.place(SKU)
        return f"Placed {ORDERS} orders while {WORKER} is stopped."


command = command_of(StopWorker)
