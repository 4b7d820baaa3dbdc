"""Replication: waits until a synchronous standby has everything that the database shows.

A commit that waits for its standby is seen by nobody. But a server that crashes meanwhile shows it afterwards, although
the standby may never get it, and its client was told nothing. A relay that published it would fork history when that
standby is promoted. Nothing of the kind can become visible later, except when somebody ends the waiting session of a
writer.
"""

from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.errors import Diagnostic
from psycopg.pq import ExecStatus

from ordersaga.relay import session
from ordersaga.runtime import sessions

STANDBYS = "select current_setting('synchronous_standby_names')"
# A commit waits for the standby only if it has written something; whoever waits for it waits for all before it.
CONFIRM = b"""
begin; set local synchronous_commit = on; set local statement_timeout = 0; set local client_min_messages = warning;
update relay_cursor set moved_at = moved_at;
commit
"""
THIS_SESSION = "select pid, backend_start from pg_stat_activity where pid = pg_backend_pid()"
SESSION_EXISTS = "select from pg_stat_activity where (pid, backend_start) = (%s, %s)"
CANCEL_SECONDS = 1.0
LOOK_SECONDS = 30.0
"""Seconds between two looks whether the session that waits still exists."""
WAIT = "SyncRepWaitForLSN"
"""The function of Postgres that warns of a wait that somebody has cancelled."""


class Replication:
    """Of one relay; `problem` is a sentence while it waits."""

    def __init__(self, database: str, url: str, wait: Callable[[], object], is_stopping: Callable[[], bool]) -> None:
        """`wait` is called again and again meanwhile, and takes a moment; `url` is that of the same database."""
        self.problem = ""
        self._database = database
        self._url = url
        self._wait = wait
        self._is_stopping = is_stopping

    def confirm(self, connection: Connection[Any]) -> bool:
        """Whether the standbys have all that is visible; False when the relay is stopped first.

        Raises psycopg.Error when the session is lost, or somebody cancels its wait. Unless confirmed, it is closed.
        """
        names = session.fetch_one(connection, STANDBYS)
        if not names:
            return True
        self.problem = f"Postgres waits for its synchronous standby ({names}) before {self._database} is published"
        is_confirmed = False
        try:
            is_confirmed = self._commit(connection)
        finally:
            self.problem = ""
            if not is_confirmed:
                end_wait(connection)
        return is_confirmed

    def _commit(self, connection: Connection[Any]) -> bool:
        """By hand: `execute` would not return to answer the broker's heartbeats, or to stop."""
        cancelled: list[str] = []
        this, look_at = connection.execute(THIS_SESSION).fetchone(), monotonic() + LOOK_SECONDS

        def note(notice: Diagnostic) -> None:
            # This one has no code. Others, as of transaction ids that run out, are no reason not to publish.
            if notice.source_function == WAIT:
                cancelled.append(notice.message_primary or "")

        connection.add_notice_handler(note)
        pgconn = connection.pgconn
        pgconn.send_query(CONFIRM)
        while not self._is_stopping():
            pgconn.consume_input()
            while not pgconn.is_busy():
                if (result := pgconn.get_result()) is None:
                    # Postgres reports the commit all the same, with a warning.
                    if cancelled:
                        raise psycopg.OperationalError(cancelled[0])
                    return True
                if result.status == ExecStatus.FATAL_ERROR:
                    raise psycopg.OperationalError(result.error_message.decode(errors="replace"))
            self._wait()
            if monotonic() > look_at:
                self._look(this)
                look_at = monotonic() + LOOK_SECONDS
        return False

    def _look(self, waiting: Any) -> None:
        """`waiting` is the session as THIS_SESSION has it. Raises psycopg.OperationalError when it is gone, or the
        server does not answer.

        A standby may be away for as long as it likes, so no clock ends the wait; but behind a proxy that has lost the
        server no answer ever comes, and the kernel sees nothing wrong. Postgres ends such a session as an idle one once
        the commit is through.
        """
        name = sessions.of_this_process("relay look")
        with sessions.connect(self._url, name, sessions.DIAGNOSIS) as other:
            if other.execute(SESSION_EXISTS, waiting).fetchone() is None:
                raise psycopg.OperationalError("the session that waited for the synchronous standby is gone")


def end_wait(connection: Connection[Any]) -> None:
    """End a session whose commit may wait: left alone, it keeps the lead of this database until the standby is back."""
    with suppress(psycopg.Error):
        connection.cancel_safe(timeout=CANCEL_SECONDS)
    connection.close()
