"""A subscription that polls for recorded events, so that writers send no notification."""

import threading
from collections import deque
from collections.abc import Sequence

from eventsourcing.persistence import ApplicationRecorder, Notification, Subscription

from ordersaga.runtime.backoff import Backoff

PAGE = 500
"""Events per query."""
BACKOFF = Backoff(first=0.005, longest=0.1, factor=1.3, jitter=0)


class PollingSubscription(Subscription[ApplicationRecorder]):
    """Polls after 5 ms, then less often, down to every 100 ms."""

    def __init__(self, recorder: ApplicationRecorder, gt: int | None = None, topics: Sequence[str] = ()) -> None:
        super().__init__(recorder, gt, topics)
        self._page: deque[Notification] = deque()
        self._stopped = threading.Event()

    def stop(self) -> None:
        """May be called from any thread."""
        super().stop()
        self._stopped.set()

    def __next__(self) -> Notification:
        tries = 0
        while not self._page and not self._stopped.is_set():
            self._page.extend(self._following())
            if not self._page:
                tries += 1
                self._stopped.wait(BACKOFF.seconds(tries))
        if self._stopped.is_set():
            raise StopIteration
        self._last_notification_id = self._page[0].id
        return self._page.popleft()

    def _following(self) -> Sequence[Notification]:
        last = self._last_notification_id or 0
        return self._recorder.select_notifications(last, PAGE, topics=self._topics, inclusive_of_start=False)
