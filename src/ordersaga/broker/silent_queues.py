"""SilentQueues: finds, among the queues that a group's topology binds for routing keys, those that do not answer."""

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from pika.adapters.blocking_connection import BlockingConnection
from pika.exceptions import AMQPError

from ordersaga.broker import topology
from ordersaga.broker.connecting import connect

SLOW_SECONDS = 0.2
"""RabbitMQ waits a quarter of a second for the leader of a quorum queue, and answers without it then."""
HANGING_SECONDS = 2.0
"""A queue that has not answered by then does not answer: a classic queue is waited for without end."""

Groups = Mapping[str, Sequence[str]]
"""Group -> the contracts that its queues are bound for, or EVERY_CONTRACT."""


def answers(connection: BlockingConnection, queue: str) -> bool:
    """Whether a queue answers in time; one that does not exist keeps nobody waiting."""
    with topology.suppress_refusal(connection, topology.NOT_FOUND) as channel:
        began = time.monotonic()
        channel.queue_declare(queue, passive=True)
        return time.monotonic() - began <= SLOW_SECONDS
    return True


class SilentQueues:
    """Asks the queues in a thread of its own, over a connection of its own; a passive declare needs no permission."""

    def __init__(self, amqp_url: str, name: str, groups: Groups) -> None:
        self._amqp_url = amqp_url
        self._name = name
        self._groups = groups
        self._thread: threading.Thread | None = None
        self._seconds: dict[str, float] = {}
        """Queue -> how long its answer took, in the last complete round."""
        self._fresh: dict[str, float] = {}
        """The same, in the round under way."""
        self._asked: tuple[str, float] | None = None
        """The queue that is being asked, and since when."""
        self.rounds = 0
        """How often every queue has answered or the broker was away, or one will never answer."""

    @property
    def is_complete(self) -> bool:
        """Whether every queue has answered, or one never will."""
        return self.rounds > 0

    def ask(self) -> None:
        """Begin to ask the queues of all groups, unless they are being asked."""
        if self._thread is None or not self._thread.is_alive():
            self._fresh, self._asked = {}, None
            self._thread = threading.Thread(target=self._run, name="silent queues", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        with suppress(AMQPError, OSError):
            connection = connect(topology.parameters(self._amqp_url, f"{self._name} asks"))
            for group in self._groups:
                self._ask_group(connection, group)
            connection.close()
        self._asked, self._seconds = None, self._fresh
        self.rounds += 1

    def _ask_group(self, connection: BlockingConnection, group: str) -> None:
        """Ask `<group>.0` and so on, up to the first that is missing; a group that is being seeded keeps no relay
        waiting."""
        if topology.is_being_seeded(connection, group):
            return
        with topology.suppress_refusal(connection, topology.NOT_FOUND) as channel:
            for number in range(max(topology.QUEUE_COUNTS)):
                queue, began = f"{group}.{number}", time.monotonic()
                self._asked = queue, began
                channel.queue_declare(queue, passive=True)
                self._fresh[queue] = time.monotonic() - began

    def silent(self) -> list[str]:
        """The queues that have not answered, or not in time."""
        asked = self._asked
        hangs = asked is not None and time.monotonic() - asked[1] > HANGING_SECONDS
        if hangs:
            self.rounds += 1
        slow = [queue for queue, seconds in list(self._seconds.items()) if seconds > SLOW_SECONDS]
        return [*slow, asked[0]] if asked and hangs else slow

    def bound(self, routing_keys: Iterable[str]) -> list[str]:
        """The queues that the topology binds for these routing keys, of all groups whose queues have answered."""
        found = {
            f"{group}.{int(partition) % count}"
            for contract, _, partition in (key.rpartition(".") for key in routing_keys)
            for group, contracts in self._groups.items()
            if topology.receives(contracts, contract) and (count := self.count(group))
        }
        return sorted(found)

    def count(self, group: str) -> int:
        """The queues of a group, as far as they were asked."""
        asked = self._asked
        names = {*self._seconds, *self._fresh, *([asked[0]] if asked else [])}
        return sum(f"{group}.{number}" in names for number in range(max(topology.QUEUE_COUNTS)))
