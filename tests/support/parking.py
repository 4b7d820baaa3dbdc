"""Messages of the counting service that are parked without any worker, and the actions recorded of them."""

from typing import Any
from uuid import UUID

from psycopg import Connection

from ordersaga.consumer.receiver import Receiver
from ordersaga.envelope.message import Message, to_properties
from ordersaga.inbox.delivery import Delivery, Received, read
from ordersaga.inbox.reactor import Reactor
from ordersaga.parked.operator import Operator
from ordersaga.store import aggregates
from tests.support.counting import GROUP, Counter, announcements, reactions
from tests.support.databases import Database
from tests.support.workers import Counting, counted

ALICE = Operator("alice", "the supplier has mended it")
handler = Reactor(reactions, announcements)


def delivery(message: Message, body: bytes | None = None) -> Delivery:
    headers: dict[str, Any] = to_properties(message).headers
    return Delivery(1, message.routing_key, headers, message.body.encode() if body is None else body)


def received(message: Message, delivered_before: int = 0) -> Received:
    """The message as a worker of the counting service reads it."""
    found = read(delivery(message)._replace(delivered_before=delivered_before), handler.contracts)
    assert isinstance(found, Received)
    return found


def receive(connection: Connection[Any], *messages: Message, body: bytes | None = None) -> None:
    """As the consumer does, one by one."""
    for message in messages:
        Receiver(GROUP, handler).receive(connection, [read(delivery(message, body), handler.contracts)])


def fail(counting: Counting, connection: Connection[Any], counter: UUID, messages: int = 3) -> list[Message]:
    """The first message of the counter is dead, the others wait behind it, and the cause is mended."""
    made = [counted(counter, number) for number in range(1, messages + 1)]
    counting.switches.set(counter, "fail:1")
    receive(connection, *made)
    connection.execute("update parked_messages set state = 'dead', attempts = 8 where state = 'retrying'")
    counting.switches.clear(counter)
    return made


def actions(database: Database, columns: str = "action, message_id, actor, reason, state") -> list[tuple[Any, ...]]:
    return database.rows(f"select {columns} from parked_actions order by position")  # noqa: S608


def numbers(connection: Connection[Any], counter: UUID) -> list[int]:
    """What the counter has kept, in order."""
    found = aggregates.load(connection, [counter]).get(counter)
    return found.aggregate.numbers if found and isinstance(found.aggregate, Counter) else []


def parked_as(connection: Connection[Any], message: Message) -> UUID:
    """The id under which a message is parked; one that cannot be read has another than its own."""
    query = "select message_id from parked_messages where headers ->> 'ce-id' = %s"
    [(id_,)] = connection.execute(query, (str(message.id),)).fetchall()
    return UUID(str(id_))


class NoSteps:
    """A worker without outside steps."""

    unready_operations: tuple[str, ...] = ()
    places = 0

    def needed(self, _: object) -> bool:
        return False
