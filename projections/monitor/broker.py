"""The broker's queues and traffic, from its own metrics or else from the metrics of relays and workers."""

import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import requests

from ordersaga.broker.bound_contracts import RECORDS
from projections.monitor.probe import TIMEOUTS
from projections.monitor.readings import Reading, per_second, read
from projections.monitor.snapshot import NOT_SET, BrokerStatus, ProcessStatus, QueueFigures

TOTALS = "rabbitmq_global_messages_"
QUEUE = "rabbitmq_detailed_queue_"
ALARMS = {
    "rabbitmq_alarms_memory_used_watermark": "memory",
    "rabbitmq_alarms_free_disk_space_watermark": "disk",
    "rabbitmq_alarms_file_descriptor_limit": "file descriptors",
}
WANTED_TOTALS = {
    f"{TOTALS}{name}_total": ()
    for name in ("received", "delivered", "acknowledged", "unroutable_returned", "unroutable_dropped")
} | dict.fromkeys(ALARMS, ())
WANTED_OF_QUEUES = {f"{QUEUE}{name}": ("queue",) for name in ("messages_ready", "messages_unacked", "consumers")}
DETAILED = "/metrics/detailed?family=queue_coarse_metrics&family=queue_consumer_count"
RATE_SECONDS = 5.0
"""The period that a rate is measured over."""


@dataclass(frozen=True, slots=True)
class BrokerAnswer:
    """Two readings, or the problem."""

    problem: str | None
    totals: Reading | None = None
    queues: Reading | None = None


class Broker:
    """Asks RabbitMQ's plugin `rabbitmq_prometheus`, at every node of a cluster; one request at a time."""

    def __init__(self, urls: str) -> None:
        """`urls` has one for each node, with spaces between."""
        self._urls = [url.rstrip("/") for url in urls.split()]
        self._http = requests.Session()
        self._http.trust_env = False
        self._totals: deque[Reading] = deque()

    def ask(self) -> BrokerAnswer:
        """Read the metrics; a problem is part of the answer."""
        if not self._urls:
            return BrokerAnswer(NOT_SET)
        try:
            totals = read(self._of_all_nodes("/metrics"), time.monotonic(), WANTED_TOTALS)
            queues = read(self._of_all_nodes(DETAILED), time.monotonic(), WANTED_OF_QUEUES)
        except (requests.RequestException, ValueError) as error:
            reason = "answers what cannot be understood" if isinstance(error, ValueError) else "does not answer"
            places = ", ".join(self._urls)
            return BrokerAnswer(f"The broker {reason} at BROKER_METRICS_URL ({places}).")
        return BrokerAnswer(None, totals, queues)

    def _of_all_nodes(self, path: str) -> str:
        """The texts of all nodes that answer; a node has the figures of the queues that it leads.

        Raises:
            requests.RequestException: none answers.
        """
        texts, failure = [], None
        for url in self._urls:
            try:
                texts.append(self._get(url + path))
            except requests.RequestException as error:
                failure = error
        if failure and not texts:
            raise failure
        return "\n".join(texts)

    def _get(self, url: str) -> str:
        answer = self._http.get(url, timeout=TIMEOUTS, allow_redirects=False)
        answer.raise_for_status()
        return answer.text

    def take(self, answer: BrokerAnswer, processes: Sequence[ProcessStatus]) -> BrokerStatus:
        """Keep the answer, and derive the status from it and those before."""
        if answer.totals is None or answer.queues is None:
            return by_processes(answer.problem, processes)
        now = answer.totals
        self._totals.append(now)
        while len(self._totals) > 2 and now.at - self._totals[1].at >= RATE_SECONDS:
            self._totals.popleft()
        before = self._totals[0] if len(self._totals) > 1 else None
        names = answer.queues.labels(f"{QUEUE}messages_ready")
        queues = tuple(queue(answer.queues, name) for name in names if not name.startswith(RECORDS))
        return BrokerStatus(
            "broker",
            None,
            enqueued_per_second=per_second(before, now, f"{TOTALS}received_total"),
            delivered_per_second=per_second(before, now, f"{TOTALS}delivered_total"),
            acknowledged_per_second=per_second(before, now, f"{TOTALS}acknowledged_total"),
            unroutable=sum(now.total(f"{TOTALS}unroutable_{end}_total") for end in ("returned", "dropped")),
            ready=sum(queue.ready for queue in queues),
            unacknowledged=sum(queue.unacknowledged for queue in queues),
            queues=queues,
            alarms=tuple(limit for name, limit in ALARMS.items() if now.total(name)),
        )

    def close(self) -> None:
        self._http.close()


def queue(reading: Reading, name: str) -> QueueFigures:
    consumers = reading.get(f"{QUEUE}consumers", name)
    return QueueFigures(
        name,
        ready=reading.total(f"{QUEUE}messages_ready", name),
        unacknowledged=reading.total(f"{QUEUE}messages_unacked", name),
        consumers=None if consumers is None else int(consumers),
    )


def by_processes(problem: str | None, processes: Iterable[ProcessStatus]) -> BrokerStatus:
    """The traffic from the metrics of relays and workers; the queues are unknown."""
    found = list(processes)
    return BrokerStatus(
        "processes",
        problem,
        enqueued_per_second=sum_of_known(relay.published_per_second for process in found for relay in process.relays),
        delivered_per_second=sum_of_known(
            group.received_per_second for process in found for group in process.receiving
        ),
    )


def sum_of_known(rates: Iterable[float | None]) -> float | None:
    """The sum of the known rates; None when none is known."""
    known = [rate for rate in rates if rate is not None]
    return sum(known) if known else None
