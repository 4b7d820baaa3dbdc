"""Given a past, when something is asked or heard, then these events and these announcements: no database is needed."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast
from uuid import UUID, uuid4

from eventsourcing.domain import BaseAggregate

from ordersaga.envelope.message import Cause, ContractData, Message
from ordersaga.inbox.reactions import Reaction, Reactions
from ordersaga.store.aggregates import History, NewEventRow
from ordersaga.store.announcements import Announcements
from ordersaga.store.deadline import Deadline
from ordersaga.store.topics import mapper
from ordersaga.store.transaction import Transaction

Result = TypeVar("Result")
Kind = TypeVar("Kind", bound=BaseAggregate[UUID])
Command = Callable[[Transaction], Result]
ENVELOPE = {"originator_id", "originator_version", "originator_topic", "timestamp"}


class ToldTransaction(Transaction):
    """A transaction over a past that is told it instead of loaded; what it decides is the real thing."""

    def __init__(self, past: dict[UUID, list[NewEventRow]], announcements: Announcements, cause: Cause) -> None:
        super().__init__(cast(Any, None), announcements, cause)
        self.past = past
        self.parked: frozenset[str] = frozenset()
        self.locked: set[UUID] = set()

    def is_parked(self, contract: type[ContractData], key: str) -> bool:
        return contract.NAME in self.parked

    def lock(self, ids: Iterable[UUID]) -> None:
        self.locked.update(ids)

    def load(self, ids: Iterable[UUID]) -> None:
        for id_ in ids:
            if id_ not in self._histories:
                self._histories[id_] = replay(self.past.get(id_, []))


def replay(rows: list[NewEventRow]) -> History | None:
    """The aggregate made again from its stored events, through the mapper and back."""
    aggregate = None
    for row in rows:
        aggregate = mapper.to_domain_event(row.stored).mutate(aggregate)
    return History(aggregate, rows[-1].hash) if aggregate is not None else None


@dataclass
class Service:
    """One service's commands and reactions, and all that they have recorded and said so far."""

    announcements: Announcements
    reactions: Reactions
    world: Any = None
    """What outside steps ask."""
    past: dict[UUID, list[NewEventRow]] = field(default_factory=dict)
    events: list[NewEventRow] = field(default_factory=list)
    said: list[Message] = field(default_factory=list)
    received: set[UUID] = field(default_factory=set)
    deadlines: list[Deadline] = field(default_factory=list)
    parked: frozenset[str] = frozenset()
    """Contracts whose messages wait, parked, behind the one that is asked about."""

    def begin(self, cause: Cause | None = None) -> ToldTransaction:
        return ToldTransaction(self.past, self.announcements, cause or Cause(uuid4()))

    def find(self, kind: type[Kind], id_: UUID) -> Kind | None:
        return self.begin().find(kind, id_)

    def decide(self, command: Command[Result]) -> Result:
        transaction = self.begin()
        result = command(transaction)
        self.keep(transaction)
        return result

    def ask(self, message: Message) -> Any:
        """Run the outside step of the reaction to this message, as things stand now."""
        reaction = self.reaction_to(message)
        assert reaction.outside
        transaction = self.begin()
        transaction.follow(message)
        transaction.parked = self.parked
        return reaction.outside(data_of(reaction, message), transaction, self.world)

    def react(self, message: Message, *answer: Any, commit: bool = True) -> None:
        """Receive a message once and react; without `commit` everything is rolled back at the end."""
        if message.id in self.received:
            return
        reaction, transaction = self.reaction_to(message), self.begin()
        data = data_of(reaction, message)
        transaction.load(reaction.loads(data))
        transaction.lock(reaction.locks(data, transaction))
        transaction.receive(message)
        reaction.function(data, transaction, *answer)
        self.check_locks(transaction, set(reaction.loads(data)))
        if commit:
            self.keep(transaction)

    def pass_deadline(self, name: str, id_: UUID) -> None:
        def passed(transaction: Transaction) -> None:
            self.reactions.deadlines[name](id_, transaction)

        self.decide(passed)

    def said_after(self, number: int) -> list[Message]:
        return self.said[number:]

    def reaction_to(self, message: Message) -> Reaction:
        reaction = self.reactions.by_contract.get(message.contract)
        assert reaction is not None, f"{self.announcements.source} has no reaction to {message.contract}"
        return reaction

    def check_locks(self, transaction: ToldTransaction, own: set[UUID]) -> None:
        """A reaction writes only its own key's aggregate and what it has named to be locked."""
        written = {row.stored.originator_id for row in transaction.rows.events}
        assert written <= own | transaction.locked, "a reaction wrote an aggregate that it had not locked"

    def keep(self, transaction: ToldTransaction) -> None:
        rows = transaction.rows
        for row in rows.events:
            stream = self.past.setdefault(cast(UUID, row.stored.originator_id), [])
            assert row.stored.originator_version == len(stream) + 1
            stream.append(row)
        self.events += rows.events
        self.said += rows.messages
        self.received |= {row.message.id for row in rows.received}
        self.deadlines += [deadline for deadline, _ in rows.deadlines]


def data_of(reaction: Reaction, message: Message) -> ContractData:
    return reaction.contract.model_validate_json(message.body)
