"""The model of RabbitMQ: exchanges, queues, and the publishers' channels with confirms that come late or never."""

from collections import deque
from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from uuid import UUID

from ordersaga.broker.topology import EVENTS, EVERY_CONTRACT, Group, exchanges_of, receives
from ordersaga.envelope.message import Message

STRANGER = "stranger"
"""A queue of another application, bound to `events` for everything."""


@dataclass(eq=False)
class Queue:
    """A queue, which takes messages in the order in which the broker routes them to it."""

    name: str
    messages: list[Message] = field(default_factory=list)
    """All that ever arrived."""
    ids: set[UUID] = field(default_factory=set)
    is_suspended: bool = False
    """It gives no answer: it stores what is routed to it when it goes on."""
    is_full: bool = False
    """It refuses what is routed to it."""
    held: "deque[tuple[Channel, int, Message]]" = field(default_factory=deque)
    """Routed to it and not yet stored."""

    def take(self, message: Message) -> None:
        self.messages.append(message)
        self.ids.add(message.id)


@dataclass(eq=False)
class Binding:
    queue: Queue
    contracts: tuple[str, ...]
    partitions: frozenset[int]

    def matches(self, message: Message) -> bool:
        return message.partition in self.partitions and receives(self.contracts, message.contract)


class Channel:
    """A publisher's channel in confirm mode: what it has sent, and what the broker has answered."""

    def __init__(self, owner: str) -> None:
        self.owner = owner
        """The process that has opened it."""
        self.is_lost = False
        self.sent: deque[tuple[int, Message, str]] = deque()
        """With their delivery tags, on their way to the broker."""
        self.answers: deque[tuple[str, int | str, bool]] = deque()
        """On their way to the publisher: `ack` or `nack`, tag and `multiple`; or `returned`, and the message's id."""
        self.awaited: dict[int, int] = {}
        """Tag -> queues that have not answered; 0: the confirm is due."""
        self.refused: set[int] = set()
        self._tag = 0

    def publish(self, copies: Iterable[tuple[Message, str]]) -> None:
        for message, exchange in copies:
            self._tag += 1
            self.sent.append((self._tag, message, exchange))

    def due(self) -> list[int]:
        """The tags that the broker may confirm now."""
        return [tag for tag, queues in self.awaited.items() if not queues]

    def confirm(self, tags: Iterable[int], multiple: bool) -> None:
        """Confirm these; with `multiple` all up to the last of those before which none is missing, in one frame."""
        tags = sorted(tags)
        if multiple:
            first = [tag for tag, known in zip(tags, sorted(self.awaited), strict=False) if tag == known]
            together = [tag for tag in first if tag not in self.refused]
            if together == first and first:
                self.answers.append(("ack", first[-1], True))
                for tag in first:
                    del self.awaited[tag]
                return
        for tag in tags:
            self.answers.append(("nack" if tag in self.refused else "ack", tag, False))
            self.refused.discard(tag)
            del self.awaited[tag]


class Broker:
    """Queues and channels; every step of it is one that the schedule takes."""

    def __init__(self, groups: Iterable[Group], unbound: Iterable[str] = ()) -> None:
        """`unbound` are contracts that no queue is bound for at first."""
        self.queues: dict[str, Queue] = {}
        self.exchanges: dict[str, list[Binding]] = {}
        self.channels: list[Channel] = []
        self.unbound = set(unbound)
        for group in groups:
            for number, name in enumerate(group.queue_names):
                queue = self.queues[name] = Queue(name)
                partitions = frozenset(range(number, 16, group.queues))
                for exchange in exchanges_of(group.name):
                    self.exchanges.setdefault(exchange, []).append(Binding(queue, group.contracts, partitions))
        stranger = self.queues[STRANGER] = Queue(STRANGER)
        self.exchanges[EVENTS].append(Binding(stranger, (EVERY_CONTRACT,), frozenset(range(16))))

    def bind_all(self) -> None:
        """Bind the contracts that no queue was bound for."""
        self.unbound.clear()

    def open(self, owner: str) -> Channel:
        channel = Channel(owner)
        self.channels.append(channel)
        return channel

    def queues_for(self, message: Message, exchange: str = EVENTS) -> list[Queue]:
        """Those that are to get the message, once they are bound for it."""
        return [binding.queue for binding in self.exchanges[exchange] if binding.matches(message)]

    def take(self, channel: Channel, count: int, slow: Container[str] = ()) -> None:
        """Route the next messages of a channel; slow queues store them later."""
        for _ in range(min(count, len(channel.sent))):
            tag, message, exchange = channel.sent.popleft()
            queues = [] if message.contract in self.unbound else self.queues_for(message, exchange)
            if not queues:
                channel.answers.append(("returned", str(message.id), False))
            channel.awaited[tag] = 0
            for queue in queues:
                self._route(queue, channel, tag, message, queue.name in slow)

    def _route(self, queue: Queue, channel: Channel, tag: int, message: Message, is_slow: bool) -> None:
        if queue.is_suspended or is_slow or queue.held:
            channel.awaited[tag] += 1
            queue.held.append((channel, tag, message))
        elif queue.is_full:
            channel.refused.add(tag)
        else:
            queue.take(message)

    def resume(self, queue: Queue) -> None:
        queue.is_suspended = False
        self.store(queue, len(queue.held))

    def store(self, queue: Queue, count: int) -> None:
        """A queue stores the next messages that were routed to it, unless it gives no answer."""
        while queue.held and count and not queue.is_suspended:
            count -= 1
            channel, tag, message = queue.held.popleft()
            queue.take(message)
            if tag in channel.awaited:
                channel.awaited[tag] -= 1

    def lose(self, channel: Channel, kept: int = 0) -> None:
        """The connection is lost, with what was on its way both ways; each queue stores the first so many of
        what was routed to it."""
        channel.is_lost = True
        channel.sent.clear()
        channel.answers.clear()
        channel.awaited.clear()
        if channel in self.channels:
            self.channels.remove(channel)
        for queue in self.queues.values():
            if queue.held:
                mine = [entry for entry in queue.held if entry[0] is channel][kept:]
                queue.held = deque(entry for entry in queue.held if entry not in mine)
