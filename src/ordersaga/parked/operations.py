"""What a person does to a parked message: retry, edit or skip it, each recorded with who and why."""

from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row

from ordersaga.envelope.message import ContractData
from ordersaga.inbox.delivery import Broken, read
from ordersaga.parked import attempts, parked
from ordersaga.parked.attempts import ParkedMessage
from ordersaga.parked.parked import clean


class UnknownMessage(LookupError):
    """No message of this id is parked here: it may have healed, or been skipped, meanwhile."""


class Refused(ValueError):
    """The action would leave a message that cannot be handled."""


class Changed(Exception):
    """The message is no longer as the person saw it who decided."""


class Operator(NamedTuple):
    """Who does it and why."""

    actor: str
    reason: str


KEY = "select key from parked_messages where message_id = %s"
HOLD = f"select {attempts.COLUMNS} from parked_messages where message_id = %s for update"  # noqa: S608 - a constant


def version(state: str, attempts: int, edits: int) -> str:
    """Changes with every attempt at a message and everything that is done to it."""
    return f"{state}.{attempts}.{edits}"


def hold(connection: Connection[Any], message_id: UUID, seen: str | None = None) -> ParkedMessage:
    """The message, its row and the queue of its key, until the transaction ends.

    `seen`, here and below, is the version at which somebody decided; None is any.

    Raises:
        UnknownMessage: it is not parked here.
        Changed: it is at another version.
    """
    key = connection.execute(KEY, (message_id,)).fetchone()
    if key is not None:
        parked.lock(connection, key)
        with connection.cursor(row_factory=class_row(ParkedMessage)) as cursor:
            row = cursor.execute(HOLD, (message_id,)).fetchone()
        if row is not None:
            if seen is not None and seen != (now := version(row.state, row.attempts, row.edits)):
                raise Changed(f"message {message_id} was at {seen} when this was decided, and is at {now} now")
            return row
    raise UnknownMessage(f"message {message_id} is not parked here")


RECORD = """
insert into parked_actions (action, message_id, key, contract, actor, reason, state, attempts, error, place, headers,
    body, new_body)
select %(action)s, message_id, key, contract, %(actor)s, %(reason)s, state, attempts, error, place,
    case when %(action)s <> 'retry' then headers end, case when %(action)s <> 'retry' then body end, %(new_body)s
from parked_messages where position = %(position)s
"""


def record(
    connection: Connection[Any], action: str, row: ParkedMessage, operator: Operator, new_body: bytes | None = None
) -> None:
    """Write down what is about to be done to a message, and what the message was."""
    said = {name: clean(text) for name, text in operator._asdict().items()}
    parameters = {**said, "action": action, "position": row.position, "new_body": new_body}
    connection.execute(RECORD, parameters)


MAKE_DUE = """
with held as (select exists (
    select from parked_messages earlier join parked_messages this using (key)
    where this.position = %(position)s and earlier.position < this.position) as up)
update parked_messages set attempts = 0, tried_at = null,
    state = case when held.up then 'waiting' else 'retrying' end,
    next_attempt_at = case when held.up then null else now() end
from held where position = %(position)s returning state
"""


def make_due(connection: Connection[Any], row: ParkedMessage) -> str:
    """Due at once, or as soon as it is the first of its key. Returns the new state."""
    return str(next(connection.execute(MAKE_DUE, {"position": row.position}))[0])


def retry(connection: Connection[Any], message_id: UUID, operator: Operator, seen: str | None = None) -> str:
    """All attempts anew, also for a dead message. Returns its state: `retrying`, or `waiting` behind others.

    Raises:
        UnknownMessage: it is not parked here.
        Changed: it is at another version.
    """
    with connection.transaction():
        row = hold(connection, message_id, seen)
        record(connection, "retry", row, operator)
        return make_due(connection, row)


SKIP = """
insert into inbox (message_id, contract, source, event_hash)
values (%s, %s, %s, %s) on conflict (message_id) do nothing
"""


def skip(connection: Connection[Any], message_id: UUID, operator: Operator, seen: str | None = None) -> None:
    """It never takes effect here: received for good, removed, and the next message of its key is due.

    Raises:
        UnknownMessage: it is not parked here.
        Changed: it is at another version.
    """
    with connection.transaction():
        row = hold(connection, message_id, seen)
        record(connection, "skip", row, operator)
        connection.execute(SKIP, (row.message_id, row.contract or "", *origin(row.headers)))
        attempts.remove(connection, [row])
        attempts.release_first(connection, row.key)


def origin(headers: Mapping[str, Any]) -> tuple[str, bytes]:
    """Source and event hash, empty where the envelope is broken."""
    try:
        event_hash = bytes.fromhex(headers["ce-eventhash"])
    except (KeyError, ValueError, TypeError):
        event_hash = b""
    return str(headers.get("ce-source", "")), event_hash


EDIT = """
update parked_messages set body = %(body)s, original_body = coalesce(original_body, body), edits = edits + 1
where position = %(position)s
"""


def edit(
    connection: Connection[Any],
    message_id: UUID,
    body: bytes,
    contracts: Mapping[str, type[ContractData]],
    operator: Operator,
    seen: str | None = None,
) -> str:
    """Another body, valid by its contract and of the same key, and all attempts anew. The original is kept.

    Returns its state as `retry` does.

    Raises:
        UnknownMessage: it is not parked here.
        Changed: it is at another version.
        Refused: the body, or an envelope that no body mends.
    """
    with connection.transaction():
        row = hold(connection, message_id, seen)
        require_valid(row, body, contracts)
        record(connection, "edit", row, operator, body)
        connection.execute(EDIT, {"body": body, "position": row.position})
        return make_due(connection, row)


def require_valid(row: ParkedMessage, body: bytes, contracts: Mapping[str, type[ContractData]]) -> None:
    """Raises Refused."""
    message = read(row.delivery._replace(body=body), contracts)
    if isinstance(message, Broken):
        raise Refused(str(message.reason))
    key = str(getattr(message.data, message.data.KEY))
    if key != message.key:
        raise Refused(f"{message.data.KEY} would become {key}, but the message is of the key {message.key}")
