"""The operations on a parked message: retry, edit, skip, hold and release, each recorded with actor and reason."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from psycopg import Connection

from ordersaga.envelope.message import ContractData
from ordersaga.parked import refused_by_broker, refused_by_reaction
from ordersaga.parked.operator import ActionRefused, Changed, Operator, UnknownMessage
from ordersaga.parked.refused_by import RefusedBy, statement
from ordersaga.parked.refused_by_broker import RefusedByBroker
from ordersaga.parked.refused_by_reaction import RefusedByReaction
from ordersaga.runtime import failpoints

Refused = RefusedByReaction | RefusedByBroker

NO_EDIT = (
    "the broker refused message {id}, and the event store explains its body, which must not change. Remove the cause "
    "and retry it, or skip it"
)


def version(state: str, attempts: int, edits: int) -> str:
    """Changes with every attempt at a message and with every action on it."""
    return f"{state}.{attempts}.{edits}"


def lock(connection: Connection[Any], message_id: UUID, seen: str | None, refused_by: RefusedBy | None) -> Refused:
    """Lock a parked message until the transaction ends.

    Args:
        seen: here and below, the version at which the person decided; None is any.
        refused_by: here and below, who refused it; None: the reaction if it did, else the broker.

    Raises:
        UnknownMessage: it is not parked here.
        Changed: it is at another version.
    """
    refused: Refused | None = None
    if refused_by != "broker":
        refused = refused_by_reaction.lock(connection, message_id)
    if refused is None and refused_by != "reaction":
        refused = refused_by_broker.lock(connection, message_id)
    if refused is None:
        raise UnknownMessage(f"message {message_id} is not parked here")
    if seen is not None and seen != (now := version(refused.state, refused.attempts, refused.edits)):
        raise Changed(f"message {message_id} was at {seen} when this was decided, and is at {now} now")
    return refused


RECORD = """
insert into parked_actions (refused_by, action, message_id, key, contract, correlation_id, actor, reason, state,
    attempts, error, place, message, headers, body, new_body)
select %(refused_by)s, %(action)s, message_id, key, contract, correlation_id, %(actor)s, %(reason)s, state, attempts,
    error, place, message, case when %(action)s in ('edit', 'skip') then headers end,
    case when %(action)s in ('edit', 'skip') then body end, %(new_body)s
from {rows} where message_id = %(message_id)s order by position limit 1
"""


def record(
    connection: Connection[Any], action: str, refused: Refused, operator: Operator, new_body: bytes | None = None
) -> None:
    """Record an action, with the message as it is before the action."""
    said, about = operator.storable()._asdict(), {"message_id": refused.message_id, "refused_by": refused.refused_by}
    parameters = {**said, **about, "action": action, "new_body": new_body}
    connection.execute(statement(RECORD, refused.refused_by), parameters)


@contextmanager
def acting(
    connection: Connection[Any],
    action: str,
    message_id: UUID,
    operator: Operator,
    seen: str | None,
    refused_by: RefusedBy | None,
) -> Iterator[Refused]:
    """A transaction with the locked message, in which the action is recorded. Raises what `lock` raises."""
    with connection.transaction():
        refused = lock(connection, message_id, seen, refused_by)
        record(connection, action, refused, operator)
        yield refused
        failpoints.reach("operator.before-commit")
    failpoints.reach("operator.after-commit")


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
    with acting(connection, "retry", message_id, operator, seen, refused_by) as refused:
        return refused.make_due(connection)


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
    with acting(connection, "skip", message_id, operator, seen, refused_by) as refused:
        refused.skip(connection)


def hold(
    connection: Connection[Any],
    message_id: UUID,
    operator: Operator,
    seen: str | None = None,
    refused_by: RefusedBy | None = None,
) -> str:
    """Put a message on hold: it is not tried until a person releases, retries, edits or skips it. Returns `held`.

    The messages behind it wait too.

    Raises:
        UnknownMessage: it is not parked here.
        Changed: it is at another version.
    """
    with acting(connection, "hold", message_id, operator, seen, refused_by) as refused:
        refused.hold(connection, True)
    return "held"


def release(
    connection: Connection[Any],
    message_id: UUID,
    operator: Operator,
    seen: str | None = None,
    refused_by: RefusedBy | None = None,
) -> str:
    """End the hold of a message: it is due now, unless its failure group is on hold. Returns `released`.

    Raises:
        UnknownMessage: it is not parked here.
        Changed: it is at another version.
    """
    with acting(connection, "release", message_id, operator, seen, refused_by) as refused:
        refused.hold(connection, False)
    return "released"


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
        refused = lock(connection, message_id, seen, refused_by)
        if isinstance(refused, RefusedByBroker):
            raise ActionRefused(NO_EDIT.format(id=message_id))
        refused.require_valid(body, contracts)
        record(connection, "edit", refused, operator, body)
        refused.replace_body(connection, body)
        return refused.make_due(connection)
