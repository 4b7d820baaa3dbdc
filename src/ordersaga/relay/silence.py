"""Silence: finds out which queue keeps the confirms back, so that the relay can publish around it."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from pika.exceptions import AMQPError

from ordersaga.broker.side_exchanges import NoSideExchange, reachable
from ordersaga.broker.silent_queues import Groups, SilentQueues
from ordersaga.broker.topology import QUEUE_COUNTS, group_of
from ordersaga.envelope.message import Message
from ordersaga.relay.detached import ALL, STRANGERS, partitions_of
from ordersaga.relay.publisher import BrokerUnavailable

SUSPECT_SECONDS = 1.0
"""Seconds without a confirm after which the queues are asked; twice, as a busy broker may answer late once."""
STRANGER_SECONDS = 10.0
"""Seconds without a confirm, although all queues of the groups answer, after which another queue is the cause."""

NODE_SECONDS = 20.0
"""Seconds without a confirm, although everything that answers is published around, after which the node is left: it may
have lost the other nodes of its cluster, and since RabbitMQ 4.2 it stays as it is then."""


class QueueSilent(BrokerUnavailable):
    """Queues give no answer; the relay connects again and publishes around them."""

    def __init__(self, partitions: Mapping[str, Collection[int]]) -> None:
        """By queue, those that it is bound for."""
        super().__init__(f"no answer from {', '.join(partitions)}")
        self.partitions = partitions


class Silence:
    """Asks the queues of the groups while the broker confirms nothing."""

    def __init__(
        self, amqp_url: str, name: str, queues: SilentQueues, groups: Groups, detached: Callable[[], Collection[str]]
    ) -> None:
        """`detached` returns the queues that get nothing on this connection, or STRANGERS."""
        self.obstacle = ""
        """Why the relay cannot publish around the queue, and what to do; empty while it can."""
        self._amqp_url = amqp_url
        self._name = name
        self._queues = queues
        self._groups = groups
        self._detached = detached
        self._is_asking = False
        self._round = 0
        self._found: set[str] | None = None
        """The silent ones when they were last asked."""

    def check(self, unconfirmed_seconds: float, unconfirmed: Callable[[], Sequence[Message]]) -> None:
        """Raises QueueSilent once the cause is known and the others can be reached without it."""
        if unconfirmed_seconds < SUSPECT_SECONDS:
            self._is_asking, self._found, self.obstacle = False, None, ""
        elif self._groups and not self.obstacle and (messages := unconfirmed()):
            silent = self._cause(unconfirmed_seconds, messages)
            if not silent and unconfirmed_seconds > NODE_SECONDS and self._found == set():
                raise BrokerUnavailable(
                    f"nothing is confirmed for {unconfirmed_seconds:.0f} s, and every queue answers"
                )
            if silent and self._can_reach_the_others(messages[0].contract):
                raise QueueSilent({queue: self._partitions(queue) for queue in silent})

    def _cause(self, unconfirmed_seconds: float, messages: Iterable[Message]) -> set[str]:
        """The queues that have twice not answered; STRANGERS when all of them answer and nothing is confirmed."""
        if not self._is_asking:
            self._round, self._is_asking = self._queues.rounds, True
            self._queues.ask()
            return set()
        silent = set(self._queues.silent())
        if self._queues.rounds == self._round:
            return set()
        self._is_asking = False
        bound = self._queues.bound({message.routing_key for message in messages})
        detached = self._detached()
        before, self._found = self._found, silent.intersection(bound).difference(detached)
        if before and (both := before & self._found):
            return both
        is_another = before == self._found == set() and bool(bound) and STRANGERS not in detached
        return {STRANGERS} if is_another and unconfirmed_seconds > STRANGER_SECONDS else set()

    def _can_reach_the_others(self, contract: str) -> bool:
        try:
            return bool(reachable(self._amqp_url, self._name, self._groups, contract))
        except NoSideExchange as error:
            self.obstacle = f"{error}; then only messages for that queue wait"
        except (AMQPError, OSError):
            self._is_asking = False
        return False

    def _partitions(self, queue: str) -> Collection[int]:
        if queue == STRANGERS:
            return ALL
        count = self._queues.count(group_of(queue))
        return partitions_of(queue, count) if count in QUEUE_COUNTS else ALL
