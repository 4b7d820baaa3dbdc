"""`broker-crash`: RabbitMQ is killed, and stays away for a while."""

from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from devstack.breaking.frozen import frozen
from devstack.breaking.run import command_of
from devstack.breaking.scenario import FailureScenario
from devstack.chaos.narrative.command import chaos_command_of
from devstack.servers.rabbitmq import RabbitMQ
from ordersaga.cli.errors import CannotRunHere

BROKER = RabbitMQ.name
SKU = "break-fine"
ORDERS = 5


class BrokerCrash(FailureScenario):
    name = "broker-crash"
    about = (
        "A service that stores an order and then sends a message may die between the two, or find no broker: the "
        "order is there, and nobody hears of it. Here the message is a row of the outbox, written in the same "
        "transaction as the event. A relay publishes it, as soon as there is a broker, and keeps it until the broker "
        "has confirmed it. So orders are accepted while RabbitMQ is away."
    )
    does = "RabbitMQ is killed (SIGKILL), and its next start is delayed."
    expect = (
        "Orders are accepted as before: they wait in the outbox with their messages. Relays and workers say that the "
        "broker is away, and try again; no other process fails."
    )
    heals = "RabbitMQ starts with its queues; the relays publish what waits, and everything is ready again."
    pages = ("alarms", "infrastructure")
    commands = ("status", "relay status", "logs -f rabbitmq orders-relay")
    skus = (SKU,)
    seconds = 10
    brief = 5

    def check(self) -> None:
        if self.scene.external.amqp:
            raise CannotRunHere("The broker is your own: `broker-crash` stops only a private RabbitMQ.")
        if "docker" in psutil.Process(self.scene.process(BROKER).pid).cmdline():
            raise CannotRunHere("RabbitMQ runs in a container: `docker kill` stops it.")

    def prepare(self) -> None:
        self.scene.stock(SKU, ORDERS)

    @contextmanager
    def broken(self) -> Iterator[None]:
        lost = self.scene.identity(BROKER)
        self.say(f"RabbitMQ (pid {self.scene.kill(BROKER)}) is killed.")
        # The supervisor starts it again at once: stopped before it listens, it stays away for `lasts` seconds.
        with frozen(self.scene.started_after(BROKER, lost), self.lasts):
            yield

    def begin(self) -> str:
        for number in range(ORDERS):
            self.scene.place(SKU, title="alice, who ordered while there was no broker" if number == 0 else "")
        return f"Placed {ORDERS} orders while RabbitMQ is away."

    def seen(self) -> str:
        return f"{super().seen()} Not ready: {', '.join(self.scene.not_ready()) or 'nothing'}."

    def is_healed(self) -> bool:
        return super().is_healed() and not self.scene.not_ready()


on_running_stack = command_of(BrokerCrash)
on_own_stack = chaos_command_of(BrokerCrash)
