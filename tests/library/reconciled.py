"""Two services and a read side whose messages have all arrived, and a hand that takes rows away from them."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import ClassVar
from uuid import UUID, uuid4

from eventsourcing.domain import AggregateCreated, AggregateEvent, BaseAggregate, event

from ordersaga.envelope.contract import Contract
from ordersaga.envelope.message import Message
from ordersaga.inbox.reactions import Reactions
from ordersaga.readside.read_side import ReadSide
from ordersaga.service import Service
from ordersaga.store.announcements import Announcements
from ordersaga.store.transaction import Transaction
from tests.support.counting import GROUP, Counter, CountKept
from tests.support.counting import announcements as counting_announcements
from tests.support.counting import service as counting
from tests.support.databases import SCHEMAS, Database, Databases
from tests.support.moved_by_hand import MovedByHand
from tests.support.party import DatabaseParty

TALLY, LOG = "tally", "log"


class Tallied(Contract):
    """What the second service announces; only the read side hears it."""

    NAME: ClassVar[str] = "tally.tallied.v1"
    SOURCE: ClassVar[str] = TALLY
    KEY: ClassVar[str] = "tally_id"
    tally_id: UUID
    number: int


class Tally(BaseAggregate[UUID]):
    """The numbers of one counter, each once."""

    TOPIC = "tally"

    class Event(AggregateEvent):
        """Something that happened to a tally."""

    class Opened(Event, AggregateCreated):
        TOPIC = "tally.opened"

    class Added(Event):
        TOPIC = "tally.added"
        number: int

    @event(Opened)
    def __init__(self, id: UUID) -> None:
        self._id = id
        self.numbers: set[int] = set()

    @event(Added)
    def add(self, number: int) -> None:
        self.numbers.add(number)


announcements, reactions = Announcements(TALLY), Reactions()
tally = Service(TALLY, announcements, reactions, role=GROUP)
log = ReadSide(LOG, (counting, tally), {each.NAME: each for each in (CountKept, Tallied)}, {}, role=GROUP)
services = (counting, tally, log)
SCHEMAS.update({TALLY: tally.schema, LOG: log.schema})


@announcements.of(Tally.Added)
def announce_tallied(added: Tally.Added) -> Tallied:
    return Tallied(tally_id=added.originator_id, number=added.number)


@reactions.to(CountKept, loads=lambda message: [message.counter_id])
def when_count_kept_add_it(message: CountKept, transaction: Transaction) -> None:
    found = transaction.find(Tally, message.counter_id) or Tally(id=message.counter_id)
    if message.number not in found.numbers:
        found.add(message.number)
    transaction.save(found)


@dataclass
class Reconciled(MovedByHand):
    """The databases by name; every message is moved from one to the other without a broker."""

    databases: dict[str, Database]
    counting: DatabaseParty
    tally: DatabaseParty
    counters: list[UUID] = field(default_factory=list)
    logged: dict[str, int] = field(default_factory=dict)
    routed: int = 0
    services = services

    @property
    def urls(self) -> dict[str, str]:
        return {name: database.owner_url for name, database in self.databases.items()}

    @property
    def parties(self) -> tuple[DatabaseParty, DatabaseParty]:
        return self.counting, self.tally

    def count(self, numbers: int = 2) -> UUID:
        """Another counter with so many numbers."""
        self.counters.append(uuid4())
        self.counting.decide(partial(keep, id=self.counters[-1], numbers=numbers))
        return self.counters[-1]

    def settle(self) -> None:
        """Everything arrives."""
        for message in self.counting.said_after(self.routed):
            self.tally.react(message)
            self.routed += 1
        self.log_all()

    def log_all(self) -> None:
        self.log(self.parties, self.databases[LOG])

    def delete(self, database: str, table: str, message: Message) -> None:
        self.by_hand(database, f"delete from {table} where message_id = %s returning 1", (message.id,))  # noqa: S608


def keep(transaction: Transaction, id: UUID, numbers: int) -> None:
    counter = Counter(id=id)
    for number in range(1, numbers + 1):
        counter.keep(number)
    transaction.save(counter)


@contextmanager
def reconciled(database: Databases) -> Iterator[Reconciled]:
    """Databases without any event; all three have the counting service's role."""
    databases = {name: replace(database(name), role=GROUP) for name in (GROUP, TALLY, LOG)}
    with ExitStack() as stack:
        first = DatabaseParty(databases[GROUP], counting.reactions, counting_announcements)
        second = DatabaseParty(databases[TALLY], reactions, announcements)
        for party in (first, second):
            stack.enter_context(closing(party))
        yield Reconciled(databases, first, second)
