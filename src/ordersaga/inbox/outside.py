"""Outside steps: calls of reactions to other systems, made before their transaction begins."""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from psycopg import Connection

from ordersaga.inbox.delivery import NO_ANSWER, Broken, Received
from ordersaga.inbox.reactions import Reactions
from ordersaga.runtime.errors import ErrorKind, Unavailable, classify
from ordersaga.runtime.links import refuse_disturbed
from ordersaga.runtime.sessions import WORKER, SessionLimits, open_pool
from ordersaga.store.announcements import Announcements
from ordersaga.store.transaction import Transaction

THREADS = 16
"""Outside steps that run at once in one process, each with a read connection."""
PAUSE_SECONDS = 0.5


NEEDS_NO_STEP = """
select exists (select from inbox where message_id = %s) or (%s and exists (select from parked_messages where key = %s))
"""


def needs_no_step(connection: Connection[Any], message: Received, fresh: bool) -> bool:
    """Whether the message took effect before or, if it is fresh, waits behind a parked message of its key."""
    row = connection.execute(NEEDS_NO_STEP, (message.id, fresh, message.key)).fetchone()
    return bool(row and row[0])


class OutsideSteps:
    """Runs outside steps in threads. Their connections are only for reading: each statement is a transaction."""

    def __init__(
        self,
        reactions: Reactions,
        announcements: Announcements,
        resources: Any,
        url: str,
        stopping: threading.Event,
        limits: SessionLimits = WORKER,
    ) -> None:
        self.steps: Mapping[str, Callable[..., Any]] = {
            name: reaction.outside for name, reaction in reactions.by_contract.items() if reaction.outside
        }
        self.announcements = announcements
        self.resources = resources
        self.stopping = stopping
        self.threads = ThreadPoolExecutor(THREADS, "outside")
        self.pool = open_pool(url, "outside steps", limits, THREADS, min_size=1, open=False, check=refuse_disturbed)

    def __enter__(self) -> "OutsideSteps":
        if self.steps:
            self.pool.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.threads.shutdown(cancel_futures=True)
        self.pool.close()

    def needed(self, message: Received | Broken) -> bool:
        """Whether an outside step runs before the reaction to this message."""
        return isinstance(message, Received) and message.contract in self.steps and not message.delivery.is_suspect

    def start(self, message: Received, fresh: bool) -> "Future[Any]":
        """Run the step in a thread. A fresh message, unlike a parked one, gets no step while its key is parked."""
        return self.threads.submit(self.run_until_database_answers, message, fresh)

    def run_until_database_answers(self, message: Received, fresh: bool) -> Any:
        while True:
            try:
                with self.pool.connection() as connection:
                    return self.run(connection, message, fresh)
            except Exception as error:
                if classify(error) is not ErrorKind.UNAVAILABLE:
                    raise
                if self.stopping.wait(PAUSE_SECONDS):
                    raise Unavailable("stopped while the database was away") from error

    def run(self, connection: Connection[Any], message: Received, fresh: bool) -> Any:
        if needs_no_step(connection, message, fresh):
            return NO_ANSWER
        transaction = Transaction(connection, self.announcements, message.message.caused_by_this())
        return self.steps[message.contract](message.data, transaction, self.resources)
