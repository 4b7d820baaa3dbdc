"""Outbound: the deliveries that are under way, at most a few for each endpoint, and their results."""

from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Empty, SimpleQueue
from uuid import UUID

from ordersaga.webhooks.attempting import Attempting, Recipient
from ordersaga.webhooks.deliveries import DeliveryResult, DeliveryToSend
from ordersaga.webhooks.endpoint import Endpoint
from ordersaga.webhooks.subscriptions import Subscription

THREADS = 64
"""Attempts at the same time; a thread is made when it is first needed, and an endpoint that fails has only one."""


class SendingSubscription(Subscription):
    """A subscription with what signs: the sealed secret, and the one before it while it is valid."""

    secrets: list[str]


class Outbound:
    """Only the main thread calls it; its threads put results into a queue."""

    def __init__(self, attempting: Attempting) -> None:
        self._attempting = attempting
        self._executor = ThreadPoolExecutor(THREADS, "webhook")
        self._results: SimpleQueue[DeliveryResult] = SimpleQueue()
        self._endpoints: dict[UUID, Endpoint] = {}

    @property
    def known(self) -> set[int]:
        """Deliveries that are under way or will be sent next."""
        return {number for each in self._endpoints.values() for number in each.known}

    @property
    def is_busy(self) -> bool:
        return any(each.under_way for each in self._endpoints.values())

    def drop_waiting(self) -> None:
        """Another process may have sent them: read them again."""
        for endpoint in self._endpoints.values():
            endpoint.waiting.clear()

    def keep(self, by_id: Mapping[UUID, SendingSubscription]) -> list[UUID]:
        """Heed changes of the subscriptions. Returns the active ones that have nothing left to send."""
        for id_, endpoint in list(self._endpoints.items()):
            subscription = by_id.get(id_)
            if subscription:
                endpoint.heed(subscription.failures)
            if subscription is None or subscription.state != "active":
                endpoint.waiting.clear()
            if subscription is None and not endpoint.under_way:
                del self._endpoints[id_]
        return [
            id_
            for id_, each in by_id.items()
            if each.state == "active" and not (id_ in self._endpoints and self._endpoints[id_].waiting)
        ]

    def add(self, due: Iterable[DeliveryToSend], by_id: Mapping[UUID, SendingSubscription]) -> None:
        for delivery in due:
            id_ = delivery.subscription_id
            if id_ in by_id:
                self._endpoints.setdefault(id_, Endpoint(id_, by_id[id_].failures)).add(delivery)

    def send(self, by_id: Mapping[UUID, SendingSubscription]) -> None:
        """Begin the attempts that there is room for."""
        for id_, endpoint in self._endpoints.items():
            while id_ in by_id and (delivery := endpoint.next()):
                subscription = by_id[id_]
                recipient = Recipient(subscription.url, subscription.format, subscription.secrets)
                self._executor.submit(self._attempting.attempt, recipient, delivery).add_done_callback(self._ended)

    def _ended(self, done: "Future[DeliveryResult]") -> None:
        if not done.cancelled():
            self._results.put(done.result())

    def results(self, seconds: float) -> list[DeliveryResult]:
        """The results that have arrived, after waiting for the first."""
        found: list[DeliveryResult] = []
        try:
            found.append(self._results.get(timeout=seconds))
            while True:
                found.append(self._results.get_nowait())
        except Empty:
            pass
        for each in found:
            if endpoint := self._endpoints.get(each.delivery.subscription_id):
                endpoint.ended(each.delivery.id, not each.attempt.error)
        return found

    def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)
