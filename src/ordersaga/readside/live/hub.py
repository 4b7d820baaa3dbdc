"""Hub: the only reader of the event log in a process, which passes new events to all listeners."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from threading import BoundedSemaphore, Event, Lock, Thread
from typing import Any

import psycopg
from psycopg import Connection

from ordersaga.readside import events
from ordersaga.readside.events import EventFilter, LoggedEvent
from ordersaga.readside.live.listener import Frame, Listener
from ordersaga.runtime.logs import log
from ordersaga.runtime.reasons import reason_of

POLL_SECONDS = 0.1
"""Between two queries of the log, each of which takes a fraction of a millisecond."""
PAUSE_AFTER_ERROR = 1.0
PAGE = 500


def frame_of(event: LoggedEvent) -> Frame:
    """The event as server-sent event; its id is the position, so that a client can continue behind it."""
    text = f"id: {event.position}\nevent: {event.contract}\ndata: {event.model_dump_json()}\n\n"
    return Frame(event.position, text)


class Hub:
    """Reads the log while there is a listener."""

    def __init__(
        self, connect: Callable[[], AbstractContextManager[Connection[Any]]], stopping: Event, places: int
    ) -> None:
        """At most `places` clients at a time; all listeners end when `stopping` is set."""
        self.connect = connect
        self.stopping = stopping
        self.places = BoundedSemaphore(places) if places else None
        self._listeners: set[Listener] = set()
        self._head: int | None = None
        self._lock = Lock()
        self._thread: Thread | None = None

    @contextmanager
    def listening(self, wanted: EventFilter, on_full: Callable[[], None]) -> Iterator[Listener]:
        """A listener for the length of the block; it gets every event behind its `joined_at`."""
        with self.connect() as connection:
            head = events.head(connection)
        with self._lock:
            self._head = head if self._head is None else self._head
            listener = Listener(wanted, self._head, on_full)
            self._listeners.add(listener)
            if self._thread is None:
                self._thread = Thread(target=self._run, name="live", daemon=True)
                self._thread.start()
        try:
            yield listener
        finally:
            with self._lock:
                self._listeners.discard(listener)

    def _run(self) -> None:
        """Read until the last listener has left."""
        while self._has_listeners() and not self.stopping.is_set():
            try:
                pause = 0.0 if self._hand_out() else POLL_SECONDS
            except psycopg.Error as error:
                log.warning("the log cannot be read, listeners wait", error=reason_of(error))
                pause = PAUSE_AFTER_ERROR
            self.stopping.wait(pause)
        with self._lock:
            for listener in self._listeners if self.stopping.is_set() else ():
                listener.end()

    def _has_listeners(self) -> bool:
        with self._lock:
            if not self._listeners:
                self._thread = self._head = None
            return bool(self._listeners)

    def _hand_out(self) -> bool:
        """Hand a page of new events to the listeners. Returns whether there may be more."""
        with self.connect() as connection:
            found = events.after(connection, self._head or 0, limit=PAGE)
        framed = [(event, frame_of(event)) for event in found]
        with self._lock:
            for listener in self._listeners:
                for event, frame in framed:
                    if listener.wants(event):
                        listener.offer(frame)
            if found:
                self._head = found[-1].position
        return len(found) == PAGE
