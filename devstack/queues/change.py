"""Another number of queues for consumer groups while relays and workers run, with every order kept.

The relays are kept from publishing, what is in the queues is worked off, and the workers are sent away; only then are
bindings moved, a new one always before its old one goes. Killed at any point, relays and workers go on by themselves:
each partition is bound to at least one queue, and workers take every queue there is. Should a partition be bound to
two, both hear the same messages in the same order, and inboxes drop what comes a second time.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing

import pika
from pika.adapters.blocking_connection import BlockingChannel

from devstack.queues import holds
from devstack.queues.sight import Sight, look
from ordersaga.broker.topology import (
    EVENTS,
    QUEUE_COUNTS,
    Group,
    change_of,
    declare_dead_letters,
    declare_queue,
    parameters,
    queues_of,
)
from ordersaga.cli.errors import Failed
from ordersaga.envelope.message import PARTITIONS

POLL = 0.1
SETTLE_SECONDS = 3
"""For the broker to notice that workers have gone."""

UNCHANGED = "Nothing was changed; relays and workers go on as before."


class Change:
    """`leads` are URLs of the services' databases for the relay's role, `gates` of the groups' for their own."""

    def __init__(
        self,
        groups: Sequence[Group],
        amqp_url: str,
        leads: Mapping[str, str],
        gates: Mapping[str, str],
        timeout: float,
        say: Callable[[str], None],
    ) -> None:
        self.groups = groups
        self.amqp_url = amqp_url
        self.leads = leads
        self.gates = gates
        self.timeout = timeout
        self.say = say

    def run(self) -> None:
        """Raises Failed when the queues do not drain in time or a server is away."""
        with ExitStack() as held:
            self.broker = held.enter_context(closing(pika.BlockingConnection(parameters(self.amqp_url, "queues set"))))
            self.sessions = {
                name: held.enter_context(closing(holds.connect(name, url))) for name, url in self.leads.items()
            }
            self.end = time.monotonic() + self.timeout
            self.say("stopping the relays")
            for name, session in self.sessions.items():
                holds.take_lead(name, session)
            while not self.try_once():
                self.say("the workers still had something in hand; letting them go on")

    def try_once(self) -> bool:
        """Drain, send the workers away, and move the bindings, unless something is still in hand or ready again."""
        self.drain()
        with ExitStack() as held:
            gates = {name: held.enter_context(closing(holds.connect(name, url))) for name, url in self.gates.items()}
            self.say("sending the workers away")
            busy = holds.shut(gates)
            if busy or not self.is_abandoned():
                self.check_time(f"the workers of {' and '.join(busy or gates)} do not let go of what they have in hand")
                return False
            self.sessions |= {f"{name} (workers)": gate for name, gate in gates.items()}
            for group in self.groups:
                self.say(f"{group.name}: {group.queues} queues")
                self.move(group)
        return True

    def sights(self) -> list[Sight]:
        holds.show_life(self.sessions)
        return [look(self.broker, group.name) for group in self.groups]

    def drain(self) -> None:
        said = -1
        while left := [sight for sight in self.sights() if sight.ready]:
            ready = sum(sight.ready for sight in left)
            if ready != said:
                self.say(f"draining: {ready} messages in {', '.join(sight.group for sight in left)}")
                said = ready
            self.check_time(stuck(left))
            time.sleep(POLL)

    def is_abandoned(self) -> bool:
        end = time.monotonic() + SETTLE_SECONDS
        while not all(sight.is_abandoned for sight in self.sights()):
            if time.monotonic() > end:
                return False
            time.sleep(POLL)
        return True

    def check_time(self, reason: str) -> None:
        if time.monotonic() > self.end:
            raise Failed(f"Not drained within {self.timeout:.0f} s: {reason}. {UNCHANGED}")

    def move(self, group: Group) -> None:
        """Declare, bind, unbind, delete: in this order, and each queue one after the other from the first one.

        In between the number of queues may be one that a group can have, while its bindings are still another's.
        """
        channel = self.broker.channel()
        channel.exchange_declare(change_of(group.name), "fanout", durable=True)
        declare_dead_letters(channel, group)
        for queue in group.queue_names:
            declare_queue(channel, group, queue)
        for queue, routing_key in group.bindings():
            channel.queue_bind(queue, EVENTS, routing_key=routing_key)
        for queue, routing_key in former_bindings(group):
            channel.queue_unbind(queue, EVENTS, routing_key=routing_key)
        for queue in reversed(queues_of(self.broker, group.name)[group.queues :]):
            holds.show_life(self.sessions)
            delete(channel, queue)
        channel.exchange_delete(change_of(group.name))
        channel.close()


def delete(channel: BlockingChannel, queue: str) -> None:
    """Quorum queues know no if-empty. What a relay that was cut off may still send is not confirmed to it, so the
    next one sends it again."""
    channel.queue_delete(queue)


def former_bindings(group: Group) -> Iterator[tuple[str, str]]:
    """Those that another number of queues would have, of the queues that stay."""
    for contract in group.contracts:
        for partition in range(PARTITIONS):
            former = {partition % number for number in QUEUE_COUNTS} - {partition % group.queues}
            for number in former:
                if number < group.queues:
                    yield group.queue_names[number], f"{contract}.{partition:02d}"


def stuck(left: Sequence[Sight]) -> str:
    """Every queue that is not empty, with what is odd about it."""
    said = []
    for sight in left:
        for queue in sight.queues:
            if queue.ready:
                alone = "" if queue.consumers else " and no worker"
                said.append(f"{queue.name} has {queue.ready} messages ready{alone}")
    return ", ".join(said)
