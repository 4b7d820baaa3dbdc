"""`break lose-broker`: RabbitMQ is killed, and stays away for a while."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from devstack.breaking.frozen import frozen
from devstack.breaking.run import command_of
from devstack.breaking.scenario import BreakScenario
from devstack.children import Identity
from devstack.servers.rabbitmq import RabbitMQ
from devstack.status import all_statuses
from ordersaga.cli.errors import CannotRunHere, Failed

BROKER = RabbitMQ.name
SKU = "break-fine"
ORDERS = 5
RESTART_SECONDS = 60


class LoseBroker(BreakScenario):
    does = "RabbitMQ is killed (SIGKILL), and its next start is delayed."
    expect = (
        "Orders are accepted as before: they wait in the outbox with their messages. Relays and workers say that the "
        "broker is away, and try again; no other process fails."
    )
    heals = "RabbitMQ starts with its queues; the relays publish what waits, and everything is ready again."
    pages = ("alarms", "infrastructure")
    commands = ("status", "relay status", "logs -f rabbitmq orders-relay")
    seconds = 10

    def check(self) -> None:
        if self.scene.external.amqp:
            raise CannotRunHere("The broker is your own: `break lose-broker` stops only a private RabbitMQ.")
        if "docker" in psutil.Process(self.scene.process(BROKER).pid).cmdline():
            raise CannotRunHere("RabbitMQ runs in a container: `docker kill` stops it.")

    @contextmanager
    def broken(self) -> Iterator[None]:
        self.scene.stock(SKU, ORDERS)
        lost = self.scene.identity(BROKER)
        lost.signal(signal.SIGKILL)
        # The supervisor starts it again at once: stopped before it listens, it stays away for `lasts` seconds.
        with frozen(self.started_after(lost), self.lasts):
            yield

    def started_after(self, lost: Identity) -> Identity:
        """The broker that the supervisor starts instead. Raises Failed when it does not."""
        end = time.monotonic() + RESTART_SECONDS
        while time.monotonic() < end:
            record = self.scene.records.find(BROKER)
            if record and record.identity != lost and record.identity.is_running():
                return record.identity
            time.sleep(0.02)
        raise Failed(f"RabbitMQ was not started again within {RESTART_SECONDS} s. Look at ./ordersaga logs supervisor.")

    def begin(self) -> str:
        for _ in range(ORDERS):
            self.scene.place(SKU)
        return f"Placed {ORDERS} orders while RabbitMQ is away."

    def seen(self) -> str:
        return f"{super().seen()} Not ready: {', '.join(self.not_ready()) or 'nothing'}."

    def is_healed(self) -> bool:
        return super().is_healed() and not self.not_ready()

    def not_ready(self) -> list[str]:
        return [line.name for line in all_statuses(self.scene.state, self.scene.records) if not line.ready]


command = command_of(LoseBroker)
