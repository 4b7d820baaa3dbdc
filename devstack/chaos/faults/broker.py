"""Faults that an operator's command makes in RabbitMQ: a suspended queue, alarms, closed connections, a limit."""

import json
from random import Random
from subprocess import TimeoutExpired
from typing import ClassVar

from devstack.chaos.fault import Fault
from devstack.chaos.faults.target import RABBITMQ
from devstack.chaos.stage import Stage
from devstack.processes import GROUPS
from devstack.servers.rabbitmq import DISK_FREE_LIMIT, MEMORY_LIMIT, RabbitMQ
from devstack.servers.rabbitmq_users import VHOST
from ordersaga.cli.errors import Failed


class BrokerFault(Fault):
    """What it sets is gone when the node restarts, so healing a node that is away is no work."""

    server = RABBITMQ

    def run(self, *command: str) -> str:
        return RabbitMQ(self.stage.stack.state, self.stage.scene.records).control("-q", *command)

    def connections(self) -> int:
        return len(self.run("list_connections", "pid", "--no-table-headers").splitlines())

    def undo(self, *command: str) -> str:
        try:
            return self.run(*command)
        except (Failed, TimeoutExpired) as error:
            return f"not done: {error}"


class SuspendQueue(BrokerFault):
    name = "suspend-queue"
    does = "One queue of a consumer group answers nobody; the others do."
    shortest, longest = 3, 8

    def __init__(self, stage: Stage, chance: Random) -> None:
        super().__init__(stage, chance)
        self.queue = f"{chance.choice(GROUPS)}.{chance.choice((0, 1))}"
        """A group has two queues, or more."""
        self.is_suspended = False

    def inject(self) -> str:
        self.run("eval", f"sys:suspend({process_of(self.queue)}).")
        self.is_suspended = True
        return f"Queue {self.queue} is suspended."

    def heal(self) -> str:
        if not self.is_suspended:
            return ""
        self.undo("eval", f"sys:resume({process_of(self.queue)}).")
        return f"Queue {self.queue} continues."


def process_of(queue: str) -> str:
    """The process of a quorum queue, as an Erlang expression."""
    return f'whereis(list_to_atom("{VHOST}_{queue}"))'


class Alarm(BrokerFault):
    """A resource alarm blocks every connection that publishes."""

    shortest, longest = 2, 10
    setting: ClassVar[str]
    strict: ClassVar[tuple[str, ...]]
    usual: ClassVar[tuple[str, ...]]

    def inject(self) -> str:
        self.run(self.setting, *self.strict)
        return f"{self.setting} {' '.join(self.strict)}: the alarm blocks every publisher."

    def heal(self) -> str:
        self.undo(self.setting, *self.usual)
        return f"{self.setting} {' '.join(self.usual)}: no alarm."


class MemoryAlarm(Alarm):
    name = "memory-alarm"
    does = "RabbitMQ raises its memory alarm, and takes nothing from publishers."
    setting, strict, usual = "set_vm_memory_high_watermark", ("absolute", "1MB"), ("absolute", MEMORY_LIMIT)


class DiskAlarm(Alarm):
    name = "disk-alarm"
    does = "RabbitMQ raises its disk alarm, and takes nothing from publishers."
    setting, strict, usual = "set_disk_free_limit", ("900000GB",), (DISK_FREE_LIMIT,)


class CloseConnections(BrokerFault):
    name = "close-connections"
    does = "RabbitMQ closes every connection (320, CONNECTION_FORCED); everybody may connect again."
    shortest, longest = 0, 2

    def inject(self) -> str:
        before = self.connections()
        self.run("close_all_connections", "-p", VHOST, "chaos")
        return f"RabbitMQ has closed its {before} connections."


class LimitConnections(BrokerFault):
    name = "limit-connections"
    does = "The virtual host takes no more connections, and closes those that are there."
    shortest, longest = 2, 8

    def inject(self) -> str:
        self.run("set_vhost_limits", "-p", VHOST, json.dumps({"max-connections": 0}))
        self.run("close_all_connections", "-p", VHOST, "chaos")
        left = self.connections()
        return f"The virtual host {VHOST} takes no connection; {left} are left."

    def heal(self) -> str:
        self.undo("clear_vhost_limits", "-p", VHOST)
        return f"The virtual host {VHOST} takes connections again."
