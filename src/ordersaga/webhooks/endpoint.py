"""Endpoint: what the process remembers of one subscription: what is under way, and whether the endpoint answers."""

import time
from collections import deque
from uuid import UUID

from ordersaga.runtime.backoff import Backoff
from ordersaga.webhooks.deliveries import DeliveryToSend
from ordersaga.webhooks.payload import TEST

MAX_UNDER_WAY = 4
"""Attempts at the same time, each of another key; one while the last attempt has failed."""
PAUSES = Backoff(first=1.0, longest=300.0, jitter=0.2)
"""Between two attempts at an endpoint that fails, whatever the delivery."""
FAILURES_BEFORE_PAUSE = 3
"""A receiver that refuses a single message keeps no other from being sent."""


class Endpoint:
    """Only the main thread uses it."""

    def __init__(self, id_: UUID, failures: int = 0) -> None:
        self.id = id_
        self.waiting: deque[DeliveryToSend] = deque()
        self.under_way: set[int] = set()
        self._failures = failures
        self._free_at = 0.0

    @property
    def known(self) -> set[int]:
        """Deliveries that need not be read again."""
        return self.under_way | {each.id for each in self.waiting}

    def add(self, delivery: DeliveryToSend) -> None:
        """A test goes first, and waits for nothing."""
        if delivery.type == TEST:
            self.waiting.appendleft(delivery)
        else:
            self.waiting.append(delivery)

    def next(self) -> DeliveryToSend | None:
        """The delivery to send now, if there is one; it is under way then."""
        if not self.waiting or not (self.waiting[0].type == TEST or self._has_room()):
            return None
        delivery = self.waiting.popleft()
        self.under_way.add(delivery.id)
        return delivery

    def _has_room(self) -> bool:
        if self._failures < FAILURES_BEFORE_PAUSE:
            return len(self.under_way) < (1 if self._failures else MAX_UNDER_WAY)
        return not self.under_way and time.monotonic() >= self._free_at

    def heed(self, failures: int) -> None:
        """Take over that the database knows of no failure: a person has resumed the subscription, or asks again."""
        if not failures:
            self._failures = 0

    def ended(self, delivery_id: int, succeeded: bool) -> None:
        self.under_way.discard(delivery_id)
        self._failures = 0 if succeeded else self._failures + 1
        if self._failures >= FAILURES_BEFORE_PAUSE:
            self._free_at = time.monotonic() + PAUSES.seconds(self._failures - FAILURES_BEFORE_PAUSE + 1)
