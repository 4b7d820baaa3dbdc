"""Circuit breaker: outside steps stop calling what does not answer, and try one call every few seconds (half open).

Not a library: pybreaker holds one lock during each call, so that 16 calls would run one by one, and circuitbreaker lets
every waiting call through at once when its pause is over.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import prometheus_client

from ordersaga.runtime.errors import OUR_DATABASE, CircuitOpen, classify, is_outage
from ordersaga.runtime.logs import log

MAX_FAILURES = 5
"""Failed calls in a row after which an operation is not called any more."""
PROBE_SECONDS = 5.0
"""Between the end of a failed call and the next one while the circuit is open; one call at a time."""
OPEN = prometheus_client.Gauge(
    "ordersaga_circuit_open", "1 while an operation of a resource is not called", ["resource", "operation"]
)
HALF_OPEN = prometheus_client.Gauge(
    "ordersaga_circuit_half_open", "1 while one call tries whether it answers again", ["resource", "operation"]
)
OPEN_SINCE = prometheus_client.Gauge(
    "ordersaga_circuit_open_since_timestamp_seconds", "First failed call, 0 while closed", ["resource", "operation"]
)


class Circuit:
    """The circuit breaker of one operation of a resource; threads share it.

    Closed: all calls are made. Open: none is. Half open, PROBE_SECONDS after the last failure: one call is made, and
    its answer closes the circuit, its failure opens it again. One answer is enough: the bulkhead bounds the calls that
    follow, and as many failures in a row as before open it again.

    Source: Nygard, "Release It!", 2007, chapter 5.
    """

    def __init__(self, resource: str, operation: str = "call") -> None:
        self.resource = resource
        self.operation = operation
        self._lock = threading.Lock()
        self._failures = 0
        self._first_failure = datetime.now(UTC)
        self._since: datetime | None = None
        self._next_probe = 0.0
        self._problem = ""
        self._show(half_open=False)

    @property
    def problem(self) -> str:
        """A sentence while the operation does not answer, else an empty text."""
        return self._problem

    @property
    def refuses(self) -> bool:
        """Whether a call would raise CircuitOpen now."""
        return self._since is not None and time.monotonic() < self._next_probe

    @contextmanager
    def call(self) -> Iterator[None]:
        """Surrounds a call. Raises CircuitOpen when none is to be made now."""
        is_probe = self._begin()
        try:
            yield
        except BaseException as error:
            self._end(error, is_probe)
            raise
        self._end(None, is_probe)

    def _begin(self) -> bool:
        """Returns whether the call is a probe: the others go on being refused until it ends."""
        with self._lock:
            if self.refuses:
                raise CircuitOpen(self._problem)
            is_probe = self._since is not None
            if is_probe:
                self._next_probe = float("inf")
                self._show(half_open=True)
            return is_probe

    def _end(self, error: BaseException | None, is_probe: bool) -> None:
        with self._lock:
            if error is not None and is_outage(error):
                self._failed(error)
            elif error is None or classify(error) not in OUR_DATABASE:
                self._answered()
            if is_probe:
                # Our own database may have been away, which says nothing about the resource.
                waits = error is not None and is_outage(error)
                self._next_probe = time.monotonic() + PROBE_SECONDS if waits else 0.0
            self._show(half_open=self._since is not None and self._next_probe == float("inf"))

    def _failed(self, error: BaseException) -> None:
        if self._failures == 0:
            self._first_failure = datetime.now(UTC)
        self._failures += 1
        if self._failures < MAX_FAILURES:
            return
        if self._since is None:
            self._since = self._first_failure
            self._next_probe = time.monotonic() + PROBE_SECONDS
            log.warning("resource does not answer, trying again until it does", reason=repr(error), **self._about)
        since, tried = f"{self._since:%Y-%m-%d %H:%M:%S}", f"{datetime.now(UTC):%H:%M:%S}"
        self._problem = (
            f"the {self.resource} does not answer since {since} UTC (operation {self.operation}), "
            f"last tried at {tried}: {error}"
        )

    def _answered(self) -> None:
        if self._since is not None:
            log.info("resource answers again", **self._about)
        self._failures, self._since, self._problem = 0, None, ""

    @property
    def _about(self) -> dict[str, str]:
        return {"resource": self.resource, "operation": self.operation}

    def _show(self, half_open: bool) -> None:
        OPEN.labels(**self._about).set(self._since is not None)
        HALF_OPEN.labels(**self._about).set(half_open)
        OPEN_SINCE.labels(**self._about).set(self._since.timestamp() if self._since else 0)
