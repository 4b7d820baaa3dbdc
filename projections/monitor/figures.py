"""The status of one process, from its current metrics and those of the last minute."""

from collections import deque
from datetime import UTC, datetime

from projections.monitor.dependencies import operations
from projections.monitor.probe import ProcessAnswer
from projections.monitor.readings import SECONDS, Reading, p95, per_second
from projections.monitor.snapshot import ProcessStatus, ReceivingFigures, RelayFigures, RequestFigures
from projections.monitor.targets import Target

RATE_SECONDS = 5.0
"""The period that a rate is measured over: short enough to show a change at once, long enough to be steady."""
P95_SECONDS = 60.0


class RecentReadings:
    """The readings of one process in the last minute, and its status."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._readings: deque[Reading] = deque()
        self._status: ProcessStatus | None = None

    def take(self, answer: ProcessAnswer) -> ProcessStatus:
        """Keep the answer, and derive the status from it and those before."""
        before = self._status
        since = before.since if before and before.state == answer.state else datetime.now(UTC)
        self._status = self._derive(answer, since)
        return self._status

    def _derive(self, answer: ProcessAnswer, since: datetime) -> ProcessStatus:
        target, now = self.target, answer.reading
        if now is None:
            return self._without_figures(answer, since)
        self._keep(now)
        before = self._before(now, RATE_SECONDS)
        started, memory = now.get("process_start_time_seconds"), now.get("process_resident_memory_bytes")
        return ProcessStatus(
            target.name,
            target.kind,
            target.url,
            answer.state,
            answer.problems,
            since,
            started_at=None if started is None else datetime.fromtimestamp(started, UTC),
            memory_bytes=None if memory is None else int(memory),
            cores=per_second(before, now, "process_cpu_seconds_total"),
            relays=tuple(relay(before, now, name) for name in now.labels("ordersaga_relay_active")),
            receiving=tuple(
                receiving(before, now, group)
                for group in now.labels(
                    "ordersaga_messages_received_total", "ordersaga_parked_messages", "ordersaga_messages_parked_total"
                )
            ),
            requests=self._requests(before, now) if target.kind == "api" or now.labels(f"{SECONDS}_count") else None,
            open_circuits=open_circuits(now),
            operations=tuple(operations(before, self._before(now, P95_SECONDS), now)),
            disabled_webhooks=now.total("ordersaga_webhooks_subscriptions", "disabled"),
            answered_at=datetime.now(UTC),
        )

    def _without_figures(self, answer: ProcessAnswer, since: datetime) -> ProcessStatus:
        """The status of a process that gives no metrics, with its last figures."""
        target, last = self.target, self._status.last if self._status else None
        before = last if last and last.answered_at else None
        return ProcessStatus(target.name, target.kind, target.url, answer.state, answer.problems, since, before=before)

    def _keep(self, now: Reading) -> None:
        """Drop the readings of a process that was restarted, and those older than a minute."""
        if self._readings and not now.is_same_run_as(self._readings[-1]):
            self._readings.clear()
        self._readings.append(now)
        while now.at - self._readings[0].at > P95_SECONDS:
            self._readings.popleft()

    def _before(self, now: Reading, seconds: float) -> Reading | None:
        """The newest reading of at least this age, else the oldest one before `now`."""
        older = [reading for reading in self._readings if reading is not now]
        return next((one for one in reversed(older) if now.at - one.at >= seconds), older[0] if older else None)

    def _requests(self, before: Reading | None, now: Reading) -> RequestFigures:
        name = f"{SECONDS}_count"
        statuses = now.labels(name)
        failed = [status for status in statuses if status.startswith("5")]
        return RequestFigures(
            answered=sum(now.total(name, status) for status in statuses),
            per_second=sum_per_second(before, now, name, statuses),
            failed=sum(now.total(name, status) for status in failed),
            failed_per_second=sum_per_second(before, now, name, failed),
            p95_seconds=p95(self._before(now, P95_SECONDS), now),
        )


def sum_per_second(before: Reading | None, now: Reading, name: str, labels: list[str]) -> float | None:
    """The rate of a counter, summed over these labels."""
    if before is None:
        return None
    return sum(per_second(before, now, name, label) or 0.0 for label in labels)


def relay(before: Reading | None, now: Reading, database: str) -> RelayFigures:
    published = ("ordersaga_relay_messages_published_total", database)
    return RelayFigures(
        database,
        is_active=bool(now.total("ordersaga_relay_active", database)),
        lag_seconds=now.get("ordersaga_relay_lag_seconds", database) or 0.0,
        lag_rows=now.total("ordersaga_relay_lag_rows", database),
        published=now.total(*published),
        published_per_second=per_second(before, now, *published),
        undeliverable=now.total("ordersaga_relay_undeliverable_messages", database),
        detached_queues=now.total("ordersaga_relay_detached_queues", database),
    )


def open_circuits(now: Reading) -> tuple[str, ...]:
    """Such as `card processor: charge`."""
    found = [key for key, value in now.figures.items() if key[0] == "ordersaga_circuit_open" and value]
    return tuple(sorted(": ".join(label for label in labels if label) for _, *labels in found))


def receiving(before: Reading | None, now: Reading, group: str) -> ReceivingFigures:
    names = (
        "ordersaga_messages_received_total",
        "ordersaga_messages_deduplicated_total",
        "ordersaga_messages_parked_total",
    )
    received, duplicates, parked = (now.total(name, group) for name in names)
    rates = [per_second(before, now, name, group) for name in names]
    retrying, waiting, dead = (
        None if (number := now.get("ordersaga_parked_messages", group, state)) is None else int(number)
        for state in ("retrying", "waiting", "dead")
    )
    return ReceivingFigures(
        group,
        received,
        rates[0],
        duplicates,
        rates[1],
        parked,
        rates[2],
        now.total("ordersaga_messages_forked_total", group),
        retrying,
        waiting,
        dead,
        is_paused=bool(now.total("ordersaga_group_paused", group)),
    )
