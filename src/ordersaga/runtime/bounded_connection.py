"""A connection to Postgres that does not wait for an answer for ever.

The kernel gives up a peer that acknowledges nothing. Nothing but a clock ends the wait for one that acknowledges and
never answers: a proxy or load balancer that has lost its server, a server whose disk hangs.
"""

from collections.abc import Generator
from time import monotonic
from typing import Any, TypeVar

from psycopg import Connection, OperationalError
from psycopg.abc import PQGen
from psycopg.rows import TupleRow
from psycopg.waiting import Ready

Result = TypeVar("Result")


class AnswerOverdue(OperationalError):
    """The session is closed. Whether the statement, or a commit, took effect is unknown, as after any lost session."""


class BoundedConnection(Connection[TupleRow]):
    """Raises AnswerOverdue where `longest_wait` passes without an answer; 0 is no bound."""

    longest_wait: float = 0
    """Seconds. It has to be more than the server's `statement_timeout`, which counts the whole statement too."""

    def wait(self, gen: PQGen[Result], *arguments: Any, **options: Any) -> Result:
        if self.longest_wait and not options.get("timeout"):
            gen = bounded(gen, self.longest_wait)
        try:
            return super().wait(gen, *arguments, **options)
        except AnswerOverdue:
            self.pgconn.finish()
            raise


def bounded(gen: PQGen[Result], seconds: float) -> Generator[Any, Any, Result]:
    """The same, but for its end. An answer that has arrived is read, however late: the process may have been frozen."""
    end = 0.0
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if ready == Ready.NONE:
                end = end or monotonic() + seconds
                if monotonic() > end:
                    raise AnswerOverdue(f"no answer from Postgres for {seconds:g} s: the session is given up")
            wanted = gen.send(ready)
    except StopIteration as done:
        result: Result = done.value
        return result
