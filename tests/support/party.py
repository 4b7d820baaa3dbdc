"""A service over its real database: the same reactor and the same transactions as its worker, without a broker."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from uuid import UUID, uuid4

from eventsourcing.domain import BaseAggregate

from ordersaga.envelope.message import Cause, Message, to_properties
from ordersaga.inbox.delivery import Delivery, Received, read
from ordersaga.inbox.reactions import Reactions
from ordersaga.inbox.reactor import Reactor
from ordersaga.store.announcements import Announcements
from ordersaga.store.lazy_transaction import LazyTransaction
from ordersaga.store.transaction import Transaction, decide
from tests.support.databases import Database

Kind = TypeVar("Kind", bound=BaseAggregate[UUID])

SAID = """
select correlation_id, causation_id, actor, traceparent, tracestate,
    message_id, contract, source, key, sequence, time, event_hash, body
from outbox order by position offset %s
"""


class DatabaseParty:
    """Uses one connection; another thread needs another party on the same database."""

    def __init__(
        self, database: Database, reactions: Reactions, announcements: Announcements, world: Any = None
    ) -> None:
        self.database = database
        self.reactions = reactions
        self.announcements = announcements
        self.world = world
        self.parked: frozenset[str] = frozenset()
        self.connection = database.connect()
        self.reactor = Reactor(reactions, announcements)

    def decide(self, command: Callable[[Transaction], Any]) -> Any:
        return decide(self.connection, self.announcements, Cause(uuid4()), command)

    def find(self, kind: type[Kind], id_: UUID) -> Kind | None:
        return Transaction(self.connection, self.announcements, Cause(uuid4())).find(kind, id_)

    def ask(self, message: Message) -> Any:
        received = self.received(message)
        step = self.reactor.reactions[message.contract].outside
        assert step
        transaction = Transaction(self.connection, self.announcements, message.caused_by_this())
        transaction.follow(message)
        return step(received.data, transaction, self.world)

    def react(self, message: Message, *answer: Any, commit: bool = True) -> None:
        """As a worker does, or, while its key has parked messages, a retry."""
        received = self.received(message)
        if answer:
            [received.answer] = answer
        with LazyTransaction(self.connection, force_rollback=not commit) as lazy:
            look = self.reactor.look(self.connection, [received])
            if not look.known:
                self.reactor.handle(lazy, [received], look, are_parked=received.key in look.parked)

    def received(self, message: Message) -> Received:
        """The message as it comes out of its AMQP envelope."""
        headers = to_properties(message).headers
        read_ = read(Delivery(0, message.routing_key, headers, message.body.encode()), self.reactor.contracts)
        assert isinstance(read_, Received)
        return read_

    def pass_deadline(self, name: str, id_: UUID) -> None:
        self.decide(lambda transaction: self.reactions.deadlines[name](id_, transaction))

    def said_after(self, number: int) -> Sequence[Message]:
        return [message_of(*row) for row in self.connection.execute(SAID, (number,))]

    def beside(self) -> "DatabaseParty":
        """The same service on a connection of its own."""
        return DatabaseParty(self.database, self.reactions, self.announcements, self.world)

    def close(self) -> None:
        self.connection.close()


def message_of(correlation: UUID, causation: UUID, actor: str, parent: str, state: str, *rest: Any) -> Message:
    id_, contract, source, key, sequence, time, event_hash, body = rest
    cause = Cause(correlation, causation, actor, parent, state)
    return Message(id_, contract, source, key, sequence, time, event_hash, cause, body)
