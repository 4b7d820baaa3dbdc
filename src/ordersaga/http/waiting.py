"""`Prefer: wait=N` (RFC 7240): delays an answer until the process that it describes has ended."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import BoundedSemaphore, Event
from typing import Any
from uuid import UUID

from flask import Response, g
from flask.ctx import RequestContext
from flask.globals import request_ctx

from ordersaga.http import sending, spans
from ordersaga.runtime import telemetry
from ordersaga.store.aggregates import Row
from ordersaga.store.version_watch import VersionWatch, Waiter

LONGEST_SECONDS = 30
MAX_SUSPENDED = 400
"""Requests that wait at a time, in one process: 14 KiB each, and a connection."""
WAIT = re.compile(r'(?:^|[,;])\s*wait\s*=\s*"?(\d{1,9})"?\s*(?=$|[,;])', re.IGNORECASE)
OF_THE_REQUEST = ("started", "cause", "caller", "span")
"""What `g` has of a request when it goes on."""


def preferred_wait(prefer: str) -> int:
    """Seconds that the header asks for, at most 30; 0 without it."""
    match = WAIT.search(prefer)
    return min(int(match[1]), LONGEST_SECONDS) if match else 0


class Suspended(BaseException):
    """The request waits, and its thread is free. No Exception, because no error handler answers it."""


class WaitingRoom:
    """Limits the requests that wait: each of them has a connection."""

    def __init__(self, places: int) -> None:
        self._places = BoundedSemaphore(places)

    def enter(self) -> bool:
        """Take a place; False when all are taken."""
        return self._places.acquire(blocking=False)

    def leave(self) -> None:
        self._places.release()


def kept_of_request() -> dict[str, Any]:
    return {name: value for name in OF_THE_REQUEST if (value := g.get(name)) is not None}


@dataclass(eq=False)
class Wait:
    """A request that goes on when its subject has changed, or when its time is over."""

    subject: UUID
    seen: int
    """The version of the subject that the request knows."""
    until: float
    """The end of its time (monotonic)."""
    go_on: Callable[["Wait"], Response]
    """Answers the request, or suspends it again."""
    changed_to: int = 0
    """The version that ended the wait; 0 when its time is over."""
    rows: Sequence[Row] = ()
    """The subject at that version."""
    of_request: dict[str, Any] = field(default_factory=kept_of_request)
    context: RequestContext | None = None
    """Of a suspended request, which is neither parsed, routed nor authenticated again."""

    def begin(self, watch: VersionWatch, woken: Callable[[], None]) -> None:
        """Call `woken` in the thread of the watch when the wait is over; it must neither block nor raise."""

        def end(version: int, rows: Sequence[Row]) -> None:
            self.changed_to, self.rows = version, rows
            woken()

        watch.wait(Waiter(self.subject, self.seen, self.until, end))


def resumed() -> Wait | None:
    """The wait after which this request goes on; None for a new request."""
    conn = sending.connection.get()
    return conn.wait if conn else None


def suspend(wait: Wait, watch: VersionWatch) -> Response:
    """Raises Suspended: the worker lets the request go on later. Another WSGI server's thread waits here."""
    if telemetry.tracing:
        spans.waits()
    conn = sending.connection.get()
    if conn is not None:
        conn.wait, wait.context = wait, request_ctx._get_current_object()  # type: ignore[attr-defined]
        raise Suspended
    done = Event()
    wait.begin(watch, done.set)
    done.wait()
    return wait.go_on(wait)
