"""Circuit breaker: outside steps stop calling a resource that does not answer, and try it again every few seconds.

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
"""Failed calls in a row after which a resource is not called any more."""
PROBE_SECONDS = 5.0
"""Between the end of a failed call and the next one while the circuit is open; one call at a time."""
OPEN = prometheus_client.Gauge("ordersaga_circuit_open", "1 while a resource does not answer", ["resource"])


class Circuit:
    """The circuit breaker of one resource; threads share it.

    Source: Nygard, "Release It!", 2007, chapter 5.
    """

    def __init__(self, resource: str) -> None:
        self.resource = resource
        self._lock = threading.Lock()
        self._failures = 0
        self._first_failure = datetime.now(UTC)
        self._since: datetime | None = None
        self._next_probe = 0.0
        self._problem = ""
        OPEN.labels(resource).set(0)

    @property
    def problem(self) -> str:
        """A sentence while the resource does not answer, else an empty text."""
        return self._problem

    @property
    def refuses(self) -> bool:
        """Whether a call would raise CircuitOpen now."""
        return self._since is not None and time.monotonic() < self._next_probe

    @contextmanager
    def call(self) -> Iterator[None]:
        """Surrounds a call of the resource. Raises CircuitOpen when the resource is not to be called now."""
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

    def _failed(self, error: BaseException) -> None:
        if self._failures == 0:
            self._first_failure = datetime.now(UTC)
        self._failures += 1
        if self._failures < MAX_FAILURES:
            return
        if self._since is None:
            self._since = self._first_failure
            self._next_probe = time.monotonic() + PROBE_SECONDS
            OPEN.labels(self.resource).set(1)
            log.warning(
                "resource does not answer, trying again until it does", resource=self.resource, reason=repr(error)
            )
        since, tried = f"{self._since:%Y-%m-%d %H:%M:%S}", f"{datetime.now(UTC):%H:%M:%S}"
        self._problem = f"the {self.resource} does not answer since {since} UTC, last tried at {tried}: {error}"

    def _answered(self) -> None:
        if self._since is not None:
            OPEN.labels(self.resource).set(0)
            log.info("resource answers again", resource=self.resource)
        self._failures, self._since, self._problem = 0, None, ""
