"""Outside steps: what a reaction must ask beyond its database, asked before its transaction begins."""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from psycopg import Connection
from psycopg_pool import ConnectionPool

from ordersaga.inbox.delivery import NOT_ASKED, Broken, Received
from ordersaga.inbox.reactions import Reactions
from ordersaga.runtime.errors import ErrorKind, Unavailable, classify
from ordersaga.runtime.links import refuse_disturbed
from ordersaga.store.announcements import Announcements
from ordersaga.store.transaction import Transaction

THREADS = 16
"""Outside steps under way at once in one process, each with a connection to read from."""
PAUSE_SECONDS = 0.5


HAS_ITS_PLACE = """
select exists (select from inbox where message_id = %s) or (%s and exists (select from parked_messages where key = %s))
"""


def has_its_place(connection: Connection[Any], message: Received, fresh: bool) -> bool:
    """Whether the message took effect before or, if it is fresh, belongs behind a parked one of its key."""
    row = connection.execute(HAS_ITS_PLACE, (message.id, fresh, message.key)).fetchone()
    return bool(row and row[0])


class OutsideSteps:
    """Runs outside steps in threads. Their connections are for reading only: each statement is a transaction."""

    def __init__(
        self, reactions: Reactions, announcements: Announcements, world: Any, url: str, stopping: threading.Event
    ) -> None:
        self.steps: Mapping[str, Callable[..., Any]] = {
            name: reaction.outside for name, reaction in reactions.by_contract.items() if reaction.outside
        }
        self.announcements = announcements
        self.world = world
        self.stopping = stopping
        self.threads = ThreadPoolExecutor(THREADS, "outside")
        self.pool = ConnectionPool(
            url,
            min_size=1,
            max_size=THREADS,
            open=False,
            kwargs={"autocommit": True},
            check=refuse_disturbed,
        )

    def __enter__(self) -> "OutsideSteps":
        if self.steps:
            self.pool.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.threads.shutdown(cancel_futures=True)
        self.pool.close()

    def needed(self, message: Received | Broken) -> bool:
        return isinstance(message, Received) and message.contract in self.steps and not message.delivery.is_suspect

    def start(self, message: Received, fresh: bool) -> "Future[Any]":
        """Ask in a thread. A fresh message, unlike a parked one, is not asked for while its key is parked."""
        return self.threads.submit(self.ask_until_database_answers, message, fresh)

    def ask_until_database_answers(self, message: Received, fresh: bool) -> Any:
        while True:
            try:
                with self.pool.connection() as connection:
                    return self.ask(connection, message, fresh)
            except Exception as error:
                if classify(error) is not ErrorKind.UNAVAILABLE:
                    raise
                if self.stopping.wait(PAUSE_SECONDS):
                    raise Unavailable("stopped while the database was away") from error

    def ask(self, connection: Connection[Any], message: Received, fresh: bool) -> Any:
        if has_its_place(connection, message, fresh):
            return NOT_ASKED
        transaction = Transaction(connection, self.announcements, message.message.caused_by_this())
        return self.steps[message.contract](message.data, transaction, self.world)
