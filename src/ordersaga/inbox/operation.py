"""Operations of a resource: each has its circuit breaker, its own number of calls at once, and a line that waits."""

import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from threading import Lock
from typing import Any

import prometheus_client

from ordersaga.inbox.circuit import Circuit
from ordersaga.inbox.delivery import Received
from ordersaga.inbox.pace import Pace
from ordersaga.runtime.errors import RateLimited, is_outage

LABELS = ("resource", "operation")
CALLS = prometheus_client.Counter(
    "ordersaga_outside_calls_total", "Outside steps by outcome", ["resource", "operation", "outcome"]
)
IN_PROGRESS = prometheus_client.Gauge(
    "ordersaga_outside_calls_in_progress", "Calls under way", ["resource", "operation"]
)
WAITING = prometheus_client.Gauge(
    "ordersaga_outside_waiting_messages", "Messages in hand that wait for a call", ["resource", "operation"]
)
SECONDS = prometheus_client.Histogram(
    "ordersaga_outside_call_duration_seconds",
    "From the call to its answer or failure",
    ["resource", "operation"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40),
)
OUTCOMES = ("answered", "failed", "unavailable", "rate_limited", "refused")


class Step(Future[Any]):
    """The outside step of one message; its result is the answer, None without one.

    It can be cancelled whenever its call is not under way.
    """

    def __init__(self, message: Received, fresh: bool) -> None:
        """A fresh message, unlike a parked one, waits in hand, and gets no step while its key is parked."""
        super().__init__()
        self.message = message
        self.fresh = fresh
        self.operation: Operation | None = None
        """The operation that it wants to call or waits for."""
        self.has_place = False
        """Whether it occupies a place of its operation."""
        self.is_held_up = False
        """Whether it could not call when it first wanted to."""
        self.limited = 0
        """How often the resource has answered that it is called too often."""
        self._lock = Lock()
        self._is_calling = False

    def begin_call(self) -> bool:
        """False if it was cancelled before."""
        with self._lock:
            self._is_calling = not self.cancelled()
            return self._is_calling

    def end_call(self) -> None:
        """It may be cancelled again, unless it has its result."""
        with self._lock:
            self._is_calling = False

    def cancel(self) -> bool:
        with self._lock:
            return not self._is_calling and super().cancel()

    def settle(self, result: Any = None, error: BaseException | None = None) -> None:
        """Give it its result, unless it was cancelled."""
        if self.set_running_or_notify_cancel():
            if error is None:
                self.set_result(result)
            else:
                self.set_exception(error)


class Operation:
    """What a resource is asked for: so many calls of it run at once, and no more, whatever other operations do.

    Source: Nygard, "Release It!", 2007, chapter 5 (bulkheads). The caller holds the lock of all operations, except
    for `call`.
    """

    def __init__(self, resource: str, name: str, at_once: int, pace: Pace) -> None:
        self.name = f"{resource}/{name}"
        self.circuit = Circuit(resource, name)
        self.at_once = at_once
        self.pace = pace
        self.waiting: deque[Step] = deque()
        self.in_progress = 0
        self._labels = (resource, name)
        for outcome in OUTCOMES:
            CALLS.labels(*self._labels, outcome)
        SECONDS.labels(*self._labels)
        self.show()

    @property
    def has_place(self) -> bool:
        """Whether one more call may run beside those under way."""
        return self.in_progress < self.at_once

    @property
    def is_ready(self) -> bool:
        """Whether a parked message that needs it is to be tried now; else it is better left in its table."""
        return self.has_place and not (self.circuit.refuses or self.waiting or self.pace.seconds() > 0)

    @property
    def problem(self) -> str:
        """A sentence while it does not answer, with the number of messages that wait for it in hand."""
        if not self.circuit.problem:
            return ""
        in_hand = self.in_progress + len(self.waiting)
        return f"{self.circuit.problem} (messages in hand that need it: {in_hand}; the others are parked)"

    def admit(self, step: Step) -> bool:
        """Whether the step may call now; it then occupies a place until `leave`."""
        if not step.has_place and not (self.waiting or not self.has_place or self.pace.take()):
            self.take_place(step)
        return step.has_place

    def next_step(self) -> Step | None:
        """The first of the line, if it may go on: with a place, or without one where it would be refused anyway."""
        while self.waiting and self.waiting[0].cancelled():
            self.waiting.popleft()
        if not self.waiting or not (self.circuit.refuses or (self.has_place and not self.pace.take())):
            return None
        step = self.waiting.popleft()
        if not self.circuit.refuses:
            self.take_place(step)
        self.show()
        return step

    @property
    def seconds_until_next(self) -> float:
        """Seconds until the pace lets the first of the line go on; 0 when it is not the pace that it waits for."""
        return self.pace.seconds() if self.waiting and self.has_place else 0.0

    def take_place(self, step: Step) -> None:
        step.has_place = True
        self.in_progress += 1
        self.show()

    def leave(self, step: Step) -> None:
        """Give back the step's place, if it has one."""
        self.in_progress -= step.has_place
        step.has_place = False
        self.show()

    def wait(self, step: Step) -> None:
        """Put the step at the end of the line, or at its front if it was there before."""
        if step.limited:
            self.waiting.appendleft(step)
        else:
            self.waiting.append(step)
        self.show()

    def drop(self, step: Step) -> bool:
        """Take the step out of the line. False if it does not wait."""
        if step not in self.waiting:
            return False
        self.waiting.remove(step)
        self.show()
        return True

    def show(self) -> None:
        IN_PROGRESS.labels(*self._labels).set(self.in_progress)
        WAITING.labels(*self._labels).set(len(self.waiting))

    @contextmanager
    def call(self) -> Iterator[None]:
        """Surrounds a call: counts it, times it, and tells circuit breaker and pace how it ended."""
        with self.circuit.call():
            began, outcome = time.monotonic(), "answered"
            try:
                yield
                self.pace.answered()
            except BaseException as error:
                outcome = outcome_of(error)
                if isinstance(error, RateLimited):
                    self.pace.pause(error.retry_after)
                raise
            finally:
                SECONDS.labels(*self._labels).observe(time.monotonic() - began)
                self.count(outcome)

    def count(self, outcome: str) -> None:
        CALLS.labels(*self._labels, outcome).inc()


def outcome_of(error: BaseException) -> str:
    if isinstance(error, RateLimited):
        return "rate_limited"
    return "unavailable" if is_outage(error) else "failed"
