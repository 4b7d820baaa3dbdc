"""A step that a worker repeats in a thread beside consuming, on a database connection of its own."""

import threading
from collections.abc import Callable
from typing import Any

from psycopg import Connection

from ordersaga.runtime.errors import OUR_DATABASE, UnusableDatabase, classify, place_of
from ordersaga.runtime.links import DatabaseLink
from ordersaga.runtime.logs import is_worth_a_line, log
from ordersaga.runtime.sessions import WORKER, SessionLimits


def no_op(_: Connection[Any]) -> None:
    pass


class Background(threading.Thread):
    """Repeats `step`, which returns the seconds until the next one, until `stopping` is set; then runs `last` once."""

    def __init__(
        self,
        name: str,
        url: str,
        step: Callable[[Connection[Any]], float],
        stopping: threading.Event,
        last: Callable[[Connection[Any]], None] = no_op,
        limits: SessionLimits = WORKER,
        session: str = "",
    ) -> None:
        super().__init__(name=name)
        self.link = DatabaseLink(f"database ({name})", url, limits, session)
        self.step = step
        self.stopping = stopping
        self.last = last
        self._failed = ""
        self._failures = 0

    def run(self) -> None:
        while not self.stopping.is_set():
            self.stopping.wait(self.guarded(self.step))
        if not self.link.problem:
            self.guarded(self.last)
        self.link.close()

    def guarded(self, step: Callable[[Connection[Any]], float | None]) -> float:
        """Run a step, log its error if it raises one. Returns the seconds to wait."""
        try:
            seconds = step(self.link.connection()) or 0
        except Exception as error:  # noqa: BLE001 - one failure must not end the thread
            if isinstance(error, UnusableDatabase):
                # The consumer says so, once, and ends the process.
                self.link.problem = f"{self.name}: {error}"
                return self.link.pause()
            if classify(error) not in OUR_DATABASE:
                self.log_failure(error)
            self.link.down(error)
            return self.link.pause()
        self.link.up()
        self._failed = ""
        return seconds

    def log_failure(self, error: Exception) -> None:
        """Log a failure with its traceback; its repetitions in one line each, the 2nd, 4th, 8th and so on."""
        failure = f"{type(error).__name__} {place_of(error)}"
        self._failures = self._failures + 1 if failure == self._failed else 1
        self._failed = failure
        if self._failures == 1:
            log.exception(f"{self.name} failed and will try again")
        elif is_worth_a_line(self._failures):
            log.error(f"{self.name} still fails", failures=self._failures, reason=repr(error))
