"""Bell: whether somebody has rung since the relay last looked; a ring also ends the wait of its publisher."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg import Connection, Notify

from ordersaga.database import doorbell
from ordersaga.relay.publisher import Publisher


class Bell:
    """The rings that arrive on the session of a relay, however many, are one."""

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection
        self._has_rung = False
        connection.add_notify_handler(self._note)
        doorbell.listen(connection)

    def has_rung(self) -> bool:
        """Whether somebody has rung since the last `reset`.

        A ring may have come with the answer to a statement: the socket is not readable then, and only libpq knows.
        """
        while self._connection.pgconn.notifies():
            self._has_rung = True
        return self._has_rung

    def reset(self) -> None:
        """Forget the rings so far: what they are for is visible to the next statement."""
        self.has_rung()
        self._has_rung = False

    def read(self) -> None:
        """Read what has arrived on the session. Raises psycopg.OperationalError when the server has closed it."""
        self._connection.pgconn.consume_input()

    def _note(self, _: Notify) -> None:
        self._has_rung = True


@contextmanager
def bell_of(connection: Connection[Any], publisher: Publisher) -> Iterator[Bell]:
    """A bell that wakes the publisher, for as long as the block lasts."""
    bell = Bell(connection)
    socket = connection.fileno()
    publisher.watch(socket, bell.read)
    try:
        yield bell
    finally:
        publisher.unwatch(socket)
