"""The change of the number of queues of consumer groups while relays and workers run; the order per key is kept.

The relays are paused, the queues are drained, and the workers are paused; only then bindings move, each new one before
its old one is removed. If the change is killed, relays and workers continue: each partition is bound to at least one
queue, and workers subscribe to every queue. If a partition is bound to two queues, both receive the same messages in
the same sequence, and inboxes drop the repeats.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing

from pika.adapters.blocking_connection import BlockingChannel

from ordersaga.broker import bound_contracts, pause_locks
from ordersaga.broker.connecting import connect as connect_broker
from ordersaga.broker.group_status import GroupStatus, group_status
from ordersaga.broker.pause_locks import ChangeFailed
from ordersaga.broker.silent_queues import answers
from ordersaga.broker.topology import (
    QUEUE_COUNTS,
    Group,
    bind,
    change_of,
    declare_dead_letters,
    declare_queue,
    is_being_seeded,
    parameters,
    queues_of,
    side_exchange_of,
    unbind,
)
from ordersaga.envelope.message import PARTITIONS

POLL = 0.1
SETTLE_SECONDS = 3
"""The time in which the broker must notice that the workers have disconnected."""

TRIES = 3
"""Questions to a queue; a busy broker may answer late."""

UNCHANGED = "Nothing was changed; relays and workers go on as before."


class QueueChange:
    """One change of the number of queues of these groups.

    Args:
        groups: with their new number of queues.
        amqp_url: of a user who may declare.
        leads: by name, URLs of the databases whose relays are paused, for the relay's role.
        gates: by group, URLs of the databases whose workers are paused, for their own role.
        timeout: seconds for the queues to become empty.
        say: called with a line for each step.
    """

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
        """Raises ChangeFailed when the queues do not drain in time or a database is away; AMQPError."""
        with ExitStack() as opened:
            self.broker = opened.enter_context(closing(connect_broker(parameters(self.amqp_url, "queues set"))))
            self.require_declared()
            self.sessions = {
                name: opened.enter_context(closing(pause_locks.connect(name, url))) for name, url in self.leads.items()
            }
            self.end = time.monotonic() + self.timeout
            self.say("stopping the relays")
            for name, session in self.sessions.items():
                pause_locks.take_lead(name, session)
            while not self.try_once():
                self.say("the workers still had something in hand; letting them go on")

    def require_declared(self) -> None:
        """Raises ChangeFailed: a group has no queues, or one that cannot say how many messages it has."""
        for group in self.groups:
            if is_being_seeded(self.broker, group.name):
                raise ChangeFailed(f"{group.name} is being seeded: complete that first, with `seed`. {UNCHANGED}")
            if not (queues := queues_of(self.broker, group.name)):
                raise ChangeFailed(f"{group.name} is not declared: run `ordersaga topology`. {UNCHANGED}")
            for queue in queues:
                if not any(answers(self.broker, queue) for _ in range(TRIES)):
                    raise ChangeFailed(f"{queue} gives no answer: wait until it does. {UNCHANGED}")

    def try_once(self) -> bool:
        """Drain, pause the workers, and move the bindings. Returns False when workers still hold messages."""
        self.drain()
        with ExitStack() as opened:
            gates = {
                name: opened.enter_context(closing(pause_locks.connect(name, url))) for name, url in self.gates.items()
            }
            self.say("sending the workers away")
            busy = pause_locks.close_gates(gates)
            if busy or not self.is_abandoned():
                self.check_time(f"the workers of {' and '.join(busy or gates)} do not let go of what they have in hand")
                return False
            self.sessions |= {f"{name} (workers)": gate for name, gate in gates.items()}
            for group in self.groups:
                self.say(f"{group.name}: {group.queues} queues")
                self.move(group)
        return True

    def statuses(self) -> list[GroupStatus]:
        """The groups as the broker sees them now."""
        pause_locks.keep_alive(self.sessions)
        return [group_status(self.broker, group.name) for group in self.groups]

    def drain(self) -> None:
        """Wait until no message is ready in any queue."""
        last = -1
        while left := [status for status in self.statuses() if status.ready]:
            ready = sum(status.ready for status in left)
            if ready != last:
                self.say(f"draining: {ready} messages in {', '.join(status.group for status in left)}")
                last = ready
            self.check_time(describe_ready(left))
            time.sleep(POLL)

    def is_abandoned(self) -> bool:
        """Whether the broker has noticed in time that all workers are gone."""
        end = time.monotonic() + SETTLE_SECONDS
        while not all(status.is_abandoned for status in self.statuses()):
            if time.monotonic() > end:
                return False
            time.sleep(POLL)
        return True

    def check_time(self, reason: str) -> None:
        if time.monotonic() > self.end:
            raise ChangeFailed(f"Not drained within {self.timeout:.0f} s: {reason}. {UNCHANGED}")

    def move(self, group: Group) -> None:
        """Declare, bind, unbind, delete, in this sequence, and the queues one after the other from the first.

        In between, the number of queues may be one that a group can have, while its bindings are still those of
        another number.
        """
        channel = self.broker.channel()
        channel.exchange_declare(change_of(group.name), "fanout", durable=True)
        declare_dead_letters(channel, group)
        for queue in group.queue_names:
            declare_queue(channel, group, queue)
        bound_contracts.record(channel, group)
        channel.exchange_declare(side_exchange_of(group.name), "topic", durable=True)
        for queue, routing_key in group.bindings():
            bind(channel, group.name, queue, routing_key)
        for queue, routing_key in former_bindings(group):
            unbind(channel, group.name, queue, routing_key)
        bound_contracts.unbind_covered(channel, group)
        for queue in reversed(queues_of(self.broker, group.name)[group.queues :]):
            pause_locks.keep_alive(self.sessions)
            delete(channel, queue)
        channel.exchange_delete(change_of(group.name))
        channel.close()


def delete(channel: BlockingChannel, queue: str) -> None:
    """Delete a queue; quorum queues have no if-empty. A message that a relay without a session still sends is not
    confirmed to it, so the next relay sends it again."""
    channel.queue_delete(queue)


def former_bindings(group: Group) -> Iterator[tuple[str, str]]:
    """The bindings that another number of queues would have, of the queues that stay."""
    for contract in group.contracts:
        for partition in range(PARTITIONS):
            former = {partition % number for number in QUEUE_COUNTS} - {partition % group.queues}
            for number in former:
                if number < group.queues:
                    yield group.queue_names[number], f"{contract}.{partition:02d}"


def describe_ready(statuses: Sequence[GroupStatus]) -> str:
    """Every queue that is not empty, and whether it lacks a worker."""
    found = []
    for status in statuses:
        for queue in status.queues:
            if queue.ready:
                no_worker = "" if queue.consumers else " and no worker"
                found.append(f"{queue.name} has {queue.ready} messages ready{no_worker}")
    return ", ".join(found)
