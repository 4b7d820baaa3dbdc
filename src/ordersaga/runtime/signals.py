"""SIGTERM and SIGINT: an event that a process waits for, or the interruption of a command."""

import os
import signal
from collections.abc import Callable
from threading import Event, Thread
from types import FrameType
from typing import NoReturn

INTERRUPTED = 130
"""Exit code of a command that such a signal has interrupted, as a shell has it."""


def set_by_signal(event: Event) -> None:
    """Set the event at SIGTERM or SIGINT.

    The kernel may deliver a signal to any thread, and does so after a SIGSTOP; Python runs its handler in the main
    thread alone, and a main thread that waits for a lock sleeps on (34 of 40 signals, sent to a stopped process of
    five threads). The byte that Python writes for each signal reaches a thread here, whichever thread got the signal.
    """
    read, write = os.pipe()
    os.set_blocking(write, False)
    Thread(target=set_at_byte, args=(read, event), name="signals", daemon=True).start()
    signal.set_wakeup_fd(write)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, leave_to_the_thread)


def set_at_byte(read: int, event: Event) -> None:
    while not {signal.SIGTERM, signal.SIGINT} & set(os.read(read, 1)):
        pass
    event.set()


def leave_to_the_thread(_number: int, _frame: FrameType | None) -> None:
    """A handler must exist: without one, the signal would end the process or raise KeyboardInterrupt."""


def handler_that_sets(event: Event) -> Callable[[int, FrameType | None], None]:
    """A signal handler that sets the event, in a thread.

    A handler interrupts the main thread, which may hold the lock of the event, because it is about to wait or is in
    the handler of another signal; setting the event there would deadlock (10 of 300 processes that got both signals
    within 100 microseconds).
    """

    def handle(_number: int, _frame: FrameType | None) -> None:
        Thread(target=event.set, daemon=True).start()

    return handle


def interrupt_by_signal() -> None:
    """Make SIGTERM, SIGHUP and SIGINT raise KeyboardInterrupt; after the first signal, ignore all of them.

    This includes a SIGINT that was ignored at the start, as in the background of a script, where Python leaves it
    ignored. A SIGHUP that was ignored at the start, as by `nohup`, stays ignored.
    """

    def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, interrupt)
