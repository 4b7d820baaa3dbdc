"""Stall: why the broker confirms nothing, in a sentence for the log, the health endpoint and `relay status`."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from psycopg import Connection

from ordersaga.broker.silent_queues import SilentQueues
from ordersaga.envelope.message import Message
from ordersaga.relay.publisher import Publisher
from ordersaga.relay.silence import Silence
from ordersaga.runtime.logs import log

UNCONFIRMED_SECONDS = 15.0
"""Seconds without a confirm after which a relay with messages in flight is not ready."""
NAMED = 3
"""Routing keys and queues that a sentence names; of the others it gives the number."""

SAVED = "select problem from relay_cursor"
# The transaction id marks the cursor as written on this server (see `rebase`); its place has not moved.
SAVE = "update relay_cursor set problem = %s, xid = pg_current_xact_id()"


class Stall:
    """Whether the broker keeps back the confirms of one database, while one relay leads."""

    def __init__(
        self,
        database: str,
        connection: Connection[Any],
        publisher: Publisher,
        queues: SilentQueues,
        silence: Silence,
    ) -> None:
        self.problem = ""
        """Empty while the broker confirms."""
        self._database = database
        self._connection = connection
        self._publisher = publisher
        self._queues = queues
        self._silence = silence
        self._log = log.bind(database=database)
        self._since: datetime | None = None
        row = connection.execute(SAVED).fetchone()
        self._saved: str | None = row[0] if row else None

    def check(self, unconfirmed_seconds: float) -> None:
        """Find out what is wrong, and save the sentence in the cursor's row when it has changed.

        Raises QueueSilent when the relay can publish around the queue that is the cause.
        """
        if not self._publisher.blocked:
            self._silence.check(unconfirmed_seconds, self._publisher.unconfirmed)
        problem = self._find(unconfirmed_seconds)
        if problem != self.problem:
            self._tell(problem)
            self.problem = problem
        if (problem or None) != self._saved:
            self._connection.execute(SAVE, (problem or None,))
            self._saved = problem or None

    def _tell(self, problem: str) -> None:
        if problem:
            self._log.warning(problem)
        else:
            self._log.info("RabbitMQ confirms again")

    def _find(self, unconfirmed_seconds: float) -> str:
        if self._publisher.blocked:
            return f"RabbitMQ blocks publishers: {self._publisher.blocked}. It takes no message of {self._database}"
        if unconfirmed_seconds <= UNCONFIRMED_SECONDS:
            self._since = None
            return ""
        if self._since is None:
            self._since = datetime.now(UTC)
            self._queues.ask()
        return self._unconfirmed(self._since, self._publisher.unconfirmed())

    def _unconfirmed(self, since: datetime, messages: Sequence[Message]) -> str:
        keys = sorted({message.routing_key for message in messages})
        bound = self._queues.bound(keys)
        nothing = (
            f"RabbitMQ has confirmed nothing of {self._database} since {since:%H:%M:%S} UTC; "
            f"unconfirmed: {few(keys, 'routing key')}"
        )
        if silent := [queue for queue in self._queues.silent() if queue in bound]:
            return f"{nothing}. {self._obstacle()}No answer from {few(silent, 'queue')}"
        if bound and self._queues.is_complete:
            return (
                f"{nothing}. {self._obstacle()}"
                f"An answer from {few(bound, 'queue')}, so it is another queue that is bound to `events`: "
                "see `rabbitmqctl list_bindings` and `rabbitmqctl list_queues name state`"
            )
        return f"{nothing}. A queue that is bound for them is unavailable"

    def _obstacle(self) -> str:
        """Why the relay does not publish around the queue."""
        return f"{self._silence.obstacle}. " if self._silence.obstacle else ""


def few(names: Sequence[str], noun: str) -> str:
    """`queue a`, `queues a, b`, or `queues a, b, c and 4 others`."""
    others = f" and {len(names) - NAMED} others" if len(names) > NAMED else ""
    return f"{noun}{'s' if len(names) > 1 else ''} {', '.join(names[:NAMED])}{others}"
