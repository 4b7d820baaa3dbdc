"""The product's Publisher over a channel of the model, and what the relay asks other connections."""

from collections.abc import Callable, Iterable, Sequence

from ordersaga.broker.silent_queues import Groups, SilentQueues
from ordersaga.relay.confirms import Confirms
from ordersaga.relay.copies import Copies
from ordersaga.relay.publisher import BrokerUnavailable, Copy, Publisher
from tests.simulation.broker import STRANGER, Broker, Channel
from tests.simulation.world import current, never

_broker: list[Broker] = []


def use(broker: Broker) -> None:
    """Publishers and questions reach this broker from now on."""
    _broker[:] = [broker]


class SimulatedPublisher(Publisher):
    """Confirms, copies and waits are the product's; the socket is the model's."""

    def __init__(self, amqp_url: str, name: str) -> None:
        self._broker = _broker[0]
        self._channel: Channel | None = None
        self._failure: str | None = None
        self._confirms, self._copies = Confirms(), Copies()
        self._has_data: Callable[[], bool] = never
        self._read: Callable[[], None] = lambda: None
        self.blocked = ""

    def connect(self) -> None:
        if self.is_open:
            return
        self.close()
        current().pause()
        self._channel = self._broker.open(current().host)

    def close(self, seconds: float = 0.0) -> None:
        if self._channel is not None and not self._channel.is_lost:
            self._broker.lose(self._channel)
        self._channel = self._failure = None
        self._confirms, self._copies = Confirms(), Copies()

    def watch(self, socket: int, read: Callable[[], None]) -> None:
        self._read = read

    def unwatch(self, socket: int) -> None:
        self._read = lambda: None

    def _write(self, copies: Sequence[Copy]) -> None:
        assert self._channel is not None
        self._channel.publish(copies)

    def _check(self) -> None:
        if self._channel is None or self._failure is not None:
            raise BrokerUnavailable(self._failure or "not connected")

    def _drive(self, seconds: float, until: Callable[[], bool]) -> None:
        world, channel = current(), self._channel
        assert channel is not None
        end = world.now + seconds
        while not until():
            world.pause(end - world.now, lambda: bool(channel.answers) or channel.is_lost or until())
            self._read()
            self._read_answers(channel)
            if world.now >= end:
                break

    def _read_answers(self, channel: Channel) -> None:
        confirms = self._confirms
        while channel.answers:
            kind, what, multiple = channel.answers.popleft()
            if kind == "returned":
                confirms.returned(str(what), "no queue is bound")
            elif kind == "ack":
                confirms.acked(int(what), multiple)
            else:
                confirms.nacked(int(what), multiple)
        if channel.is_lost and self._failure is None:
            self._failure = "the connection is lost"


class SimulatedQueues(SilentQueues):
    """Asks at once: a suspended queue takes longer than any limit."""

    def __init__(self, amqp_url: str, name: str, groups: Groups) -> None:
        super().__init__(amqp_url, name, groups)
        self._broker = _broker[0]

    def ask(self) -> None:
        self._seconds = {
            name: 10.0 * queue.is_suspended for name, queue in self._broker.queues.items() if name != STRANGER
        }
        self.rounds += 1


class Asking:
    """A connection over which a catch-up asks a queue whether it answers."""

    def close(self) -> None:
        pass

    def sleep(self, seconds: float) -> None:
        current().pause(seconds)


def connect(_: object) -> Asking:
    current().pause()
    return Asking()


def answers(_: object, queue: str) -> bool:
    return not _broker[0].queues[queue].is_suspended


def reachable(_: str, __: str, groups: Iterable[str], ___: str | None) -> set[str]:
    """All exchanges exist."""
    return set(groups)
