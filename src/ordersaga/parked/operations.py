"""The operations on a parked message: retry, edit, skip, hold and release, each recorded with actor and reason."""

from collections.abc import Mapping
from typing import Any, Literal
from uuid import UUID

from psycopg import Connection

from ordersaga.envelope.message import ContractData
from ordersaga.parked import held_by_broker, held_by_reaction
from ordersaga.parked.held_by_broker import HeldByBroker
from ordersaga.parked.held_by_reaction import HeldByReaction
from ordersaga.parked.operator import ActionRefused, Changed, Operator, UnknownMessage
from ordersaga.parked.refused_by import RefusedBy, statement

Held = HeldByReaction | HeldByBroker

NO_EDIT = (
    "the broker refused message {id}, and the event store explains its body, which must not change. Remove the cause "
    "and retry it, or skip it"
)


def version(state: str, attempts: int, edits: int) -> str:
    """Changes with every attempt at a message and with every action on it."""
    return f"{state}.{attempts}.{edits}"


def hold(connection: Connection[Any], message_id: UUID, seen: str | None, refused_by: RefusedBy | None) -> Held:
    """Lock a parked message until the transaction ends.

    Args:
        seen: here and below, the version at which the person decided; None is any.
        refused_by: here and below, who refused it; None: the reaction if it did, else the broker.

    Raises:
        UnknownMessage: it is not parked here.
        Changed: it is at another version.
    """
    held: Held | None = None
    if refused_by != "broker":
        held = held_by_reaction.hold(connection, message_id)
    if held is None and refused_by != "reaction":
        held = held_by_broker.hold(connection, message_id)
    if held is None:
        raise UnknownMessage(f"message {message_id} is not parked here")
    if seen is not None and seen != (now := version(held.state, held.attempts, held.edits)):
        raise Changed(f"message {message_id} was at {seen} when this was decided, and is at {now} now")
    return held


RECORD = """
insert into parked_actions (refused_by, action, message_id, key, contract, correlation_id, actor, reason, state,
    attempts, error, place, message, headers, body, new_body)
select %(refused_by)s, %(action)s, message_id, key, contract, correlation_id, %(actor)s, %(reason)s, state, attempts,
    error, place, message, case when %(action)s in ('edit', 'skip') then headers end,
    case when %(action)s in ('edit', 'skip') then body end, %(new_body)s
from {rows} where message_id = %(message_id)s order by position limit 1
"""


def record(
    connection: Connection[Any], action: str, held: Held, operator: Operator, new_body: bytes | None = None
) -> None:
    """Record an action, with the message as it is before the action."""
    said, about = operator.storable()._asdict(), {"message_id": held.message_id, "refused_by": held.refused_by}
    parameters = {**said, **about, "action": action, "new_body": new_body}
    connection.execute(statement(RECORD, held.refused_by), parameters)


def retry(
    connection: Connection[Any],
    message_id: UUID,
    operator: Operator,
    seen: str | None = None,
    refused_by: RefusedBy | None = None,
) -> str:
    """Make a message due now, also a dead one, with its attempts reset. A worker or the active relay tries it.

    Returns its state: `retrying`, or `waiting` behind others of its key.

    Raises:
        UnknownMessage: it is not parked here.
        Changed: it is at another version.
    """
    with connection.transaction():
        held = hold(connection, message_id, seen, refused_by)
        record(connection, "retry", held, operator)
        return held.make_due(connection)


def skip(
    connection: Connection[Any],
    message_id: UUID,
    operator: Operator,
    seen: str | None = None,
    refused_by: RefusedBy | None = None,
) -> None:
    """Drop a message: it never takes effect here, or is never published; the next message of its key is due.

    Raises:
        UnknownMessage: it is not parked here.
        Changed: it is at another version.
    """
    with connection.transaction():
        held = hold(connection, message_id, seen, refused_by)
        record(connection, "skip", held, operator)
        held.skip(connection)


def keep(
    connection: Connection[Any],
    message_id: UUID,
    operator: Operator,
    seen: str | None = None,
    refused_by: RefusedBy | None = None,
    *,
    held: bool = True,
) -> Literal["held", "released"]:
    """Keep a message from being tried until a person releases, retries, edits or skips it; or release it.

    The messages behind it wait too. After a release it is due, unless its failure group is on hold.

    Raises:
        UnknownMessage: it is not parked here.
        Changed: it is at another version.
    """
    with connection.transaction():
        message = hold(connection, message_id, seen, refused_by)
        record(connection, "hold" if held else "release", message, operator)
        message.keep(connection, held)
    return "held" if held else "released"


def edit(
    connection: Connection[Any],
    message_id: UUID,
    body: bytes,
    contracts: Mapping[str, type[ContractData]],
    operator: Operator,
    seen: str | None = None,
    refused_by: RefusedBy | None = None,
) -> str:
    """Replace the body of a message that a reaction refused, and make it due with its attempts reset.

    The body must satisfy the contract and have the same key; the original is kept. Returns the state as `retry` does.

    Raises:
        UnknownMessage: it is not parked here.
        Changed: it is at another version.
        ActionRefused: the body is invalid, the envelope is broken, or the broker refused the message.
    """
    with connection.transaction():
        held = hold(connection, message_id, seen, refused_by)
        if isinstance(held, HeldByBroker):
            raise ActionRefused(NO_EDIT.format(id=message_id))
        held.require_valid(body, contracts)
        record(connection, "edit", held, operator, body)
        held.replace_body(connection, body)
        return held.make_due(connection)
