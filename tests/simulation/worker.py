"""A worker of a group in a world: the product's consumer and retries, and a reaction that records what it receives."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any, ClassVar
from uuid import UUID

from ordersaga.consumer.consumer import Consumer
from ordersaga.consumer.receiver import Receiver
from ordersaga.inbox import reactor
from ordersaga.inbox.delivery import Broken, Received
from ordersaga.inbox.look import Look
from ordersaga.parked import table
from ordersaga.parked.retries import Retries
from ordersaga.runtime.errors import ErrorKind, classify
from ordersaga.runtime.links import DatabaseLink
from ordersaga.store.cache import NO_CACHE
from tests.simulation.consumer_statements import EFFECT
from tests.simulation.stand_ins import Event
from tests.simulation.world import current

GROUP = "counting"
HAPPENED, ASKED = "test.happened.v1", "test.asked.v1"


class Failed(Exception):
    """The reaction fails, on purpose."""


class Data:
    """The body of any contract: `{"key": ...}`."""

    NAME: ClassVar[str] = HAPPENED
    SOURCE: ClassVar[str] = "counting"
    KEY: ClassVar[str] = "key"

    def __init__(self, key: str) -> None:
        self.key = key

    @classmethod
    def model_validate_json(cls, json: str | bytes) -> "Data":
        return cls(str(json)[8:-2])


class AskedData(Data):
    NAME = ASKED


class Effects:
    """A handler: each message has one effect, and fails before as often as `failures` says."""

    linger_seconds = 0.0
    contracts: ClassVar[Mapping[str, Any]] = {HAPPENED: Data, ASKED: AskedData}

    def __init__(self, failures: dict[UUID, int]) -> None:
        self.failures = failures

    def known(self, connection: Any, ids: Sequence[UUID]) -> dict[UUID, bytes]:
        return dict(connection.execute(reactor.KNOWN, (list(ids),)))

    def look(self, connection: Any, messages: Sequence[Received], cache: Any = NO_CACHE) -> Look:
        ids, keys = [message.id for message in messages], {message.key for message in messages}
        return Look(self.known(connection, ids), table.parked_among(connection, keys))

    def handle(self, lazy: Any, messages: Sequence[Received], look: Look, are_parked: bool = False) -> None:
        for message in messages:
            if self.failures.get(message.id, 0) > 0:
                self.failures[message.id] -= 1
                raise Failed(str(message.id))
        rows = [(message.id, message.key, message.message.event_hash) for message in messages]
        lazy.connection.execute(EFFECT, (rows, are_parked))


class Outside:
    """In place of OutsideSteps: a step of the schedule answers the call of one message."""

    places = 2
    unready_operations: ClassVar[list[str]] = []

    def __init__(self) -> None:
        self.asked: list[Future[Any]] = []

    def needed(self, message: Received | Broken) -> bool:
        return isinstance(message, Received) and message.contract == ASKED and not message.delivery.is_suspect

    def start(self, message: Received, fresh: bool) -> Future[Any]:
        self.asked.append(Future())
        return self.asked[-1]

    def reconsider(self, _: object) -> None:
        pass

    def answer(self, which: int) -> bool:
        """Answer one call. Returns False when there is none."""
        self.asked = [future for future in self.asked if not future.done()]
        if not self.asked:
            return False
        self.asked[which % len(self.asked)].set_result("answer")
        return True


class SimulatedWorker:
    """One process: the thread of its consumer and that of its retries."""

    def __init__(self, host: str, failures: dict[UUID, int]) -> None:
        self.host = host
        self.stopping = Event()
        self.outside = Outside()
        self._handler: Any = Effects(failures)
        outside: Any = self.outside
        stopping: Any = self.stopping
        database = DatabaseLink("database", "")
        self.consumer = Consumer(GROUP, "", Receiver(GROUP, self._handler), outside, database, stopping)
        self._retries = Retries(self._handler, outside)

    def start(self) -> None:
        current().spawn("consumer", self.consumer.run, self.host)
        current().spawn("retries", self._retry, self.host)

    def _retry(self) -> None:
        """As a Background does."""
        link = DatabaseLink("retries", "")
        while not self.stopping.is_set():
            try:
                pause = self._retries.step(link.connection())
                link.up()
            except Exception as error:
                if classify(error) not in (ErrorKind.UNAVAILABLE, ErrorKind.CONFLICT):
                    raise
                link.down(error)
                pause = link.pause()
            self.stopping.wait(pause)
        link.close()


def bodies(key: str) -> str:
    return f'{{"key":"{key}"}}'
