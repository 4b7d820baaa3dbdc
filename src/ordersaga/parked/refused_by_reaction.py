"""RefusedByReaction: a message that a reaction refused, locked while a person acts on it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row

from ordersaga.envelope.message import ContractData, UnreadableMessage, read_envelope
from ordersaga.inbox.delivery import Broken, read
from ordersaga.inbox.forks import ForkedHistory
from ordersaga.parked import attempts, table
from ordersaga.parked.attempts import ParkedMessage
from ordersaga.parked.operator import ActionRefused

KEY = "select key from parked_messages where message_id = %s"
LOCK = f"select {attempts.COLUMNS} from parked_messages where message_id = %s for update"  # noqa: S608 - a constant

MAKE_DUE = """
with earlier as (select exists (
    select from parked_messages earlier join parked_messages this using (key)
    where this.position = %(position)s and earlier.position < this.position) as waits)
update parked_messages set attempts = 0, tried_at = null, failed_at = null, wanted_until = null, held = false,
    state = case when earlier.waits then 'waiting' else 'retrying' end,
    next_attempt_at = case when earlier.waits then null else now() end
from earlier where position = %(position)s returning state
"""
HOLD = """
update parked_messages set held = %(held)s::boolean, wanted_until = null,
    next_attempt_at = case when state = 'retrying' and error <> %(unknown)s and %(held)s::boolean is null then now() end
where position = %(position)s
"""
SKIP = """
insert into inbox (message_id, contract, source, event_hash)
values (%s, %s, %s, %s) on conflict (message_id) do nothing
"""
# What a person skipped took no effect, so a retry of what shares its id with another event can be the true one.
UNSKIP = """
delete from inbox where message_id = %(id)s and event_hash <> %(event_hash)s and exists (
    select from parked_actions where refused_by = 'reaction' and action = 'skip'
        and (message_id = %(id)s or headers ->> 'ce-id' = %(id)s::text))
"""
REPLACE_BODY = """
update parked_messages set body = %(body)s, original_body = coalesce(original_body, body), edits = edits + 1
where position = %(position)s
"""


@dataclass(frozen=True, slots=True)
class RefusedByReaction:
    """A row of parked_messages and the queue of its key, locked until the transaction ends."""

    row: ParkedMessage
    refused_by: Literal["reaction"] = "reaction"

    @property
    def message_id(self) -> UUID:
        return self.row.message_id

    @property
    def state(self) -> str:
        return self.row.state

    @property
    def attempts(self) -> int:
        return self.row.attempts

    @property
    def edits(self) -> int:
        return self.row.edits

    @property
    def announced_id(self) -> UUID:
        """Its own id, also while it is parked under another because it cannot be read."""
        if self.row.error in table.OF_ANOTHER:
            return self.message_id
        try:
            return read_envelope(self.row.headers).id
        except UnreadableMessage:
            return self.message_id

    def make_due(self, connection: Connection[Any]) -> str:
        """Make it due now, or as soon as it is the first of its key. Returns the new state.

        A fork of a message that a person has skipped takes that one's place: a forger can claim an id first.
        """
        if self.row.error == ForkedHistory.__name__:
            message = read_envelope(self.row.headers)
            connection.execute(UNSKIP, {"id": message.id, "event_hash": message.event_hash})
        return str(next(connection.execute(MAKE_DUE, {"position": self.row.position}))[0])

    def hold(self, connection: Connection[Any], held: bool) -> None:
        """Keep workers from trying it, or no longer."""
        connection.execute(HOLD, {"held": held or None, "position": self.row.position, "unknown": table.UNKNOWN})

    def skip(self, connection: Connection[Any]) -> None:
        """Move it to the inbox, so that a repeat is dropped, and make the next of its key due.

        What could not be read has an id of its own; the id that it will have once it can be read is skipped too.
        """
        for id_ in {self.message_id, self.announced_id}:
            connection.execute(SKIP, (id_, self.row.contract or "", *origin(self.row.headers)))
        attempts.remove(connection, [self.row])
        attempts.release_first(connection, self.row.key)

    def replace_body(self, connection: Connection[Any], body: bytes) -> None:
        """Keep the original body beside the new one."""
        connection.execute(REPLACE_BODY, {"body": body, "position": self.row.position})

    def require_valid(self, body: bytes, contracts: Mapping[str, type[ContractData]]) -> None:
        """Raises ActionRefused when the message cannot be handled with this body, or would get another key."""
        message = read(self.row.delivery._replace(body=body), contracts)
        if isinstance(message, Broken):
            raise ActionRefused(str(message.reason))


def lock(connection: Connection[Any], message_id: UUID) -> RefusedByReaction | None:
    """Lock the queue of its key, then its row; None when no reaction has refused it."""
    key = connection.execute(KEY, (message_id,)).fetchone()
    if key is None:
        return None
    table.lock(connection, key)
    with connection.cursor(row_factory=class_row(ParkedMessage)) as cursor:
        row = cursor.execute(LOCK, (message_id,)).fetchone()
    return RefusedByReaction(row) if row else None


def origin(headers: Mapping[str, Any]) -> tuple[str, bytes]:
    """Source and event hash, empty where the envelope is broken."""
    try:
        event_hash = bytes.fromhex(headers["ce-eventhash"])
    except (KeyError, ValueError, TypeError):
        event_hash = b""
    return str(headers.get("ce-source", "")), event_hash
