"""`stop-worker`: a worker runs and handles nothing."""

from contextlib import AbstractContextManager

from devstack.breaking.frozen import frozen
from devstack.breaking.run import command_of
from devstack.breaking.scenario import FailureScenario
from devstack.chaos.narrative.command import chaos_command_of

WORKER = "inventory-worker"
SKU = "break-fine"
ORDERS = 3


class StopWorker(FailureScenario):
    name = "stop-worker"
    about = (
        "The services know each other through messages only. While one of them does nothing, its messages wait in "
        "its queue on RabbitMQ, and the others neither fail nor wait: orders are accepted as before. When it "
        "continues, it finds all of them, in order."
    )
    does = "The worker of inventory is stopped (SIGSTOP), as on a machine that hangs."
    expect = (
        "The orders are accepted and stay placed; their messages wait in the queue of inventory_service. Of several "
        "workers (up --workers 2) the others continue with their queues. Soon an alarm names inventory-worker."
    )
    heals = "The worker continues (SIGCONT) and handles the waiting messages in order."
    pages = ("alarms", "infrastructure")
    commands = ("status", "queues show --group inventory_service")
    watched = WORKER
    skus = (SKU,)
    seconds = 15
    brief = 5

    def check(self) -> None:
        self.scene.process(WORKER)

    def prepare(self) -> None:
        self.scene.stock(SKU, ORDERS)

    def broken(self) -> AbstractContextManager[None]:
        return frozen(self.scene.identity(WORKER), self.lasts)

    def begin(self) -> str:
        for number in range(ORDERS):
            self.scene.place(SKU, title="alice, who ordered first" if number == 0 else "")
        return f"Placed {ORDERS} orders while {WORKER} is stopped."


on_running_stack = command_of(StopWorker)
on_own_stack = chaos_command_of(StopWorker)
