"""RefusedByBroker: a message that the broker refused, locked while a person acts on it; only the relay publishes it."""

from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row

from ordersaga.parked.refused_by import BROKER_STATE

# Two messages may claim one id; the first of them is meant.
LOCK = f"""
select message_id, position, {BROKER_STATE} as state, attempts from undeliverable
where position = (select min(position) from undeliverable where message_id = %s) for update
"""  # noqa: S608 - a constant
# What waits is due as soon as it is the first of its key.
MAKE_DUE = f"""
update undeliverable set attempts = 0, held = false, next_attempt_at = case when kind <> 'waits' then now() end
where position = %s returning {BROKER_STATE}
"""  # noqa: S608 - a constant
HOLD = "update undeliverable set held = %s where position = %s"
SKIP = "delete from undeliverable where position = %s"


@dataclass(frozen=True, slots=True)
class RefusedByBroker:
    """A row of undeliverable, locked until the transaction ends."""

    message_id: UUID
    position: int
    state: str
    attempts: int
    edits: int = 0
    refused_by: Literal["broker"] = "broker"

    def make_due(self, connection: Connection[Any]) -> str:
        """Make it due now, or as soon as it is the first of its key. Returns the new state."""
        return str(next(connection.execute(MAKE_DUE, (self.position,)))[0])

    def hold(self, connection: Connection[Any], held: bool) -> None:
        """Keep the relay from sending it, or no longer."""
        connection.execute(HOLD, (held or None, self.position))

    def skip(self, connection: Connection[Any]) -> None:
        """Delete it; the relay publishes the next of its key."""
        connection.execute(SKIP, (self.position,))


def lock(connection: Connection[Any], message_id: UUID) -> RefusedByBroker | None:
    """Lock its row; None when the broker has not refused it."""
    with connection.cursor(row_factory=class_row(RefusedByBroker)) as cursor:
        return cursor.execute(LOCK, (message_id,)).fetchone()
