"""Two releases of an application, of which the second announces and reacts to a new version: RELEASE is 1 or 2.

`counting` records and announces, and its relay publishes; the group `counting` is that of `tally`, which receives.
"""

import os
import sys
import time
from functools import partial
from uuid import UUID

import psycopg
from eventsourcing.domain import AggregateCreated, AggregateEvent, BaseAggregate, event

from ordersaga.envelope.contract import Contract
from ordersaga.envelope.message import Cause
from ordersaga.inbox.reactions import Reactions
from ordersaga.service import Service
from ordersaga.store.transaction import Transaction, decide
from tests.support import counted_versions, counting
from tests.support.counted_versions import CountKeptV2
from tests.support.counting import GROUP, Counter, CountKept

RELEASE = int(os.environ.get("RELEASE", "1"))
CONTRACT: type[Contract] = CountKept if RELEASE == 1 else CountKeptV2


class Ledger(BaseAggregate[UUID]):
    """The numbers of one counter in the order of arrival."""

    TOPIC = "ledger"

    class Event(AggregateEvent):
        """Something that happened to a ledger."""

    class Opened(Event, AggregateCreated):
        TOPIC = "ledger.opened"

    class Entered(Event):
        TOPIC = "ledger.entered"
        number: int

    @event(Opened)
    def __init__(self, id: UUID) -> None:
        self._id = id
        self.numbers: list[int] = []

    @event(Entered)
    def enter(self, number: int) -> None:
        self.numbers.append(number)


reactions = Reactions()


@reactions.to(CONTRACT, loads=lambda message: [message.counter_id])
def when_count_kept_enter_it(message: CountKept, transaction: Transaction) -> None:
    ledger = transaction.find(Ledger, message.counter_id) or Ledger(id=message.counter_id)
    ledger.enter(message.number)
    transaction.save(ledger)


producer = Service(GROUP, (counting if RELEASE == 1 else counted_versions).announcements, group="counting_itself")
consumer = Service("tally", reactions=reactions, group=GROUP, role=GROUP)
services = (producer, consumer)


def count(transaction: Transaction, id: UUID) -> None:
    counter = transaction.find(Counter, id) or Counter(id=id)
    counter.keep(len(counter.numbers) + 1)
    transaction.save(counter)


def main(url: str, *ids: str) -> None:
    """Record numbers of these counters in turn, until the process ends."""
    cause = Cause(UUID(int=0), actor=f"release {RELEASE}")
    with psycopg.connect(url, autocommit=True) as connection:
        while True:
            for id_ in ids:
                decide(connection, producer.announcements, cause, partial(count, id=UUID(id_)))
                time.sleep(0.01)


if __name__ == "__main__":
    main(*sys.argv[1:])
